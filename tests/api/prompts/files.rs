//! A folder of files against the registry.

use std::process::Command;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::Registry;
use crate::support::succeeded;
use trailkeep_proof::ids::hex;

#[test]
fn files_that_differ_become_versions_and_the_hash_is_that_of_the_file() {
    let registry = Registry::new();
    let folder = registry.folder();
    registry.write("support/refund.md", "Be kind. {{name}}\r\n");
    registry.write("greeting.txt", "Grüße\n");
    registry.write(".hidden/README.md", "not one");
    let dry = registry.json(&["prompt", "sync", &folder, "--dry-run"]);
    assert_eq!(dry["registered"].as_array().unwrap().len(), 2);
    assert_eq!(registry.json(&["prompt", "list"])["prompts"], json!([]));
    registry.fails(&["prompt", "check", &folder], 1, "prompt sync");
    let synced = registry.json(&["prompt", "sync", &folder]);
    let names: Vec<&str> = synced["registered"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["greeting", "support/refund"]);
    let sha256 = hex(&Sha256::digest("Be kind. {{name}}\r\n"));
    assert_eq!(synced["registered"][1]["sha256"], sha256);
    let shown = registry.json(&["prompt", "show", "support/refund/1"]);
    assert_eq!(shown["sha256"], sha256);
    assert!(
        shown["path"]
            .as_str()
            .unwrap()
            .ends_with("prompts/support/refund.md")
    );
    assert_eq!(registry.text("greeting@latest"), "Grüße\n");
    let same = registry.json(&["prompt", "check", &folder]);
    assert_eq!(same, json!({"same": 2, "differences": []}));

    registry.write("greeting.txt", "Hello\n");
    registry.write("new.md", "new");
    std::fs::remove_file(std::path::Path::new(&folder).join("support/refund.md")).unwrap();
    let check = registry
        .directory
        .run(&["prompt", "check", &folder, "--json"]);
    assert_eq!(check.status.code(), Some(1));
    let check: serde_json::Value = serde_json::from_slice(&check.stdout).unwrap();
    let of = check["differences"].as_array().unwrap().iter();
    let of: Vec<(&str, &str)> = of
        .map(|one| (one["name"].as_str().unwrap(), one["what"].as_str().unwrap()))
        .collect();
    let expected = [
        ("greeting", "changed"),
        ("new", "not-registered"),
        ("support/refund", "no-file"),
    ];
    assert_eq!(of, expected);
    registry.json(&["prompt", "sync", &folder]);
    registry.fails(&["prompt", "check", &folder], 1, "");
    registry.json(&["prompt", "check", &folder, "--partial"]);
}

#[test]
fn a_file_that_can_be_no_prompt_refuses_the_folder() {
    let registry = Registry::new();
    let folder = registry.folder();
    let large = "x".repeat((256 << 10) + 1);
    for (file, bytes, says) in [
        ("README.md", &b"x"[..], "not the name of a prompt"),
        ("a/3.md", b"x", "not the name of a prompt"),
        ("latin.md", b"gr\xfc\xdfe", "is not UTF-8"),
        ("empty.md", b"", "has 0 bytes"),
        ("large.md", large.as_bytes(), "has 262145 bytes"),
    ] {
        registry.write("good.md", "good");
        registry.write(file, "");
        let path = std::path::Path::new(&folder).join(file);
        std::fs::write(&path, bytes).unwrap();
        registry.fails(&["prompt", "sync", &folder], 2, says);
        std::fs::remove_file(path).unwrap();
    }
    registry.write("good.txt", "other");
    registry.fails(&["prompt", "sync", &folder], 2, "are both the prompt good");
    std::fs::remove_file(std::path::Path::new(&folder).join("good.txt")).unwrap();
    std::os::unix::fs::symlink("good.md", std::path::Path::new(&folder).join("link.md")).unwrap();
    registry.fails(
        &["prompt", "sync", &folder],
        2,
        "neither a file nor a folder",
    );
    registry.fails(&["prompt", "sync", "/nothing/here"], 1, "can't read");
    assert_eq!(registry.json(&["prompt", "list"])["prompts"], json!([]));
}

#[test]
fn the_commit_of_a_file_is_noted_where_the_file_is_that_of_the_commit() {
    let registry = Registry::new();
    let folder = registry.folder();
    registry.write("support/refund.md", "one");
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command
            .args([
                "-C",
                &folder,
                "-c",
                "user.name=Ada",
                "-c",
                "user.email=ada@example.com",
            ])
            .args(arguments);
        command.output()
    };
    let Ok(begun) = git(&["init", "-q"]) else {
        eprintln!("skipped: git is not here");
        return;
    };
    succeeded(&begun);
    registry.fails(&["prompt", "sync", &folder, "--git"], 2, "commit it first");
    succeeded(&git(&["add", "."]).unwrap());
    succeeded(&git(&["commit", "-q", "-m", "one"]).unwrap());
    let commit = git(&["rev-parse", "HEAD"]).unwrap();
    let commit = String::from_utf8(commit.stdout).unwrap();
    registry.json(&["prompt", "sync", &folder, "--git"]);
    let shown = registry.json(&["prompt", "show", "support/refund/1"]);
    assert_eq!(shown["git_commit"], commit.trim());
    registry.write("support/refund.md", "two");
    registry.fails(
        &["prompt", "sync", &folder, "--git"],
        2,
        "differs from its last commit",
    );
    assert_eq!(
        registry.json(&["prompt", "history", "support/refund"])["versions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
