//! How a question may be written: days for times, and what is said of a misspelt word or a wrong argument.

use crate::support::{Directory, said, succeeded, verifier};

const EVENT: &str =
    r#"{"id":"a","action":"x.y","actor":{"id":"bot"},"occurred_at":"2026-11-24T10:00:00Z"}"#;

#[test]
fn a_day_is_its_start_in_utc_in_commands_and_addresses() {
    let directory = Directory::new();
    directory.append(EVENT);
    let events = |arguments: &[&str]| {
        let output = directory.run(&[&["query", "--json"], arguments].concat());
        let page: serde_json::Value = serde_json::from_slice(&succeeded(&output).stdout).unwrap();
        page["events"].as_array().unwrap().len()
    };
    assert_eq!(events(&["--from", "2026-01-31"]), 1);
    // The upper bound is excluded, a day as a whole.
    assert_eq!(events(&["--from", "2026-01-31", "--to", "2026-02-01"]), 0);
    for line in [
        "access list --from 2026-01-31 --to 2100-01-01",
        "hold place --reason r --matter m --from 2026-01-31 --to 2026-02-01",
        "retention preview --as-of 2030-01-31",
        "retention explain a --at 2030-01-31",
        "retention trigger audit_concluded --record r --at 2026-11-01",
    ] {
        succeeded(&directory.run(&line.split(' ').collect::<Vec<_>>()));
    }
    let holds = directory.run(&["hold", "list", "--json"]);
    let holds = String::from_utf8(holds.stdout).unwrap();
    assert!(holds.contains("\"to\":\"2026-02-01T00:00:00"), "{holds}");
    let out = directory.path.with_extension("zip");
    let exported = directory.run(&[
        "export",
        "--from",
        "2026-01-31",
        "--to",
        "2026-02-01",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert!(said(&exported).contains("no entry is from this time"));

    let server = directory.serve();
    let page = server
        .client()
        .get("/v1/events?from=2026-01-31&to=2100-01-01")
        .unwrap();
    assert_eq!(
        (page.status, page.json()["events"].as_array().unwrap().len()),
        (200, 1)
    );
    let refused = server.client().get("/v1/events?from=2026-02-30").unwrap();
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains("a day such as"),
        "{}",
        refused.text()
    );
}

#[test]
fn a_misspelt_word_is_answered_with_the_one_that_may_be_meant() {
    let directory = Directory::new();
    directory.append(EVENT);
    let refused = |arguments: &[&str], meant: &str| {
        let output = directory.run(arguments);
        assert_ne!(output.status.code(), Some(0), "{arguments:?}");
        let text = said(&output);
        assert!(text.contains(meant), "{arguments:?}: {text}");
    };
    refused(&["query", "--columns", "acton"], "did you mean `action`?");
    refused(
        &["query", "--csv", "--columns", "recordedat"],
        "did you mean `recorded_at`?",
    );
    refused(&["query", "--regime", "hippa"], "did you mean \"hipaa\"?");
    refused(&["query", "--acton", "x"], "--action");
    refused(&["qurey"], "query");
    refused(
        &["key", "create", "--role", "writter"],
        "did you mean `writer`?",
    );
    refused(
        &[
            "retention",
            "trigger",
            "audit_conclude",
            "--record",
            "r",
            "--at",
            "2026-11-01",
        ],
        "did you mean `audit_concluded`?",
    );
    let question = directory.path.with_extension("json");
    std::fs::write(&question, r#"{"acton":"x"}"#).unwrap();
    refused(
        &["query", "--question", question.to_str().unwrap()],
        "did you mean `action`?",
    );

    let server = directory.serve();
    let mut client = server.client();
    let mut answer = |event: &str| {
        let answer = client.post("application/json", event.as_bytes()).unwrap();
        (answer.status, answer.text())
    };
    let (status, text) = answer(r#"{"acton":"x.y","actor":{"id":"a"}}"#);
    assert_eq!(status, 422);
    assert!(
        text.contains("unknown section; did you mean `action`?"),
        "{text}"
    );
    let (_, text) = answer(r#"{"action":"x.y","actor":{"id":"a","tpye":"b"}}"#);
    assert!(
        text.contains("unknown member; did you mean `type`?"),
        "{text}"
    );
    let asked = server.client().get("/v1/events?acton=x").unwrap();
    assert!(
        asked.text().contains("did you mean `action`?"),
        "{}",
        asked.text()
    );
    let body = br#"{"roel":"writer"}"#;
    let asked = server
        .client()
        .request(
            "POST",
            "/v1/keys",
            &[("content-type", "application/json")],
            body,
        )
        .unwrap();
    assert_eq!(asked.status, 400);
    assert!(
        asked.text().contains("did you mean `role`?"),
        "{}",
        asked.text()
    );
}

#[test]
fn the_verifier_s_errors_under_json_are_one_object() {
    let directory = Directory::new();
    let missing = directory.path.with_extension("zip");
    let missing = missing.to_str().unwrap();
    for (arguments, code, kind) in [
        (
            vec![missing, "--json", "--key", missing],
            1,
            "urn:trailkeep:exit:failed",
        ),
        (
            vec![missing, "--json", "--kye", "x"],
            2,
            "urn:trailkeep:exit:usage",
        ),
        (vec!["--json"], 2, "urn:trailkeep:exit:usage"),
    ] {
        let output = verifier().args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        let error = &error["error"];
        assert_eq!(
            (&error["type"], &error["exit_code"]),
            (&kind.into(), &code.into())
        );
        for member in ["title", "detail", "hint"] {
            assert!(
                error[member].as_str().is_some_and(|text| !text.is_empty()),
                "{error}"
            );
        }
    }
    let plain = verifier()
        .args([missing, "--key", missing])
        .output()
        .unwrap();
    assert!(plain.stderr.starts_with(b"trailkeep-verify: "));
}
