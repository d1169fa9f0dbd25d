//! A server with targets in its settings.

use std::time::{Duration, Instant};

use super::*;
use crate::support::witness::Witness;
use crate::support::{Directory, said, trailkeep};

/// Waits for something that a server does by itself.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{what} did not come"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn seen(witness: &Witness) -> u64 {
    witness
        .state()
        .seen
        .get(ORIGIN)
        .map_or(0, |(size, _)| *size)
}

#[test]
fn heads_go_out_at_the_start_on_a_schedule_and_at_the_end() {
    let directory = Directory::new();
    let place = tempfile::tempdir().unwrap();
    let witness = Witness::new("witness.example/1", &[&ledger_key(&directory)]);
    let nas = format!(
        "[[anchor]]\nname = \"nas\"\ndirectory = \"{}\"\nevery_seconds = 3600\n",
        place.path().display()
    );
    let server = serve(&directory, &(witness.section("w1") + &nas));
    let at_start = seen(&witness);
    assert!(
        at_start > 0,
        "the witness was not asked before the server listened"
    );
    append_some(&directory, "a", 3);
    until("the schedule", || seen(&witness) == at_start + 3);
    // The other's time has not come.
    let newest = place.path().join(ORIGIN).join("checkpoint");
    let size = |text: &str| text.lines().nth(1).unwrap().parse::<u64>().unwrap();
    assert_eq!(size(&std::fs::read_to_string(&newest).unwrap()), at_start);
    witness.state().is_down = true;
    append_some(&directory, "b", 2);
    // A witness that is down holds nothing up, and the list says so.
    until("the failure", || {
        let listed = directory.run(&["anchor", "list", "--json"]);
        let listed: Value = serde_json::from_slice(&succeeded(&listed).stdout).unwrap();
        let error = listed["targets"][0]["error"].as_str().unwrap_or_default();
        error.contains("down for the night")
    });
    let listed = directory.run(&["anchor", "list"]);
    let listed = String::from_utf8_lossy(&succeeded(&listed).stdout).into_owned();
    assert!(
        listed.contains(&format!("witnessed up to {}", at_start + 3)),
        "{listed}"
    );
    let ran = directory.run(&["anchor", "run", "--json"]);
    assert_eq!(ran.status.code(), Some(1));
    witness.state().is_down = false;
    server.stop();
    assert_eq!(seen(&witness), at_start + 5);
    assert_eq!(
        size(&std::fs::read_to_string(&newest).unwrap()),
        at_start + 5
    );
    let shown = directory.run(&["anchor", "show", "--json"]);
    let shown: Value = serde_json::from_slice(&succeeded(&shown).stdout).unwrap();
    let sizes: Vec<u64> = shown["anchored"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["target"] == "w1")
        .map(|row| row["size"].as_u64().unwrap())
        .collect();
    assert_eq!(sizes, [at_start + 5, at_start + 3, at_start]);
    let of_size = directory.run(&["anchor", "show", "--size", &at_start.to_string()]);
    let note = String::from_utf8(succeeded(&of_size).stdout.clone()).unwrap();
    assert!(note.contains("\u{2014} witness.example/1 "), "{note}");
    directory.assert_clean();
}

#[test]
fn every_tenant_s_ledger_is_anchored_and_the_settings_may_name_some() {
    let directory = Directory::new();
    let place = tempfile::tempdir().unwrap();
    succeeded(&directory.run(&["tenant", "create", "acme"]));
    let witness = Witness::new("witness.example/1", &[&ledger_key(&directory)]);
    let path = place.path().display();
    let sections = format!(
        "{}tenants = [\"default\"]\n[[anchor]]\nname = \"nas\"\ndirectory = \"{path}\"\n",
        witness.section("w1")
    );
    let server = serve(&directory, &sections);
    assert!(
        place
            .path()
            .join("audit.example.com/acme/checkpoint")
            .exists()
    );
    assert!(
        place
            .path()
            .join("audit.example.com/default/checkpoint")
            .exists()
    );
    assert_eq!(witness.state().log.len(), 1);
    // A tenant does not see where the operator's machines are.
    let listed = directory.run(&["anchor", "list", "--json", "--tenant", "acme"]);
    let listed: Value = serde_json::from_slice(&succeeded(&listed).stdout).unwrap();
    assert_eq!(listed["targets"].as_array().unwrap().len(), 1);
    assert_eq!(listed["targets"][0]["place"], Value::Null);
    server.stop();
}

