//! Price tables that a tenant sets: recorded, listed, shown, refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::support::{Directory, said, succeeded};
use serde_json::{Value, json};
use trailkeep_proof::prices::PriceTable;

const PRICES: &str = include_str!("../data/prices.toml");

/// Writes a file beside the directory; its path.
fn file(directory: &Directory, name: &str, text: &str) -> String {
    let path = directory.path.with_file_name(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn json_of(directory: &Directory, arguments: &[&str]) -> Value {
    let output = directory.run(arguments);
    serde_json::from_slice(&succeeded(&output).stdout).unwrap()
}

fn in_force(directory: &Directory, tenant: &str) -> Vec<(u64, String)> {
    let listed = json_of(directory, &["prices", "list", "--json", "--tenant", tenant]);
    let tables = listed["tables"].as_array().unwrap().iter();
    let in_force = tables.filter(|table| table["in_force"] == true);
    in_force
        .map(|table| {
            (
                table["number"].as_u64().unwrap(),
                table["layer"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

#[test]
fn a_table_is_an_entry_before_it_is_in_force() {
    let directory = Directory::new();
    let prices = file(&directory, "prices.toml", PRICES);
    let set = json_of(&directory, &["prices", "set", &prices, "--json"]);
    assert_eq!(
        (&set["number"], &set["layer"], &set["prices"]),
        (&json!(1), &json!("operator"), &json!(3))
    );
    // The same again is no entry.
    let again = json_of(&directory, &["prices", "set", &prices, "--json"]);
    assert_eq!(again, set);

    let managed = json_of(&directory, &["access", "list", "--json"]);
    let managed = managed["accesses"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    assert_eq!(managed["action"], "trailkeep.prices.set");
    let detail = json!({"by": "local", "layer": "operator", "number": 1, "sha256": set["sha256"]});
    assert_eq!(managed["detail"], detail);

    let seq = set["seq"].to_string();
    let entry = json_of(&directory, &["show", &seq, "--json"]);
    let text = entry.to_string();
    assert!(text.contains("trailkeep.prices.set"), "{text}");
    for free in ["Prices for tests", "runs on our own machines"] {
        assert!(PRICES.contains(free) && !text.contains(free), "{text}");
    }
    // What the ledger states is the table, byte for byte.
    let shown = json_of(&directory, &["prices", "show", "1", "--json"]);
    let table = PriceTable::from_value(&shown["table"]).unwrap();
    assert_eq!(table.sha256(), set["sha256"].as_str().unwrap());
    let canonical = table.canonical();
    assert!(
        text.contains(&canonical) || text.contains(&canonical.replace('"', "\\\"")),
        "{text}"
    );
    // The file that is shown is the same table.
    let shown = directory.run(&["prices", "show", "1"]);
    let written = String::from_utf8(succeeded(&shown).stdout.clone()).unwrap();
    let copy = file(&directory, "copy.toml", &written);
    assert_eq!(
        json_of(&directory, &["prices", "set", &copy, "--json"]),
        set
    );

    let changed = PRICES.replace("input = \"2\"", "input = \"1.5\"");
    let changed = file(&directory, "changed.toml", &changed);
    assert_eq!(
        json_of(&directory, &["prices", "set", &changed, "--json"])["number"],
        2
    );
    json_of(
        &directory,
        &["prices", "set", "shipped", "--imported", "--json"],
    );
    let expected = [(2, "operator".to_owned()), (3, "imported".to_owned())];
    assert_eq!(in_force(&directory, "default"), expected);
    let past = directory.run(&["prices", "show", "1"]);
    assert_eq!(past.status.code(), Some(7));
    assert!(
        said(&past).contains(&format!("in entry {seq}")),
        "{}",
        said(&past)
    );
    assert_eq!(
        directory.run(&["prices", "show", "9"]).status.code(),
        Some(7)
    );
    succeeded(&directory.run(&["verify"]));
}

#[test]
fn tenants_have_tables_of_their_own() {
    let directory = Directory::new();
    let prices = file(&directory, "prices.toml", PRICES);
    succeeded(&directory.run(&["tenant", "create", "acme"]));
    let set = json_of(
        &directory,
        &["prices", "set", &prices, "--tenant", "acme", "--json"],
    );
    assert_eq!(
        (&set["number"], &set["layer"]),
        (&json!(1), &json!("tenant"))
    );
    assert_eq!(in_force(&directory, "acme"), [(1, "tenant".to_owned())]);
    assert_eq!(in_force(&directory, "default"), []);
    succeeded(&directory.run(&["verify", "--tenant", "acme"]));
}

#[test]
fn a_file_with_findings_changes_nothing() {
    let directory = Directory::new();
    let prices = file(&directory, "prices.toml", PRICES);
    let wrong = file(
        &directory,
        "wrong.toml",
        &PRICES.replace("output = \"8\"", "ouput = \"8\""),
    );
    let refused = directory.run(&["prices", "set", &wrong]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said(&refused).contains("did you mean `output`?"),
        "{}",
        said(&refused)
    );
    succeeded(&directory.run(&["prices", "set", &prices]));
    // The price of one token where that of a million is in force.
    let leap = PRICES.replace("input = \"2\"", "input = \"0.000002\"");
    let leap = leap.replace("input = \"2.5\"", "input = \"0.000003\"");
    let leap = file(&directory, "leap.toml", &leap);
    let refused = directory.run(&["prices", "set", &leap]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said(&refused).contains("100 times off"),
        "{}",
        said(&refused)
    );
    assert_eq!(
        in_force(&directory, "default"),
        [(1, "operator".to_owned())]
    );
    succeeded(&directory.run(&["prices", "set", &leap, "--accept-leap"]));
    // And back: what was wrong in force must not keep the right one out.
    succeeded(&directory.run(&["prices", "set", &prices, "--accept-leap"]));
    assert_eq!(
        in_force(&directory, "default"),
        [(3, "operator".to_owned())]
    );
}

#[test]
fn over_http_a_table_has_its_canonical_form() {
    let directory = Directory::new();
    let server = directory.serve();
    let post = |body: &Value| {
        let body = body.to_string();
        let kind = [("Content-Type", "application/json")];
        let sent = server
            .client()
            .request("POST", "/v1/prices", &kind, body.as_bytes());
        sent.unwrap()
    };
    let table = json!({
        "dated": "2026-11-30", "format": "trailkeep/prices/v1",
        "prices": [{"currency": "USD", "model": ["m"], "provider": "p", "rates": {"input": "1"}, "unit": "mtok", "verified": "unchecked"}],
    });
    assert_eq!(post(&json!({"table": table})).status, 201);
    for (what, value) in [
        ("/prices/0/rates/input", json!("1.0")),
        ("/prices/0/rates/input", json!(1)),
        ("/prices/0/rates/input", json!("-1")),
        ("/prices/0/model/0", json!("M")),
        ("/format", json!("trailkeep/prices/v2")),
        ("/dated", json!("today")),
    ] {
        let mut wrong = table.clone();
        *wrong.pointer_mut(what).unwrap() = value;
        let answer = post(&json!({"table": wrong}));
        assert_eq!(answer.status, 422, "{what}: {}", answer.text());
    }
    let extra = json!({"table": table, "note": "x"});
    assert_eq!(post(&extra).status, 400);
    let large = json!({"table": {"x": "y".repeat(2 << 20)}});
    assert_eq!(post(&large).status, 413);
    assert_eq!(
        server.client().get("/v1/prices").unwrap().json()["tables"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
