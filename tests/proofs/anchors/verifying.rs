//! Cosignatures in receipts and bundles, checked offline; and what the ledger's own verification says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;
use crate::support::witness::Witness;
use crate::support::{Directory, Server};

const WHEN: &str = "2027-01-15T08:00:00Z";

/// A server whose heads a witness cosigns, and the witness.
fn witnessed() -> (Directory, Witness, Server) {
    let directory = Directory::new();
    append_some(&directory, "a", 5);
    let witness = Witness::new("witness.example/1", &[&ledger_key(&directory)]);
    let server = serve(&directory, &witness.section("w1"));
    (directory, witness, server)
}

/// A verifier key of the witness's name, of another key.
fn wrong_key(witness: &Witness) -> String {
    let other = Witness::new("witness.example/other", &[]).key();
    let public = other.rsplit_once('+').unwrap().1.to_owned();
    let bytes = BASE64.decode(public).unwrap();
    let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes[1..].try_into().unwrap()).unwrap();
    let name = witness.key().split('+').next().unwrap().to_owned();
    trailkeep_proof::ledger::cosignature::WitnessKey::from_public(&name, &key).to_string()
}

#[test]
fn a_bundle_carries_the_cosignature_and_both_verifiers_check_it() {
    let (directory, witness, server) = witnessed();
    let bundle = beside(&directory, "bundle.zip");
    succeeded(&directory.run(&["export", "--out", bundle.to_str().unwrap()]));
    let key = witness.key();
    let (report, code) = verify_offline(&bundle, &directory.public_key, &["--witness", &key]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["attestation"]["level"], "witnessed");
    assert_eq!(
        report["attestation"]["witnesses"][0]["name"],
        "witness.example/1"
    );
    assert_eq!(report["attestation"]["witnesses"][0]["at"], WHEN);
    let said = offline(&bundle, &directory.public_key, &["--witness", &key]);
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(
        said.contains(&format!(
            "attested     witnessed by witness.example/1 at {WHEN}"
        )),
        "{said}"
    );

    // Nobody is trusted unasked: without a name it is self-attested, and the line is no fault.
    let (report, code) = verify_offline(&bundle, &directory.public_key, &[]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["attestation"]["level"], "self-attested");
    assert_eq!(report["attestation"]["unchecked"][0], "witness.example/1");

    // Another key of the same name, and a witness that did not sign.
    let silent = Witness::new("witness.example/2", &[]).key();
    for wrong in [wrong_key(&witness), silent] {
        let (report, code) = verify_offline(&bundle, &directory.public_key, &["--witness", &wrong]);
        assert_eq!(code, 3, "{report}");
        assert_eq!(report["findings"][0]["rule"], "witness");
    }
    let command = directory.run(&[
        "bundle",
        "show",
        bundle.to_str().unwrap(),
        "--member",
        "checkpoint",
    ]);
    assert!(!command.status.success(), "bundle show takes no --dir");
    let verified = crate::support::trailkeep()
        .args(["bundle", "verify", "--witness", &key, "--key"])
        .args([&directory.public_key, &bundle])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&succeeded(&verified).stdout).into_owned();
    assert!(said.contains("witnessed by witness.example/1"), "{said}");
    server.stop();
}

/// A program of docs/verify-without-trailkeep.md, by how its block begins.
fn program(folder: &Path, block: &str, name: &str) -> String {
    let document = crate::support::root().join("docs/verify-without-trailkeep.md");
    let text = std::fs::read_to_string(document).unwrap();
    let (_, code) = text.split_once(block).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, code.split_once("\n```").unwrap().0).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_pages_of_python_agree() {
    let there = |name: &str, argument: &str| {
        std::process::Command::new(name)
            .arg(argument)
            .output()
            .is_ok_and(|output| output.status.success())
    };
    if !there("python3", "--version") || !there("openssl", "version") {
        eprintln!("python3 or openssl is not there: the programs of the document were not run");
        return;
    }
    let (directory, witness, server) = witnessed();
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle.zip");
    succeeded(&directory.run(&["export", "--out", bundle.to_str().unwrap()]));
    server.stop();
    let python = |arguments: &[&str]| {
        std::process::Command::new("python3")
            .args(arguments)
            .output()
            .unwrap()
    };
    // The whole bundle, whose checkpoint has a line that the program does not know.
    let whole = program(folder.path(), "```python\n", "verify_bundle.py");
    let key = directory.public_key.to_str().unwrap();
    succeeded(&python(&[&whole, bundle.to_str().unwrap(), key]));
    let shown = crate::support::trailkeep()
        .args(["bundle", "show", "--member", "checkpoint"])
        .arg(&bundle)
        .output()
        .unwrap();
    let checkpoint = folder.path().join("checkpoint.txt");
    std::fs::write(&checkpoint, &succeeded(&shown).stdout).unwrap();
    let script = program(folder.path(), "```python3\n", "verify_witness.py");
    let judge = |key: &str| python(&[&script, checkpoint.to_str().unwrap(), key]);
    let said = String::from_utf8(succeeded(&judge(&witness.key())).stdout.clone()).unwrap();
    assert_eq!(said, format!("witness.example/1 cosigned it at {WHEN}\n"));
    assert_eq!(judge(&wrong_key(&witness)).status.code(), Some(3));
    let text = std::fs::read_to_string(&checkpoint).unwrap();
    let size = text.lines().nth(1).unwrap();
    std::fs::write(&checkpoint, text.replacen(size, &format!("{size}0"), 1)).unwrap();
    assert_eq!(judge(&witness.key()).status.code(), Some(3));
}

