//! What the machine shows: files, the disk, policies, the certificate.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{DAY_MS, Findings};
use crate::commands::settings::Settings;
use trailkeep_core::govern::policies;
use trailkeep_crypto::root::RootKeySource;
use trailkeep_files::directory::{Exposure, exposure_of, free_bytes, owner_of_files};
use trailkeep_policy::lint::is_review_overdue;
use trailkeep_proof::text::size;
use trailkeep_proof::time::UnixMillis;
use trailkeep_server::tls::TlsFiles;

/// A certificate that ends within this time should have been renewed.
const CERTIFICATE_LEFT_MIN_MS: u64 = 21 * DAY_MS;
/// Free space should be this many times the reserve.
const RESERVES_MIN: u64 = 4;

impl Findings {
    /// Whatever others may read or write.
    pub(super) fn modes(&mut self, directory: &Path) {
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

    pub(super) fn root_key(&mut self, settings: &Settings) {
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
    pub(super) fn exposures(&mut self, settings: &Settings) {
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

    pub(super) fn disk(&mut self, settings: &Settings) {
        let reserve = settings.min_free_bytes;
        let free = free_bytes(settings.directory.path());
        if let Some(free) = free.filter(|free| *free < reserve.saturating_mul(RESERVES_MIN)) {
            self.add(
                "disk",
                format!(
                    "{} are free; appends stop below {}",
                    size(free),
                    size(reserve)
                ),
                "free space or enlarge the disk; expiry frees space, too",
            );
        }
    }

    pub(super) fn policies(&mut self, settings: &Settings, now: UnixMillis) {
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

    pub(super) fn certificate(&mut self, files: &TlsFiles, now: UnixMillis) {
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
}
