//! What the ledger and the files hold of prompts: names and numbers; no text, no hash of one, no reason.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Registry;
use crate::support::{files_of, open_engine};
use trailkeep_proof::ids::{bytes_from_hex, hex};
use trailkeep_proof::prompts::{PromptName, commitment};

const TEXT: &str = "Refund Ms Quillfeather her 4711 crowns.";
const REASON: &str = "quokkas-in-the-reason";
const LATER: &str = "numbats-in-the-reason";

/// The sections of all system entries, opened.
fn system_entries(registry: &Registry) -> String {
    use trailkeep_core::journal::read::open_event;
    use trailkeep_proof::ids::Seq;
    let engine = open_engine(&registry.directory);
    let tenant = trailkeep_proof::ids::TenantName::new("default").unwrap();
    let tenant = engine.journal.tenant(&tenant).unwrap();
    let ledger = tenant.active();
    let mut all = String::new();
    for seq in 0..ledger.published().head.size {
        for (name, bytes) in open_event(&engine.journal, ledger, Seq::new(seq))
            .unwrap()
            .sections
        {
            let text = String::from_utf8_lossy(&bytes);
            writeln!(all, "{seq} {name} {text}").unwrap();
        }
    }
    engine.close().unwrap();
    all
}

fn assert_nowhere(registry: &Registry, needles: &[&[u8]]) {
    for (path, bytes) in files_of(&registry.directory.path) {
        for needle in needles {
            let is_there = bytes.windows(needle.len()).any(|window| window == *needle);
            assert!(
                !is_there,
                "{} holds {:?}",
                path.display(),
                String::from_utf8_lossy(needle)
            );
        }
    }
}

/// The encrypted rows of a kind.
fn sealed(registry: &Registry, kind: &str) -> Vec<Vec<u8>> {
    let vault = rusqlite::Connection::open(registry.directory.path.join("vault.db")).unwrap();
    let mut rows = vault
        .prepare("SELECT sealed FROM sealed_record WHERE kind = ?1")
        .unwrap();
    let rows = rows.query_map([kind], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn no_entry_says_a_text_its_hash_its_path_or_why() {
    let registry = Registry::new();
    registry.register(TEXT);
    registry.register("two");
    registry.json(&[
        "prompt",
        "label",
        "support/refund",
        "production=1",
        "--reason",
        REASON,
    ]);
    registry.json(&[
        "prompt",
        "label",
        "support/refund",
        "production=2",
        "--reason",
        REASON,
    ]);
    registry.json(&["prompt", "rollback", "support/refund", "--reason", REASON]);
    registry.json(&["prompt", "withdraw", "support/refund/2", "--reason", REASON]);
    registry.json(&[
        "prompt",
        "erase",
        "support/refund/2",
        "--reason",
        REASON,
        "--yes",
    ]);
    let history = registry.json(&["prompt", "history", "support/refund"]);
    assert!(history.to_string().contains(REASON), "{history}");
    let version = &history["versions"][0];
    let entries = system_entries(&registry);
    for action in ["version", "label", "withdraw", "erase"] {
        assert!(
            entries.contains(&format!("trailkeep.prompt.{action}")),
            "{entries}"
        );
    }
    let sha256 = hex(&Sha256::digest(TEXT));
    for secret in [
        TEXT,
        REASON,
        &sha256,
        "refund.md",
        version["salt"].as_str().unwrap(),
    ] {
        assert!(!entries.contains(secret), "{secret}: {entries}");
    }
    // Whoever is shown salt and text checks the entry by them.
    let entry = registry.json(&["show", &version["registered"]["seq"].to_string()]);
    let name = PromptName::parse("support/refund").unwrap();
    let salt = bytes_from_hex(version["salt"].as_str().unwrap()).unwrap();
    let made = commitment(&salt, &name, 1, &Sha256::digest(TEXT).into());
    let made = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, made);
    assert!(entry.to_string().contains(&made), "{entry}");
    registry.directory.assert_clean();
}

#[test]
fn an_erased_text_is_in_no_file() {
    let registry = Registry::new();
    registry.write("support/refund.md", TEXT);
    let server = registry.directory.serve();
    let post = |path: &str, body: &Value| {
        let kind = [("Content-Type", "application/json")];
        let body = body.to_string();
        let sent = server
            .client()
            .request("POST", path, &kind, body.as_bytes());
        sent.unwrap()
    };
    let versions = "/v1/prompts/support%2Frefund/versions";
    let new = json!({"text": TEXT, "path": "prompts/quillfeather.md", "reason": REASON});
    let made = post(versions, &new);
    assert_eq!(made.status, 201, "{}", made.text());
    let before = sealed(&registry, "prompt-text");
    let rows = sealed(&registry, "prompt-version");
    assert_eq!((before.len(), rows.len()), (1, 1));
    let erased = post(&format!("{versions}/1/erase"), &json!({"reason": LATER}));
    assert_eq!(erased.status, 200, "{}", erased.text());
    assert_eq!(erased.json()["erased"]["reason"], LATER);
    let history = server
        .client()
        .get("/v1/prompts/support%2Frefund/history")
        .unwrap();
    let sha256 = hex(&Sha256::digest(TEXT));
    for secret in [TEXT, REASON, "quillfeather", &sha256] {
        assert!(!history.text().contains(secret), "{}", history.text());
    }
    assert_eq!(sealed(&registry, "prompt-text").len(), 0);
    // While the server runs, and when it has ended: not the text, not its ciphertext, not that of the row with its hash.
    let salted = [
        TEXT.as_bytes(),
        REASON.as_bytes(),
        sha256.as_bytes(),
        &before[0],
        &rows[0],
    ];
    assert_nowhere(&registry, &salted);
    server.stop();
    assert_nowhere(&registry, &salted);
    registry.directory.assert_clean();
    // What stays says that it was there and that it is gone, and the vault's keys are due to be rotated.
    let vault = registry.json(&["key", "rotate-vault"]);
    assert!(vault.is_object(), "{vault}");
    registry.directory.assert_clean();
    assert_eq!(
        registry.json(&["prompt", "history", "support/refund"])["versions"][0]["state"],
        "erased"
    );
}

#[test]
fn a_row_that_somebody_takes_away_is_found() {
    let registry = Registry::new();
    registry.register("one");
    registry.label("production=1");
    for kind in ["prompt-version", "prompt-text", "prompt-label"] {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("data");
        copy_files(&registry.directory.path, &copy);
        let vault = rusqlite::Connection::open(copy.join("vault.db")).unwrap();
        let removed = vault
            .execute("DELETE FROM sealed_record WHERE kind = ?1", [kind])
            .unwrap();
        assert_eq!(removed, 1, "{kind}");
        drop(vault);
        let started = crate::support::trailkeep()
            .args(["prompt", "list", "--dir"])
            .arg(&copy)
            .output()
            .unwrap();
        assert_eq!(
            started.status.code(),
            Some(3),
            "{kind}: {}",
            crate::support::said(&started)
        );
    }
}

fn copy_files(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).unwrap();
    for (path, _) in files_of(from) {
        std::fs::copy(&path, to.join(path.strip_prefix(from).unwrap())).unwrap();
    }
}
