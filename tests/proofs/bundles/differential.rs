//! The verifier and the script of docs/verify-without-trailkeep.md, which two people wrote from one text, over bundles
//! that were changed at random: what one accepts, the other accepts.
//!
//! `TRAILKEEP_SEEDS` and `TRAILKEEP_SEED` say how many mutations and from which on.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use trailkeep_proof::bundle::verify::{Question, verify};
use trailkeep_proof::ledger::note::PublicKey;

use super::members::{self, Members, Packing};
use super::mutate::mutate;
use crate::support::Random;

/// What the script does not look at, as its page says. A bundle that breaks nothing else is accepted by it.
const NOT_BY_THE_PAGE: &[(&str, &str)] = &[
    (
        "table",
        "it does not write events.csv again to compare it: that member is signed, not proven",
    ),
    ("sources", "it does not count what the producers numbered"),
];

const GOOD: &[&str] = &[
    "full",
    "range",
    "range-middle",
    "selection",
    "redacted",
    "recorded",
    "key-change",
];

struct Good {
    name: &'static str,
    members: Members,
    key: ed25519_dalek::SigningKey,
    bytes: Vec<u8>,
}

fn good(folder: &Path) -> Vec<Good> {
    let read = |name: &'static str| {
        let bundle = folder.join(format!("{name}.zip"));
        let changed = if name == "key-change" {
            "key-change-"
        } else {
            ""
        };
        Good {
            name,
            members: members::read(&bundle),
            key: members::key(&folder.join(format!("{changed}signing-key.hex"))),
            bytes: std::fs::read(bundle).unwrap(),
        }
    };
    GOOD.iter().map(|name| read(name)).collect()
}

/// Bytes of the file as it is, so that also what is not signed is changed.
fn damaged(bytes: &[u8], random: &mut Random) -> (String, Vec<u8>) {
    let mut bytes = bytes.to_vec();
    // The directory is small, and holds what a reader believes.
    let directory = random.below(2) == 0;
    let span = if directory { 1_300 } else { bytes.len() };
    let at = bytes.len() - 1 - random.below(span as u64) as usize;
    let what = match random.below(5) {
        0 => {
            bytes.truncate(at);
            "truncate"
        }
        1 => {
            bytes.insert(at, random.below(256) as u8);
            "insert"
        }
        2 => {
            bytes.remove(at);
            "remove"
        }
        _ => {
            bytes[at] ^= 1 << random.below(8);
            "flip"
        }
    };
    (format!("archive: {what} at {at}"), bytes)
}

/// The mutation of one number, always the same.
fn mutation(goods: &[Good], number: u64) -> (String, Vec<u8>) {
    let mut random = Random::new(number);
    let good = &goods[random.below(goods.len() as u64) as usize];
    let (what, bytes) = match random.below(10) {
        0 => damaged(&good.bytes, &mut random),
        1 => {
            let mut members = good.members.clone();
            for at in (1..members.len()).rev() {
                members.swap(at, random.below(at as u64 + 1) as usize);
            }
            let packing = members::any_packing(&mut random);
            (
                "archive: packed anew".to_owned(),
                members::pack(&members, &packing),
            )
        }
        _ => {
            let mut members = good.members.clone();
            let mut what = mutate(&mut members, &good.key, &mut random);
            if random.below(8) == 0 {
                let _ = write!(
                    what,
                    " and {}",
                    mutate(&mut members, &good.key, &mut random)
                );
            }
            members::seal(&mut members, &good.key);
            (what, members::pack(&members, &Packing::default()))
        }
    };
    (format!("{number}: {}: {what}", good.name), bytes)
}

struct Judged {
    what: String,
    bundle: PathBuf,
    against: bool,
}

