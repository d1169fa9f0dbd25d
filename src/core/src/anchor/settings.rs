//! The settings' sections `[[anchor]]`: where heads are given to.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::Url;
use serde::Deserialize;
use zeroize::Zeroizing;

use trailkeep_files::named::read_named_text;
use trailkeep_proof::ids::TenantName;
use trailkeep_proof::ledger::cosignature::WitnessKey;
use trailkeep_proof::ledger::note::NoteError;

/// How often a head that grew is given to a target, unless set otherwise.
const EVERY_SECONDS: u64 = 600;
/// Bytes of a target's name.
const NAME_BYTES_MAX: usize = 64;
/// Begins a secret of Standard Webhooks.
const SECRET_PREFIX: &str = "whsec_";
/// Bytes of such a secret (Standard Webhooks, "Signature scheme").
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// One section `[[anchor]]`, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorSection {
    /// Names the target in lists and in the ledger's files.
    pub name: String,
    /// A directory on another disk or host, absolute.
    pub directory: Option<PathBuf>,
    /// An address to which heads are posted.
    pub webhook: Option<String>,
    /// A file with the token for the webhook's `Authorization: Bearer`.
    pub bearer_file: Option<PathBuf>,
    /// A file with the webhook's signing secret, `whsec_…` (Standard Webhooks).
    pub secret_file: Option<PathBuf>,
    /// A witness's submission prefix: `add-checkpoint` stands below it.
    pub witness: Option<String>,
    /// The witness's verifier key.
    pub key: Option<String>,
    /// How often, in seconds.
    pub every_seconds: Option<u64>,
    /// Whose ledgers; all tenants' if absent.
    pub tenants: Option<Vec<String>>,
}

/// Where heads are given to.
#[derive(Clone, Debug, Default)]
pub struct AnchorSettings {
    /// The targets, each with a name of its own.
    pub targets: Vec<Target>,
}

/// Whether the files with secrets are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Secrets {
    Read,
    LeaveOut,
}

/// One target.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// What it is.
    pub place: Place,
    /// How often a head that grew is given to it.
    pub every: Duration,
    tenants: Option<Vec<TenantName>>,
}

/// What a target is.
#[derive(Clone, Debug)]
pub enum Place {
    /// A directory.
    Directory(PathBuf),
    /// An address that takes the head.
    Webhook {
        /// Where.
        url: Url,
        /// How it knows that it is us.
        key: WebhookKey,
    },
    /// A witness, C2SP tlog-witness.
    Witness {
        /// Where `add-checkpoint` is.
        url: Url,
        /// What it cosigns with.
        key: WitnessKey,
    },
}

/// How a webhook knows that it is us. It does not print.
#[derive(Clone)]
pub enum WebhookKey {
    /// It does not ask.
    None,
    /// A token.
    Bearer(Zeroizing<String>),
    /// A secret of Standard Webhooks.
    Secret(Zeroizing<Vec<u8>>),
}

/// Why a section can't be used.
#[derive(Debug, thiserror::Error)]
#[error("[[anchor]] `{name}`: {fault}")]
pub struct AnchorSettingsError {
    /// Which section.
    pub name: String,
    /// What is wrong.
    pub fault: AnchorFault,
}

