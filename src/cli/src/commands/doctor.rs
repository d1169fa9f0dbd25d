//! `trailkeep doctor`: what an operator should mend, before it is missed.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::client::Client;
use super::output::{print_json, print_line};
use super::settings::{Flags, Settings, start_options};
use super::{DirectoryArgs, TargetArgs, clock};
use trailkeep_core::DEFAULT_TENANT;
use trailkeep_core::govern::policies;
use trailkeep_core::ops::readiness::WAITING;
use trailkeep_crypto::root::RootKeySource;
use trailkeep_policy::lint::is_review_overdue;
use trailkeep_ports::directory::{Exposure, exposure_of, free_bytes, owner_of_files};
use trailkeep_proof::time::UnixMillis;
use trailkeep_server::tls::TlsFiles;
use trailkeep_verify::exit::Exit;

const DAY_MS: u64 = 86_400_000;
/// A backup is daily; a day is left for one that failed.
const BACKUP_AGE_MAX_MS: u64 = 2 * DAY_MS;
/// A certificate that ends within this time should have been renewed.
const CERTIFICATE_LEFT_MIN_MS: u64 = 21 * DAY_MS;
/// An anchor may be this much later than twice its interval.
const ANCHOR_GRACE_MS: u64 = 10 * 60_000;
/// Expiry runs daily; a day is left for a run that failed.
const RUN_AGE_MAX_MS: u64 = 2 * DAY_MS;
/// Free space should be this many times the reserve.
const RESERVES_MIN: u64 = 4;

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep doctor --dir D
  trailkeep doctor --config /etc/trailkeep/trailkeep.toml --json

It works while a server runs. Exit codes: 0 nothing found, 1 something to fix.")]
pub(super) struct DoctorArgs {
    /// Settings file of `serve`
    #[arg(long, env = "TRAILKEEP_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
    /// Print JSON: {"ok","findings":[{"check","problem","remedy"}]}
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    problem: String,
    remedy: String,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, check: &'static str, problem: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding {
            check,
            problem: problem.into(),
            remedy: remedy.into(),
        });
    }
}

pub(super) async fn run(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let settings = Settings::read(args.config.as_deref(), args.flags)?;
    let now = clock().wall();
    let mut findings = Findings::default();
    findings.modes(settings.directory.path());
    findings.root_key(&settings);
    findings.exposures(&settings);
    findings.disk(&settings);
    findings.policies(&settings, now);
    if let Some(files) = &settings.tls {
        findings.certificate(files, now);
    }
    match ask(&settings).await {
        Ok(asked) => {
            findings.vault(&asked.vault, &asked.ready, now);
            findings.anchors(&asked.anchors, &settings, now);
            findings.overdue(&asked.overdue, now);
            findings.regimes(&asked.gaps);
        }
        Err(error) => findings.add(
            "directory",
            format!("the data directory cannot be used: {error:#}"),
            "fix that first: replicas, backups and the clock could not be checked",
        ),
    }
    let found = findings.0;
    if args.json {
        print_json(&json!({"ok": found.is_empty(), "findings": found}))?;
    } else if found.is_empty() {
        print_line("nothing found")?;
    } else {
        for finding in &found {
            let Finding {
                check,
                problem,
                remedy,
            } = finding;
            print_line(&format!("{check}: {problem}\n    {remedy}"))?;
        }
    }
    Ok(if found.is_empty() {
        ExitCode::SUCCESS
    } else {
        Exit::Failed.into()
    })
}

/// What a server, or the directory itself, says of how it stands.
struct Asked {
    vault: Value,
    ready: Value,
    anchors: Value,
    /// Each tenant with what should be gone.
    overdue: Vec<(String, Value)>,
    /// Each tenant with what its events lack.
    gaps: Vec<(String, Value)>,
}

