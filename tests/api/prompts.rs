//! The registry of prompts: registered, labelled, fetched, rolled back, withdrawn, erased; at the command line and over HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it could not try"
)]

mod experiments;
mod files;
mod http;
mod secrecy;

use crate::support::{Directory, said, succeeded};
use serde_json::{Value, json};

const NAME: &str = "support/refund";

/// A directory with a folder of prompts beside it.
struct Registry {
    directory: Directory,
}

impl Registry {
    fn new() -> Self {
        Self {
            directory: Directory::new(),
        }
    }

    fn folder(&self) -> String {
        let folder = self.directory.path.with_file_name("prompts");
        folder.to_str().unwrap().to_owned()
    }

    fn write(&self, file: &str, text: &str) {
        let path = std::path::Path::new(&self.folder()).join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.directory.run(&[arguments, &["--json"]].concat());
        serde_json::from_slice(&succeeded(&output).stdout).unwrap()
    }

    /// Registers a text as the next version of the prompt; its number.
    fn register(&self, text: &str) -> u64 {
        self.write("support/refund.md", text);
        let synced = self.json(&["prompt", "sync", &self.folder()]);
        synced["registered"][0]["version"].as_u64().unwrap()
    }

    fn label(&self, label: &str) -> Value {
        self.json(&["prompt", "label", NAME, label])
    }

    fn roll_back(&self, more: &[&str]) -> Value {
        self.json(&[&["prompt", "rollback", NAME, "--reason", "r"], more].concat())
    }

    /// The text that is served.
    fn text(&self, reference: &str) -> String {
        let shown = self.directory.run(&["prompt", "show", reference]);
        String::from_utf8(succeeded(&shown).stdout.clone()).unwrap()
    }

    /// Runs a command that must fail with this exit code, and say this.
    fn fails(&self, arguments: &[&str], code: i32, says: &str) {
        let output = self.directory.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {}",
            said(&output)
        );
        assert!(
            said(&output).contains(says),
            "{arguments:?}: {}",
            said(&output)
        );
    }
}

fn versions(label: &Value) -> Vec<(u64, u64)> {
    let to = label["to"].as_array().unwrap().iter();
    to.map(|one| {
        (
            one["version"].as_u64().unwrap(),
            one["weight"].as_u64().unwrap(),
        )
    })
    .collect()
}

#[test]
fn a_version_is_an_entry_and_a_label_serves_it() {
    let registry = Registry::new();
    assert_eq!(registry.register("Be kind.\n"), 1);
    registry.fails(&["prompt", "show", NAME], 7, "no such label");
    assert_eq!(registry.text("support/refund@latest"), "Be kind.\n");
    let made = registry.label("production=1");
    assert_eq!(
        (&made["from"], versions(&made)),
        (&json!([]), vec![(1, 10_000)])
    );
    assert_eq!(made["experiment"], Value::Null);
    assert_eq!(registry.text(NAME), "Be kind.\n");
    assert_eq!(registry.register("Be brief.\n"), 2);
    assert_eq!(registry.text(NAME), "Be kind.\n");
    assert_eq!(registry.text("support/refund/2"), "Be brief.\n");
    let made = registry.label("production=2");
    assert_eq!(made["from"], json!([{"version": 1, "weight": 10_000}]));
    assert_eq!(registry.text(NAME), "Be brief.\n");
    // The same again is no entry.
    assert_eq!(registry.label("production=2"), made);

    let entry = registry.json(&["show", &made["moved"]["seq"].to_string()]);
    let stated = entry.to_string();
    assert!(stated.contains("trailkeep.prompt.label"), "{stated}");
    assert!(stated.contains(made["move"].as_str().unwrap()), "{stated}");
    let listed = registry.json(&["prompt", "list"]);
    let prompt = &listed["prompts"][0];
    assert_eq!(
        (
            &prompt["name"],
            &prompt["versions"],
            &prompt["newest"],
            &prompt["latest"]
        ),
        (&json!(NAME), &json!(2), &json!(2), &json!(2))
    );
    assert_eq!(prompt["labels"], json!([made]));
    let history = registry.json(&["prompt", "history", NAME]);
    assert_eq!(history["versions"].as_array().unwrap().len(), 2);
    assert_eq!(history["versions"][1]["parent"], 1);
    assert_eq!(history["moves"].as_array().unwrap().len(), 2);
    let managed = registry.json(&["access", "list"]);
    let managed = managed["accesses"].as_array().unwrap().iter();
    let managed: Vec<(&str, &Value)> = managed
        .filter_map(|one| {
            Some((
                one["action"].as_str()?.strip_prefix("trailkeep.prompt.")?,
                &one["detail"],
            ))
        })
        .collect();
    let actions: Vec<&str> = managed.iter().map(|(action, _)| *action).collect();
    assert_eq!(actions, ["version", "label", "version", "label"]);
    assert!(
        managed
            .iter()
            .all(|(_, detail)| detail["by"] == "local" && detail["name"] == NAME)
    );

    let compared = registry
        .directory
        .run(&["prompt", "diff", NAME, "1", "production"]);
    let compared = String::from_utf8(succeeded(&compared).stdout.clone()).unwrap();
    assert!(compared.contains("-Be kind.\n+Be brief.\n"), "{compared}");
    registry.directory.assert_clean();
}

