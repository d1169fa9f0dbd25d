//! `trailkeep doctor` of the real program, on a directory with each fault.
#![allow(
    clippy::unwrap_used,
    reason = "a test that has not what it needs should panic"
)]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::support::{Clocked, said, succeeded, trailkeep};
use serde_json::Value;

/// A directory in which there is nothing to mend, with its clock.
struct Healthy {
    clocked: Clocked,
    key: PathBuf,
}

impl Healthy {
    fn new() -> Self {
        let clocked = Clocked::at("2026-11-24T10:00:00Z");
        let made = Self {
            key: clocked.directory.path.with_file_name("root.key"),
            clocked,
        };
        std::fs::rename(made.clocked.directory.path.join("root.key"), &made.key).unwrap();
        let copy = made.beside("copy");
        succeeded(&made.command(&["vault-replica", "add", &copy]));
        made.back_up();
        made
    }

    fn beside(&self, name: &str) -> String {
        let path = self.clocked.directory.path.with_file_name(name);
        path.to_str().unwrap().to_owned()
    }

    fn command(&self, arguments: &[&str]) -> std::process::Output {
        let key = self.key.to_str().unwrap();
        self.clocked
            .output_with(arguments, &[("TRAILKEEP_ROOT_KEY_FILE", key)])
    }

    fn back_up(&self) {
        succeeded(&self.command(&["backup", "--out", &self.beside("backup")]));
    }

    fn found(&self, more: &[&str]) -> Vec<(String, String)> {
        let output = self.command(&[&["doctor", "--json"], more].concat());
        let found: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
        let findings = found["findings"].as_array().unwrap();
        assert_eq!(found["ok"], findings.is_empty(), "{found}");
        assert_eq!(output.status.code(), Some(i32::from(!findings.is_empty())));
        // The replica of these tests lies beside the data: a machine may have no other disk.
        let same_disk = "is on the same disk as the data directory";
        let is_of_the_test =
            |finding: &&Value| finding["problem"].as_str().unwrap().contains(same_disk);
        let replicas = findings.iter().filter(is_of_the_test).count();
        assert!(replicas <= 1, "{found}");
        let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
        for finding in findings {
            assert!(text(finding, "remedy").len() > 10, "{finding}");
        }
        let pairs = findings
            .iter()
            .filter(|finding| !is_of_the_test(finding))
            .map(|finding| (text(finding, "check"), text(finding, "problem")));
        pairs.collect()
    }

    /// There is one thing to mend.
    fn assert_finds(&self, more: &[&str], check: &str, problem: &str) {
        let found = self.found(more);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, check, "{found:?}");
        assert!(found[0].1.contains(problem), "{found:?}");
    }
}

#[test]
fn a_healthy_directory_has_nothing_to_mend_with_and_without_a_server() {
    let healthy = Healthy::new();
    assert_eq!(healthy.found(&[]), []);
    let key = healthy.key.to_str().unwrap().to_owned();
    let server = healthy.clocked.serve_with(&["--root-key-file", &key]);
    assert_eq!(healthy.found(&[]), []);
    healthy.clocked.jump("2026-11-24T12:00:00Z");
    healthy.assert_finds(&[], "readiness", "clock: ");
    server.kill();
}

#[test]
fn each_fault_is_found() {
    let healthy = Healthy::new();
    let data = &healthy.clocked.directory.path;
    let set_mode = |name: &str, mode| {
        std::fs::set_permissions(data.join(name), Permissions::from_mode(mode)).unwrap();
    };
    set_mode("vault.db", 0o640);
    healthy.assert_finds(&[], "file-mode", "vault.db has mode 0640");
    set_mode("vault.db", 0o600);
    set_mode("", 0o755);
    healthy.assert_finds(&[], "file-mode", "0755");
    set_mode("", 0o700);

    let beside_the_data = data.join("root.key");
    std::fs::copy(&healthy.key, &beside_the_data).unwrap();
    let flag = ["--root-key-file", beside_the_data.to_str().unwrap()];
    healthy.assert_finds(&flag, "root-key", "is in the data directory");
    std::fs::remove_file(&beside_the_data).unwrap();
    healthy.assert_finds(&flag, "directory", "no root key");

    let free = ["--min-free-bytes", "4000000000000000000"];
    healthy.assert_finds(&free, "disk", "appends stop below 3.5 EiB");

    // 49 hours later; a second run of the backup fixes it.
    healthy.clocked.set("2026-11-26T11:00:01Z");
    healthy.assert_finds(&[], "backup", "the last backup is from 2026-11-24");
    healthy.back_up();
    assert_eq!(healthy.found(&[]), []);

    let copy = healthy.beside("copy");
    std::fs::rename(&copy, format!("{copy}.away")).unwrap();
    succeeded(&healthy.command(&["tenant", "create", "acme"]));
    healthy.assert_finds(&[], "vault-copy", "fails");
    std::fs::rename(format!("{copy}.away"), &copy).unwrap();

    let policies = data.with_file_name("policies");
    std::fs::create_dir(&policies).unwrap();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/soc2.toml");
    let text = std::fs::read_to_string(shipped).unwrap();
    let overdue = text.replace("review_by = 2027-11-24", "review_by = 2026-11-25");
    assert_ne!(text, overdue);
    std::fs::write(policies.join("soc2.toml"), overdue).unwrap();
    let flag = ["--policies", policies.to_str().unwrap()];
    healthy.command(&["vault-replica", "check"]);
    let found = healthy.found(&flag);
    assert!(
        found
            .iter()
            .any(|(check, problem)| check == "policy-review" && problem.contains("soc2")),
        "{found:?}"
    );
}

