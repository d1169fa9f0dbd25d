//! What commands print: for people, and under `--json`.

use std::fmt::Write;

use super::{assert_same, unfolded};
use crate::support::{Clocked, said, trailkeep};
use serde_json::Value;

const EVENTS: &str = r#"{"id":"order-17","action":"chat.completion","outcome":"success","actor":{"id":"u-1042"},"subjects":[{"id":"p-7","namespace":"crm"}],"source":{"name":"shop","seq":1},"regimes":["hipaa","gdpr"],"retention":{"record":"audit-2026"},"llm":{"request_model":"gpt-4o"},"input":"When does it arrive?","output":"Tomorrow."}
{"id":"order-18","action":"chat.completion","actor":{"id":"p-7","namespace":"crm"},"source":{"name":"shop","seq":4},"input":"x"}
{"action":"login","actor":{"id":"u-2"},"subjects":[{"id":"P-7"}]}
"#;

/// Commands that know no data directory.
const ALONE: &[&str] = &[
    "policy check",
    "policy explain",
    "policy list",
    "prices check",
    "prices diff",
    "prices import",
    "bundle ",
    "certificate ",
    "receipt verify",
];

/// A directory under a clock that stands still, and what commands printed.
struct Session {
    clocked: Clocked,
    said: String,
}

impl Session {
    fn new() -> Self {
        let clocked = Clocked::at("2026-11-24T10:00:00Z");
        let events = clocked.directory.path.with_file_name("events.ndjson");
        std::fs::write(events, EVENTS).unwrap();
        let mut session = Self {
            clocked,
            said: String::new(),
        };
        session.run("append FOLDER/events.ndjson --json");
        session.run("append FOLDER/events.ndjson");
        session
    }

    /// Runs a command line, in which FOLDER is the test's, and notes what it says. Gives what it printed.
    fn run(&mut self, line: &str) -> String {
        let folder = self.clocked.directory.path.parent().unwrap().display();
        let words: Vec<String> = line
            .split(' ')
            .map(|word| {
                word.replace("FOLDER", &folder.to_string())
                    .replace('~', " ")
            })
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = if ALONE.iter().any(|name| line.starts_with(name)) {
            let environment = self.clocked.environment();
            trailkeep().args(&words).envs(environment).output().unwrap()
        } else {
            self.clocked.output(&words)
        };
        let printed = String::from_utf8(output.stdout.clone()).unwrap();
        let is_json = printed.starts_with('{') && printed.ends_with("}\n");
        let shown = if is_json {
            unfolded(printed.trim_end()) + "\n"
        } else {
            printed.clone()
        };
        let code = output.status.code().unwrap();
        let _ = writeln!(
            self.said,
            "$ trailkeep {line}\n{shown}{}-> {code}\n",
            said(&output)
        );
        printed
    }

    fn id_of(&mut self, line: &str) -> String {
        let answer: Value = serde_json::from_str(&self.run(line)).unwrap();
        answer["id"].as_str().unwrap().to_owned()
    }

    /// Compares all that was printed with what is checked in.
    fn assert_same(self, name: &str) {
        let folder = self.clocked.directory.path.parent().unwrap();
        assert_same(&format!("commands-{name}"), Some(folder), &self.said);
    }
}

#[test]
fn events() {
    let mut session = Session::new();
    for line in [
        "show order-17",
        "show order-17 --json",
        "show nothing",
        "show nothing --json",
        "query",
        "query --json --limit 1",
        "query --subject p-7 --subject-namespace crm --columns seq,id,subjects,/llm",
        "query --subject p-7 --subject-namespace crm --columns seq,id,subjects,/llm --json",
        "query --csv --limit 1 --order newest",
        "query --regime hippa",
        "query --json --cursor x",
        "access list",
        "access list --json",
        "sources",
        "sources --json",
        "policy gaps",
        "policy gaps --json",
        "verify",
        "verify --json",
        "index rebuild",
        "anchor list",
        "anchor list --json",
        "anchor show",
        "anchor show --json",
        "anchor run",
        "anchor run --json",
        "anchor resume --reviewed-history",
        "append FOLDER/nothing --json",
    ] {
        session.run(line);
    }
    session.assert_same("events");
}

