//! The whole path of a privacy officer, by the commands that docs/gdpr.md gives: a request for erasure from its filing to the day on
//! which the last event is gone.

use std::path::PathBuf;
use std::process::Output;

use crate::support::{Clocked, said, succeeded, verifier};
use serde_json::{Value, json};

const PERSON: &str = "customer-17-of-the-test";
const NEAR: &str = "Customer-17-Of-The-Test";

struct Officer {
    clocked: Clocked,
}

impl Officer {
    fn event(&self, id: &str, person: &str, more: &Value) {
        let mut event = json!({
            "id": id, "action": "chat.completion", "outcome": "success", "input": format!("words-of-{id}"),
            "actor": {"id": "support-bot", "type": "service"}, "subjects": [{"id": person, "namespace": "crm"}],
        });
        let sections = event.as_object_mut().unwrap();
        sections.extend(more.as_object().unwrap().clone());
        self.clocked.append(&event.to_string());
    }

    /// What a command prints, which must succeed.
    fn does(&self, arguments: &[&str]) -> String {
        let output = self.clocked.output(arguments);
        String::from_utf8(succeeded(&output).stdout.clone()).unwrap()
    }

    fn refused(&self, arguments: &[&str]) -> Output {
        let output = self.clocked.output(arguments);
        assert!(!output.status.success(), "{}", said(&output));
        output
    }

    fn place(&self, name: &str) -> PathBuf {
        self.clocked.directory.path.with_file_name(name)
    }

    /// The offline verifier's word on a file.
    fn verified(&self, name: &str) {
        let key = self.clocked.directory.public_key.to_str().unwrap();
        let output = verifier()
            .arg(self.place(name))
            .args(["--key", key])
            .output();
        succeeded(&output.unwrap());
    }

    fn letter(&self, id: &str) -> String {
        let text = self.does(&["privacy", "letter", id]);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Intact, expired, erased and restricted events of a ledger that verifies.
    fn counts(&self) -> [u64; 4] {
        let report = self.clocked.verify();
        ["intact", "expired", "erased", "restricted"].map(|state| report[state].as_u64().unwrap())
    }

    /// The event of the other person, as it was.
    fn assert_other_untouched(&self) {
        let shown = self.does(&["show", "other", "--purpose", "a look by the test"]);
        assert!(shown.contains("words-of-other"), "{shown}");
    }
}

fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
}

/// The value of a line such as `request        8210cf18…`.
fn line<'a>(text: &'a str, name: &str) -> &'a str {
    let found = text.lines().find_map(|line| line.strip_prefix(name));
    found.unwrap_or_else(|| panic!("{name}: {text}")).trim()
}

/// Four events: free, kept by a minimum, kept by a hold; and one of somebody with a similar identifier.
fn prepared() -> (Officer, String) {
    let officer = Officer {
        clocked: Clocked::at("2026-11-24T10:00:00Z"),
    };
    officer.event("free", PERSON, &json!({}));
    officer.event("chart", PERSON, &json!({"regimes": ["hipaa"]}));
    officer.event("court", PERSON, &json!({"action": "contract.sign"}));
    officer.event("other", NEAR, &json!({}));
    let hold = [
        "hold",
        "place",
        "--matter",
        "Doe v. Acme",
        "--reason",
        "litigation",
        "--json",
    ];
    let scope = [
        "--subject",
        PERSON,
        "--namespace",
        "crm",
        "--action",
        "contract.sign",
    ];
    let placed = officer.clocked.json(&[&hold[..], &scope].concat());
    assert_eq!(placed["covers_events"], 1, "{placed}");
    (officer, placed["id"].as_str().unwrap().to_owned())
}

/// From the filing to the answer.
fn erase(officer: &Officer) -> String {
    let file = [
        "privacy",
        "file",
        "--type",
        "erasure",
        "--subject",
        PERSON,
        "--namespace",
        "crm",
    ];
    let filed = officer.does(&[&file[..], &["--reference", "T-2044"]].concat());
    let id = line(&filed, "request").to_owned();
    assert_says(
        &filed,
        &[
            "near",
            "in the namespace crm: 1 event, outside the scope of this request",
        ],
    );
    assert!(
        !filed.contains(NEAR),
        "the near identifier is masked: {filed}"
    );
    assert_says(line(&filed, "state"), &["awaiting_identity"]);
    let shown = officer.does(&["privacy", "show", &id]);
    assert_says(&shown, &[PERSON, "in the namespace crm: 1 event"]);
    // Nothing is destroyed before somebody has verified who asks.
    officer.refused(&["privacy", "execute", &id, "--yes"]);
    officer.refused(&["privacy", "letter", &id]);
    officer.does(&["privacy", "identity", &id, "--verified-by", "second factor"]);
    assert_eq!(officer.counts(), [4, 0, 0, 0], "identity only records");

    let preview = officer.does(&["privacy", "execute", &id, "--dry-run"]);
    assert_says(
        &preview,
        &[
            "Held: 3 events about the data subject",
            "destroyed",
            "held",
            "restricted",
        ],
    );
    assert_eq!(officer.counts(), [4, 0, 0, 0], "a preview only shows");
    // Without a terminal and without --yes it asks nobody.
    assert_eq!(
        officer.refused(&["privacy", "execute", &id]).status.code(),
        Some(4)
    );
    let reason = [
        "--not-the-same-person",
        "another customer, see the contract",
    ];
    let execute = ["privacy", "execute", &id, "--yes", "--now"];
    let done = officer.does(&[&execute[..], &reason].concat());
    assert_says(&done, &["partial"]);
    assert_eq!(officer.counts(), [1, 0, 1, 2]);
    id
}

