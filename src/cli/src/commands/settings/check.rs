//! What the settings lead to on this machine: files that are there, and that can be used.

use super::{Fault, Faulty, Flags, Layers, Settings, keys};
use crate::commands::settings::keys::Key;
use trailkeep_core::govern::policies;
use trailkeep_crypto::root::RootKeySource;

impl Settings {
    /// All faults of the settings: those of their form, and, where `leads` says so, of what they lead to here.
    pub(in crate::commands) fn check(config: &std::path::Path, leads: bool) -> Vec<Fault> {
        let mut layers = Layers::new(Some(config), Flags::default());
        let settings = layers.settings();
        if let Some(settings) = settings.filter(|_| leads && layers.faults.is_empty()) {
            layers.follow(&settings);
        }
        layers.faults
    }
}

impl Layers {
    fn follow(&mut self, settings: &Settings) {
        let directory = settings.directory.path();
        if !directory.is_dir() {
            let problem = format!("directory {} does not exist", directory.display());
            let remedy = "create it with `trailkeep init --dir DIR`, or name the right one";
            self.found_wrong(&keys::DIR, problem, remedy);
        }
        // A command may ask somebody, or leave a trace: it is not run here.
        if let RootKeySource::File(path) = &settings.root_key
            && (directory.is_dir() || *path != settings.directory.root_key())
            && let Err(error) = settings.root_key.load()
        {
            let remedy = "see docs/operations.md, \"Keys\", for where it may be";
            self.found_wrong(&keys::ROOT_KEY_FILE, error.to_string(), remedy);
        }
        if let Err(Faulty(faults)) = settings.anchors() {
            self.faults.extend(faults);
        }
        if let Err(error) = policies::load(settings.policies.as_deref()) {
            let remedy = "`trailkeep policy check` shows all findings";
            self.found_wrong(&keys::POLICIES, error.to_string(), remedy);
        }
        self.follow_tls(settings);
    }

    fn follow_tls(&mut self, settings: &Settings) {
        let Some(files) = &settings.tls else { return };
        if let Err(error) = files.load() {
            let remedy =
                "name a matching pair of certificate and key; see docs/operations.md, \"TLS\"";
            self.found_wrong(&keys::TLS_CERTIFICATE_FILE, error.to_string(), remedy);
        }
    }

    fn found_wrong(&mut self, key: &Key, problem: String, remedy: &str) {
        let origin = self.find(key).map(|found| found.origin);
        self.fault(
            key,
            &origin.unwrap_or(super::Origin::Default),
            problem,
            remedy,
        );
    }
}
