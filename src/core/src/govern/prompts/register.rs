//! Registering a version of a prompt.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

use super::{PromptError, act, random_id, reason, state};
use crate::journal::Journal;
use crate::keys::keyring::KeyError;
use crate::keys::rows::Changes;
use crate::tenant::Tenant;
use crate::tenant::prompts::{Prompt, PromptText, PromptVersion, Prompts, Secret};
use trailkeep_crypto::secret::random_bytes;
use trailkeep_proof::ids::hex;
use trailkeep_proof::prompts::{PromptName, commitment};
use trailkeep_proof::system::{PromptVersionSection, SystemEvent};

/// Bytes of a version's text.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Prompts of a tenant: all of them are in memory.
const PROMPTS_MAX: usize = 10_000;
/// Versions of a prompt.
const VERSIONS_MAX: u32 = 10_000;
/// Characters of a path.
const PATH_CHARACTERS_MAX: usize = 1_024;

/// A version to register.
#[derive(Clone, Debug)]
pub struct NewVersion {
    /// The prompt.
    pub name: String,
    /// Its text.
    pub text: String,
    /// The commit that its file was read from, in hex.
    pub git_commit: Option<String>,
    /// The path of its file.
    pub path: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// A version that is registered.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The version.
    pub version: PromptVersion,
    /// Whether it was registered just now; else it is the newest version, which has the same text.
    pub is_new: bool,
}

/// Registers a version; recorded first. The text of the newest version registered again changes nothing.
pub fn register(
    journal: &Journal,
    tenant: &Tenant,
    new: NewVersion,
    by: &str,
) -> Result<Registered, PromptError> {
    let name = PromptName::parse(&new.name)?;
    let new = checked(new)?;
    let _one = journal.locks.creation();
    let prompts = tenant.active().prompts();
    let sha256: [u8; 32] = Sha256::digest(&new.text).into();
    let prompt = prompts.get(name.as_str());
    let newest = prompt.and_then(Prompt::newest);
    if let Some(same) = newest.filter(|newest| newest.sha256() == Some(&*hex(&sha256))) {
        return Ok(Registered {
            version: same.clone(),
            is_new: false,
        });
    }
    check_counts(&prompts, prompt)?;
    let salt: [u8; 32] = random_bytes().map_err(KeyError::from)?;
    let parent = newest.map(|newest| newest.version);
    let version = PromptVersion {
        id: random_id()?,
        version: parent.unwrap_or(0) + 1,
        size: new.text.len() as u64,
        parent,
        git_commit: new.git_commit,
        path: new.path,
        secret: Some(Secret {
            sha256: hex(&sha256),
            salt: hex(&salt),
        }),
        registered: act(journal, tenant, by, new.reason),
        withdrawn: None,
        erased: None,
        name,
    };
    let committed = commitment(&salt, &version.name, version.version, &sha256);
    let event = SystemEvent::PromptVersion {
        prompt: PromptVersionSection {
            id: version.id.clone(),
            name: version.name.to_string(),
            version: version.version,
            commitment: BASE64.encode(committed),
            size: version.size,
            parent,
            git_commit: version.git_commit.clone(),
        },
    };
    let record = tenant.active_record().record();
    let mut changes = Changes::default();
    changes.put(&journal.keyring, record, &version.id, &version)?;
    let text = PromptText { text: new.text };
    changes.put(&journal.keyring, record, &version.id, &text)?;
    let version = version.stated(state(journal, tenant, &event, changes)?);
    tenant
        .active()
        .set_prompts(prompts.with_version(version.clone()));
    Ok(Registered {
        version,
        is_new: true,
    })
}

fn checked(mut new: NewVersion) -> Result<NewVersion, PromptError> {
    let wrong = |detail: String| Err(PromptError::Wrong(detail));
    if new.text.is_empty() || new.text.len() > TEXT_BYTES_MAX {
        return wrong(format!(
            "a prompt has 1 to {TEXT_BYTES_MAX} bytes of text, and this one has {}",
            new.text.len()
        ));
    }
    let is_hash = |commit: &String| {
        [40, 64].contains(&commit.len())
            && commit
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    if new
        .git_commit
        .as_ref()
        .is_some_and(|commit| !is_hash(commit))
    {
        return wrong(
            "`git_commit` must be the whole hash of a commit: 40 or 64 digits of 0-9 and a-f"
                .to_owned(),
        );
    }
    let length = new.path.as_ref().map_or(1, |path| path.chars().count());
    if !(1..=PATH_CHARACTERS_MAX).contains(&length) {
        return wrong(format!(
            "`path` must have 1 to {PATH_CHARACTERS_MAX} characters"
        ));
    }
    new.reason = reason(new.reason.as_deref())?;
    Ok(new)
}

fn check_counts(prompts: &Prompts, prompt: Option<&Prompt>) -> Result<(), PromptError> {
    if prompt.is_none() && prompts.len() >= PROMPTS_MAX {
        return Err(PromptError::TooMany(
            "the tenant has 10,000 prompts, which is the most",
        ));
    }
    let newest = prompt.and_then(Prompt::newest);
    if newest.is_some_and(|newest| newest.version >= VERSIONS_MAX) {
        return Err(PromptError::TooMany(
            "the prompt has 10,000 versions, which is the most: go on under another name",
        ));
    }
    Ok(())
}