#[test]
fn an_officer_goes_from_the_filing_to_the_day_on_which_all_is_gone() {
    let (officer, hold) = prepared();
    let id = erase(&officer);
    officer.assert_other_untouched();
    officer.refused(&["show", "free", "--purpose", "legal-claims"]);
    officer.refused(&["show", "court"]);

    // The answer, and its proof.
    let letter = officer.letter(&id);
    assert_says(
        &letter,
        &[
            PERSON,
            "Of 3 events that this log held about you, 1 event was deleted and 2 events are kept.",
            "1 event, until 26 November 2032. Reason: HIPAA documentation",
            "1 event, until the legal hold that covers it is released.",
            "You may complain to a supervisory authority",
            "You may go to court",
        ],
    );
    for word in [
        "another customer",
        NEAR,
        "second factor",
        "T-2044",
        "Doe v. Acme",
    ] {
        assert!(!letter.contains(word), "{word} is in {letter}");
    }
    let certificate = officer.place("certificate.json");
    officer.does(&[
        "privacy",
        "certificate",
        &id,
        "--out",
        certificate.to_str().unwrap(),
    ]);
    officer.verified("certificate.json");
    let text = std::fs::read_to_string(&certificate).unwrap();
    assert!(!text.to_lowercase().contains(PERSON), "{text}");

    copy_afterwards(&officer);
    the_rest_goes(&officer, &id, &hold);
}

/// The same person asks for a copy of what is left.
fn copy_afterwards(officer: &Officer) {
    let file = officer.place("person.zip");
    let access = [
        "privacy",
        "access",
        "--subject",
        PERSON,
        "--namespace",
        "crm",
    ];
    let more = [
        "--identity-verified-by",
        "second factor",
        "--out",
        file.to_str().unwrap(),
    ];
    let answered = officer.does(&[&access[..], &more].concat());
    let id = line(&answered, "request");
    assert_says(line(&answered, "state"), &["closed, disclosed"]);
    officer.verified("person.zip");
    let letter = officer.letter(id);
    assert_says(
        &letter,
        &[
            "Your copy has 2 events",
            "person.zip: your copy. Its SHA-256 is ",
            "You may complain",
        ],
    );
    let bytes = std::fs::read(&file).unwrap();
    assert!(!bytes.windows(13).any(|part| part == b"words-of-free"));
}

/// The hold is released and goes with the next run; the minimum ends after six years.
fn the_rest_goes(officer: &Officer, id: &str, hold: &str) {
    officer.clocked.set("2026-11-26T10:00:00Z");
    assert_eq!(officer.clocked.run()["destroyed"], 0, "the hold keeps it");
    officer.does(&["hold", "release", hold, "--reason", "settled"]);
    assert_eq!(officer.clocked.run()["destroyed"], 1);
    assert_eq!(officer.counts(), [1, 0, 2, 1]);
    officer.assert_other_untouched();

    // The default policy ends before the minimum: from here on only the restricted event is there.
    officer.clocked.set("2032-11-25T10:00:00Z");
    let before = officer.clocked.run();
    assert_eq!(before["destroyed"], 1, "the other event expires: {before}");
    officer.clocked.set("2032-11-26T10:00:00Z");
    assert_eq!(officer.clocked.run()["destroyed"], 1);
    // What a later expiry of its class covers counts as expired, also where it was erased before.
    assert_eq!(officer.counts(), [0, 3, 1, 0]);
    let listed = officer.clocked.json(&["privacy", "list", "--json"]);
    let mut requests = listed["requests"].as_array().unwrap().iter();
    let erasure = requests.find(|request| request["id"] == id).unwrap();
    assert_eq!(erasure["state"], "closed", "{erasure}");
    let forgotten = officer.refused(&["privacy", "letter", id]);
    assert_says(&said(&forgotten), &["its identifier was deleted"]);
    for word in [PERSON, NEAR, "words-of-", "second factor", "T-2044"] {
        officer.clocked.assert_residue_free(word);
    }
}
