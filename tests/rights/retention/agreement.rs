//! What `explain` says, what `preview` shows and what a run does are one: over every shipped policy and its special cases,
//! with triggers that fired or did not, holds that stand or were lifted, and policies of one's own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use trailkeep_core::Engine;
use trailkeep_core::govern::hold::NewHold;
use trailkeep_core::govern::trigger;
use trailkeep_core::journal::append::{Incoming, append};
use trailkeep_core::journal::read::open_event;
use trailkeep_core::ops::init::init;
use trailkeep_core::ops::open::{Files, StartOptions};
use trailkeep_core::ops::run;
use trailkeep_core::retention;
use trailkeep_core::tenant::Tenant;
use trailkeep_core::tenant::hold::{HeldPerson, HoldScope, REVIEW_EVERY};
use trailkeep_crypto::root::RootKeySource;
use trailkeep_files::directory::DataDirectory;
use trailkeep_policy::{ActionPattern, Policy, PolicySet};
use trailkeep_proof::ids::{LogName, Seq};
use trailkeep_proof::ledger::event::parse_event;
use trailkeep_proof::time::{Clock, UnixMillis};
use trailkeep_store_sqlite::Sqlite;

/// A clock that the test moves; the machine's own time moves with it.
struct MovedClock(AtomicU64);

impl Clock for MovedClock {
    fn wall(&self) -> UnixMillis {
        UnixMillis::new(self.since_boot_ms())
    }

    fn since_boot_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A ledger in this process.
struct Kept {
    engine: Arc<Engine>,
    tenant: Tenant,
    clock: Arc<MovedClock>,
    events: Vec<Case>,
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

/// An event, and what was said of it.
struct Case {
    what: String,
    seq: Seq,
    /// When it is destroyed; none: never, as things stand.
    destroyed_at: Option<u64>,
}

fn moment(text: &str) -> u64 {
    UnixMillis::parse_rfc3339(text).unwrap().get()
}

impl Kept {
    fn at(time: &str, policies: Option<&Path>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(MovedClock(AtomicU64::new(moment(time))));
        let directory = DataDirectory::new(folder.path().join("data"));
        let root_key = RootKeySource::File(directory.root_key());
        let time: Arc<dyn Clock> = clock.clone();
        let mut options = StartOptions::new(Arc::clone(&time));
        options.policy_directory = policies.map(Path::to_owned);
        init(
            &Sqlite,
            &directory,
            &LogName::new("localhost").unwrap(),
            &root_key,
            &time,
        )
        .unwrap();
        let files = Files::open(Arc::new(Sqlite), directory, &root_key).unwrap();
        let engine = Arc::new(files.start(options).unwrap());
        let tenant = engine.journal.tenants().remove(0);
        Self {
            engine,
            tenant,
            clock,
            events: Vec::new(),
            runtime: tokio::runtime::Runtime::new().unwrap(),
            _folder: folder,
        }
    }

    fn set(&self, millis: u64) {
        self.clock.0.store(millis, Ordering::SeqCst);
    }

    /// Records an event about a person of its own, of a record of its own.
    fn record(&mut self, what: &str, regimes: &[&str], action: &str, more: Value) {
        let mut event = json!({
            "id": what, "action": action, "actor": {"id": "bot"}, "regimes": regimes,
            "subjects": [{"id": what}],
        });
        let more: serde_json::Map<String, Value> = serde_json::from_value(more).unwrap();
        event.as_object_mut().unwrap().extend(more);
        let incoming = Incoming {
            event: parse_event(event.to_string().as_bytes()).unwrap(),
            via: "http",
            added: Vec::new(),
            lacks_regimes: false,
        };
        let appended = append(
            &self.engine.journal,
            &self.tenant,
            vec![incoming],
            trailkeep_core::Effort::Long,
        );
        self.runtime.block_on(appended).unwrap();
        let size = self.tenant.active().published().head.size;
        self.events.push(Case {
            what: what.to_owned(),
            seq: Seq::new(size - 1),
            destroyed_at: None,
        });
    }

    fn explain(&self, seq: Seq) -> Value {
        let now = self.clock.wall();
        let scope = self.tenant.read_scope(None).unwrap();
        let explained = run::explain_event(&self.engine.journal, &scope, seq, now).unwrap();
        serde_json::to_value(trailkeep_server::explanation(explained)).unwrap()
    }

    /// Asks of every event that is there when it is destroyed. One without a date says why.
    fn ask(&mut self) {
        let said: Vec<Value> = self
            .events
            .iter()
            .map(|case| self.explain(case.seq))
            .collect();
        for (case, said) in self.events.iter_mut().zip(said) {
            if said["state"] == "expired" {
                continue;
            }
            case.destroyed_at = said["destroy_at"].as_str().map(moment);
            let is_told = !said["holds"].as_array().unwrap().is_empty() || said["note"].is_string();
            assert!(
                case.destroyed_at.is_some() || is_told,
                "{}: {said}",
                case.what
            );
        }
    }