/// What is wrong with a section.
#[derive(Debug, thiserror::Error)]
pub enum AnchorFault {
    /// The name has not the form.
    #[error("`name` must be 1 to 64 lower-case letters, digits, `-`, `_` and `.`")]
    Name,
    /// The name stands twice.
    #[error("another section has this name")]
    NameTaken,
    /// Not one of the three.
    #[error("give one of `directory`, `webhook` and `witness`")]
    Place,
    /// A member that does not go with the others.
    #[error("`{0}` does not apply to this kind of target")]
    Stray(&'static str),
    /// Not absolute.
    #[error("`directory` must be absolute")]
    Relative,
    /// Not an address.
    #[error("`{0}` must be a URL that begins with https:// or http://")]
    Address(&'static str),
    /// A token would go over the network as it is.
    #[error("a bearer token must not be sent over http:// to another machine: use https://")]
    Plain,
    /// Both kinds of proof.
    #[error("give one of `bearer_file` and `secret_file`")]
    TwoKeys,
    /// No key, or none of a witness.
    #[error("`key` must be the witness's verifier key: {0}")]
    Key(NoteError),
    /// The key is missing.
    #[error(
        "a witness needs `key`, its verifier key: without it its cosignatures cannot be checked"
    )]
    KeyMissing,
    /// A file can't be read.
    #[error("{path}: {error}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// What stands in a file is no secret.
    #[error("{path}: {what}", path = .path.display())]
    Secret {
        /// Which.
        path: PathBuf,
        /// What it must be.
        what: &'static str,
    },
    /// No seconds.
    #[error("`every_seconds` must be 1 at least")]
    Every,
    /// Not a tenant.
    #[error("`tenants`: `{0}` is not a valid tenant name")]
    Tenant(String),
}

impl AnchorSettings {
    /// Reads the sections, and the files that they name.
    pub fn read(sections: Vec<AnchorSection>) -> Result<Self, AnchorSettingsError> {
        Self::of(sections, Secrets::Read)
    }

    /// Checks the sections alone: the files that they name may be on another machine.
    pub fn check_form(sections: Vec<AnchorSection>) -> Result<(), AnchorSettingsError> {
        Self::of(sections, Secrets::LeaveOut).map(drop)
    }

    fn of(sections: Vec<AnchorSection>, secrets: Secrets) -> Result<Self, AnchorSettingsError> {
        let mut targets: Vec<Target> = Vec::with_capacity(sections.len());
        for section in sections {
            let name = section.name.clone();
            let is_taken = targets.iter().any(|target| target.name == name);
            let target = if is_taken {
                Err(AnchorFault::NameTaken)
            } else {
                Target::read(section, secrets)
            };
            targets.push(target.map_err(|fault| AnchorSettingsError { name, fault })?);
        }
        Ok(Self { targets })
    }
}

impl Target {
    fn read(section: AnchorSection, secrets: Secrets) -> Result<Self, AnchorFault> {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        if !(1..=NAME_BYTES_MAX).contains(&section.name.len())
            || !section.name.bytes().all(is_plain)
        {
            return Err(AnchorFault::Name);
        }
        let every = section.every_seconds.unwrap_or(EVERY_SECONDS);
        if every == 0 {
            return Err(AnchorFault::Every);
        }
        let tenants = section.tenants.as_ref().map(|names| {
            let tenant = |name: &String| {
                TenantName::new(name).map_err(|_| AnchorFault::Tenant(name.clone()))
            };
            names.iter().map(tenant).collect::<Result<_, _>>()
        });
        Ok(Self {
            tenants: tenants.transpose()?,
            every: Duration::from_secs(every),
            place: Place::read(&section, secrets)?,
            name: section.name,
        })
    }

    /// Whether it is given the heads of this tenant.
    pub fn is_for(&self, tenant: &TenantName) -> bool {
        self.tenants
            .as_ref()
            .is_none_or(|tenants| tenants.contains(tenant))
    }

    /// The key of a witness.
    pub fn witness(&self) -> Option<&WitnessKey> {
        match &self.place {
            Place::Witness { key, .. } => Some(key),
            _ => None,
        }
    }
}