#[test]
fn keys_and_tenants() {
    let mut session = Session::new();
    let id = session.id_of("key create --role reader --expires P90D --json");
    session.run("key create --role writer");
    session.run(&format!("key revoke {id}"));
    for line in [
        "key revoke 0000000000000000",
        "key revoke 0000000000000000 --json",
        "tenant create acme --json",
        "tenant create acme",
        "tenant create other",
        "tenant set acme --public-log on --strict on --default-regime soc2 --unknown-regime soc2 --keep-requests P24M",
        "tenant set acme --default-regime none --unknown-regime none --keep-requests P30D --json",
        "tenant set acme --keep-requests P10D",
        "tenant set acme --default-regime hippa",
        "tenant list",
        "tenant list --json",
        "tenant close acme --without-export --json",
        "tenant close other --out FOLDER/other.zip",
        "tenant close other --out FOLDER/other.zip --force --json",
        "tenant list",
    ] {
        session.run(line);
    }
    session.assert_same("keys-and-tenants");
}

#[test]
fn retention() {
    let mut session = Session::new();
    let hold = session.id_of("hold place --matter M-17 --reason litigation --subject p-7 --json");
    session
        .run("hold place --matter M-18 --reason audit --action chat.* --from 2026-01-01T00:00:00Z");
    session.run("hold place --matter M-19 --reason audit --subject p-7 --namespace crm");
    session.run("hold place --matter M-20 --reason audit --subject nobody");
    session.run("hold place --matter M-20 --reason audit --subject nobody --require-match");
    session.run(&format!("hold release {hold} --reason settled --json"));
    session.run(&format!("hold lift {hold} --reason settled"));
    for line in [
        "hold release 0000000000000000 --reason r",
        "retention explain order-17",
        "retention explain order-17 --json",
        "retention explain order-18 --at 2036-01-01T00:00:00Z",
        "retention explain 0",
        "retention preview",
        "retention preview --json",
        "retention preview --as-of 2036-01-01T00:00:00Z",
        "retention preview --as-of 2036-01-01T00:00:00Z --json",
        "retention trigger audit_concluded --record audit-2026 --at 2026-11-01T00:00:00Z",
        "retention trigger audit_concluded --record audit-2027 --at 2026-11-01T00:00:00Z --json",
        "retention triggers",
        "retention triggers --json",
        "retention run",
        "retention run --json",
        "retention resume --reviewed-holds",
        "retention resume --reviewed-holds --json",
    ] {
        session.run(line);
    }
    // By id, which is other in every run: only that it can be listed is the same.
    session.said.push_str("$ trailkeep hold list --json\n");
    let listed = session.clocked.json(&["hold", "list", "--json"]);
    let matters: Vec<&Value> = listed["holds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hold| &hold["matter"])
        .collect();
    assert_eq!(matters.len(), 4, "{matters:?}");
    session.assert_same("retention");
}

#[test]
fn one_hold() {
    let mut session = Session::new();
    session.run("hold list");
    let hold = session.id_of("hold place --matter M-17 --reason litigation --subject p-7 --namespace crm --regime hipaa --json");
    session.run("hold list");
    session.run("hold list --json");
    session.run("retention explain order-17");
    session.run(&format!("hold release {hold} --reason settled"));
    session.run("hold list");
    session.run("hold list --json");
    session.assert_same("one-hold");
}

#[test]
fn privacy() {
    let mut session = Session::new();
    for line in [
        "privacy erase --subject p-7 --namespace crm --dry-run",
        "privacy erase --subject p-7 --namespace crm --dry-run --json",
        "privacy access --subject p-7 --namespace crm --out FOLDER/person.zip",
        "privacy access --subject p-7 --namespace crm --out FOLDER/person.zip --force --json --include-acted",
        "privacy access --subject p-7 --out FOLDER/near.zip",
        "privacy access --subject nobody --out FOLDER/none.zip --certificate FOLDER/none.json",
        "privacy restrict --subject p-7 --namespace crm --reference T-2042 --ground contested",
        "privacy erase --subject P-7 --reference T-2041 --yes --now --out FOLDER/certificate.json",
        "privacy erase --subject p-7 --namespace crm --reference T-2041 --yes --json",
    ] {
        session.run(line);
    }
    session.assert_same("privacy");
}

#[test]
fn one_request() {
    let mut session = Session::new();
    let id = session.id_of(
        "privacy file --subject P-7 --type erasure --reference T-1 --received-at 2026-11-20 --json",
    );
    for line in [
        "privacy list",
        "privacy list --json",
        "privacy show ID",
        "privacy show ID --json",
        "privacy execute ID --yes",
        "privacy identity ID --verified-by second-factor",
        "privacy extend ID --reason eight-systems",
        "privacy extend ID --reason eight-systems --json",
        "privacy execute ID --dry-run",
        "privacy execute ID --yes --json",
        "privacy certificate ID --out FOLDER/certificate.json",
        "privacy show ID",
        "privacy close ID --decision withdrawn",
        "privacy show 00 --json",
    ] {
        session.run(&line.replace("ID", &id));
    }
    session.assert_same("one-request");
}

#[test]
fn the_vault() {
    let mut session = Session::new();
    session.run("vault-replica list");
    let id = session.id_of("vault-replica add FOLDER/copy --json");
    for line in [
        "vault-replica add FOLDER/no/copy",
        "vault-replica add FOLDER/copy",
        "vault-replica list",
        "vault-replica list --json",
        "vault-replica check",
        "vault-replica check --json",
        "key rotate-vault",
        "key rotate-vault --json",
        "vault-replica remove ID",
        "vault-replica check",
        "vault-replica add --command false",
        "vault bind",
        "vault bind --json",
        "backup --out FOLDER/backup",
        "backup --out FOLDER/backup --json",
        "doctor",
        "doctor --json",
        "export --out FOLDER/all.zip",
        "export --out FOLDER/some.zip --action chat.completion --json",
        "export --out FOLDER/some.zip --seq 9..1 --force",
    ] {
        session.run(&line.replace("ID", &id));
    }
    session.assert_same("the-vault");
}

#[test]
fn files() {
    let mut session = Session::new();
    session.run("export --out FOLDER/all.zip");
    session.run("receipt get order-17");
    std::fs::copy(
        &session.clocked.directory.public_key,
        session.clocked.directory.path.with_file_name("key.pem"),
    )
    .unwrap();
    for line in [
        "bundle verify FOLDER/all.zip --key FOLDER/key.pem",
        "bundle verify FOLDER/all.zip --key FOLDER/key.pem --json",
        "bundle verify FOLDER/none.zip --key FOLDER/key.pem",
        "certificate verify FOLDER/none.json --key FOLDER/key.pem",
        "receipt verify FOLDER/none --key FOLDER/key.pem --json",
        "policy explain --regime hipaa --regime gdpr-minimal --recorded-at 2024-11-24T10:00:00Z --at 2026-11-24T10:00:00Z",
        "policy explain --regime sox --recorded-at 2026-06-30T00:00:00Z --at 2026-11-24T10:00:00Z --json",
        "policy explain --regime hippa --recorded-at 2026-06-30T00:00:00Z",
        "policy list",
        "policy list --json",
        "policy check FOLDER/events.ndjson",
        "policy check FOLDER/events.ndjson --json",
    ] {
        session.run(line);
    }
    session.assert_same("files");
}

/// Data of the form that genai-prices has.
const GENAI: &str = r#"[{"id":"openai","pricing_urls":["https://prices.example.com/openai"],"models":[
{"id":"gpt-x","match":{"or":[{"equals":"gpt-x"},{"starts_with":"gpt-x-"}]},"prices":{"input_mtok":2.5,"output_mtok":10}},
{"id":"night","match":{"equals":"night"},"prices":[{"prices":{"input_mtok":1}},{"constraint":{"start_time":"00:30:00+00:00","end_time":"16:30:00+00:00"},"prices":{"input_mtok":2}}]}
]}]"#;

