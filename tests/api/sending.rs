//! The sender of docs/sending.md as it stands there: a full disk, an absent server, a limit and a crash lose no event, and
//! none is recorded twice.

#![allow(clippy::print_stderr, reason = "a test says what it did not try")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::blocks::{Kind, blocks_of};
use crate::support::{Directory, Server};

const EVENTS: usize = 5;

fn sender(folder: &Path, address: &str, token: &str, events: &str) -> Child {
    std::fs::write(folder.join("events.ndjson"), events).unwrap();
    let input = std::fs::File::open(folder.join("events.ndjson")).unwrap();
    Command::new("python3")
        .arg("sending.py")
        .current_dir(folder)
        .env("TRAILKEEP_URL", format!("http://{address}"))
        .env("TOKEN", token)
        .stdin(input)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for a line that begins like this.
fn wait_for(child: &mut Child, words: &str) {
    use std::io::{BufRead, BufReader};
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut seen = Vec::new();
    for line in lines.map_while(Result::ok) {
        if line.starts_with(words) {
            return;
        }
        seen.push(line);
    }
    panic!("{words}: {seen:?}");
}

fn waiting(folder: &Path) -> usize {
    let files = std::fs::read_dir(folder.join("spool")).unwrap();
    let names = files.map(|file| file.unwrap().path());
    names
        .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
        .count()
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn recorded(server: &Server) -> Vec<Value> {
    let page = server.client().get("/v1/events?limit=100").unwrap().json();
    page["events"].as_array().unwrap().clone()
}

#[test]
fn the_sender_of_the_page_loses_nothing() {
    if !Command::new("python3")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
    {
        eprintln!("skipped: python3 is not here");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let mut blocks = blocks_of("docs/sending.md").into_iter();
    let program = blocks.find(|block| block.kind == Kind::File("sending.py".to_owned()));
    std::fs::write(folder.join("sending.py"), program.unwrap().text).unwrap();
    let event = |number: usize| {
        let event = json!({"action": "a.b", "actor": {"id": "u"}, "input": format!("{number}")});
        format!("{event}\n")
    };
    let events: String = (0..EVENTS).map(event).collect();

    let directory = Directory::new();
    // A full disk: 507.
    let server = directory.serve_with(&[("TRAILKEEP_MIN_FREE_BYTES", "18000000000000000000")]);
    let mut child = sender(folder, &server.address, &server.token, &events);
    wait_for(&mut child, "later: 507");
    kill(child);
    assert_eq!(waiting(folder), EVENTS);
    let address = server.address.clone();
    server.stop();
    // Nobody is there; one more event comes, and one that has a fault.
    let more = event(EVENTS) + "{\"action\":\"\"}\n";
    let mut child = sender(folder, &address, &directory.token, &more);
    wait_for(&mut child, "later: ");
    kill(child);
    assert_eq!(waiting(folder), EVENTS + 2);
    // The server is back, with a limit: 429.
    let server = directory.serve_with(&[("TRAILKEEP_LIMITS_REQUESTS_PER_KEY_S", "1")]);
    let mut child = sender(folder, &server.address, &server.token, "");
    wait_for(&mut child, "later: 429");
    // What is recorded and not yet deleted in the spool is sent again.
    kill(child);
    let mut child = sender(folder, &server.address, &server.token, "");
    let end = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "the sender does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(waiting(folder), 0);
    let faulty = std::fs::read_dir(folder.join("spool/faulty")).unwrap();
    assert_eq!(faulty.count(), 1);
    server.stop();
    let server = directory.serve();
    let inputs: Vec<Value> = recorded(&server)
        .iter()
        .map(|listed| listed["event"]["input"].clone())
        .collect();
    let all: Vec<Value> = (0..=EVENTS)
        .map(|number| number.to_string().into())
        .collect();
    assert_eq!(inputs, all);
    server.stop();
    directory.assert_clean();
}