#[test]
fn a_rollback_twice_is_undone() {
    let registry = Registry::new();
    registry.register("one");
    registry.register("two");
    registry.label("production=1");
    registry.fails(
        &["prompt", "rollback", NAME, "--reason", "r"],
        1,
        "has stood for nothing else",
    );
    registry.label("production=2");
    let back = registry.roll_back(&[]);
    assert_eq!(
        (versions(&back), &back["rollback"]),
        (vec![(1, 10_000)], &json!(true))
    );
    assert_eq!(back["cache_seconds"], 60);
    assert_eq!(back["moved"]["reason"], "r");
    assert_eq!(registry.text(NAME), "one");
    let undone = registry.roll_back(&[]);
    assert_eq!(versions(&undone), [(2, 10_000)]);
    assert_eq!(registry.text(NAME), "two");
    // People are told about caches.
    let told = registry
        .directory
        .run(&["prompt", "rollback", NAME, "--reason", "r"]);
    assert!(
        said(succeeded(&told)).contains("up to 60 s"),
        "{}",
        said(&told)
    );
    registry.directory.assert_clean();
}

#[test]
fn a_rollback_to_what_once_was_in_force_is_never_refused() {
    let registry = Registry::new();
    for text in ["one", "two", "three", "four"] {
        registry.register(text);
    }
    registry.label("production=1");
    registry.label("production=2");
    registry.label("production=3");
    // Nobody ever served it.
    registry.fails(
        &["prompt", "rollback", NAME, "--to", "4", "--reason", "r"],
        1,
        "never in force",
    );
    registry.fails(
        &["prompt", "rollback", NAME, "--to", "9", "--reason", "r"],
        7,
        "version 9",
    );
    registry.fails(
        &[
            "prompt", "rollback", NAME, "--label", "other", "--reason", "r",
        ],
        7,
        "no such label",
    );
    registry.fails(
        &["prompt", "rollback", NAME, "--reason", " "],
        1,
        "the reason must have",
    );
    // Withdrawn since: it is served again.
    registry.json(&["prompt", "withdraw", "support/refund/1", "--reason", "w"]);
    registry.fails(
        &["prompt", "label", NAME, "production=1"],
        1,
        "was withdrawn",
    );
    let back = registry.roll_back(&["--to", "1"]);
    assert_eq!(
        (versions(&back), &back["restores"]),
        (vec![(1, 10_000)], &json!([1]))
    );
    assert_eq!(registry.text(NAME), "one");
    let history = registry.json(&["prompt", "history", NAME]);
    assert_eq!(history["versions"][0]["state"], "served");
    // Only a text that is destroyed can't come back.
    registry.json(&[
        "prompt",
        "erase",
        "support/refund/2",
        "--reason",
        "e",
        "--yes",
    ]);
    registry.fails(
        &["prompt", "rollback", NAME, "--to", "2", "--reason", "r"],
        1,
        "was erased",
    );
    registry.directory.assert_clean();
}

