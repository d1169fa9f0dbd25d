//! What a clock that can't be believed stops, and that it goes on once the clock is right.

use serde_json::{Value, json};

use super::event;
use crate::support::{Clocked, Server, said, succeeded};

#[test]
fn a_command_that_the_clock_stopped_says_so_and_fails() {
    let clocked = Clocked::at("2026-08-25T10:00:00Z");
    clocked.append(&event("old", &json!({})));
    // Of 60 days nothing is proven. Nothing is due by then either, so nothing has to be recorded.
    clocked.jump("2026-10-24T10:00:00Z");
    let erase = ["privacy", "erase", "--subject", "s", "--reference", "R"];
    let execute = ["privacy", "execute", "00000000-0000-4000-8000-000000000000"];
    for (command, more) in [
        (&["retention", "run"][..], &[][..]),
        (&["retention", "run", "--json"], &[]),
        (&erase, &["--yes"]),
        (&["key", "rotate-vault"], &[]),
    ] {
        let output = clocked.command(command, more);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(9), "{command:?}: {text}");
        assert!(text.contains("the clock jumped"), "{command:?}: {text}");
        assert!(text.contains("--confirm-clock"), "{command:?}: {text}");
    }
    assert_ne!(clocked.command(&execute, &["--yes"]).status.code(), Some(0));

    clocked.jump("2026-08-25T10:00:01Z");
    assert_eq!(clocked.run()["destroyed"], 0);
}

fn post(server: &Server, path: &str, body: &[u8]) -> (u16, Value) {
    let answer =
        server
            .client()
            .request("POST", path, &[("Content-Type", "application/json")], body);
    let answer = answer.unwrap();
    (answer.status, answer.json())
}

fn append(server: &Server) -> (u16, Value) {
    let event = br#"{"action":"test.append","actor":{"id":"tester"}}"#;
    post(server, "/v1/events", event)
}

#[test]
fn a_clock_that_is_put_right_goes_on_without_a_restart() {
    let clocked = Clocked::at("2026-01-05T10:00:00Z");
    // The machine was paused for an hour: its boot clock stood still.
    clocked.jump("2026-01-05T11:00:00Z");
    let server = clocked.serve();
    let (status, first) = append(&server);
    assert_eq!(status, 201, "{first}");
    clocked.jump("2026-01-05T12:00:00Z");
    for (status, answer) in [append(&server), post(&server, "/v1/retention/run", b"{}")] {
        assert_eq!(status, 503, "{answer}");
        let detail = answer["detail"].as_str().unwrap();
        assert!(detail.contains("the clock jumped"), "{detail}");
    }
    // Back, far back, and to where it should be.
    for (time, is_first) in [
        ("2026-01-05T10:30:00Z", true),
        ("2020-01-05T10:30:00Z", true),
        ("2026-01-05T10:40:00Z", true),
        ("2026-01-05T11:00:09Z", false),
    ] {
        clocked.jump(time);
        let (status, answer) = append(&server);
        assert_eq!(status, 201, "{time}: {answer}");
        let is_same = answer["recorded_at"] == first["recorded_at"];
        assert_eq!(is_same, is_first, "{time}: {answer}");
    }
    server.stop();
    clocked.verify();
}

#[test]
fn a_restart_is_no_way_round_a_jump_that_was_refused() {
    let clocked = Clocked::at("2026-01-05T10:00:00Z");
    let server = clocked.serve();
    clocked.jump("2026-01-05T12:00:00Z");
    assert_eq!(append(&server).0, 503);
    server.stop();
    let server = clocked.serve();
    assert_eq!(append(&server).0, 503);
    clocked.jump("2026-01-05T10:00:01Z");
    assert_eq!(append(&server).0, 201);
    server.stop();
    // What was put right is forgotten: another start may be after a pause.
    clocked.jump("2026-01-05T12:00:00Z");
    let server = clocked.serve();
    assert_eq!(append(&server).0, 201);
    server.stop();
    let confirmed = ["retention", "run", "--confirm-clock"];
    clocked.jump("2026-06-05T12:00:00Z");
    assert_eq!(clocked.output(&["retention", "run"]).status.code(), Some(9));
    succeeded(&clocked.output(&confirmed));
}