#[test]
fn directories_that_others_can_change_and_a_replica_on_the_same_disk_are_found() {
    let healthy = Healthy::new();
    let set_mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    };
    let output = succeeded_or_not(&healthy.command(&["doctor"]));
    let said = format!("vault-copy: {} is on the same disk", healthy.beside("copy"));
    assert!(output.contains(&said), "{output}");

    let of_the_key = healthy.key.parent().unwrap().to_owned();
    set_mode(&of_the_key, 0o777);
    healthy.assert_finds(&[], "root-key", "has mode 0777: every user");
    set_mode(&of_the_key, 0o1777);
    healthy.assert_finds(&[], "root-key", "has mode 1777: other users");
    set_mode(&of_the_key, 0o700);

    let copy = std::path::PathBuf::from(healthy.beside("copy"));
    set_mode(&copy, 0o777);
    healthy.assert_finds(&[], "vault-copy", "has mode 0777: every user");
    set_mode(&copy, 0o700);

    let data = healthy.clocked.directory.path.clone();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&data, Some(12_345), None).unwrap();
        healthy.assert_finds(&[], "directory-owner", "belongs to user 12345");
        std::os::unix::fs::chown(&data, Some(0), None).unwrap();
    }
    set_mode(&data, 0o777);
    let found = healthy.found(&[]);
    let has = |check: &str| {
        found
            .iter()
            .any(|(known, problem)| known == check && problem.contains("mode 0777"))
    };
    assert!(has("file-mode") && has("directory"), "{found:?}");
}

fn succeeded_or_not(output: &std::process::Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn anchors_that_fail_or_were_never_reached_are_found() {
    let healthy = Healthy::new();
    let heads = healthy.beside("heads");
    let config = healthy.beside("anchors.toml");
    let section =
        format!("[[anchor]]\nname = \"nas\"\ndirectory = \"{heads}\"\nevery_seconds = 60\n");
    std::fs::write(&config, section).unwrap();
    let flag = ["--config", config.as_str()];
    healthy.assert_finds(&flag, "anchor", "`nas` never received a checkpoint");
    std::fs::create_dir(&heads).unwrap();
    let run = ["anchor", "run", "--config", config.as_str()];
    succeeded(&healthy.command(&run));
    assert_eq!(healthy.found(&flag), []);
    // The ledger grows, and nobody gives the head away.
    succeeded(&healthy.command(&["tenant", "create", "acme"]));
    succeeded(&healthy.command(&["vault-replica", "check"]));
    assert_eq!(healthy.found(&flag), [], "it is not late yet");
    healthy.clocked.set("2026-11-24T10:13:00Z");
    healthy.assert_finds(
        &flag,
        "anchor",
        "the newest checkpoint at the anchor `nas` is from 2026-11-24T10:00",
    );
    // A server that can't reach it says since when.
    std::fs::remove_dir_all(&heads).unwrap();
    let key = healthy.key.to_str().unwrap().to_owned();
    let clock = healthy.beside("clock");
    let environment = [
        ("TRAILKEEP_ROOT_KEY_FILE", key.as_str()),
        ("TRAILKEEP_TEST_CLOCK", &clock),
    ];
    let server = healthy.clocked.directory.serve_as(&flag, &environment);
    let begun = std::time::Instant::now();
    while !healthy
        .found(&flag)
        .iter()
        .any(|(_, problem)| problem.contains("has failed since"))
    {
        assert!(begun.elapsed().as_secs() < 60, "{:?}", healthy.found(&flag));
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    server.stop();
}

#[test]
fn a_new_directory_has_no_copy_and_no_backup() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    let output = clocked.output(&["doctor", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks: Vec<&str> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["check"].as_str().unwrap())
        .collect();
    assert_eq!(checks, ["root-key", "vault-copy", "backup"], "{found}");
}

#[test]
fn a_certificate_that_ends_soon_or_is_open_to_all_is_found() {
    let healthy = Healthy::new();
    let (certificate, key) = (healthy.beside("tls.pem"), healthy.beside("tls.key"));
    let flags = [
        "--tls-certificate-file",
        &certificate,
        "--tls-key-file",
        &key,
    ];
    healthy.assert_finds(&flags, "tls", "can't read");
    let put = |year, month| {
        let mut made = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        made.not_after = rcgen::date_time_ymd(year, month, 1);
        let signing = rcgen::KeyPair::generate().unwrap();
        let pem = made.self_signed(&signing).unwrap().pem();
        std::fs::write(&certificate, pem).unwrap();
        std::fs::write(&key, signing.serialize_pem()).unwrap();
        std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    };
    put(2027, 11);
    assert_eq!(healthy.found(&flags), []);
    put(2026, 12);
    healthy.assert_finds(&flags, "tls", "ends at 2026-12-01");
    put(2026, 11);
    healthy.assert_finds(&flags, "tls", "ended at 2026-11-01");
    put(2027, 11);
    std::fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    healthy.assert_finds(&flags, "tls", "every user of the machine");
}

/// `init` says that the root key is beside the data only where it is, and its next command finds the key.
#[test]
fn init_says_where_the_root_key_is() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("root.key");
    let init = |name: &str, more: &[&str]| {
        let mut command = trailkeep();
        command
            .args(["init", "--dir"])
            .arg(folder.path().join(name));
        let output = command.args(more).output().unwrap();
        said(succeeded(&output))
    };
    let beside = init("beside", &[]);
    assert!(
        beside.contains("The root key is in the data directory"),
        "{beside}"
    );
    assert!(!beside.contains("--root-key-file"), "{beside}");
    std::fs::rename(folder.path().join("beside/root.key"), &key).unwrap();
    let flag = ["--root-key-file", key.to_str().unwrap()];
    let apart = init("apart", &flag);
    assert!(!apart.contains("in the data directory"), "{apart}");
    assert!(apart.contains(&flag.join(" ")), "{apart}");
}
