//! Experiments: a label that stands for several versions, and the published rule that says which one a unit gets.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{NAME, Registry, versions};
use crate::support::{Client, root};

const UNITS: usize = 100_000;

/// What tests/prompts/ab.py says that each unit gets; none where Python is not here.
fn by_script(seq: u64, to: &Value, units: &[String]) -> Option<Vec<u64>> {
    let to = versions(to);
    let to: Vec<String> = to
        .iter()
        .map(|(version, weight)| format!("{version}:{weight}"))
        .collect();
    let child = Command::new("python3")
        .arg(root().join("tests/prompts/ab.py"))
        .args([NAME, &seq.to_string(), &to.join(",")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: python3 is not here");
        return None;
    };
    let mut lines = String::new();
    for unit in units {
        writeln!(lines, "{unit}").unwrap();
    }
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(|line| line.parse().unwrap()).collect())
}

fn fetch(client: &mut Client, more: &str) -> Value {
    let answer = client
        .get(&format!("/v1/prompts/support%2Frefund{more}"))
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[test]
fn shares_are_those_of_the_weights_and_only_the_moved_share_flips() {
    let registry = Registry::new();
    registry.register("one");
    registry.register("two");
    registry.label("production=1");
    let begun = registry.label("production=1:9000,2:1000");
    let seq = begun["moved"]["seq"].as_u64().unwrap();
    assert_eq!(begun["experiment"]["seq"], seq);
    let units: Vec<String> = (0..UNITS)
        .map(|number| format!("conversation-{number}"))
        .collect();
    let Some(before) = by_script(seq, &begun, &units) else {
        return;
    };
    let share = |versions: &[u64]| versions.iter().filter(|version| **version == 2).count();
    // Within 0.3 points: 300 of 100,000.
    assert!(share(&before).abs_diff(10_000) < 300, "{}", share(&before));

    let changed = registry.label("production=2:500,1:9500");
    assert_eq!(changed["experiment"]["seq"], seq, "{changed}");
    assert_eq!(versions(&changed), [(1, 9_500), (2, 500)]);
    let after = by_script(seq, &changed, &units).unwrap();
    assert!(share(&after).abs_diff(5_000) < 300, "{}", share(&after));
    let flipped: Vec<(u64, u64)> = before
        .iter()
        .zip(&after)
        .filter(|(before, after)| before != after)
        .map(|(before, after)| (*before, *after))
        .collect();
    assert!(flipped.iter().all(|flip| *flip == (2, 1)));
    assert_eq!(flipped.len(), share(&before) - share(&after));

    // The server gives what the script says.
    let server = registry.directory.serve();
    let mut client = server.client();
    for (unit, version) in units.iter().zip(&after).take(300) {
        let fetched = fetch(&mut client, &format!("?unit={unit}"));
        assert_eq!(fetched["version"], *version, "{unit}");
        let share = &fetched["experiment"];
        assert_eq!(
            (&share["seq"], &share["unit"]),
            (&json!(seq), &json!("conversation"))
        );
        assert!(share["bucket"].as_u64().unwrap() < 10_000);
        assert_eq!(share["note"], Value::Null);
    }
    server.stop();
    registry.directory.assert_clean();
}

#[test]
fn without_a_unit_it_is_the_first_and_the_answer_says_so() {
    let registry = Registry::new();
    registry.register("one");
    registry.register("two");
    registry.json(&[
        "prompt",
        "label",
        NAME,
        "production=1,2:1000",
        "--unit",
        "subject",
    ]);
    let server = registry.directory.serve();
    let mut client = server.client();
    let fetched = fetch(&mut client, "");
    assert_eq!(
        (&fetched["version"], &fetched["text"]),
        (&json!(1), &json!("one"))
    );
    let share = &fetched["experiment"];
    assert_eq!(
        (&share["bucket"], &share["weight"]),
        (&Value::Null, &json!(9_000))
    );
    let note = share["note"].as_str().unwrap();
    assert!(
        note.contains("named no unit") && note.contains("subject"),
        "{note}"
    );
    // A version and `latest` are no experiment.
    assert_eq!(fetch(&mut client, "?version=2")["experiment"], Value::Null);
    assert_eq!(
        fetch(&mut client, "?label=latest&unit=x")["experiment"],
        Value::Null
    );
    server.stop();
}

#[test]
fn an_experiment_begins_where_one_version_becomes_several_and_a_rollback_keeps_its_seed() {
    let registry = Registry::new();
    for text in ["one", "two", "three"] {
        registry.register(text);
    }
    let seed = |made: &Value| made["experiment"]["seq"].as_u64();
    let first = registry.label("production=1,2:1000");
    assert_eq!(seed(&first), first["moved"]["seq"].as_u64());
    let other = registry.label("production=1,3:1000");
    assert_eq!(seed(&other), seed(&first));
    let ended = registry.label("production=3");
    assert_eq!(seed(&ended), None);
    // The seed of before: a unit gets what it got.
    let back = registry.roll_back(&[]);
    assert_eq!(
        (seed(&back), versions(&back)),
        (seed(&first), vec![(1, 9_000), (3, 1_000)])
    );
    registry.label("production=3");
    let again = registry.label("production=3,1:1");
    assert_eq!(seed(&again), again["moved"]["seq"].as_u64());
    registry.directory.assert_clean();
}
