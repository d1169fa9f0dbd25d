//! Wherever the creation of a tenant is ended: the tenant is there, or its name is free.

use rusqlite::Connection;
use trailkeep_core::failpoint::FailPoint;

use crate::support::{Directory, said, succeeded, trailkeep};

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