#[test]
fn prices() {
    let mut session = Session::new();
    session.said.clear();
    let folder = session.clocked.directory.path.parent().unwrap().to_owned();
    let prices = include_str!("../../data/prices.toml");
    std::fs::write(folder.join("prices.toml"), prices).unwrap();
    let leap = prices.replace("input = \"2\"", "input = \"0.000002\"");
    std::fs::write(folder.join("leap.toml"), leap).unwrap();
    let twice = prices
        .replace("until = 2026-06-01\n", "")
        .replace("output = \"0\"", "ouput = 0");
    std::fs::write(folder.join("wrong.toml"), &twice).unwrap();
    let overlap = twice.replace("ouput = 0", "output = \"0\"");
    std::fs::write(folder.join("overlap.toml"), overlap).unwrap();
    std::fs::write(folder.join("data.json"), GENAI).unwrap();
    let import =
        "prices import --genai-prices FOLDER/data.json --package-version 1.2.3 --dated 2026-11-10";
    for line in [
        "prices check",
        "prices check --json",
        "prices check FOLDER/prices.toml",
        "prices check FOLDER/prices.toml --json",
        "prices check FOLDER/leap.toml",
        "prices check FOLDER/leap.toml --json",
        "prices check FOLDER/wrong.toml",
        "prices check FOLDER/overlap.toml",
        "prices check FOLDER/nothing",
        "prices diff FOLDER/leap.toml FOLDER/prices.toml",
        "prices diff FOLDER/leap.toml FOLDER/prices.toml --json",
        "prices diff shipped shipped",
        "prices diff FOLDER/wrong.toml shipped",
        import,
        &format!("{import} --out FOLDER/imported.toml --json"),
        &format!("{import} --out FOLDER/imported.toml"),
        &format!("{import} --json"),
        &format!("{import} --provider nobody"),
        "prices check FOLDER/imported.toml",
        "prices import --litellm FOLDER/data.json --package-version 1 --dated 2026-11-10",
        "prices import --litellm FOLDER/data.json --package-version 1 --dated yesterday",
        "prices set FOLDER/leap.toml",
        "prices set FOLDER/prices.toml",
        "prices set FOLDER/prices.toml --json",
        "prices set FOLDER/imported.toml --imported",
        "prices set FOLDER/nothing",
        "prices list",
        "prices list --json",
        "prices show 1",
        "prices show 2 --json",
        "prices show 7",
        "prices show x",
    ] {
        session.run(line);
    }
    session.assert_same("prices");
}

