//! The settings of a server: flags before environment variables before the file before the defaults. All faults are
//! said at once, each with how to fix it.

mod anchors;
mod check;
mod file;
mod keys;
mod limits;
mod parse;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use self::anchors::PlacedAnchor;
use self::file::SettingsFile;
pub(super) use self::keys::{Flags, KEYS, Key};
pub(super) use self::parse::LogFormat;
use self::parse::{command_text, daily_hour, number_within, path_text, whole_number};
use super::clock;
use trailkeep_core::anchor::settings::AnchorSettings;
use trailkeep_core::ingest::StagingSettings;
use trailkeep_core::ops::open::StartOptions;
use trailkeep_crypto::root::RootKeySource;
use trailkeep_files::directory::DataDirectory;
use trailkeep_server::limits::Limits;
use trailkeep_server::tls::TlsFiles;

/// The environment variable with the root key itself: it is in no file of settings.
const ROOT_KEY_VARIABLE: &str = "TRAILKEEP_ROOT_KEY";

/// Something that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Fault {
    /// Where it stands: a file and line, an environment variable, or a flag.
    pub(super) place: String,
    /// The key, if it is about one.
    pub(super) key: String,
    pub(super) problem: String,
    /// How to fix it.
    pub(super) remedy: String,
}

/// The settings can't be used: at least one fault.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(|fault| format!("{}: {}; {}", fault.place, fault.problem, fault.remedy)).collect::<Vec<_>>().join("\n           "))]
pub(super) struct Faulty(pub(super) Vec<Fault>);

/// How a server is to run.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) directory: DataDirectory,
    pub(super) root_key: RootKeySource,
    pub(super) listen: SocketAddr,
    pub(super) stop_wait: Duration,
    pub(super) tls: Option<TlsFiles>,
    pub(super) log: LogSettings,
    pub(super) retention_hour: Option<u8>,
    pub(super) min_free_bytes: u64,
    export_bytes_max: u64,
    pub(super) policies: Option<PathBuf>,
    pub(super) limits: Limits,
    staging: StagingSettings,
    anchors: Vec<PlacedAnchor>,
    config: Option<PathBuf>,
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogSettings {
    pub(super) format: LogFormat,
    pub(super) level: tracing::Level,
}

impl Settings {
    /// Reads the settings from all places.
    pub(super) fn read(config: Option<&Path>, flags: Flags) -> Result<Self, Faulty> {
        let mut layers = Layers::new(config, flags);
        let settings = layers.settings();
        match settings {
            Some(settings) if layers.faults.is_empty() => Ok(settings),
            _ => Err(Faulty(layers.faults)),
        }
    }

    /// How the engine is to run.
    pub(super) fn start_options(&self, confirm_clock: bool) -> StartOptions {
        StartOptions {
            clock: clock(),
            min_free_bytes: self.min_free_bytes,
            export_bytes_max: self.export_bytes_max,
            policy_directory: self.policies.clone(),
            confirm_clock,
            staging: self.staging,
            anchors: AnchorSettings::default(),
        }
    }

    /// Where heads are given to; the files of its secrets are read.
    pub(super) fn anchors(&self) -> Result<AnchorSettings, Faulty> {
        anchors::read(&self.anchors, self.config.as_deref())
    }
}

/// How commands that open the directory themselves run an engine: what the environment sets holds for them, too.
pub(super) fn start_options(confirm_clock: bool) -> Result<StartOptions, Faulty> {
    let mut layers = Layers::new(None, Flags::default());
    let usual = StartOptions::new(clock());
    let options = StartOptions {
        min_free_bytes: layers
            .value(&keys::MIN_FREE_BYTES, whole_number)
            .unwrap_or(usual.min_free_bytes),
        policy_directory: layers.value(&keys::POLICIES, path_text),
        confirm_clock,
        ..usual
    };
    if layers.faults.is_empty() {
        Ok(options)
    } else {
        Err(Faulty(layers.faults))
    }
}

/// Where a value comes from, the strongest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// The command line.
    Flag,
    /// The environment.
    Environment,
    /// The file, with the line.
    File(usize),
    /// Nothing set it.
    Default,
}

/// A value, and where it comes from.
pub(super) struct Found {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// The places with settings, one over the other, and what is wrong with them.
pub(super) struct Layers {
    flags: Flags,
    file: Option<SettingsFile>,
    pub(super) faults: Vec<Fault>,
}

impl Layers {
    pub(super) fn new(config: Option<&Path>, flags: Flags) -> Self {
        let mut faults = Vec::new();
        let file = config.map(|path| SettingsFile::read(path, &mut faults));
        Self {
            flags,
            file,
            faults,
        }
    }

    /// The strongest value of a key. An empty environment variable sets nothing.
    pub(super) fn find(&self, key: &Key) -> Option<Found> {
        let found = |text: String, origin| Some(Found { text, origin });
        if let Some(text) = self.flags.0.get(key.name) {
            return found(text.clone(), Origin::Flag);
        }
        if let Some(value) = std::env::var_os(key.environment()).filter(|value| !value.is_empty()) {
            return found(value.to_string_lossy().into_owned(), Origin::Environment);
        }
        let in_file = self
            .file
            .as_ref()
            .and_then(|file| file.values.get(key.name));
        if let Some(placed) = in_file {
            return found(placed.text.clone(), Origin::File(placed.line));
        }
        found(key.default?.to_owned(), Origin::Default)
    }

