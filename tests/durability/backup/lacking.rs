//! A replica of the vault that is older than the ledger: what the ledger's statements say is taken over, what they do not say is
//! listed, what they destroyed stays destroyed, and nothing more is destroyed before somebody has looked.

use serde_json::{Value, json};

use super::{Site, answer, events};
use crate::support::{said, succeeded};

impl Site {
    fn ask(&self, arguments: &[&str]) -> Value {
        answer(succeeded(
            &self.directory.run(&[arguments, &["--json"]].concat()),
        ))
    }

    fn id(&self, arguments: &[&str]) -> String {
        self.ask(arguments)["id"].as_str().unwrap().to_owned()
    }

    fn prompt(&self, arguments: &[&str]) {
        let arguments = [&["prompt"], arguments].concat();
        succeeded(&self.directory.run(&arguments));
    }

    fn register_prompt(&self, text: &str) {
        let folder = self.place("prompts");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("greeting.md"), text).unwrap();
        self.prompt(&["sync", folder.to_str().unwrap()]);
    }

    /// Keeps the vault as it is now, as a replica that is out of reach from here on would.
    fn keep_vault(&self, name: &str) {
        std::fs::create_dir(self.place(name)).unwrap();
        for file in ["vault.db", "epoch.key"] {
            std::fs::copy(self.directory.path.join(file), self.place(name).join(file)).unwrap();
        }
    }

    /// A restore of the newest ledger with a vault that was kept.
    fn restore_with(&self, vault: &str) -> Value {
        self.back_up("backup");
        for file in ["vault.db", "epoch.key"] {
            std::fs::remove_file(self.place("backup").join(file)).unwrap();
        }
        let vault = self.place(vault);
        let more = ["--vault-replica", vault.to_str().unwrap()];
        answer(succeeded(&self.restore("backup", "new", &more)))
    }

    fn in_new(&self, arguments: &[&str]) -> Value {
        let output = self.run("new", &[arguments, &["--json"]].concat());
        answer(succeeded(&output))
    }

    fn count_in_new(&self, sql: &str) -> u64 {
        let vault = rusqlite::Connection::open(self.place("new").join("vault.db")).unwrap();
        vault.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

fn one<'a>(list: &'a Value, id: &str) -> Option<&'a Value> {
    let mut all = list.as_array().unwrap().iter();
    all.find(|one| one["id"] == id)
}

const PLACE: [&str; 6] = ["hold", "place", "--matter", "m", "--reason", "r"];