    fn fire(&self, name: &str, record: &str) {
        let now = self.clock.wall();
        trigger::fire(
            &self.engine.journal,
            &self.tenant,
            name,
            record,
            now,
            "local",
        )
        .unwrap();
    }

    fn hold(&self, person: &str) -> String {
        let new = NewHold {
            matter: "M".to_owned(),
            reason: "R".to_owned(),
            scope: HoldScope {
                subject: Some(HeldPerson {
                    id: person.to_owned(),
                    namespace: String::new(),
                }),
                ..HoldScope::default()
            },
            review_every: REVIEW_EVERY.to_owned(),
        };
        let placed = retention::place_hold(&self.engine.journal, &self.tenant, new, true, "local");
        let placed = placed.unwrap();
        assert_eq!(placed.covers_events, 1, "{person}");
        placed.id
    }

    fn lift(&self, id: &str) {
        retention::lift_hold(&self.engine.journal, &self.tenant, id, "over", "local").unwrap();
    }

    /// A run destroys what the preview shows, and what is due by what was said, and nothing else.
    fn run_at(&self, millis: u64) {
        self.set(millis);
        let now = self.clock.wall();
        let preview = run::preview(&self.engine.journal, &self.tenant, now).unwrap();
        let report = run::run(&self.engine, &self.tenant, "local").unwrap();
        assert_eq!(preview.destroyed, report.destroyed, "{now}: {preview:?}");
        for case in &self.events {
            let is_gone = open_event(&self.engine.journal, self.tenant.active(), case.seq).is_err();
            let is_due = case.destroyed_at.is_some_and(|at| at <= millis);
            assert_eq!(
                is_gone, is_due,
                "{} at {now}: {:?}",
                case.what, case.destroyed_at
            );
        }
    }