#[test]
fn prompts() {
    let mut session = Session::new();
    session.said.clear();
    let folder = session.clocked.directory.path.parent().unwrap().to_owned();
    let prompts = folder.join("prompts/support");
    std::fs::create_dir_all(&prompts).unwrap();
    std::fs::write(prompts.join("refund.md"), "Be kind.\nAnswer in English.\n").unwrap();
    for line in [
        "prompt check FOLDER/prompts",
        "prompt sync FOLDER/prompts --dry-run",
        "prompt sync FOLDER/prompts",
        "prompt show support/refund",
        "prompt label support/refund production=1 --reason first",
        "prompt show support/refund --json",
    ] {
        session.run(line);
    }
    std::fs::write(prompts.join("refund.md"), "Be brief.\nAnswer in English.\n").unwrap();
    for line in [
        "prompt check FOLDER/prompts --json",
        "prompt sync FOLDER/prompts --json",
        "prompt check FOLDER/prompts",
        "prompt diff support/refund",
        "prompt label support/refund production=1,2:1000 --json",
        "prompt show support/refund",
        "prompt show support/refund --unit c-17 --json",
        "prompt show support/refund/2 --json",
        "prompt rollback support/refund --reason worse",
        "prompt rollback support/refund --reason better~after~all --json",
        "prompt label support/refund production=1",
        "prompt label support/refund production=3",
        "prompt label support/refund production=1:1",
        "prompt withdraw support/refund/1 --reason r",
        "prompt withdraw support/refund/2 --reason r",
        "prompt erase support/refund/2 --reason r",
        "prompt erase support/refund/2 --reason r --yes",
        "prompt list",
        "prompt list --json",
        "prompt history support/refund",
        "prompt history support/refund --json",
        "prompt history nobody",
    ] {
        session.run(line);
    }
    session.assert_same("prompts");
}
