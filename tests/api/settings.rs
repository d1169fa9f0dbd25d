//! Settings of the real program: a file, the environment over it, flags over both.
#![allow(
    clippy::unwrap_used,
    reason = "a test that has not what it needs should panic"
)]

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::{Directory, said, succeeded, trailkeep};
use serde_json::Value;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/trailkeep.toml");

fn write_beside(directory: &Directory, text: &str) -> PathBuf {
    let path = directory.path.with_file_name("trailkeep.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn check(path: &Path, more: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, Value) {
    let output = trailkeep()
        .args(["config", "check", "--json"])
        .arg(path)
        .args(more)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let said: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    (output.status.code(), said)
}

fn show(path: &Path, environment: &[(&str, &str)]) -> Value {
    let output = trailkeep()
        .args(["config", "show", "--json", "--config"])
        .arg(path)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    serde_json::from_slice(&succeeded(&output).stdout).unwrap()
}

fn value_of<'a>(shown: &'a Value, key: &str) -> (&'a str, &'a str) {
    let mut rows = shown.as_array().unwrap().iter();
    let row = rows.find(|row| row["key"] == key).unwrap();
    (
        row["value"].as_str().unwrap(),
        row["from"].as_str().unwrap(),
    )
}

#[test]
fn the_sample_has_no_fault_and_names_each_key() {
    let (code, said) = check(Path::new(SAMPLE), &["--form-only"], &[]);
    assert_eq!(code, Some(0), "{said}");
    let text = std::fs::read_to_string(SAMPLE).unwrap();
    let defaults = trailkeep().args(["config", "show"]).output().unwrap();
    succeeded(&defaults);
    let document = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/operations.md"
    ));
    let document = document.unwrap();
    let keys = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter(|line| line.contains("` | `TRAILKEEP_"))
        .filter_map(|line| line.split('`').next());
    let mut seen = 0;
    for key in keys {
        let name = key.rsplit('.').next().unwrap();
        assert!(
            text.contains(&format!("{name} = ")),
            "the sample lacks {key}"
        );
        seen += 1;
    }
    assert!(seen >= 10, "{seen} keys were found in the documentation");
}

#[test]
fn a_flag_stands_above_the_environment_and_that_above_the_file() {
    let directory = Directory::new();
    let path = write_beside(
        &directory,
        &format!(
            "dir = {:?}\nlisten = \"127.0.0.1:1\"\nretention_hour = 5\n[otlp]\nkeep = \"agents\"\n",
            directory.path
        ),
    );
    let shown = show(&path, &[("TRAILKEEP_OTLP_KEEP", "all")]);
    assert_eq!(
        value_of(&shown, "otlp.keep"),
        ("all", "TRAILKEEP_OTLP_KEEP")
    );
    let (hour, from) = value_of(&shown, "retention_hour");
    assert_eq!(hour, "5");
    assert!(from.ends_with("trailkeep.toml:3"), "{from}");
    assert_eq!(value_of(&shown, "otlp.quiet_ms"), ("5000", "default"));

    // The file names a port that can't be had; the flag of the test's server stands above it.
    let server = directory.serve_with(&[("TRAILKEEP_CONFIG", path.to_str().unwrap())]);
    assert_eq!(server.client().get("/healthz").unwrap().status, 200);
    server.stop();
}

#[test]
fn a_server_takes_its_directory_and_log_from_the_file() {
    let directory = Directory::new();
    let elsewhere = directory.path.with_file_name("elsewhere");
    std::fs::rename(directory.path.join("root.key"), &elsewhere).unwrap();
    let text = format!("root_key_file = {elsewhere:?}\n[log]\nformat = \"json\"\n");
    let path = write_beside(&directory, &text);
    let log = directory
        .serve_as(&["--config", path.to_str().unwrap()], &[])
        .stop();
    let mut lines = log.lines();
    assert!(log.contains("\"message\":\"serving\""), "{log}");
    assert!(
        lines.all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "{log}"
    );
}

#[test]
fn faults_of_the_file_and_of_the_environment_are_said_together() {
    let directory = Directory::new();
    let text = format!("dir = {:?}\nlisen = \"127.0.0.1:1\"\n", directory.path);
    let path = write_beside(&directory, &text);
    let environment = [("TRAILKEEP_RETENTION_HOUR", "25")];
    let (code, said_of_it) = check(&path, &[], &environment);
    assert_eq!(code, Some(1));
    let faults = said_of_it["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 2, "{said_of_it}");
    assert_eq!(faults[0]["key"], "lisen");
    assert!(
        faults[0]["place"]
            .as_str()
            .unwrap()
            .ends_with("trailkeep.toml:2")
    );
    assert!(
        faults[0]["remedy"].as_str().unwrap().contains("listen, "),
        "{said_of_it}"
    );
    assert_eq!(faults[1]["place"], "TRAILKEEP_RETENTION_HOUR");

    let output: Output = trailkeep()
        .args(["serve", "--config", path.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("lisen"), "{}", said(&output));
    let output = trailkeep()
        .args(["query", "--dir", directory.path.to_str().unwrap()])
        .env("TRAILKEEP_MIN_FREE_BYTES", "1 GiB")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}

#[test]
fn what_the_settings_lead_to_is_looked_at() {
    let directory = Directory::new();
    let text = format!("dir = {:?}\n", directory.path);
    let path = write_beside(&directory, &text);
    assert_eq!(check(&path, &[], &[]).0, Some(0));
    let absent = [("TRAILKEEP_DIR", "/no/such/place")];
    let (code, found) = check(&path, &[], &absent);
    assert_eq!(
        (code, found["faults"][0]["key"].as_str()),
        (Some(1), Some("dir"))
    );
    assert_eq!(check(&path, &["--form-only"], &absent).0, Some(0));
    let policies = directory.path.with_file_name("policies");
    std::fs::create_dir(&policies).unwrap();
    std::fs::write(policies.join("broken.toml"), "id = 1").unwrap();
    let environment = [("TRAILKEEP_POLICIES", policies.to_str().unwrap())];
    let (_, found) = check(&path, &[], &environment);
    assert_eq!(found["faults"][0]["key"], "policies", "{found}");
}
