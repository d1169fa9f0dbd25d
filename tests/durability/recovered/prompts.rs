//! Prompts after the loss of the directory: what the vault knows goes on with the tenant.

use serde_json::{Value, json};

use super::{back_up, beside, counts, event, lose_and_restore, with_copies};
use crate::support::{Clocked, files_of, succeeded};

fn sync(clocked: &Clocked, text: &str) {
    let folder = beside(clocked, "prompts");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("greeting.md"), text).unwrap();
    succeeded(&clocked.output(&["prompt", "sync", folder.to_str().unwrap()]));
}

fn label(clocked: &Clocked, to: &str) -> Value {
    clocked.json(&[
        "prompt", "label", "greeting", to, "--reason", "because", "--json",
    ])
}

fn history(clocked: &Clocked) -> Value {
    clocked.json(&["prompt", "history", "greeting", "--json"])
}

fn text(clocked: &Clocked, reference: &str) -> String {
    let shown = clocked.output(&["prompt", "show", reference]);
    String::from_utf8(succeeded(&shown).stdout.clone()).unwrap()
}

#[test]
fn the_history_of_prompts_survives_a_restore() {
    let clocked = with_copies("2026-11-01T10:00:00Z");
    clocked.append(&event("before", "anna", &json!({})));
    for (number, words) in ["one", "two"].iter().enumerate() {
        sync(&clocked, words);
        label(&clocked, &format!("production={}", number + 1));
    }
    let before = history(&clocked);
    back_up(&clocked, "backup");
    lose_and_restore(&clocked, "backup", &[]);
    assert_eq!(history(&clocked), before);
    assert_eq!(text(&clocked, "greeting"), "two");
    counts(&clocked, "default");
}

#[test]
fn the_history_of_prompts_goes_on_with_the_ledger_that_continues() {
    let clocked = with_copies("2026-11-01T10:00:00Z");
    clocked.append(&event("before", "anna", &json!({})));
    sync(&clocked, "one");
    sync(&clocked, "two");
    label(&clocked, "production=1");
    let begun = label(&clocked, "production=1,2:1000");
    back_up(&clocked, "backup");
    // Lost to the ledger, and known to the vault.
    sync(&clocked, "three");
    label(&clocked, "staging=3");
    clocked.append(&event("lost", "anna", &json!({})));
    let before = history(&clocked);
    clocked.set("2026-11-10T10:00:00Z");
    lose_and_restore(&clocked, "backup", &["--continue"]);
    assert_eq!(history(&clocked), before);
    assert_eq!(text(&clocked, "greeting@staging"), "three");

    // The experiment goes on with its seed, and the entry says in which ledger that stands.
    let changed = label(&clocked, "production=1,2:500");
    assert_eq!(changed["experiment"], begun["experiment"]);
    let seq = changed["moved"]["seq"].to_string();
    let entry = clocked.json(&["show", &seq, "--json"]).to_string();
    assert!(
        entry.contains("audit.example.com/default\\\"")
            || entry.contains("audit.example.com/default\""),
        "{entry}"
    );
    sync(&clocked, "four");
    assert_eq!(text(&clocked, "greeting/4"), "four");
    for verb in ["withdraw", "erase"] {
        let more: &[&str] = if verb == "erase" { &["--yes"] } else { &[] };
        let end = ["prompt", verb, "greeting/4", "--reason", "r"];
        succeeded(&clocked.output(&[&end, more].concat()));
    }
    for ledger in ["default", "default.2"] {
        counts(&clocked, ledger);
    }
    // Each text stands once: under the ledger that goes on.
    let vault = clocked.directory.path.join("vault.db");
    let vault = rusqlite::Connection::open(vault).unwrap();
    let texts =
        "SELECT count(*), count(DISTINCT ledger) FROM sealed_record WHERE kind = 'prompt-text'";
    let texts: (u64, u64) = vault
        .query_row(texts, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(texts, (3, 1));
    drop(vault);
    for (path, bytes) in files_of(&clocked.directory.path) {
        assert!(
            !bytes.windows(7).any(|window| window == b"because"),
            "{}",
            path.display()
        );
    }
}
