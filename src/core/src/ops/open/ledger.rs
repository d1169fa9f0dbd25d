//! Opening one ledger: its head is checked against its entries and the vault's memory of it, and its classes are read.

use std::sync::Arc;

use crate::journal::append::LedgerState;
use crate::journal::read::{ReadError, open_stored};
use crate::ops::open::{Files, OpenError};
use crate::tenant::classes::{Class, ClassBook, StatedPolicy};
use crate::tenant::deletion::Tombstones;
use crate::tenant::head::{HeadError, check_signed_head};
use crate::tenant::ledger::read_edge;
use crate::tenant::ledger::{Ledger, Published, ReadTileError};
use crate::tenant::prompts::Prompts;
use trailkeep_policy::Policy;
use trailkeep_ports::Ledgers;
use trailkeep_ports::{LedgerRecord, StoreError};
use trailkeep_proof::ids::{LedgerNumber, RootHash, Seq};
use trailkeep_proof::ledger::chain::ChainHead;
use trailkeep_proof::ledger::entry::{Entry, leaf_hash};
use trailkeep_proof::ledger::note::VerifierKey;
use trailkeep_proof::ledger::tile::EdgeTiles;
use trailkeep_proof::system::{SystemEvent, SystemRead};

pub(super) fn open_ledger(files: &Files, record: &LedgerRecord) -> Result<LedgerState, OpenError> {
    let keys = files.load_keys(record)?;
    let origin = record.origin.to_string();
    let damaged = |what: String| OpenError::Damaged {
        origin: origin.clone(),
        what,
    };
    let head = files
        .ledgers
        .checkpoint(record.number)?
        .ok_or_else(|| damaged("it has no checkpoint".to_owned()))?;
    let watermark = files.keyring.vault().watermark(record.number)?;
    let mark = watermark
        .ok_or_else(|| damaged("the vault has no record of its newest checkpoint".to_owned()))?;
    if mark.size > head.size {
        let seen = mark.size;
        return Err(OpenError::RolledBack {
            origin,
            found: head.size,
            seen,
        });
    }
    let verifier = VerifierKey::from_public(record.origin.as_str(), &keys.signing.verifying_key());
    check_signed_head(&head, &verifier).map_err(|error| damaged(error.to_string()))?;
    let edge = read_edge(&files.ledgers, record.number, head.size)
        .map_err(|error| damaged(error.to_string()))?;
    if edge.root() != head.root {
        return Err(damaged(
            "its entries and tiles do not lead to the checkpoint's root".to_owned(),
        ));
    }
    if root_at(&files.ledgers, record.number, mark.size, &edge)
        .map_err(|error| damaged(error.to_string()))?
        != mark.root
    {
        return Err(OpenError::AnotherHistory {
            origin,
            size: mark.size,
        });
    }
    let chain = read_chain_head(files, record.number, head.size)
        .map_err(|error| damaged(error.to_string()))?;
    let stated = crate::ops::open::vault::newest(files, record, &head, &keys)?;
    let classes = load_classes(files, record).map_err(|error| damaged(error.to_string()))?;
    let covers = Tombstones::load(&files.ledgers, record.number)?;
    let settings = crate::tenant::settings::load(&files.keyring, record)?;
    let published = Published::new(head, edge.clone(), chain.last_recorded_at);
    let covered = (classes, covers);
    let ledger = Ledger::new(record.clone(), &keys, covered, settings, published);
    ledger.set_prompts(Prompts::load(&files.keyring, record)?);
    Ok(LedgerState {
        ledger: Arc::new(ledger),
        signing: keys.signing,
        chain,
        stated,
        watermark_size: mark.size,
        merged_end: Seq::new(0),
        edge,
    })
}

/// The classes of a ledger, and the policies that it has stated.
fn load_classes(files: &Files, record: &LedgerRecord) -> Result<ClassBook, ClassesError> {
    let book = ClassBook::default();
    for row in files.ledgers.classes(record.number)? {
        let definition = serde_json::from_str(&row.definition).ok();
        let class = definition.and_then(|known| Class::from_definition(row.statement, known));
        let class = class.filter(|class| class.number == row.number);
        book.add(class.ok_or(ClassesError::Class(row.number.get()))?);
    }
    for (seq, kind, _) in files.ledgers.statements(record.number)? {
        if kind != "policy" {
            continue;
        }
        let opened = open_stored(
            &files.ledgers,
            &files.keyring,
            record,
            &Tombstones::default(),
            seq,
        )?;
        let Ok(SystemRead::Known(event)) = opened.system() else {
            return Err(ClassesError::Policy(seq));
        };
        let (stated, is_dropped) = match *event {
            SystemEvent::PolicyDrop { policy } => (policy, true),
            SystemEvent::PolicyLoad { policy } | SystemEvent::PolicyChange { policy } => {
                (policy, false)
            }
            _ => return Err(ClassesError::Policy(seq)),
        };
        let policy = Policy::parse(&stated.text).map_err(|_| ClassesError::Policy(seq))?;
        let policy = Arc::new(policy);
        let id = policy.id.clone();
        book.add_policy(StatedPolicy {
            statement: seq,
            policy,
        });
        if is_dropped {
            book.set_dropped(&id);
        }
    }
    if book.all().is_empty() {
        return Err(ClassesError::None);
    }
    Ok(book)
}

/// Why the classes of a ledger can't be known.
#[derive(Debug, thiserror::Error)]
enum ClassesError {
    #[error("it has no retention class")]
    None,
    #[error("its retention class {0} is malformed")]
    Class(u16),
    #[error("its policy of entry {0} is malformed")]
    Policy(Seq),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn read_chain_head(files: &Files, ledger: LedgerNumber, size: u64) -> Result<ChainHead, HeadError> {
    let Some(last) = size.checked_sub(1) else {
        return Ok(ChainHead::EMPTY);
    };
    let found = files.ledgers.entries(ledger, last..size)?;
    let bytes = found.first().ok_or(HeadError::Missing)?;
    let entry = Entry::decode(bytes)?;
    Ok(ChainHead {
        next: Seq::new(size),
        last_leaf: leaf_hash(bytes),
        last_recorded_at: entry.recorded_at,
    })
}

fn root_at(
    ledgers: &Ledgers,
    ledger: LedgerNumber,
    size: u64,
    edge: &EdgeTiles,
) -> Result<RootHash, ReadTileError> {
    if size == edge.size() {
        return Ok(edge.root());
    }
    Ok(read_edge(ledgers, ledger, size)?.root())
}
