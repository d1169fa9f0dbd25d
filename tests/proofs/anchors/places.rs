//! What each kind of target gets, and what is kept of it.

use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::*;
use crate::support::Directory;
use crate::support::web::{Request, Web};
use crate::support::witness::Witness;

#[test]
fn a_directory_keeps_every_head_and_the_newest() {
    let directory = Directory::new();
    append_some(&directory, "a", 3);
    let place = tempfile::tempdir().unwrap();
    let sections = format!(
        "[[anchor]]\nname = \"nas\"\ndirectory = \"{}\"\n",
        place.path().display()
    );
    let first = anchor(&directory, &sections);
    assert_eq!(first[0].error, None);
    append_some(&directory, "b", 300);
    let second = anchor(&directory, &sections);
    assert_eq!(second[0].error, None);
    assert!(second[0].size > first[0].size);

    let folder = place.path().join(ORIGIN);
    let newest = std::fs::read_to_string(folder.join("checkpoint")).unwrap();
    let numbered = folder.join(format!("checkpoint.{}", second[0].size));
    assert_eq!(newest, std::fs::read_to_string(numbered).unwrap());
    // Whoever keeps the older one can hold the ledger to it.
    let older = folder.join(format!("checkpoint.{}", first[0].size));
    succeeded(&directory.run(&["verify", "--against", older.to_str().unwrap()]));
    // Nothing else is there, and others may read it.
    let names = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(names, 3);
    let mode = std::fs::metadata(&older).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);

    let report = directory.assert_clean();
    assert_eq!(report["attested"]["level"], "anchored");
    assert_eq!(report["attested"]["anchored"][0]["target"], "nas");
    assert_eq!(report["attested"]["anchored"][0]["size"], second[0].size);
}

#[test]
fn a_directory_that_is_not_ours_or_not_there_is_not_written_to() {
    let directory = Directory::new();
    let place = tempfile::tempdir().unwrap();
    let section = |path: &std::path::Path| {
        format!(
            "[[anchor]]\nname = \"nas\"\ndirectory = \"{}\"\n",
            path.display()
        )
    };
    let says = |path: &std::path::Path, what: &str| {
        let error = anchor(&directory, &section(path))[0].error.clone().unwrap();
        assert!(error.contains(what), "{error}");
    };
    says(
        &place.path().join("missing"),
        "check that its disk is mounted",
    );
    says(&directory.path, "inside the data directory");
    let folder = place.path().join(ORIGIN);
    std::fs::create_dir_all(&folder).unwrap();
    // Another ledger of the same name.
    let other = Directory::new();
    let strange = other.run(&["checkpoint"]).stdout;
    std::fs::write(folder.join("checkpoint"), &strange).unwrap();
    says(place.path(), "this ledger's key did not sign");
    assert_eq!(std::fs::read(folder.join("checkpoint")).unwrap(), strange);
    std::fs::remove_file(folder.join("checkpoint")).unwrap();
    assert_eq!(anchor(&directory, &section(place.path()))[0].error, None);
    // What was put there is not there any more: another disk stands in its place.
    std::fs::remove_dir_all(place.path().join("audit.example.com")).unwrap();
    says(place.path(), "are missing");
    directory.assert_clean();
}

fn hook(statuses: &'static [u16]) -> (Web, Arc<Mutex<Vec<Request>>>) {
    let came = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&came);
    let web = Web::serve(move |request| {
        let mut came = kept.lock().unwrap();
        came.push(request.clone());
        let status = statuses[(came.len() - 1).min(statuses.len() - 1)];
        (status, "text/plain", "no room".to_owned())
    });
    (web, came)
}