    /// How a place is named in messages.
    pub(super) fn place(&self, key: &Key, origin: &Origin) -> String {
        match origin {
            Origin::Flag => Flags::written(key),
            Origin::Environment => key.environment(),
            Origin::File(line) => {
                let path = self.file.as_ref().map(|file| file.path.display());
                path.map_or_else(String::new, |path| format!("{path}:{line}"))
            }
            Origin::Default => "default".to_owned(),
        }
    }

    /// The value of a key: none where nothing sets it, and where what is set is wrong, which is noted.
    fn value<T>(&mut self, key: &Key, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let found = self.find(key)?;
        match parse(&found.text) {
            Ok(value) => Some(value),
            Err(remedy) => {
                let problem = format!("`{}` is not a value of `{}`", found.text, key.name);
                self.fault(key, &found.origin, problem, &remedy);
                None
            }
        }
    }

    fn fault(&mut self, key: &Key, origin: &Origin, problem: String, remedy: &str) {
        self.faults.push(Fault {
            place: self.place(key, origin),
            key: key.name.to_owned(),
            problem,
            remedy: remedy.to_owned(),
        });
    }

    /// All settings; none where a value is wrong. Each is read, so that each fault is said.
    fn settings(&mut self) -> Option<Settings> {
        let directory = self.value(&keys::DIR, path_text).map(DataDirectory::new);
        let root_key = self.root_key(directory.as_ref());
        let listen = self.value(&keys::LISTEN, parse::address);
        let stop_wait = self.value(&keys::STOP_WAIT_S, number_within(0, 3_600));
        let min_free_bytes = self.value(&keys::MIN_FREE_BYTES, whole_number);
        let export_bytes_max = self.value(&keys::LIMITS_EXPORT_BYTES, whole_number);
        let policies = self.value(&keys::POLICIES, path_text);
        let retention_hour = self.value(&keys::RETENTION_HOUR, daily_hour);
        let tls = self.tls();
        let format = self.value(&keys::LOG_FORMAT, parse::log_format);
        let level = self.value(&keys::LOG_LEVEL, parse::log_level);
        let staging = self.staging();
        let limits = self.limits();
        Some(Settings {
            directory: directory?,
            root_key: root_key?,
            listen: listen?,
            stop_wait: Duration::from_secs(stop_wait?),
            tls,
            log: LogSettings {
                format: format?,
                level: level?,
            },
            retention_hour: retention_hour?,
            min_free_bytes: min_free_bytes?,
            export_bytes_max: export_bytes_max?,
            policies,
            limits: limits?,
            staging: staging?,
            anchors: self.anchor_sections(),
            config: self.file.as_ref().map(|file| file.path.clone()),
        })
    }

    /// The stronger place decides; two sources in one place are a fault. The key itself in the environment stands
    /// above the file.
    fn root_key(&mut self, directory: Option<&DataDirectory>) -> Option<RootKeySource> {
        let origin = |found: Option<Found>| found.map(|found| found.origin);
        let file_origin = origin(self.find(&keys::ROOT_KEY_FILE));
        let command_origin = origin(self.find(&keys::ROOT_KEY_COMMAND));
        if let (Some(file), Some(command)) = (&file_origin, &command_origin)
            && std::mem::discriminant(file) == std::mem::discriminant(command)
        {
            let problem = "`root_key_file` and `root_key_command` are both set".to_owned();
            self.fault(&keys::ROOT_KEY_COMMAND, command, problem, "set one of them");
            return None;
        }
        let file = self
            .value(&keys::ROOT_KEY_FILE, path_text)
            .map(RootKeySource::File);
        let command = self.value(&keys::ROOT_KEY_COMMAND, command_text);
        let command = command.map(RootKeySource::Command);
        let (file, command) = (file_origin.zip(file), command_origin.zip(command));
        let named = file
            .into_iter()
            .chain(command)
            .min_by_key(|(origin, _)| origin.clone());
        let is_in_environment = std::env::var_os(ROOT_KEY_VARIABLE).is_some();
        match named {
            Some((Origin::Flag | Origin::Environment, source)) => Some(source),
            _ if is_in_environment => Some(RootKeySource::Environment(ROOT_KEY_VARIABLE)),
            Some((_, source)) => Some(source),
            None => directory.map(|directory| RootKeySource::File(directory.root_key())),
        }
    }

    fn tls(&mut self) -> Option<TlsFiles> {
        let certificate = self.value(&keys::TLS_CERTIFICATE_FILE, path_text);
        let key = self.value(&keys::TLS_KEY_FILE, path_text);
        match (certificate, key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => None,
            (Some(_), None) => self.half_a_pair(&keys::TLS_CERTIFICATE_FILE, &keys::TLS_KEY_FILE),
            (None, Some(_)) => self.half_a_pair(&keys::TLS_KEY_FILE, &keys::TLS_CERTIFICATE_FILE),
        }
    }

    fn half_a_pair(&mut self, set: &Key, missing: &Key) -> Option<TlsFiles> {
        let origin = self.find(set).map_or(Origin::Default, |found| found.origin);
        let problem = format!("`{}` is set without `{}`", set.name, missing.name);
        self.fault(set, &origin, problem, "set both, or neither");
        None
    }

    fn staging(&mut self) -> Option<StagingSettings> {
        let quiet_ms = self.value(&keys::OTLP_QUIET_MS, whole_number);
        let wait_max_ms = self.value(&keys::OTLP_WAIT_MAX_MS, whole_number);
        let keep = self.value(&keys::OTLP_KEEP, parse::keep);
        Some(StagingSettings {
            quiet_ms: quiet_ms?,
            wait_max_ms: wait_max_ms?,
            keep: keep?,
        })
    }
}

#[cfg(test)]
mod tests;