#[test]
fn a_bundle_is_made_without_a_witness_that_is_away() {
    let (directory, witness, server) = witnessed();
    witness.state().is_down = true;
    let bundle = beside(&directory, "bundle.zip");
    succeeded(&directory.run(&["export", "--out", bundle.to_str().unwrap()]));
    let (report, code) = verify_offline(&bundle, &directory.public_key, &[]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["attestation"]["level"], "self-attested");
    assert_eq!(
        report["attestation"]["unchecked"].as_array().unwrap().len(),
        0
    );
    server.stop();
}

#[test]
fn a_bundle_that_continues_a_kept_head_is_anchored() {
    let (directory, _witness, server) = witnessed();
    let kept = beside(&directory, "kept.txt");
    let output = directory.run(&["anchor", "show", "--checkpoint"]);
    std::fs::write(&kept, &succeeded(&output).stdout).unwrap();
    append_some(&directory, "b", 3);
    let (bundle, kept) = (
        beside(&directory, "bundle.zip"),
        kept.to_str().unwrap().to_owned(),
    );
    succeeded(&directory.run(&[
        "export",
        "--against",
        &kept,
        "--out",
        bundle.to_str().unwrap(),
    ]));
    let (report, code) = verify_offline(&bundle, &directory.public_key, &["--against", &kept]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["attestation"]["level"], "anchored");
    server.stop();
}

#[test]
fn a_receipt_is_under_the_newest_cosigned_head_that_holds_the_entry() {
    let (directory, witness, server) = witnessed();
    append_some(&directory, "late", 1);
    let file = beside(&directory, "receipt");
    let get = |name: &str| {
        let output = directory.run(&["receipt", "get", name]);
        std::fs::write(&file, &succeeded(&output).stdout).unwrap();
    };
    get("a-1");
    let key = witness.key();
    let (report, code) = verify_offline(&file, &directory.public_key, &["--witness", &key]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["attestation"]["witnesses"][0]["at"], WHEN);
    let (report, code) = verify_offline(
        &file,
        &directory.public_key,
        &["--witness", &wrong_key(&witness)],
    );
    assert_eq!(code, 3, "{report}");
    server.stop();
    // No cosigned head holds what came after it; it has a receipt all the same.
    witness.state().is_down = true;
    append_some(&directory, "last", 1);
    get("last-0");
    let (report, code) = verify_offline(&file, &directory.public_key, &[]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["attestation"]["level"], "self-attested");
}

#[test]
fn verify_says_who_vouches_for_how_much() {
    let (directory, witness, server) = witnessed();
    // A server knows the witnesses of its settings.
    let report = directory.assert_clean();
    assert_eq!(report["attested"]["level"], "witnessed", "{report}");
    assert_eq!(report["attested"]["witnessed"][0]["at"], WHEN);
    server.stop();
    witness.state().is_down = true;
    append_some(&directory, "b", 2);
    // Without it, who verifies names them.
    let report = directory.assert_clean();
    assert_eq!(report["attested"]["level"], "anchored");
    assert_eq!(report["attested"]["unchecked"][0], "witness.example/1");
    let said = directory.run(&["verify", "--witness", &witness.key()]);
    let said = String::from_utf8_lossy(&succeeded(&said).stdout).into_owned();
    assert!(
        said.contains(&format!("entries witnessed by witness.example/1 at {WHEN}")),
        "{said}"
    );
    assert!(said.contains("the last 2 entries self-attested"), "{said}");
}

#[test]
fn heads_and_cosignatures_that_were_changed_are_findings() {
    let (directory, witness, server) = witnessed();
    server.stop();
    let key = witness.key();
    let change = |sql: &str| {
        let ledger = rusqlite::Connection::open(directory.path.join("ledger.db")).unwrap();
        assert!(ledger.execute(sql, []).unwrap() > 0, "{sql}");
    };
    let rule = || {
        let output = directory.run(&["verify", "--json", "--witness", &key]);
        assert_eq!(output.status.code(), Some(3));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        report["findings"][0]["rule"].as_str().unwrap().to_owned()
    };
    // The last characters of a signature line are of the signature.
    let ledger = rusqlite::Connection::open(directory.path.join("ledger.db")).unwrap();
    let note: String = ledger
        .query_row(
            "SELECT note FROM anchored ORDER BY size LIMIT 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    drop(ledger);
    let at = note.len() - 20;
    let other = if note.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    let changed = format!("{}{other}{}", &note[..at], &note[at + 1..]);
    change(&format!(
        "UPDATE anchored SET note = '{changed}' WHERE size = (SELECT min(size) FROM anchored)"
    ));
    assert_eq!(rule(), "cosignature");
    change(
        "UPDATE anchored SET note = replace(note, 'audit.example.com/default\n', 'audit.example.com/default\n1')",
    );
    assert_eq!(rule(), "anchored");
}
