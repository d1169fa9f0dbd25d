//! deploy/: what stands there fits the program, and the pieces fit each other.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it could not look at"
)]

mod containers;
mod monitoring;
mod systemd;

use std::path::PathBuf;
use std::process::Command;

use crate::support::{said, trailkeep};
use serde_json::Value;

/// Where the images and units put the program.
const PROGRAM: &str = "/usr/local/bin/trailkeep";

fn path(name: &str) -> PathBuf {
    crate::support::root().to_owned().join("deploy").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The documents of a YAML file.
fn yaml(name: &str) -> Vec<Value> {
    let documents: Result<Vec<Value>, _> = serde_saphyr::from_multiple(&read(name));
    documents.unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// The texts of a list.
fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().unwrap().iter();
    texts
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

/// Whether the program takes these arguments: with `--help` behind them it reads them and does nothing.
fn is_taken(arguments: &[String]) -> Result<(), String> {
    let output = trailkeep().args(arguments).arg("--help").output().unwrap();
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{arguments:?}: {}", said(&output)))
    }
}

fn assert_taken(arguments: &[String]) {
    is_taken(arguments).unwrap();
    // A flag that there is not is noticed, so the check can fail.
    let wrong = [arguments, &["--no-such-flag".to_owned()]].concat();
    assert!(is_taken(&wrong).is_err(), "{wrong:?}");
}

/// Panics unless a variable of ours is one that the server or the command reads.
fn assert_known_variable(command: &str, name: &str) {
    if !name.starts_with("TRAILKEEP_") || name == "TRAILKEEP_ROOT_KEY" {
        return;
    }
    let help = Command::new(env!("CARGO_BIN_EXE_trailkeep"))
        .args([command, "--help"])
        .env_clear()
        .output()
        .unwrap();
    // The lines of the help are wrapped.
    let help = words(&String::from_utf8(help.stdout).unwrap()).join(" ");
    let is_read = [format!("[env: {name}]"), format!("[env: {name}=]")];
    assert!(
        is_read.iter().any(|text| help.contains(text)),
        "`{command}` does not read {name}"
    );
}

#[test]
fn the_sample_settings_have_no_fault() {
    let checked = trailkeep()
        .args(["config", "check", "--form-only"])
        .arg(path("trailkeep.toml"))
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", said(&checked));
}

#[test]
fn the_readme_names_what_there_is() {
    let readme = read("README.md");
    let links = readme
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    for link in links {
        assert!(path(link.trim_end_matches('/')).exists(), "{link}");
    }
}
