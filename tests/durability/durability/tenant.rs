//! Wherever the creation of a tenant is ended: the tenant is there, or its name is free.

use rusqlite::Connection;
use trailkeep_core::failpoint::FailPoint;

use crate::support::{Client, Directory, said, succeeded, trailkeep};

#[test]
fn a_tenant_whose_creation_is_killed_is_there_or_its_name_is_free() {
    let directory = Directory::new();
    for point in FailPoint::OF_A_TENANT {
        let name = point.name();
        let create = ["tenant", "create", name];
        let killed = trailkeep()
            .args(create)
            .arg("--dir")
            .arg(&directory.path)
            .env("TRAILKEEP_FAILPOINT", format!("{name}=kill"))
            .output()
            .unwrap();
        assert_eq!(killed.status.code(), None, "{name}: {}", said(&killed));
        directory.assert_clean();
        let again = directory.run(&create);
        if point == FailPoint::LedgerFounded {
            assert!(said(&again).contains("never reused"), "{again:?}");
        } else {
            succeeded(&again);
        }
        // It is a tenant like every other: it has a key, it verifies, and is opened by the next start.
        let key = ["key", "create", "--role", "writer", "--tenant", name];
        succeeded(&directory.run(&key));
        let verify = ["verify", "--tenant", name];
        succeeded(&directory.run(&verify));
        let twice = directory.run(&create);
        assert!(said(&twice).contains("never reused"), "{twice:?}");
    }
    directory.assert_clean();
    let vault = Connection::open(directory.path.join("vault.db")).unwrap();
    let count = |sql: &str| -> u64 { vault.query_row(sql, [], |row| row.get(0)).unwrap() };
    let made = 1 + u64::try_from(FailPoint::OF_A_TENANT.len()).unwrap();
    assert_eq!(count("SELECT count(*) FROM ledger"), made);
    assert_eq!(count("SELECT max(ledger) FROM ledger_secret"), made);
    // The first key of each, and one more of each tenant: none of a creation that was ended.
    assert_eq!(count("SELECT count(*) FROM api_key"), 2 * made - 1);
    let left = "SELECT count(*) FROM sealed_record WHERE kind = 'founding'";
    assert_eq!(count(left), 0);
}

/// So many tenants that a start opens their ledgers on all cores.
const TENANTS: usize = 70;

#[test]
fn of_many_tenants_each_opens_as_it_was_and_the_damaged_one_is_named() {
    let directory = Directory::new();
    let server = directory.serve();
    let mut client = server.client();
    let json = [("Content-Type", "application/json")];
    let mut tokens = Vec::new();
    for number in 0..TENANTS {
        let body = format!(r#"{{"name":"tenant-{number}"}}"#);
        let made = client
            .request("POST", "/v1/tenants", &json, body.as_bytes())
            .unwrap();
        assert_eq!(made.status, 201, "{}", made.text());
        tokens.push(made.json()["token"].as_str().unwrap().to_owned());
    }
    let append = |client: &mut Client, number: usize, token: &str| {
        let event = format!(r#"{{"id":"of-{number}","action":"a","actor":{{"id":"x"}}}}"#);
        let bearer = format!("Bearer {token}");
        let headers = [json[0], ("Authorization", &bearer)];
        let answer = client
            .request("POST", "/v1/events", &headers, event.as_bytes())
            .unwrap();
        (answer.status, answer.json()["seq"].clone())
    };
    let first: Vec<_> = (0..TENANTS)
        .map(|number| append(&mut client, number, &tokens[number]))
        .collect();
    assert!(first.iter().all(|(status, _)| *status == 201), "{first:?}");
    drop(client);
    server.stop();

    let file = directory.path.join("ledger.db");
    let damage = |tenant: &str| {
        let ledger = Connection::open(&file).unwrap();
        let number: i64 = ledger
            .query_row(
                "SELECT number FROM ledger WHERE tenant = ?1",
                [tenant],
                |row| row.get(0),
            )
            .unwrap();
        let read = "SELECT root FROM checkpoint WHERE ledger = ?1";
        let read = ledger.query_row(read, [number], |row| row.get(0));
        let mut root: Vec<u8> = read.unwrap();
        root[31] ^= 1;
        let write = "UPDATE checkpoint SET root = ?2 WHERE ledger = ?1";
        assert_eq!(ledger.execute(write, (number, root)).unwrap(), 1);
    };
    let copy = std::fs::read(&file).unwrap();
    damage("tenant-61");
    damage("tenant-47");
    let refused = directory.run(&["tenant", "list"]);
    assert!(!refused.status.success());
    // The first of them, as if they were opened one after the other.
    assert!(said(&refused).contains("/tenant-47"), "{refused:?}");
    std::fs::write(&file, copy).unwrap();

    let server = directory.serve();
    let mut client = server.client();
    for (number, before) in first.iter().enumerate() {
        let again = append(&mut client, number, &tokens[number]);
        assert_eq!(again, (200, before.1.clone()), "{number}");
    }
    server.stop();
}