#[test]
fn what_statements_say_is_taken_over_and_the_rest_is_listed() {
    let site = Site::new();
    succeeded(&site.directory.run(&["tenant", "create", "acme"]));
    site.directory.append(&events(0, 3));
    let key = site.id(&["key", "create", "--role", "admin"]);
    let hold = site.id(&PLACE);
    for text in ["one", "two", "three"] {
        site.register_prompt(text);
    }
    site.prompt(&["label", "greeting", "production=1"]);
    let request = site.id(&["privacy", "file", "--subject", "person-0"]);
    site.keep_vault("older");
    // Taken over: a key that is revoked, a hold that is lifted, a request that is closed, settings, a price table, a tenant that is closed.
    succeeded(&site.directory.run(&["key", "revoke", &key]));
    succeeded(
        &site
            .directory
            .run(&["hold", "lift", &hold, "--reason", "over"]),
    );
    let close = ["privacy", "close", &request, "--decision", "withdrawn"];
    succeeded(&site.directory.run(&close));
    let set = ["tenant", "set", "default", "--strict", "on"];
    let keep = ["--keep-requests", "P24M"];
    succeeded(&site.directory.run(&[&set[..], &keep].concat()));
    let prices = crate::support::root().join("tests/data/prices.toml");
    let set = ["prices", "set", prices.to_str().unwrap()];
    succeeded(&site.directory.run(&set));
    site.prompt(&["label", "greeting", "production=2"]);
    site.prompt(&["withdraw", "greeting/1", "--reason", "w"]);
    site.prompt(&["erase", "greeting/3", "--reason", "e", "--yes"]);
    succeeded(
        &site
            .directory
            .run(&["tenant", "close", "acme", "--without-export"]),
    );
    // What a statement does not say: whom a hold or a request is about, the hash of a token, of which record a trigger is.
    let lost_hold = site.id(&PLACE);
    let lost_key = site.id(&["key", "create", "--role", "reader"]);
    site.register_prompt("four");
    let lost_request = site.id(&["privacy", "file", "--subject", "person-1"]);
    let fire = ["retention", "trigger", "audit_concluded", "--record", "a"];
    succeeded(
        &site
            .directory
            .run(&[&fire[..], &["--at", "2026-01-01T00:00:00Z"]].concat()),
    );
    site.directory.assert_clean();

    let restored = site.restore_with("older");
    let lacked = restored["vault_lacked"].as_array().unwrap();
    let of = |taken_over: bool| {
        let of = lacked.iter().filter(|one| one["taken_over"] == taken_over);
        let mut actions: Vec<&str> = of.map(|one| one["action"].as_str().unwrap()).collect();
        actions.sort_unstable();
        actions
    };
    let taken_over = [
        "trailkeep.hold.lift",
        "trailkeep.key.revoke",
        "trailkeep.prices.set",
        "trailkeep.privacy.end",
        "trailkeep.prompt.erase",
        "trailkeep.prompt.label",
        "trailkeep.prompt.withdraw",
        "trailkeep.tenant.close",
        "trailkeep.tenant.set",
    ];
    assert_eq!(of(true), taken_over, "{restored}");
    let lost = [
        "trailkeep.hold.place",
        "trailkeep.key.create",
        "trailkeep.privacy.receive",
        "trailkeep.prompt.version",
        "trailkeep.retention.trigger",
    ];
    assert_eq!(of(false), lost, "{restored}");
    assert_eq!(restored["not_recorded"], Value::Null, "{restored}");

    let history = site.in_new(&["prompt", "history", "greeting"]);
    let versions = history["versions"].as_array().unwrap();
    let states: Vec<&str> = versions
        .iter()
        .map(|version| version["state"].as_str().unwrap())
        .collect();
    // The text that was erased does not come back; the one that the vault never had is lost, and its number stays taken.
    assert_eq!(
        states,
        ["withdrawn", "served", "erased", "lost"],
        "{history}"
    );
    let last = history["moves"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["to"][0]["version"], &last["moved"]["by"]),
        (&json!(2), &Value::Null)
    );
    let texts = "SELECT count(*) FROM sealed_record WHERE kind = 'prompt-text'";
    assert_eq!(site.count_in_new(texts), 2);
    assert!(
        !site
            .run("new", &["prompt", "show", "greeting/3"])
            .status
            .success()
    );

    let tables = &site.in_new(&["prices", "list"])["tables"];
    assert_eq!(tables[0]["in_force"], true, "{tables}");
    assert_eq!(
        (&tables[0]["number"], &tables[0]["prices"]),
        (&json!(1), &json!(3))
    );
    let keys = &site.in_new(&["key", "list"])["keys"];
    assert!(one(keys, &key).unwrap()["revoked_at"].is_string(), "{keys}");
    assert!(one(keys, &lost_key).is_none(), "{keys}");
    let holds = &site.in_new(&["hold", "list"])["holds"];
    assert!(!one(holds, &hold).unwrap()["lifted"].is_null(), "{holds}");
    assert!(one(holds, &lost_hold).is_none(), "{holds}");
    let requests = &site.in_new(&["privacy", "list"])["requests"];
    let closed = one(requests, &request).unwrap();
    assert!(closed.to_string().contains("withdrawn"), "{closed}");
    assert!(one(requests, &lost_request).is_none(), "{requests}");
    let tenants = site.in_new(&["tenant", "list"]);
    let tenants = tenants["tenants"].as_array().unwrap();
    let named = |name: &str| tenants.iter().find(|one| one["tenant"] == name).unwrap();
    assert_eq!(named("default")["strict"], true);
    assert_eq!(named("default")["keep_requests"], "P24M");
    assert!(named("acme")["closed_at"].is_string());

    // Recorded with what was lost, and from then on the rows are what the ledger states.
    let mut told = String::new();
    for seq in 0..40_u32 {
        let shown = site.run("new", &["show", &seq.to_string(), "--json"]);
        told += &String::from_utf8_lossy(&shown.stdout);
    }
    assert!(
        told.contains("trailkeep.restore") && told.contains("\"lost\":["),
        "{told}"
    );
    for tenant in ["default", "acme"] {
        let report = site.in_new(&["verify", "--tenant", tenant]);
        assert_eq!(
            (&report["ok"], &report["unbound"]),
            (&json!(true), &json!(0)),
            "{report}"
        );
    }

    // Nothing goes before somebody looked.
    let run = ["retention", "run"];
    let paused = site.run("new", &run);
    assert_ne!(paused.status.code(), Some(0), "{}", said(&paused));
    assert!(said(&paused).contains("reviewed"), "{}", said(&paused));
    let erase = ["privacy", "erase", "--subject", "person-2", "--yes"];
    site.run("new", &erase);
    site.assert_readable("new", 0..3, &[]);
    let resumed = site.in_new(&["retention", "resume", "--reviewed-holds"]);
    assert_eq!(resumed["was_paused"], true);
    succeeded(&site.run("new", &run));
}

#[test]
fn keys_and_persons_that_were_destroyed_do_not_come_back() {
    let site = Site::new();
    site.directory.append(&events(0, 3));
    site.keep_vault("older");
    succeeded(
        &site
            .directory
            .run(&["privacy", "erase", "--subject", "person-1", "--yes"]),
    );
    site.directory.append(&events(3, 1));
    let restored = site.restore_with("older");
    // The key of the event that came since is in no vault.
    let counts = (&restored["events"], &restored["keys_missing"]);
    assert_eq!(counts, (&json!(2), &json!(1)), "{restored}");
    for (what, sql) in [
        ("data keys", "SELECT count(*) FROM data_key"),
        (
            "persons",
            "SELECT count(*) FROM person_folded WHERE folded IS NOT NULL",
        ),
    ] {
        assert_eq!(site.count_in_new(sql), 2, "{what}");
    }
    let output = site.run("new", &["verify", "--json"]);
    let report = answer(&output);
    let findings = report["findings"].as_array().unwrap();
    assert!(
        findings
            .iter()
            .all(|one| one["rule"] == "key-missing" || one["rule"] == "person"),
        "{report}"
    );
}
