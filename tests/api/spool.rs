//! `append --spool`: what the server can't take waits on disk, in its order, and is recorded once.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::support::{Directory, Server, said, succeeded, trailkeep};

/// An event with an id, or without one.
fn event(id: Option<&str>, input: &str) -> String {
    let mut event = serde_json::json!({"action": "a.b", "actor": {"id": "job"}, "input": input});
    if let Some(id) = id {
        event["id"] = id.into();
    }
    event.to_string()
}

struct Job {
    directory: Directory,
    spool: PathBuf,
    file: PathBuf,
}

impl Job {
    fn new() -> Self {
        let directory = Directory::new();
        Self {
            spool: directory.path.with_file_name("spool"),
            file: directory.path.with_file_name("events"),
            directory,
        }
    }

    fn run(&self, url: &str, more: &[&str]) -> Output {
        trailkeep()
            .args(["append", "--json", "--token", &self.directory.token])
            .args(["--url", url, "--spool"])
            .arg(&self.spool)
            .args(more)
            .output()
            .unwrap()
    }

    fn append(&self, url: &str, events: &str) -> (Option<i32>, Value) {
        std::fs::write(&self.file, events).unwrap();
        let output = self.run(url, &[self.file.to_str().unwrap()]);
        let answer = serde_json::from_slice(&output.stdout);
        (
            output.status.code(),
            answer.unwrap_or_else(|_| panic!("{}", said(&output))),
        )
    }

    fn files(&self, end: &str) -> Vec<PathBuf> {
        let names = std::fs::read_dir(&self.spool).unwrap();
        let names = names.map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = names
            .filter(|path| path.extension().is_some_and(|found| found == end))
            .collect();
        files.sort();
        files
    }

    /// The inputs of all events, in the order of the ledger.
    fn inputs(&self) -> Vec<String> {
        let output = self.directory.run(&["query", "--json", "--limit", "1000"]);
        let page: Value = serde_json::from_slice(&succeeded(&output).stdout).unwrap();
        let events = page["events"].as_array().unwrap().iter();
        let inputs = events.map(|event| event["event"]["input"].as_str().unwrap().to_owned());
        inputs.collect()
    }
}

fn url(server: &Server) -> String {
    format!("http://{}", server.address)
}

const NOBODY: &str = "http://127.0.0.1:1";

#[test]
fn what_the_server_can_not_take_is_recorded_later_once_and_in_order() {
    let job = Job::new();
    let full = job
        .directory
        .serve_with(&[("TRAILKEEP_MIN_FREE_BYTES", "18446744073709551615")]);
    let two = [event(Some("e-1"), "1"), event(None, "2")].join("\n");
    let (code, said) = job.append(&url(&full), &two);
    assert_eq!((code, &said["spooled"]), (Some(10), &2.into()), "{said}");
    full.stop();
    // One document over several lines, and an array.
    let pretty: Value = serde_json::from_str(&event(None, "3")).unwrap();
    let pretty = serde_json::to_string_pretty(&pretty).unwrap();
    assert_eq!(job.append(NOBODY, &pretty).0, Some(10));
    let array = format!("[{},\n{}]", event(Some("e-4"), "4"), event(None, "5"));
    let (code, said) = job.append(NOBODY, &array);
    assert_eq!(
        (code, &said["waiting_files"]),
        (Some(10), &3.into()),
        "{said}"
    );
    for file in job.files("ndjson") {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_eq!(
        job.spool.metadata().unwrap().permissions().mode() & 0o777,
        0o700
    );

    let server = job.directory.serve();
    // What waits goes first.
    let (code, said) = job.append(&url(&server), &event(Some("e-6"), "6"));
    assert_eq!((code, &said["accepted"]), (Some(0), &6.into()), "{said}");
    assert!(job.files("ndjson").is_empty());
    let again = job.run(&url(&server), &["--flush"]);
    let again: Value = serde_json::from_slice(&succeeded(&again).stdout).unwrap();
    assert_eq!(again["accepted"], 0);
    server.stop();
    assert_eq!(job.inputs(), ["1", "2", "3", "4", "5", "6"]);
}

#[test]
fn an_answer_that_was_lost_makes_no_second_event() {
    let job = Job::new();
    assert_eq!(job.append(NOBODY, &event(None, "once")).0, Some(10));
    let file = job.files("ndjson").remove(0);
    let kept = std::fs::read(&file).unwrap();
    let server = job.directory.serve();
    succeeded(&job.run(&url(&server), &["--flush"]));
    // As if the process had ended before it removed the file.
    std::fs::write(&file, kept).unwrap();
    let again = job.run(&url(&server), &["--flush"]);
    let again: Value = serde_json::from_slice(&succeeded(&again).stdout).unwrap();
    assert_eq!(
        (&again["accepted"], &again["duplicates"]),
        (&0.into(), &1.into())
    );
    server.stop();
    assert_eq!(job.inputs(), ["once"]);
}

#[test]
fn damaged_files_and_refused_events_are_named_and_keep_nothing_waiting() {
    let job = Job::new();
    for number in ["1", "2"] {
        assert_eq!(job.append(NOBODY, &event(None, number)).0, Some(10));
    }
    let mixed = [event(Some("taken"), "spooled"), event(None, "3")].join("\n");
    assert_eq!(job.append(NOBODY, &mixed).0, Some(10));
    let mut first = std::fs::read(&job.files("ndjson")[0]).unwrap();
    *first.last_mut().unwrap() = b'x';
    std::fs::write(&job.files("ndjson")[0], first).unwrap();
    job.directory.append(&event(Some("taken"), "before"));

    let server = job.directory.serve();
    let flushed = job.run(&url(&server), &["--flush"]);
    assert_eq!(flushed.status.code(), Some(1), "{}", said(&flushed));
    let answer: Value = serde_json::from_slice(&flushed.stdout).unwrap();
    let aside = answer["set_aside"].as_array().unwrap();
    let name = |path: &Value| Path::new(path.as_str().unwrap()).to_owned();
    assert_eq!(job.files("damaged"), [name(&aside[0])]);
    assert_eq!(job.files("refused"), [name(&aside[1])]);
    let refused = std::fs::read_to_string(name(&aside[1])).unwrap();
    assert!(
        refused.contains("spooled") && !refused.contains("\"3\""),
        "{refused}"
    );
    assert!(said(&flushed).contains("is damaged"), "{}", said(&flushed));
    // They are told once, and the spool is free.
    succeeded(&job.run(&url(&server), &["--flush"]));
    server.stop();
    assert_eq!(job.inputs(), ["before", "2", "3"]);
}

#[test]
fn what_nobody_can_take_is_not_spooled() {
    let job = Job::new();
    std::fs::write(&job.file, r#"{"acton":"a.b"}"#).unwrap();
    let output = job.run(NOBODY, &[job.file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("did you mean `action`?"));
    assert!(job.files("ndjson").is_empty());
    let server = job.directory.serve();
    std::fs::write(&job.file, event(None, "1")).unwrap();
    let wrong = trailkeep()
        .args(["append", "--token", "x", "--url", &url(&server), "--spool"])
        .args([&job.spool, &job.file])
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(6), "{}", said(&wrong));
    assert!(job.files("ndjson").is_empty());
    server.stop();
}
