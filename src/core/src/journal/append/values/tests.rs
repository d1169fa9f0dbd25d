//! What is shared, and when.

use std::sync::Arc;

use super::*;
use trailkeep_crypto::payload::NumberedKey;
use trailkeep_crypto::secret::DataKey;
use trailkeep_files::directory::DataDirectory;
use trailkeep_ports::model::MemoryStorage;
use trailkeep_ports::{Claims, LedgerBatch, Row, ShardId, Storage, StoredCheckpoint};
use trailkeep_proof::ids::{KeyId, LogName, Origin, RootHash, Seq, TenantName};

const ID: &str = "0123456789abcdef0123456789abcdef";

struct Place {
    _folder: tempfile::TempDir,
    ledgers: Ledgers,
    claims: Arc<dyn Claims>,
    record: LedgerRecord,
    index_key: IndexKey,
    known: KnownValues,
}

fn batch(from: u64, rows: Vec<Row>) -> LedgerBatch {
    LedgerBatch {
        ledger: LedgerNumber::new(1),
        expected_size: from,
        checkpoint: StoredCheckpoint {
            size: from + rows.len() as u64,
            root: RootHash::new([0; 32]),
            note: String::new(),
            stated: None,
        },
        rows,
        tiles: Vec::new(),
        merged_end: Seq::new(0),
    }
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (storage, directory) = (MemoryStorage::default(), DataDirectory::new(folder.path()));
        storage.create(&directory, ID).unwrap();
        let ledgers = storage.open_ledgers(&directory, ID).unwrap();
        let tenant = TenantName::new("default").unwrap();
        let record = LedgerRecord {
            number: LedgerNumber::new(1),
            origin: Origin::of(&LogName::new("log.example").unwrap(), &tenant),
            tenant,
        };
        ledgers
            .create_ledger(&record, &batch(0, Vec::new()))
            .unwrap();
        Self {
            _folder: folder,
            claims: storage.claims(&directory),
            ledgers,
            record,
            index_key: IndexKey::new([1; 32]),
            known: KnownValues::default(),
        }
    }

    /// An event with one long part, on its way to the writer.
    fn share(&self, key: u64) -> (Shared, NewValues) {
        let text = serde_json::Value::from("a".repeat(300)).to_string();
        let key = NumberedKey {
            id: KeyId::new(key),
            key: Arc::new(DataKey::new([1; 32])),
        };
        let files = (&self.known, &self.ledgers);
        let mut sharing = Sharing::new(files, &self.record, &self.index_key);
        let keys = KeySet::new(vec![key]).unwrap();
        let shared = sharing.share(&keys, &[("input", text.as_bytes())]).unwrap();
        (shared, sharing.into_new())
    }

    /// What the writer does with it.
    fn write(&self, seq: u64, (shared, new): (Shared, NewValues)) -> bool {
        let (steady, number) = (self.known.hold_still(), self.record.number);
        if !self
            .known
            .are_there(&steady, &self.ledgers, number, &new)
            .unwrap()
        {
            return false;
        }
        let row = Row {
            entry: [0; 84],
            payload: Vec::new(),
            values: shared.values,
            refers: shared.refers,
            lookups: Vec::new(),
            shown_persons: Vec::new(),
            states: None,
            gaps: Vec::new(),
        };
        let claim = self.claims.take(ShardId::ALL).unwrap().unwrap();
        let mut claims = vec![claim];
        let committed = self.ledgers.commit(&mut claims, &[batch(seq, vec![row])]);
        let _ = committed.unwrap();
        self.claims.give(claims.remove(0)).unwrap();
        self.known.settle(&steady, &[(number, new)]);
        true
    }

    fn delete(&self, seq: u64) {
        let number = self.record.number;
        let delete = || self.ledgers.delete_payloads(number, &[Seq::new(seq)]);
        self.known.deleting(number, delete).unwrap();
    }
}

#[test]
fn a_part_is_stored_when_it_comes_again_and_then_referred_to() {
    let place = Place::new();
    let numbers = |shared: &Shared| (shared.values.len(), shared.refers.len());
    let first = place.share(7);
    assert_eq!(numbers(&first.0), (0, 0));
    assert!(place.write(0, first));
    let second = place.share(7);
    assert_eq!(numbers(&second.0), (1, 1));
    // Until it is on disk nobody refers to it.
    let beside = place.share(7);
    assert_eq!(numbers(&beside.0), (1, 1));
    assert_ne!(beside.0.refers, second.0.refers);
    let number = second.0.refers.clone();
    assert!(place.write(1, second));
    let third = place.share(7);
    assert_eq!((third.0.values.len(), &third.0.refers), (0, &number));
    // Under other keys it has come for the first time.
    assert_eq!(numbers(&place.share(8).0), (0, 0));
}

#[test]
fn an_event_that_took_a_value_as_known_is_not_written_after_its_deletion() {
    let place = Place::new();
    assert!(place.write(0, place.share(7)));
    assert!(place.write(1, place.share(7)));
    assert!(place.write(2, place.share(7)));
    let (waits, other) = (place.share(7), place.share(7));
    // Another event needs the value: the deletion changes nothing for those that wait.
    place.delete(1);
    assert!(place.write(3, waits));
    place.delete(2);
    place.delete(3);
    assert!(!place.write(4, other), "its value is gone");
    let again = place.share(7);
    assert!(again.0.values.is_empty() && again.0.refers.is_empty());
    assert!(place.write(4, again));
}