fn by_python(folder: &Path, vectors: &Path, judged: &[Judged]) -> Vec<Value> {
    let driver = crate::support::root().join("tests/bundle/judge_many.py");
    let mut child = Command::new("python3")
        .arg(driver)
        .arg(crate::support::page_of_python(folder))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (key, old) = (
        vectors.join("public.pem"),
        vectors.join("old-checkpoint.txt"),
    );
    let mut lines = String::new();
    for one in judged {
        let old = one.against.then_some(&old);
        let arguments: Vec<&PathBuf> = [&one.bundle, &key].into_iter().chain(old).collect();
        let _ = writeln!(lines, "{}", json!(arguments));
    }
    let mut input = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(lines.as_bytes()).unwrap());
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let answers = answers
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect();
        assert!(child.wait().unwrap().success());
        answers
    })
}

/// Whether both say the same; else what each says.
fn compare(one: &Judged, theirs: &Value, key: &PublicKey, old: &str) -> Result<bool, String> {
    let bytes = std::fs::read(&one.bundle).unwrap();
    let question = Question {
        key,
        against: one.against.then_some(old),
        witnesses: &[],
    };
    let ours = verify(&bytes, &question, &mut |_, _| ()).unwrap();
    let accepted = theirs["code"] == 0;
    let unseen = |rule: &str| NOT_BY_THE_PAGE.iter().any(|(known, _)| *known == rule);
    let only_unseen = !ours.authentic && ours.findings.iter().all(|finding| unseen(finding.rule));
    let agree = if only_unseen {
        accepted
    } else {
        ours.authentic == accepted && ours.complete == (theirs["complete"] == true)
    };
    if agree {
        return Ok(accepted);
    }
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("disagreement.zip");
    std::fs::copy(&one.bundle, kept).unwrap();
    Err(format!(
        "{}\n  ours: authentic {}, complete {}, {:?}\n  the page's: {}",
        one.what, ours.authentic, ours.complete, ours.findings, theirs["said"]
    ))
}

#[test]
fn both_verifiers_say_the_same_of_changed_bundles() {
    let absent = |program: &str, option: &str| Command::new(program).arg(option).output().is_err();
    if absent("python3", "--version") || absent("openssl", "version") {
        eprintln!("python3 or openssl is not on this machine: not tried");
        return;
    }
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap())
    };
    let first = number("TRAILKEEP_SEED").unwrap_or(1);
    let count = number("TRAILKEEP_SEEDS").unwrap_or(300);
    let vectors = super::vectors();
    let goods = good(&vectors);
    let key =
        PublicKey::parse(&std::fs::read_to_string(vectors.join("public.pem")).unwrap()).unwrap();
    let old = std::fs::read_to_string(vectors.join("old-checkpoint.txt")).unwrap();
    let (mut accepted, mut apart) = (0, Vec::new());
    for start in (first..first + count).step_by(500) {
        let folder = tempfile::tempdir().unwrap();
        let judged: Vec<Judged> = (start..(first + count).min(start + 500))
            .map(|number| {
                let (what, bytes) = mutation(&goods, number);
                let bundle = folder.path().join(format!("{number}.zip"));
                std::fs::write(&bundle, bytes).unwrap();
                Judged {
                    what,
                    bundle,
                    against: number % 3 == 0,
                }
            })
            .collect();
        let answers = by_python(folder.path(), &vectors, &judged);
        assert_eq!(answers.len(), judged.len());
        for (one, theirs) in judged.iter().zip(&answers) {
            match compare(one, theirs, &key, &old) {
                Ok(was_accepted) => accepted += u64::from(was_accepted),
                Err(said) => apart.push(said),
            }
        }
    }
    eprintln!(
        "{count} mutations from {first} on: {accepted} accepted, {} apart",
        apart.len()
    );
    assert!(apart.is_empty(), "{}", apart.join("\n"));
    // Mutations that are all refused at the door, or that change nothing, would compare little.
    assert!(
        accepted * 50 > count && accepted * 2 < count,
        "{accepted} of {count} accepted"
    );
}