#[test]
fn a_webhook_gets_the_head_signed_and_again_if_it_could_not_take_it() {
    let directory = Directory::new();
    let (web, came) = hook(&[503, 500, 200]);
    let secret = beside(&directory, "secret");
    std::fs::write(&secret, "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\n").unwrap();
    let sections = format!(
        "[[anchor]]\nname = \"hook\"\nwebhook = \"{}/heads?of=us\"\nsecret_file = \"{}\"\n",
        web.url(),
        secret.display()
    );
    let outcomes = anchor(&directory, &sections);
    assert_eq!(outcomes[0].error, None);
    let came = came.lock().unwrap();
    assert_eq!(came.len(), 3);
    let last = &came[2];
    assert_eq!(last.path, "/heads?of=us");
    assert!(
        last.body
            .starts_with(&format!("{ORIGIN}\n{}\n", outcomes[0].size))
    );
    let id = &last.headers["webhook-id"];
    assert!(came.iter().all(|one| &one.headers["webhook-id"] == id));
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(b"012345678901234567890123").unwrap();
    mac.update(format!("{id}.{}.{}", last.headers["webhook-timestamp"], last.body).as_bytes());
    let expected = format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()));
    assert_eq!(last.headers["webhook-signature"], expected);
}

#[test]
fn a_webhook_that_says_no_is_not_asked_again_at_once() {
    let directory = Directory::new();
    let (web, came) = hook(&[403]);
    let token = beside(&directory, "token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let sections = format!(
        "[[anchor]]\nname = \"hook\"\nwebhook = \"{}/x\"\nbearer_file = \"{}\"\n",
        web.url(),
        token.display()
    );
    let outcomes = anchor(&directory, &sections);
    assert_eq!(
        outcomes[0].error.as_deref(),
        Some("it answered 403: no room")
    );
    let came = came.lock().unwrap();
    assert_eq!(came.len(), 1);
    assert_eq!(came[0].headers["authorization"], "Bearer s3cret");
    let report = directory.assert_clean();
    assert_eq!(report["attested"]["level"], "self-attested");
}

#[test]
fn a_witness_cosigns_and_is_told_from_where_the_ledger_grew() {
    let directory = Directory::new();
    append_some(&directory, "a", 5);
    let witness = Witness::new("witness.example/1", &[&ledger_key(&directory)]);
    let sections = witness.section("w1");
    let first = anchor(&directory, &sections);
    assert_eq!(first[0].error, None);
    assert_eq!(
        first[0].cosigned_at.as_deref(),
        Some("2027-01-15T08:00:00Z")
    );
    append_some(&directory, "b", 400);
    let second = anchor(&directory, &sections);
    assert_eq!(second[0].error, None);
    assert_eq!(witness.state().log, [(0, 200), (first[0].size, 200)]);

    // It has seen more than we know that it has: its size is taken, and the proof made from there.
    let third = anchor(&directory, &witness.section("w1-under-another-name"));
    assert_eq!(third[0].error, None);
    assert_eq!(witness.state().log[2..], [(0, 409), (second[0].size, 200)]);
    directory.assert_clean();
}

#[test]
fn a_witness_that_is_down_or_does_not_know_us_or_signs_with_another_key_is_no_witness() {
    let directory = Directory::new();
    append_some(&directory, "a", 5);
    let witness = Witness::new("witness.example/1", &[&ledger_key(&directory)]);
    let stranger = Witness::new("witness.example/2", &[]);
    let sections = witness.section("w1") + &stranger.section("w2");
    witness.state().is_down = true;
    let outcomes = anchor(&directory, &sections);
    let error = |number: usize| outcomes[number].error.clone().unwrap();
    assert!(error(0).contains("503: down for the night"), "{}", error(0));
    assert!(
        error(1).contains("refuses checkpoints of this ledger"),
        "{}",
        error(1)
    );
    {
        let mut state = witness.state();
        state.is_down = false;
        state.has_other_key = true;
    }
    let outcomes = anchor(&directory, &sections);
    let error = outcomes[0].error.clone().unwrap();
    assert!(error.contains("signed with another key"), "{error}");
    let report = directory.assert_clean();
    assert_eq!(report["attested"]["level"], "self-attested");
    // Nobody is there at all.
    let gone = Web::serve(|_| (200, "text/plain", String::new()));
    let (url, key) = (gone.url(), witness.key());
    drop(gone);
    let nobody = format!("[[anchor]]\nname = \"w3\"\nwitness = \"{url}\"\nkey = \"{key}\"\n");
    let error = anchor(&directory, &nobody)[0].error.clone().unwrap();
    assert!(error.contains("unreachable"), "{error}");
    // Appending goes on: a witness that is away stops nothing.
    append_some(&directory, "b", 1);
}
