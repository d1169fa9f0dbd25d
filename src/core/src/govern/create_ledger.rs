//! Beginning a ledger: its keys, its genesis, the policy that applies where nothing else does, its class, and
//! the first API key.

use std::sync::Arc;

use crate::failpoint::FailPoint;
use crate::govern::api_key::FirstKey;
use crate::journal::append::{
    AppendError, Extended, Extension, LedgerState, PreparedEvent, prepare_system,
};
use crate::keys::keyring::{KeyError, Keyring, with_current_epoch};
use crate::keys::records::TENANT_ROW;
use crate::keys::rows;
use crate::keys::rows::Changes;
use crate::tenant::classes::{Class, ClassBook, StatedPolicy, policy_section};
use crate::tenant::deletion::Tombstones;
use crate::tenant::ledger::{Ledger, LedgerKeys, Published};
use crate::tenant::settings::TenantSettings;
use trailkeep_crypto::secret::{RandomError, random_bytes};
use trailkeep_policy::{Applied, DEFAULT_90D, Policy, PolicyError, class_key, define_class};
use trailkeep_ports::{LedgerRecord, Ledgers, Statement, StoreError, Watermark};
use trailkeep_proof::ids::{ClassNumber, Seq, hex};
use trailkeep_proof::ledger::chain::ChainHead;
use trailkeep_proof::ledger::note::VerifierKey;
use trailkeep_proof::ledger::tile::EdgeTiles;
use trailkeep_proof::system::{Continues, GenesisSection, Sections, SystemEvent};
use trailkeep_proof::time::Clock;

/// Why a ledger was not begun.
#[derive(Debug, thiserror::Error)]
pub enum CreateLedgerError {
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
pub(crate) fn found(
    keyring: &Keyring,
    ledgers: &Ledgers,
    record: LedgerRecord,
    first_key: Option<&FirstKey>,
    clock: &Arc<dyn Clock>,
    continues: Option<&Continues>,
) -> Result<LedgerState, CreateLedgerError> {
    let keys = LedgerKeys::random()?;
    let vault = keyring.vault();
    with_current_epoch(|| Ok(vault.add_ledger(&record, &keys.seal(keyring, &record)?)?))?;
    FailPoint::LedgerSecretsKept.reach();
    let settings = TenantSettings::default();
    let mut changes = Changes::default();
    changes.put(keyring, &record, TENANT_ROW, &settings)?;
    if let Some(first_key) = first_key {
        first_key.put_into(&mut changes, &record.tenant, clock.wall())?;
    }
    let classes = ClassBook::default();
    let said = (first_key, &changes);
    let Extended {
        batch,
        chain,
        edge,
        stated,
    } = first_entries(&record, &keys, &classes, said, clock, continues)?;
    if let Some(seq) = stated {
        take(keyring, &record, &changes, seq)?;
    }
    FailPoint::LedgerRowsKept.reach();
    let mark = Watermark {
        size: batch.checkpoint.size,
        root: batch.checkpoint.root,
        seen_at: clock.wall(),
    };
    vault.set_watermark(record.number, &mark)?;
    FailPoint::LedgerMarked.reach();
    ledgers.create_ledger(&record, &batch)?;
    FailPoint::LedgerFounded.reach();
    keyring.add_system_key(&keys.system);
    let published = Published::new(batch.checkpoint, edge.clone(), chain.last_recorded_at);
    Ok(LedgerState {
        ledger: Arc::new(Ledger::new(
            record,
            &keys,
            (classes, Tombstones::default()),
            settings,
            published,
        )),
        signing: keys.signing,
        chain,
        edge,
        stated,
        watermark_size: mark.size,
        merged_end: Seq::new(0),
    })
}

/// The sections of the first entry: the format, the ledger and its key.
fn genesis(
    record: &LedgerRecord,
    keys: &LedgerKeys,
    continues: Option<&Continues>,
) -> Result<Sections, CreateLedgerError> {
    let verifier = VerifierKey::from_public(record.origin.as_str(), &keys.signing.verifying_key());
    let ledger = GenesisSection {
        format: "trailkeep/ledger/v1".to_owned(),
        origin: record.origin.to_string(),
        id: hex(&random_bytes::<16>()?),
        vkey: verifier.to_string(),
        continues: continues.cloned(),
    };
    Ok(ledger.sections())
}

/// The genesis, the policy as loaded, the class that it makes, and the key that is about to be stored.
fn first_entries(
    record: &LedgerRecord,
    keys: &LedgerKeys,
    classes: &ClassBook,
    (first_key, changes): (Option<&FirstKey>, &Changes),
    clock: &Arc<dyn Clock>,
    continues: Option<&Continues>,
) -> Result<Extended, CreateLedgerError> {
    let now = clock.wall();
    let genesis = genesis(record, keys, continues)?;
    let policy = Arc::new(Policy::parse(DEFAULT_90D)?);
    let any_action = "";
    let applied = [Applied::to(&policy, any_action, now)];
    let definition = define_class(1, class_key(&applied, any_action), &applied);
    let system = |sections: Sections, states: Option<Statement>| -> Result<_, AppendError> {
        let event = prepare_system(&record.origin, &keys.system, &sections)?;
        Ok(PreparedEvent {
            states: states.map(Into::into),
            ..event
        })
    };
    let states_class = Statement::Class {
        number: ClassNumber::new(1),
        definition: definition.text(),
    };
    let load = SystemEvent::PolicyLoad {
        policy: policy_section(&policy),
    };
    let define = SystemEvent::ClassDefine {
        class: definition.clone(),
    };
    let mut statements = vec![
        (genesis, None),
        (load.sections(), Some(Statement::Policy)),
        (define.sections(), Some(states_class)),
    ];
    statements.extend(first_key.map(|first_key| (first_key.stated().sections(), None)));
    // The last statement carries the rows. A ledger that continues another has the keys of its tenant.
    if let Some((last, _)) = statements.last_mut() {
        let rows = changes.section(record.origin.as_str());
        last.push((rows::SECTION.to_owned(), rows.into_bytes()));
        last.sort_unstable_by(|(one, _), (next, _)| one.cmp(next));
    }
    let events = statements
        .into_iter()
        .map(|(sections, states)| system(sections, states))
        .collect::<Result<Vec<_>, _>>()?;
    let mut extension = Extension::of(
        record.number,
        (ChainHead::EMPTY, EdgeTiles::default()),
        Seq::new(0),
        None,
    );
    for event in events {
        extension.place(event, now);
    }
    classes.add_policy(StatedPolicy {
        statement: Seq::new(1),
        policy,
    });
    if let Some(class) = Class::from_definition(Seq::new(2), definition) {
        classes.add(class);
    }
    Ok(extension.sign(record, &keys.signing, &keys.system))
}

/// Takes the rows that the first entries state, before the entries are anywhere.
fn take(
    keyring: &Keyring,
    record: &LedgerRecord,
    changes: &Changes,
    seq: Seq,
) -> Result<(), CreateLedgerError> {
    let place = (record.number, record.origin.as_str());
    let taken = with_current_epoch(|| {
        let rows = changes.rows(keyring, place, seq)?;
        Ok(keyring.vault().apply(&rows)?)
    });
    Ok(taken?)
}
