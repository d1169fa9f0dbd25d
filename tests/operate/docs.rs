//! The commands in the documents run as they stand there, in the order in which they stand, with the real program.
//!
//! A fence that can't be run says why: `not-run="reason"` behind the language. What a newcomer has in other places (a port,
//! another disk, an id that was printed) is put in its place; everything else is what the document says.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it could not look at"
)]

mod script;

use crate::support::blocks::{Block, Kind, blocks_of};
use crate::support::witness::Witness;
use script::Document;
use serde_json::json;

/// Events that the documents speak of.
fn events() -> String {
    let event = |id: &str, subject: serde_json::Value| {
        let event = json!({
            "id": id,
            "action": "chat.completion",
            "actor": {"id": "support-bot"},
            "subjects": [subject],
            "input": "Where is my order?",
        });
        format!("{event}\n")
    };
    event("order-4711", json!({"id": "customer-17"}))
        + &event(
            "order-4712",
            json!({"id": "customer-17", "namespace": "crm"}),
        )
}

/// A data directory, its public key, and places of other machines.
const PREPARED: &str = r#"
trailkeep init --dir D --name audit.example.com --json > made.json
mkdir -p mnt/other-disk mnt/backup safe etc/trailkeep
cp D/root.key safe/root.key
install -m 600 D/root.key etc/trailkeep/root.key
sed -e "s#/var/lib/trailkeep#$ROOT/D#; s#/etc/trailkeep#$ROOT/etc/trailkeep#" \
  "$REPOSITORY/deploy/trailkeep.toml" > etc/trailkeep/trailkeep.toml
trailkeep append --dir D - < events.ndjson
trailkeep key public --dir D > audit-key.pem
"#;

/// All pages in it are run by tests/telemetry/otlp/pages.rs.
const RUN_WITH_LIBRARIES: &str = "docs/opentelemetry";

/// Places that a document names and that are below the temporary directory here.
const PLACES: [(&str, &str); 4] = [
    ("/mnt/", "$ROOT/mnt/"),
    ("/safe/", "$ROOT/safe/"),
    ("/etc/trailkeep/", "$ROOT/etc/trailkeep/"),
    ("127.0.0.1:8787", "127.0.0.1:$PORT"),
];

#[test]
fn readme() {
    Document::new("README.md").needs(&["curl"]).run();
}

#[test]
fn quickstart() {
    Document::new("docs/quickstart.md").needs(&["curl"]).run();
}

#[test]
fn auditor() {
    let made = r"
trailkeep checkpoint --dir D > checkpoint-of-last-year
trailkeep append --dir D - < more.ndjson
trailkeep serve --dir D
trailkeep export --dir D --out november.zip
";
    let document = Document::new("docs/auditor.md").after(PREPARED).after(made);
    with_a_witness(document).run();
}

#[test]
fn operations() {
    let document = Document::new("docs/operations.md")
        .after(PREPARED)
        .before(
            "trailkeep anchor list",
            "trailkeep append --dir D - < more.ndjson",
        )
        .before(
            "trailkeep backup --dir D",
            "trailkeep vault-replica add --dir D $ROOT/mnt/other-disk/trailkeep-vault",
        )
        .replacing("4f1c8a90b2d3e6f7", "$(copy_target)");
    with_a_witness(document).run();
}

#[test]
fn gdpr() {
    Document::new("docs/gdpr.md")
        .needs(&["openssl"])
        .after(PREPARED)
        .replacing(" ID ", " $ID ")
        .run();
}

#[test]
fn runbook() {
    let lost = r"
trailkeep backup --dir D --out $ROOT/mnt/backup/trailkeep
stop_server
rm -r D
";
    Document::new("docs/runbook.md")
        .needs(&["curl"])
        .after(PREPARED)
        .after("trailkeep vault-replica add --dir D $ROOT/mnt/other-disk/trailkeep-vault")
        .after("trailkeep serve --dir D --listen 127.0.0.1:$PORT")
        .before("trailkeep restore", lost)
        .replacing("--dir D ID", "--dir D $(copy_target)")
        .run();
}

#[test]
fn sending() {
    Document::new("docs/sending.md")
        .needs(&["python3"])
        .after(PREPARED)
        .after("trailkeep key create --dir D --role writer")
        .after("trailkeep serve --dir D --listen 127.0.0.1:$PORT")
        .run();
}