impl Place {
    fn read(section: &AnchorSection, secrets: Secrets) -> Result<Self, AnchorFault> {
        let stray = [
            (
                "bearer_file",
                section.bearer_file.is_some() && section.webhook.is_none(),
            ),
            (
                "secret_file",
                section.secret_file.is_some() && section.webhook.is_none(),
            ),
            ("key", section.key.is_some() && section.witness.is_none()),
        ];
        match (&section.directory, &section.webhook, &section.witness) {
            (Some(_), None, None) | (None, Some(_), None) | (None, None, Some(_)) => {}
            _ => return Err(AnchorFault::Place),
        }
        if let Some((member, _)) = stray.into_iter().find(|(_, is_stray)| *is_stray) {
            return Err(AnchorFault::Stray(member));
        }
        if let Some(path) = &section.directory {
            return path
                .is_absolute()
                .then(|| Self::Directory(path.clone()))
                .ok_or(AnchorFault::Relative);
        }
        if let Some(url) = &section.webhook {
            let url = address(url, "webhook")?;
            let key = WebhookKey::read(section, secrets)?;
            let has_token = section.bearer_file.is_some();
            let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
            if has_token && url.scheme() == "http" && !is_local {
                return Err(AnchorFault::Plain);
            }
            return Ok(Self::Webhook { url, key });
        }
        let prefix = section.witness.as_deref().unwrap_or_default();
        let prefix = format!("{}/", prefix.trim_end_matches('/'));
        let url = address(&prefix, "witness")?
            .join(trailkeep_proof::ledger::witness::ADD_CHECKPOINT)
            .map_err(|_| AnchorFault::Address("witness"))?;
        let key = section.key.as_deref().ok_or(AnchorFault::KeyMissing)?;
        let key = WitnessKey::parse(key).map_err(AnchorFault::Key)?;
        Ok(Self::Witness { url, key })
    }

    /// The kind's word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Directory(_) => "directory",
            Self::Webhook { .. } => "webhook",
            Self::Witness { .. } => "witness",
        }
    }

    /// Where it is, to be shown to the operator. A webhook's path may hold a secret.
    pub fn shown(&self) -> String {
        match self {
            Self::Directory(path) => path.display().to_string(),
            Self::Webhook { url, .. } => url.origin().ascii_serialization(),
            Self::Witness { url, .. } => url.to_string(),
        }
    }
}

impl WebhookKey {
    fn read(section: &AnchorSection, secrets: Secrets) -> Result<Self, AnchorFault> {
        match (&section.bearer_file, &section.secret_file) {
            (None, None) => Ok(Self::None),
            (Some(_), Some(_)) => Err(AnchorFault::TwoKeys),
            _ if secrets == Secrets::LeaveOut => Ok(Self::None),
            (Some(path), None) => {
                let token = read_line(path)?;
                let what = "it must have one token of printable ASCII characters";
                let is_token =
                    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
                let path = path.clone();
                is_token
                    .then_some(Self::Bearer(token))
                    .ok_or(AnchorFault::Secret { path, what })
            }
            (None, Some(path)) => {
                let text = read_line(path)?;
                let what = "it must have `whsec_` and 24 to 64 bytes in base64";
                let bytes = text
                    .strip_prefix(SECRET_PREFIX)
                    .and_then(|text| BASE64.decode(text).ok())
                    .map(Zeroizing::new);
                let path = path.clone();
                bytes
                    .filter(|bytes| SECRET_BYTES.contains(&bytes.len()))
                    .map(Self::Secret)
                    .ok_or(AnchorFault::Secret { path, what })
            }
        }
    }
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "None",
            Self::Bearer(_) => "Bearer(..)",
            Self::Secret(_) => "Secret(..)",
        })
    }
}

fn address(text: &str, member: &'static str) -> Result<Url, AnchorFault> {
    let url = Url::parse(text).map_err(|_| AnchorFault::Address(member))?;
    let is_web = ["http", "https"].contains(&url.scheme()) && url.has_host();
    is_web.then_some(url).ok_or(AnchorFault::Address(member))
}

fn read_line(path: &Path) -> Result<Zeroizing<String>, AnchorFault> {
    let text = read_named_text(path).map_err(|error| AnchorFault::File {
        path: path.to_owned(),
        error,
    })?;
    let text = Zeroizing::new(text);
    Ok(Zeroizing::new(text.trim().to_owned()))
}

#[cfg(test)]
mod tests;
