//! Beginning a ledger: its keys, its genesis, the policy that applies where nothing else does, and its class.

use std::sync::Arc;

use super::append::{AppendError, Extended, Extension, LedgerState, prepare_system};
use super::keyring::{KeyError, Keyring};
use super::ledger::{Class, Ledger, LedgerKeys, Published};
use super::settings;
use crate::ids::{ClassNumber, Seq, hex};
use crate::ledger::chain::ChainHead;
use crate::ledger::note::VerifierKey;
use crate::ledger::tile::EdgeTiles;
use crate::policy::{DEFAULT_90D, Policy, PolicyError};
use crate::seal::secret::{RandomError, random_bytes};
use crate::store::{ClassRow, LedgerRecord, Ledgers, StoreError, Watermark};
use crate::time::Clock;

/// Why a ledger was not begun.
#[derive(Debug, thiserror::Error)]
pub enum FoundError {
    /// A file can't be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret can't be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The first entries can't be sealed.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The shipped policy is wrong; a fault of this program.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

/// Begins a ledger. The vault comes first, its memory of the head too: a crash in between leaves secrets of a
/// number that no ledger has, and never a ledger that can't be opened.
pub(super) fn found(
    keyring: &Keyring,
    ledgers: &Ledgers,
    record: LedgerRecord,
    clock: &Arc<dyn Clock>,
) -> Result<LedgerState, FoundError> {
    let keys = LedgerKeys::random()?;
    let policy = Policy::parse(DEFAULT_90D)?;
    let vault = keyring.vault();
    vault.add_ledger_secrets(&keys.seal(keyring, &record)?)?;
    let settings = settings::begin(keyring, &record)?;
    let Extended { batch, chain, edge } = first_entries(&record, &keys, &policy, clock)?;
    let mark = Watermark {
        size: batch.checkpoint.size,
        root: batch.checkpoint.root,
        seen_at: clock.wall(),
    };
    vault.set_watermark(record.number, &mark)?;
    ledgers.found_ledger(&record, &batch)?;
    keyring.add_system_key(&keys.system);
    let class = Class {
        number: ClassNumber::new(1),
        delete_after: policy.delete_after,
    };
    let published = Published {
        head: batch.checkpoint,
        edge: edge.clone(),
    };
    Ok(LedgerState {
        ledger: Arc::new(Ledger::new(record, &keys, class, settings, published)),
        signing: keys.signing,
        chain,
        edge,
        watermark_size: mark.size,
        merged_end: Seq::new(0),
    })
}

/// The genesis, the policy as loaded, and the class that it makes.
fn first_entries(
    record: &LedgerRecord,
    keys: &LedgerKeys,
    policy: &Policy,
    clock: &Arc<dyn Clock>,
) -> Result<Extended, FoundError> {
    let verifier = VerifierKey::from_public(record.origin.as_str(), &keys.signing.verifying_key());
    let genesis = serde_json::json!({
        "format": "trailkeep/ledger/v1",
        "origin": record.origin.as_str(),
        "id": hex(&random_bytes::<16>()?),
        "vkey": verifier.to_string(),
    });
    let loaded = serde_json::json!({
        "id": policy.id, "version": policy.version, "sha256": policy.sha256, "text": policy.text,
    });
    let class = serde_json::json!({
        "number": 1,
        "policies": [{"id": policy.id, "version": policy.version, "sha256": policy.sha256}],
        "minimum": policy.keep_at_least.to_string(),
        "after": policy.delete_after.map(|period| period.to_string()),
    })
    .to_string();
    let system =
        |sections: &[(&str, &[u8])]| prepare_system(&record.origin, &keys.system, sections);
    let events = [
        system(&[("ledger", genesis.to_string().as_bytes())])?,
        system(&[
            ("action", b"\"trailkeep.policy.load\""),
            ("policy", loaded.to_string().as_bytes()),
        ])?,
        system(&[
            ("action", b"\"trailkeep.class.define\""),
            ("class", class.as_bytes()),
        ])?,
    ];
    let mut extension = Extension::of(
        record.number,
        ChainHead::EMPTY,
        EdgeTiles::default(),
        Seq::new(0),
    );
    let now = clock.wall();
    for event in events {
        extension.place(event, now);
    }
    extension.define_class(ClassRow {
        number: ClassNumber::new(1),
        statement: Seq::new(2),
        definition: class,
    });
    Ok(extension.sign(record, &keys.signing))
}