#[test]
fn opentelemetry_retention_and_prices() {
    let served = r"
trailkeep key create --dir D --role writer
trailkeep serve --dir D --listen 127.0.0.1:$PORT
";
    Document::new("docs/opentelemetry.md")
        .needs(&["curl"])
        .after(PREPARED)
        .after(served)
        .run();
    Document::new("docs/retention.md").run();
    Document::new("docs/prices.md").run();
    Document::new("docs/figures.md").run();
}

#[test]
fn prompts() {
    Document::new("docs/prompts.md")
        .needs(&["curl", "python3"])
        .run();
}

#[test]
fn verify_without_trailkeep() {
    let made = r"
trailkeep checkpoint --dir D > checkpoint-you-kept.txt
trailkeep append --dir D - < more.ndjson
trailkeep serve --dir D
trailkeep export --dir D --out bundle.zip
cp audit-key.pem PUBLIC.pem
";
    let document = Document::new("docs/verify-without-trailkeep.md")
        .needs(&["unzip", "openssl", "sha256sum", "cmp", "python3"])
        .after(PREPARED)
        .after(made)
        .replacing("'witness.example.com/1+4e4ba1e0+BKrQ…'", "\"$WITNESS_KEY\"");
    with_a_witness(document).run();
}

/// A witness knows the ledger of the document, and its key is in `WITNESS_KEY`.
fn with_a_witness(document: Document) -> Document {
    let name = "witness.example.com/1";
    // It has to know the ledger's key before the document begins, so the ledger is made first, elsewhere.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("D");
    let made = crate::support::trailkeep()
        .args(["init", "--json", "--name", "audit.example.com", "--dir"])
        .arg(&path)
        .env("TRAILKEEP_TEST_CLOCK", script::clock(folder.path()))
        .output()
        .unwrap();
    let made: serde_json::Value =
        serde_json::from_slice(&crate::support::succeeded(&made).stdout).unwrap();
    let witness = Witness::new(name, &[made["vkey"].as_str().unwrap()]);
    let settings = witness.section("witness-1");
    let key = witness.key();
    document.on(folder, settings, key, witness)
}

#[test]
fn every_fence_is_run_or_says_why_not() {
    let run = [
        "README.md",
        "docs/quickstart.md",
        "docs/auditor.md",
        "docs/operations.md",
        "docs/gdpr.md",
        "docs/runbook.md",
        "docs/opentelemetry.md",
        "docs/retention.md",
        "docs/prices.md",
        "docs/figures.md",
        "docs/prompts.md",
        "docs/sending.md",
        "docs/verify-without-trailkeep.md",
    ];
    let root = crate::support::root();
    let mut documents = vec!["README.md".to_owned(), "deploy/README.md".to_owned()];
    for folder in ["docs", RUN_WITH_LIBRARIES] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|kind| kind == "md") {
                let name = path.file_name().unwrap().to_str().unwrap();
                documents.push(format!("{folder}/{name}"));
            }
        }
    }
    let (mut not_run, mut commands) = (Vec::new(), 0);
    for document in documents {
        for Block {
            kind, line, text, ..
        } in blocks_of(&document)
        {
            let place = format!("{document}:{line}");
            match kind {
                Kind::NotRun(why) => not_run.push(format!("{place}: {why}")),
                Kind::Json => {
                    let parsed = serde_json::from_str::<serde_json::Value>(&text);
                    assert!(parsed.is_ok(), "{place}: {parsed:?}");
                }
                Kind::Toml => {
                    let parsed = toml::from_str::<toml::Table>(&text);
                    assert!(parsed.is_ok(), "{place}: {parsed:?}");
                }
                Kind::Text | Kind::File(_) => {}
                Kind::Shell | Kind::Console | Kind::Python | Kind::JavaScript => {
                    let is_run = run.contains(&document.as_str())
                        || document.starts_with(RUN_WITH_LIBRARIES);
                    assert!(is_run, "{place} is not run");
                    commands += 1;
                }
            }
        }
    }
    assert!(commands >= 25, "{commands}: the fences are not found");
    // Rare, and each with its reason.
    assert!(not_run.len() <= 12, "{not_run:#?}");
}
