//! Random sequences of everything that destroys and of what disturbs it, against a simple model: after every step
//! verify is clean, and each event is in the state that the model says.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and tells its steps where it is asked to"
)]

use std::path::{Path, PathBuf};

use crate::support::{Clocked, Random, said, succeeded};
use serde_json::{Value, json};
use trailkeep_core::failpoint::FailPoint;
use trailkeep_proof::time::UnixMillis;

const DAY_MS: u64 = 86_400_000;
/// `default-90d` expires after 90 days, counted from the end of the day of receipt.
const EXPIRES_AFTER_DAYS: u64 = 91;
const PERSONS: [&str; 4] = ["anna", "bert", "carla", "dora"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Intact,
    Restricted,
    Expired,
    Erased,
}

#[derive(Debug)]
struct Event {
    persons: Vec<&'static str>,
    /// A law asks to keep it for years.
    has_minimum: bool,
    action: &'static str,
    received_day: u64,
    state: State,
    /// A person asked to have it erased.
    is_asked: bool,
}

enum Hold {
    Action(&'static str),
    Person(&'static str),
}

impl Hold {
    fn covers(&self, event: &Event) -> bool {
        match self {
            Self::Action(action) => event.action == *action,
            Self::Person(person) => event.persons.contains(person),
        }
    }
}

struct World {
    clocked: Clocked,
    random: Random,
    events: Vec<Event>,
    holds: Vec<(String, Hold)>,
    appended: usize,
    /// The day of the last expiry that was stated.
    expired_by: u64,
    last: String,
}

impl World {
    fn new(seed: u64) -> Self {
        let clocked = Clocked::at("2026-11-24T10:00:00Z");
        let copies = beside(&clocked, "copies");
        std::fs::create_dir(&copies).unwrap();
        succeeded(&clocked.output(&["vault-replica", "add", copies.to_str().unwrap()]));
        Self {
            clocked,
            random: Random::new(seed),
            events: Vec::new(),
            holds: Vec::new(),
            appended: 0,
            expired_by: 0,
            last: String::new(),
        }
    }

    fn today(&self) -> u64 {
        self.clocked.now() / DAY_MS
    }

    fn is_held(&self, event: &Event) -> bool {
        self.holds.iter().any(|(_, hold)| hold.covers(event))
    }

    fn append(&mut self) {
        let count = 1 + self.random.below(8);
        let mut text = String::new();
        for _ in 0..count {
            let first = self.random.below(4) as usize;
            let mut persons = vec![PERSONS[first]];
            if self.random.below(3) == 0 {
                persons.push(PERSONS[(first + 1) % 4]);
            }
            let action = if self.random.below(4) == 0 {
                "b.held"
            } else {
                "a.free"
            };
            let has_minimum = self.random.below(4) == 0;
            let subjects: Vec<Value> = persons.iter().map(|id| json!({"id": id})).collect();
            let mut event = json!({
                "id": format!("e{}", self.appended),
                "action": action,
                "actor": {"id": "bot"},
                "subjects": subjects,
                "input": format!("words {}", self.appended),
            });
            if has_minimum {
                event["regimes"] = json!(["hipaa"]);
            }
            text.push_str(&event.to_string());
            text.push('\n');
            self.appended += 1;
            self.events.push(Event {
                persons,
                has_minimum,
                action,
                received_day: self.today(),
                state: State::Intact,
                is_asked: false,
            });
        }
        self.clocked.append(&text);
    }

    /// Of an event's states the first that applies counts: what was erased, and is covered by an expiry, is expired.
    fn state_of(&self, event: &Event) -> State {
        let is_covered = event.received_day + EXPIRES_AFTER_DAYS <= self.expired_by;
        if event.state == State::Erased && !event.has_minimum && is_covered {
            return State::Expired;
        }
        event.state
    }

    /// What a request that is carried out, or a run, does with what was asked for.
    fn reach_asked(&mut self) {
        for at in 0..self.events.len() {
            let event = &self.events[at];
            if !event.is_asked || matches!(event.state, State::Expired | State::Erased) {
                continue;
            }
            let stays = event.has_minimum || self.is_held(event);
            self.events[at].state = if stays {
                State::Restricted
            } else {
                State::Erased
            };
        }
    }

    fn erase(&mut self, crashes: bool) {
        let person = PERSONS[self.random.below(4) as usize];
        person.clone_into(&mut self.last);
        let words = [
            "privacy",
            "erase",
            "--yes",
            "--subject",
            person,
            "--reference",
            "R",
        ];
        if crashes {
            let points = FailPoint::OF_DESTRUCTION;
            let point = points[self.random.below(points.len() as u64) as usize].name();
            // Where nothing is destroyed, the point is not reached, and the command ends well.
            let kill = format!("{point}=kill");
            let output = self
                .clocked
                .output_with(&words, &[("TRAILKEEP_FAILPOINT", &kill)]);
            let is_killed = output.status.code().is_none();
            assert!(is_killed || output.status.success(), "{}", said(&output));
        } else {
            let now: &[&str] = if self.random.below(2) == 0 {
                &["--now"]
            } else {
                &[]
            };
            succeeded(&self.clocked.command(&words, now));
        }
        for event in &mut self.events {
            event.is_asked |= event.persons.contains(&person)
                && matches!(event.state, State::Intact | State::Restricted);
        }
        self.reach_asked();
    }

    fn place_hold(&mut self) {
        let (filter, hold) = if self.random.below(2) == 0 {
            (["--action", "b.held"], Hold::Action("b.held"))
        } else {
            let person = PERSONS[self.random.below(4) as usize];
            (["--subject", person], Hold::Person(person))
        };
        self.last = filter.concat();
        let words = ["hold", "place", "--reason", "R", "--matter", "M", "--json"];
        let placed = self.clocked.json(&[&words[..], &filter].concat());
        let id = placed["id"].as_str().unwrap().to_owned();
        self.holds.push((id, hold));
    }

    fn lift_hold(&mut self) {
        if let Some((id, _)) = self.holds.pop() {
            self.clocked
                .json(&["hold", "release", &id, "--reason", "R", "--json"]);
        }
    }

    fn run(&mut self) {
        let days = self.random.below(25);
        self.clocked.set_ms(self.clocked.now() + days * DAY_MS);
        let shown = self.clocked.json(&["retention", "preview", "--json"]);
        let before = self.present();
        self.clocked.run();
        let today = self.today();
        let goes = |event: &Event| {
            !event.has_minimum
                && today >= event.received_day + EXPIRES_AFTER_DAYS
                && matches!(event.state, State::Intact | State::Restricted)
                && !self.is_held(event)
        };
        let going: Vec<bool> = self.events.iter().map(goes).collect();
        for (event, goes) in self.events.iter_mut().zip(&going) {
            if *goes {
                event.state = State::Expired;
            }
        }
        // An expiry is stated where something goes.
        if going.contains(&true) {
            self.expired_by = today;
        }
        self.reach_asked();
        // What a run destroys, the preview showed: what expires, and what waited for a hold or a minimum.
        let gone = (before - self.present()) as u64;
        assert_eq!(shown["destroyed"], gone, "the preview: {shown}");
    }

    /// Events whose payload is there.
    fn present(&self) -> usize {
        let is_present = |event: &&Event| !matches!(event.state, State::Expired | State::Erased);
        self.events.iter().filter(is_present).count()
    }

    fn rotate(&self) {
        succeeded(&self.clocked.output(&["key", "rotate-vault"]));
    }

    /// The machine is lost, and comes back from the backup that was just made.
    fn back_up_and_restore(&self) {
        let (data, backup) = (
            self.clocked.directory.path.clone(),
            beside(&self.clocked, "backup"),
        );
        succeeded(
            &self
                .clocked
                .output(&["backup", "--out", backup.to_str().unwrap()]),
        );
        let key = beside(&self.clocked, "root.key");
        std::fs::copy(data.join("root.key"), &key).unwrap();
        std::fs::remove_dir_all(&data).unwrap();
        let restored = crate::support::trailkeep()
            .args(["restore", "--from"])
            .arg(&backup)
            .arg("--to")
            .arg(&data)
            .arg("--root-key-file")
            .arg(&key)
            .output()
            .unwrap();
        succeeded(&restored);
        std::fs::copy(&key, data.join("root.key")).unwrap();
        let refused = self.clocked.output(&["retention", "run"]);
        assert!(said(&refused).contains("restored"), "{}", said(&refused));
        succeeded(
            &self
                .clocked
                .output(&["retention", "resume", "--reviewed-holds"]),
        );
    }

    fn check(&self, step: &str) {
        let report = self.clocked.verify();
        let count = |state| {
            self.events
                .iter()
                .filter(|event| self.state_of(event) == state)
                .count()
        };
        let held = self
            .events
            .iter()
            .filter(|event| {
                matches!(event.state, State::Intact | State::Restricted) && self.is_held(event)
            })
            .count();
        for (name, expected) in [
            ("intact", count(State::Intact)),
            ("restricted", count(State::Restricted)),
            ("expired", count(State::Expired)),
            ("erased", count(State::Erased)),
            ("held", held),
        ] {
            assert_eq!(
                report[name], expected,
                "{name} after {step}: {report}\nthe model says {:#?}",
                self.events
            );
        }
    }

    /// Each event that the model says is there says what it said, and no other does.
    fn check_texts(&self) {
        let page = self.clocked.json(&[
            "query",
            "--limit",
            "100000",
            "--purpose",
            "storage: a test",
            "--json",
        ]);
        let mut found: Vec<&str> = page["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["event"]["input"].as_str().unwrap())
            .collect();
        let there = self.events.iter().enumerate();
        let there =
            there.filter(|(_, event)| matches!(event.state, State::Intact | State::Restricted));
        let mut expected: Vec<String> = there.map(|(at, _)| format!("words {at}")).collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }

    fn check_bundle(&self) {
        self.clocked.export("model.zip");
        let report = self.clocked.verify_bundle("model.zip");
        assert_eq!(report["authentic"], true, "{report}");
    }
}

fn beside(clocked: &Clocked, name: &str) -> PathBuf {
    let path: &Path = &clocked.directory.path;
    path.with_file_name(name)
}

fn walk(seed: u64, steps: usize) {
    let mut world = World::new(seed);
    world.append();
    for number in 0..steps {
        let step = match world.random.below(20) {
            0..=5 => {
                world.append();
                "an append"
            }
            6..=9 => {
                world.erase(false);
                "an erasure"
            }
            10..=11 => {
                world.erase(true);
                "a kill in an erasure"
            }
            12..=13 => {
                world.place_hold();
                "a hold"
            }
            14 => {
                world.lift_hold();
                "a lift"
            }
            15..=17 => {
                world.run();
                "a run"
            }
            18 => {
                world.rotate();
                "a rotation"
            }
            _ => {
                world.back_up_and_restore();
                "a restore"
            }
        };
        if std::env::var_os("TRAILKEEP_TELL").is_some() {
            eprintln!("{number} {step} {:?}", world.last);
        }
        let at = UnixMillis::new(world.clocked.now());
        world.check(&format!("step {number} of seed {seed}, {step}, at {at}"));
        if number % 10 == 9 {
            world.check_bundle();
            world.check_texts();
        }
    }
    world.check_texts();
}

#[test]
fn random_days_agree_with_a_simple_model() {
    // More seeds: TRAILKEEP_SEEDS=100 cargo test --test rights erasure_model; TRAILKEEP_SEED=7 begins with another, and
    // TRAILKEEP_TELL=1 tells the steps.
    let seeds = std::env::var("TRAILKEEP_SEEDS").ok();
    let seeds: u64 = seeds.and_then(|text| text.parse().ok()).unwrap_or(3);
    let first = std::env::var("TRAILKEEP_SEED").ok();
    let first: u64 = first.and_then(|text| text.parse().ok()).unwrap_or(1);
    for seed in first..first + seeds {
        walk(seed, 40);
    }
}