#[test]
fn a_server_of_a_ledger_that_was_rolled_back_says_so_and_takes_nothing() {
    let directory = Directory::new();
    succeeded(&directory.run(&["tenant", "create", "acme"]));
    append_some(&directory, "a", 3);
    let copy = beside(&directory, "older");
    copy_directory(&directory.path, &copy);
    append_some(&directory, "b", 3);
    let witness = Witness::new("witness.example/1", &[&ledger_key(&directory)]);
    let sections = format!("{}tenants = [\"default\"]\n", witness.section("w1"));
    serve(&directory, &sections).stop();
    put_back(&directory, &copy);
    let server = serve(&directory, &sections);
    let mut client = server.client();
    let event = br#"{"action":"chat.completion","actor":{"id":"bot"}}"#;
    let answer = client.post("application/json", event).unwrap();
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(
        answer.text().contains("rollback detected"),
        "{}",
        answer.text()
    );
    // It is told to whoever asks whether the server is fit, and names nobody.
    let ready = client.get("/readyz").unwrap();
    assert_eq!(ready.status, 200, "{}", ready.text());
    let note = ready.json()["notes"][0].as_str().unwrap().to_owned();
    assert!(
        note.contains("rolled_back") && note.contains("1 of 2 ledgers"),
        "{note}"
    );
    // Its head is still there to be compared, and another tenant goes on.
    assert_eq!(client.get("/v1/checkpoint").unwrap().status, 200);
    let key = directory.run(&["key", "create", "--role", "reader", "--tenant", "acme"]);
    succeeded(&key);
    let log = server.stop();
    assert!(
        log.contains("has a checkpoint of") && log.contains("appends are refused"),
        "{log}"
    );
    // At the next start without the witness it is known still.
    witness.state().is_down = true;
    let server = serve(&directory, &sections);
    assert_eq!(
        server
            .client()
            .post("application/json", event)
            .unwrap()
            .status,
        503
    );
    server.stop();
}

#[test]
fn a_server_whose_only_ledger_was_rolled_back_is_not_ready() {
    let directory = Directory::new();
    let copy = beside(&directory, "older");
    copy_directory(&directory.path, &copy);
    append_some(&directory, "a", 3);
    let witness = Witness::new("witness.example/1", &[&ledger_key(&directory)]);
    let server = serve(&directory, &witness.section("w1"));
    assert_eq!(server.client().get("/readyz").unwrap().status, 200);
    server.stop();
    put_back(&directory, &copy);
    let server = serve(&directory, &witness.section("w1"));
    let ready = server.client().get("/readyz").unwrap();
    assert_eq!(ready.status, 503);
    assert!(ready.text().contains("rolled_back"), "{}", ready.text());
    server.stop();
}

#[test]
fn faults_of_the_sections_are_said_with_their_line() {
    let directory = Directory::new();
    let config = beside(&directory, "bad.toml");
    let check = |text: &str| {
        std::fs::write(&config, text).unwrap();
        let output = trailkeep()
            .args(["config", "check", "--form-only", "--json"])
            .arg(&config)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
        checked["faults"][0].clone()
    };
    let fault = check("retention_hour = 2\n\n[[anchor]]\nname = \"a\"\ndirectory = \"relative\"\n");
    assert!(fault["place"].as_str().unwrap().ends_with(":3"), "{fault}");
    assert!(
        fault["problem"].as_str().unwrap().contains("absolute"),
        "{fault}"
    );
    let fault = check("[[anchor]]\nname = \"a\"\ndirectori = \"/x\"\n");
    assert!(fault["place"].as_str().unwrap().ends_with(":3"), "{fault}");
    assert!(
        fault["problem"].as_str().unwrap().contains("directori"),
        "{fault}"
    );
    // A secret of another machine is looked at where it is used.
    std::fs::write(
        &config,
        "[[anchor]]\nname = \"a\"\nwebhook = \"https://a.b/\"\nbearer_file = \"/nowhere/at/all\"\n",
    )
    .unwrap();
    let form = trailkeep()
        .args(["config", "check", "--form-only"])
        .arg(&config)
        .output();
    succeeded(&form.unwrap());
    let started = trailkeep()
        .args(["serve", "--dir"])
        .arg(&directory.path)
        .arg("--config")
        .arg(&config)
        .output();
    assert!(said(&started.unwrap()).contains("/nowhere/at/all"));
}