async fn ask(settings: &Settings) -> anyhow::Result<Asked> {
    let (root_key_file, root_key_command) = match settings.root_key.clone() {
        RootKeySource::File(path) => (Some(path), None),
        RootKeySource::Command(command) => (None, Some(command)),
        RootKeySource::Environment(_) => (None, None),
    };
    let target = TargetArgs {
        directory: DirectoryArgs {
            dir: settings.directory.path().to_owned(),
            root_key_file,
            root_key_command,
        },
        url: None,
        tenant: DEFAULT_TENANT.to_owned(),
        ledger: None,
        purpose: None,
        token: None,
    };
    let client = Client::to_opening(&target, || {
        let mut options = start_options(false)?;
        options.anchors = settings.anchors()?;
        Ok(options)
    })?;
    let asked = async {
        let vault = client.get("/v1/vault").await?;
        // It may be 503, which is an answer here.
        let ready = client.send("GET", "/readyz", None, Vec::new()).await?;
        anyhow::Ok(Asked {
            vault,
            ready: serde_json::from_str(&ready.any_text().await?)?,
            anchors: client.get("/v1/anchors").await?,
            overdue: Vec::new(),
            gaps: Vec::new(),
        })
    };
    let answer = asked.await;
    let tenants: anyhow::Result<Value> = client.get("/v1/tenants").await;
    client.close().await?;
    let (mut answer, tenants) = (answer?, tenants?);
    for tenant in tenants["tenants"].as_array().into_iter().flatten() {
        let name = tenant["tenant"].as_str().unwrap_or(DEFAULT_TENANT);
        let target = TargetArgs {
            tenant: name.to_owned(),
            ..target.clone()
        };
        let client = Client::to(&target)?;
        let preview: anyhow::Result<Value> = client.get("/v1/retention/preview").await;
        let gaps: anyhow::Result<Value> = client.get("/v1/policies/gaps").await;
        client.close().await?;
        answer.gaps.push((name.to_owned(), gaps?));
        let overdue = preview?["overdue"].clone();
        answer.overdue.push((name.to_owned(), overdue));
    }
    Ok(answer)
}

