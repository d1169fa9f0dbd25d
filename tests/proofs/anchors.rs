//! Heads that go outside: to a directory, a webhook, witnesses; and what they say when a ledger was rolled back.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it could not look at"
)]

mod places;
mod rolled_back;
mod serving;
mod verifying;

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use crate::support::{Directory, Server, succeeded};
use serde_json::Value;
use trailkeep_core::Engine;
use trailkeep_core::anchor::settings::{AnchorSection, AnchorSettings};
use trailkeep_core::anchor::{AnchorOutcome, Which, run};
use trailkeep_core::clock::SystemClock;
use trailkeep_core::ops::open::{Files, StartOptions};
use trailkeep_core::tenant::Tenant;
use trailkeep_crypto::root::RootKeySource;
use trailkeep_files::directory::DataDirectory;
use trailkeep_proof::ids::TenantName;
use trailkeep_store_sqlite::Sqlite;

const ORIGIN: &str = "audit.example.com/default";

/// The sections of a settings' file.
fn settings(sections: &str) -> AnchorSettings {
    #[derive(serde::Deserialize)]
    struct File {
        anchor: Vec<AnchorSection>,
    }
    AnchorSettings::read(toml::from_str::<File>(sections).unwrap().anchor).unwrap()
}

/// Opens the directory in this process, with targets.
fn open(directory: &Directory, sections: &str) -> Engine {
    open_at(&directory.path, sections)
}

fn open_at(path: &Path, sections: &str) -> Engine {
    let root_key = RootKeySource::File(path.join("root.key"));
    let files = Files::open(Arc::new(Sqlite), DataDirectory::new(path), &root_key).unwrap();
    let mut options = StartOptions::new(Arc::new(SystemClock));
    options.anchors = settings(sections);
    files.start(options).unwrap()
}

/// Serves with the sections in the settings.
fn serve(directory: &Directory, sections: &str) -> Server {
    let config = beside(directory, "trailkeep.toml");
    std::fs::write(&config, sections).unwrap();
    let config = config.to_str().unwrap().to_owned();
    directory.serve_as(&["--config", &config], &[])
}

fn default_tenant(engine: &Engine) -> Tenant {
    engine
        .journal
        .tenant(&TenantName::new("default").unwrap())
        .unwrap()
}

/// Gives the head to all targets, in a process of its own.
fn anchor(directory: &Directory, sections: &str) -> Vec<AnchorOutcome> {
    let engine = open(directory, sections);
    let outcomes = run(&engine.anchors, &default_tenant(&engine), Which::All).unwrap();
    engine.close().unwrap();
    outcomes
}

/// The ledger's verifier key.
fn ledger_key(directory: &Directory) -> String {
    let output = directory.run(&["key", "public", "--format", "vkey"]);
    String::from_utf8(succeeded(&output).stdout.clone())
        .unwrap()
        .trim()
        .to_owned()
}

fn append_some(directory: &Directory, name: &str, events: u32) {
    let lines = (0..events).map(|number| {
        format!("{{\"id\":\"{name}-{number}\",\"action\":\"chat.completion\",\"actor\":{{\"id\":\"bot\"}},\"input\":\"hello\"}}\n")
    });
    directory.append(&lines.collect::<String>());
}

/// The offline verifier's word and exit code.
fn verify_offline(file: &Path, key: &Path, more: &[&str]) -> (Value, i32) {
    let output = offline(file, key, &[&["--json"], more].concat());
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", crate::support::said(&output)));
    (report, output.status.code().unwrap())
}

fn offline(file: &Path, key: &Path, more: &[&str]) -> Output {
    crate::support::verifier()
        .arg(file)
        .arg("--key")
        .arg(key)
        .args(more)
        .output()
        .unwrap()
}

/// A file beside the data directory.
fn beside(directory: &Directory, name: &str) -> PathBuf {
    directory.path.with_file_name(name)
}

/// Copies a data directory whole, as a backup of the machine would.
fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Puts an older copy in the place of a directory.
fn put_back(directory: &Directory, copy: &Path) {
    std::fs::remove_dir_all(&directory.path).unwrap();
    copy_directory(copy, &directory.path);
}