    /// Goes from date to date: a millisecond before each, and at it. At last everything that has a date is gone.
    fn run_through(&self) {
        let now = self.clock.wall().get();
        let mut dates: Vec<u64> = self
            .events
            .iter()
            .filter_map(|case| case.destroyed_at)
            .collect();
        dates.sort_unstable();
        dates.dedup();
        for date in dates.into_iter().filter(|date| *date > now) {
            self.run_at(date - 1);
            self.run_at(date);
        }
        self.run_at(moment("2190-01-01T00:00:00Z"));
    }
}

/// Actions that fall under each of a policy's figures.
fn actions_of(policy: &Policy) -> Vec<String> {
    let fill = |pattern: &ActionPattern| pattern.as_str().replace('*', "x");
    let special = policy.special_cases.iter();
    let special = special.flat_map(|case| case.actions.iter().map(fill));
    let of_most = policy.actions.iter().map(fill);
    let mut actions: Vec<String> = of_most.chain(special).collect();
    actions.sort();
    actions.dedup();
    actions
}

/// Every shipped policy, by every kind of action, with and without a record, with and without its triggers.
fn record_shipped(kept: &mut Kept, when: &str) {
    let set = PolicySet::shipped().unwrap();
    for policy in set.iter() {
        for action in actions_of(policy) {
            let name = |how: &str| format!("{when}/{}/{action}/{how}", policy.id);
            let of = |how: &str| json!({"retention": {"record": name(how)}});
            kept.record(&name("plain"), &[&policy.id], &action, json!({}));
            if !policy.triggers().is_empty() {
                kept.record(&name("unfired"), &[&policy.id], &action, of("unfired"));
                kept.record(&name("fired"), &[&policy.id], &action, of("fired"));
            }
        }
    }
}

#[test]
fn what_is_said_of_every_shipped_policy_is_what_happens() {
    // The last millisecond of a month without a 29th day, and an ordinary day.
    let mut kept = Kept::at("2027-02-28T23:59:59.999Z", None);
    record_shipped(&mut kept, "month-end");
    kept.set(moment("2027-12-24T10:00:00Z"));
    record_shipped(&mut kept, "ordinary");
    kept.set(moment("2028-01-31T12:00:00Z"));
    let set = PolicySet::shipped().unwrap();
    let fired: Vec<String> = kept.events.iter().map(|case| case.what.clone()).collect();
    for record in fired.iter().filter(|what| what.ends_with("/fired")) {
        let policy = set.of_regime(record.split('/').nth(1).unwrap()).unwrap();
        let mut names = policy.triggers();
        names.sort_unstable();
        names.dedup();
        for name in names {
            kept.fire(name, record);
        }
    }
    kept.ask();
    kept.run_through();
}

#[test]
fn holds_move_no_date_but_that_of_the_destruction() {
    let mut kept = Kept::at("2026-11-24T10:00:00Z", None);
    for (what, regime) in [
        ("soc2/lifted", "soc2"),
        ("soc2/early", "soc2"),
        ("soc2/kept", "soc2"),
        ("soc2/free", "soc2"),
        ("sec/lifted", "sec-17a-4"),
        ("sec/kept", "sec-17a-4"),
        ("default/lifted", "default-90d"),
    ] {
        kept.record(what, &[regime], "record.read", json!({}));
    }
    let early = kept.hold("soc2/early");
    let lifted = ["soc2/lifted", "sec/lifted", "default/lifted"].map(|person| kept.hold(person));
    for person in ["soc2/kept", "sec/kept"] {
        kept.hold(person);
    }
    // Lifted before its time: nothing changes.
    kept.set(moment("2026-12-24T10:00:00Z"));
    kept.lift(&early);
    kept.ask();
    kept.run_through();
    // Lifted after it: gone with the next run.
    for id in lifted {
        kept.lift(&id);
    }
    kept.ask();
    let now = kept.clock.wall().get();
    let due = kept
        .events
        .iter()
        .filter(|case| case.destroyed_at == Some(now));
    assert_eq!(due.count(), 3);
    kept.run_at(now);
}

/// A policy of one's own; `figures` are lines of its `[retention]`.
fn own(folder: &Path, id: &str, version: u32, figures: &str) {
    let text = format!(
        "schema = 1\nid = \"{id}\"\nversion = {version}\ntitle = \"made up\"\nreview_by = 2099-01-01\n\
         [[authority]]\ncitation = \"a law\"\nkind = \"law\"\n[retention]\n{figures}\n\
         [erasure]\nrequest = \"restrict_until_minimum\"\njustification = \"made up\"\n"
    );
    std::fs::write(folder.join(format!("{id}.toml")), text).unwrap();
}

#[test]
fn what_is_said_of_policies_of_ones_own_is_what_happens() {
    let folder = tempfile::tempdir().unwrap();
    for (id, figures) in [
        // A maximum of law before a customary minimum ends.
        (
            "law-max",
            "keep_at_least = \"P0D\"\nkeep_force = \"none\"\ndelete_after = \"P3M\"\ndelete_force = \"law\"\nmax_clock = \"received\"",
        ),
        (
            "custom-min",
            "keep_at_least = \"P12M\"\nkeep_force = \"custom\"\ndelete_after = \"P15M\"\nmax_clock = \"received\"",
        ),
        (
            "month",
            "keep_at_least = \"P0D\"\nkeep_force = \"none\"\ndelete_after = \"P1M\"\nmax_clock = \"received\"",
        ),
        (
            "occurred",
            "keep_at_least = \"P1M\"\nkeep_force = \"custom\"\ndelete_after = \"P3M\"\nclock = \"occurred\"\nmax_clock = \"occurred\"",
        ),
        (
            "optional",
            "keep_at_least = \"P1M\"\nkeep_force = \"law\"\nkeep_law = [\"US\"]\ndelete_after = \"P3M\"\nclock = \"later_of:received,trigger:account_closed?\"\nmax_clock = \"later_of:received,trigger:account_closed?\"",
        ),
        (
            "never",
            "keep_at_least = \"P1M\"\nkeep_force = \"law\"\nkeep_law = [\"US\"]",
        ),
    ] {
        own(folder.path(), id, 1, figures);
    }
    let mut kept = Kept::at("2026-02-28T23:59:59.999Z", Some(folder.path()));
    for when in ["a", "b"] {
        for regimes in [
            vec!["law-max"],
            vec!["law-max", "custom-min"],
            vec!["custom-min", "optional"],
            vec!["law-max", "optional"],
            vec!["month"],
            vec!["optional"],
            vec!["optional", "month"],
            vec!["never"],
            vec!["never", "law-max"],
            vec!["occurred"],
            vec!["occurred", "optional"],
        ] {
            let name = format!("{when}/{}", regimes.join("+"));
            kept.record(&name, &regimes, "x.y", json!({}));
            let early = json!({"occurred_at": "2026-02-01T00:00:00Z"});
            kept.record(&format!("{name}/early"), &regimes, "x.y", early);
            let record = json!({"retention": {"record": format!("{name}/fired")}});
            kept.record(&format!("{name}/fired"), &regimes, "x.y", record);
        }
        kept.set(moment("2026-03-01T00:00:00Z"));
    }
    kept.set(moment("2026-03-20T00:00:00Z"));
    let fired: Vec<String> = kept.events.iter().map(|case| case.what.clone()).collect();
    for record in fired.iter().filter(|what| what.ends_with("/fired")) {
        kept.fire("account_closed", record);
    }
    kept.ask();
    kept.run_through();
}