#[test]
fn what_a_label_stands_for_is_not_ended_and_what_ended_is_not_served() {
    let registry = Registry::new();
    registry.register("one");
    registry.register("two");
    registry.label("production=1");
    for verb in [&["withdraw"][..], &["erase", "--yes"]] {
        let in_force = [&["prompt"], verb, &["support/refund/1", "--reason", "r"]].concat();
        registry.fails(&in_force, 1, "in force under `production`");
    }
    let withdrawn = registry.json(&["prompt", "withdraw", "support/refund/2", "--reason", "r"]);
    assert_eq!(withdrawn["state"], "withdrawn");
    registry.fails(
        &["prompt", "withdraw", "support/refund/2", "--reason", "r"],
        1,
        "was withdrawn at",
    );
    // `latest` is the newest that is served; the text of the other is there for whoever reviews it.
    assert_eq!(registry.text("support/refund@latest"), "one");
    assert_eq!(registry.text("support/refund/2"), "two");
    // The same file registers nothing again.
    let synced = registry.json(&["prompt", "sync", &registry.folder()]);
    assert_eq!(synced["registered"], json!([]));
    registry.fails(
        &["prompt", "erase", "support/refund/2", "--reason", "r"],
        4,
        "add --yes",
    );
    let erased = registry.json(&[
        "prompt",
        "erase",
        "support/refund/2",
        "--reason",
        "r",
        "--yes",
    ]);
    assert_eq!(
        (&erased["state"], &erased["sha256"]),
        (&json!("erased"), &Value::Null)
    );
    registry.fails(&["prompt", "show", "support/refund/2"], 7, "was erased");
    registry.fails(
        &[
            "prompt",
            "erase",
            "support/refund/2",
            "--reason",
            "r",
            "--yes",
        ],
        1,
        "was erased at",
    );
    // Its number stays taken.
    assert_eq!(registry.register("three"), 3);
    registry.directory.assert_clean();
}

#[test]
fn what_is_not_there_or_not_of_its_form_is_said() {
    let registry = Registry::new();
    registry.register("one");
    for (arguments, code, says) in [
        (&["prompt", "show", "nobody"][..], 7, "prompt not found"),
        (&["prompt", "show", "support/refund/7"], 7, "version 7"),
        (
            &["prompt", "show", "support/refund@staging"],
            7,
            "no such label",
        ),
        (&["prompt", "history", "nobody"], 7, "prompt not found"),
        (&["prompt", "diff", NAME, "1", "2"], 7, "version 2"),
        (&["prompt", "label", NAME, "production"], 2, "LABEL=VERSION"),
        (&["prompt", "label", NAME, "production=2"], 7, "version 2"),
        (
            &["prompt", "label", "nobody", "production=1"],
            7,
            "prompt not found",
        ),
        (
            &["prompt", "label", NAME, "latest=1"],
            1,
            "`latest` is the newest version",
        ),
        (
            &["prompt", "label", NAME, "Production=1"],
            1,
            "a name has 1 to 128",
        ),
        (&["prompt", "label", NAME, "production=1:5"], 1, "sum to 5"),
        (
            &["prompt", "label", NAME, "production=1,1:1"],
            1,
            "named twice",
        ),
        (
            &["prompt", "label", NAME, "production=1:10000,1:0"],
            1,
            "named twice",
        ),
        (
            &["prompt", "label", NAME, "production=1", "--unit", "user"],
            2,
            "conversation",
        ),
        (
            &["prompt", "withdraw", NAME, "--reason", "r"],
            2,
            "NAME/VERSION",
        ),
        (
            &["prompt", "withdraw", "support/refund/9", "--reason", "r"],
            7,
            "version 9",
        ),
        (
            &["prompt", "rollback", "nobody", "--reason", "r"],
            7,
            "prompt not found",
        ),
    ] {
        registry.fails(arguments, code, says);
    }
    registry.directory.assert_clean();
}

#[test]
fn tenants_have_prompts_of_their_own() {
    let registry = Registry::new();
    registry.register("one");
    succeeded(&registry.directory.run(&["tenant", "create", "acme"]));
    let theirs = registry.json(&["prompt", "list", "--tenant", "acme"]);
    assert_eq!(theirs["prompts"], json!([]));
    registry.fails(
        &["prompt", "show", "support/refund/1", "--tenant", "acme"],
        7,
        "prompt not found",
    );
    let folder = registry.folder();
    let synced = registry.json(&["prompt", "sync", &folder, "--tenant", "acme"]);
    assert_eq!(synced["registered"][0]["version"], 1);
    succeeded(&registry.directory.run(&["verify", "--tenant", "acme"]));
    registry.directory.assert_clean();
}