impl Findings {
    /// Whatever others may read or write.
    fn modes(&mut self, directory: &Path) {
        let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let paths = files.map(|file| file.path()).filter(|path| path.is_file());
        for path in std::iter::once(directory.to_owned()).chain(paths) {
            let Ok(metadata) = path.metadata() else {
                continue;
            };
            if path.display().to_string().contains(".db.schema-") {
                let path = path.display();
                self.add(
                    "upgrade-copy",
                    format!("{path} is a file from before an upgrade"),
                    format!("once the new version works, run shred -u {path}"),
                );
            }
            let mode = metadata.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                let wanted = if metadata.is_dir() { "700" } else { "600" };
                let path = path.display();
                self.add(
                    "file-mode",
                    format!("{path} has mode {mode:04o}: users other than its owner can access it"),
                    format!("chmod {wanted} {path}"),
                );
            }
        }
    }

    /// Events that a daily run should have destroyed.
    fn overdue(&mut self, tenants: &[(String, Value)], now: UnixMillis) {
        for (tenant, overdue) in tenants {
            let since = overdue["since"]
                .as_str()
                .and_then(UnixMillis::parse_rfc3339);
            let Some(since) = since else { continue };
            if now.get() <= since.get().saturating_add(RUN_AGE_MAX_MS) {
                continue;
            }
            self.add(
                "overdue",
                format!(
                    "{} events of the tenant {tenant} are past their maximum and not deleted, the oldest since {}",
                    overdue["events"],
                    since.to_short_rfc3339()
                ),
                "let `serve` run at its --retention-hour, or run `trailkeep retention run`: its error names the cause",
            );
        }
    }

    fn root_key(&mut self, settings: &Settings) {
        let RootKeySource::File(path) = &settings.root_key else {
            return;
        };
        let (Ok(key), Ok(data)) = (
            path.canonicalize(),
            settings.directory.path().canonicalize(),
        ) else {
            return; // The directory can't be opened then, which is said.
        };
        if key.starts_with(data) {
            self.add(
                "root-key",
                "the root key is in the data directory: a stolen disk gives away both",
                "move it to another disk or into a KMS and name it with `root_key_file` or `root_key_command`; keep a \
                 second copy elsewhere",
            );
        }
    }

    /// Directories in which others can replace what the server relies on. That modes let others in is said of the data
    /// directory's files by [`Self::modes`].
    fn exposures(&mut self, settings: &Settings) {
        let data = settings.directory.path();
        let server = owner_of_files(&settings.directory);
        if let Ok(Some(exposure @ Exposure::Owner(_))) = exposure_of(data, server) {
            let path = data.display();
            let remedy = format!("chown {server} {path}");
            self.add("directory-owner", format!("{path} {exposure}"), remedy);
        }
        let RootKeySource::File(key) = &settings.root_key else {
            return;
        };
        // A link to it lies in one directory, and the key in another.
        let mut folders = Vec::new();
        for path in [std::path::absolute(key).ok(), key.canonicalize().ok()] {
            let folder = path.and_then(|path| path.parent().map(Path::to_owned));
            folders.extend(folder.filter(|folder| folder != data));
        }
        folders.dedup();
        for folder in folders {
            if let Ok(Some(exposure)) = exposure_of(&folder, server) {
                self.add(
                    "root-key",
                    format!("the directory of the root key, {}, {exposure}", folder.display()),
                    "move the root key into a directory of mode 0700 that belongs to the server's user or to root",
                );
            }
        }
    }

    fn disk(&mut self, settings: &Settings) {
        let reserve = settings.min_free_bytes;
        let free = free_bytes(settings.directory.path());
        if let Some(free) = free.filter(|free| *free < reserve.saturating_mul(RESERVES_MIN)) {
            self.add(
                "disk",
                format!("{free} bytes are free; appends stop below {reserve}"),
                "free space or enlarge the disk; expiry frees space, too",
            );
        }
    }

    fn policies(&mut self, settings: &Settings, now: UnixMillis) {
        let own = settings.directory.path().join("policies");
        let directory = settings
            .policies
            .clone()
            .or_else(|| own.is_dir().then_some(own));
        let loaded = match policies::load(directory.as_deref()) {
            Ok(loaded) => loaded,
            Err(error) => {
                let remedy = "`trailkeep policy check` shows all findings";
                return self.add("policies", error.to_string(), remedy);
            }
        };
        for policy in loaded
            .iter()
            .filter(|policy| is_review_overdue(policy, now))
        {
            let by = policy
                .review_by
                .map_or_else(String::new, |by| by.to_string());
            self.add(
                "policy-review",
                format!("the review of the policy `{}` was due on {by}", policy.id),
                "compare it with the current law; then raise `version` and `review_by` in a copy of the file in \
                 the directory of policies, or install a newer release",
            );
        }
    }

    fn certificate(&mut self, files: &TlsFiles, now: UnixMillis) {
        match files.load() {
            Err(error) => self.add("tls", error.to_string(), "install a matching pair"),
            Ok(pair) if pair.expires_at.get() < now.get() + CERTIFICATE_LEFT_MIN_MS => {
                let end = pair.expires_at;
                let ends = if end <= now { "ended" } else { "ends" };
                self.add(
                    "tls",
                    format!("the certificate {ends} at {end}"),
                    "renew it and replace the files: they are loaded without a restart",
                );
            }
            Ok(_) => {}
        }
        let mode = files
            .key
            .metadata()
            .map(|metadata| metadata.permissions().mode());
        if mode.is_ok_and(|mode| mode & 0o007 != 0) {
            let key = files.key.display();
            self.add(
                "tls",
                format!("every user of the machine can read {key}"),
                format!("chmod 600 {key}"),
            );
        }
    }

    /// Targets of the operator's ledger that fail, or have not what they should have by now. That one has seen more than
    /// there is stands in what is ready.
    fn anchors(&mut self, status: &Value, settings: &Settings, now: UnixMillis) {
        let configured = settings.anchors().unwrap_or_default().targets;
        for target in status["targets"].as_array().into_iter().flatten() {
            let name = target["name"].as_str().unwrap_or_default();
            if let Some(error) = target["error"].as_str() {
                let since = target["failed_at"].as_str().unwrap_or_default();
                self.add(
                    "anchor",
                    format!("the anchor `{name}` has failed since {since}: {error}"),
                    "restore it: checkpoints are sent again automatically; or remove its section from the settings",
                );
                continue;
            }
            let known = configured.iter().find(|target| target.name == name);
            let every = known.map_or(0, |target| target.every.as_secs() * 1_000);
            let at = target["at"].as_str().and_then(UnixMillis::parse_rfc3339);
            let late = now.get().saturating_sub(2 * every + ANCHOR_GRACE_MS);
            if target["size"] == status["size"] || at.is_some_and(|at| at.get() >= late) {
                continue;
            }
            let has = match target["at"].as_str() {
                Some(at) => format!("the newest checkpoint at the anchor `{name}` is from {at}"),
                None => format!("the anchor `{name}` never received a checkpoint"),
            };
            self.add(
                "anchor",
                has,
                "check that the server runs with these settings: it sends checkpoints automatically; to send now, run `trailkeep anchor run --config FILE`",
            );
        }
    }

    /// Telemetry whose regimes no policy is of: a misspelt name mostly.
    fn regimes(&mut self, tenants: &[(String, Value)]) {
        for (tenant, answer) in tenants {
            let gaps = answer["gaps"].as_array().into_iter().flatten();
            for gap in gaps.filter(|gap| gap["what"] == "missing regimes") {
                self.add(
                    "regimes",
                    format!("{} telemetry events of {tenant} name a regime without a policy, and {} applies instead; the last is {}", gap["events"], gap["policy"], gap["last_seq"]),
                    "`trailkeep query --target \"missing regimes\" --target-type flag` shows them; correct `trailkeep.regimes` where it is set",
                );
            }
        }
    }

    fn vault(&mut self, vault: &Value, ready: &Value, now: UnixMillis) {
        let targets = vault["targets"].as_array();
        if targets.is_none_or(Vec::is_empty) {
            self.add(
                "vault-copy",
                "no vault replica is registered: there is one copy of the key vault; losing it loses every payload",
                "run `trailkeep vault-replica add DIR`, on another disk or host",
            );
        }
        for target in targets.into_iter().flatten() {
            let place = target["place"].as_str().unwrap_or_default();
            if target["same_disk"] == true {
                self.add(
                    "vault-copy",
                    format!("{place} is on the same disk as the data directory: one disk failure loses both"),
                    "register a replica on another disk or host, then remove this one with `trailkeep vault-replica remove`",
                );
            }
            let is_directory = target["kind"] == "directory";
            if let Ok(Some(exposure @ (Exposure::Everybody(_) | Exposure::Others(_)))) =
                exposure_of(Path::new(place), 0)
                && is_directory
            {
                let remedy = format!("chmod 700 {place}");
                self.add("vault-copy", format!("{place} {exposure}"), remedy);
            }
            if let Some(error) = target["error"].as_str() {
                self.add(
                    "vault-copy",
                    format!("the vault replica at {place} fails: {error}"),
                    "restore it, or remove it with `trailkeep vault-replica remove` and add another",
                );
            }
        }
        let remedy = "run `trailkeep backup --dir D --out DIR` daily, to another disk";
        match vault["last_backup_at"].as_str() {
            None => self.add("backup", "no backup was ever made", remedy),
            Some(text) => {
                let made = UnixMillis::parse_rfc3339(text).map_or(0, UnixMillis::get);
                if now.get().saturating_sub(made) > BACKUP_AGE_MAX_MS {
                    self.add("backup", format!("the last backup is from {text}"), remedy);
                }
            }
        }
        for reason in ready["reasons"].as_array().into_iter().flatten() {
            let text = reason.as_str().unwrap_or_default();
            // What the disk has left was looked at above.
            if !text.starts_with("disk:") {
                let remedy = "see docs/operations.md, \"Watching\"";
                self.add("readiness", text, remedy);
            }
        }
        // Of the other notes each has a check of its own.
        for note in ready["notes"].as_array().into_iter().flatten() {
            let text = note.as_str().unwrap_or_default();
            if text.starts_with(WAITING) {
                let remedy = "find it with `lsof` or `fuser` on the file, and end it";
                self.add("deletion", text, remedy);
            }
        }
    }
}
