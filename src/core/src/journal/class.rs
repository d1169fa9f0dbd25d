//! The retention class of an event that comes now; a new one is stated in the ledger first.

use std::sync::Arc;

use crate::journal::Journal;
use crate::journal::append::{AppendError, append_statement};
use crate::off_loop::may_wait;
use crate::tenant::classes::{Class, LastStated, StatedPolicy, policy_section};
use crate::tenant::ledger::Ledger;
use trailkeep_policy::Applied;
use trailkeep_policy::UnknownRegime;
use trailkeep_policy::{DEFAULT_POLICY, Policy, PolicySet, class_key, define_class};
use trailkeep_ports::Statement;
use trailkeep_proof::ids::ClassNumber;
use trailkeep_proof::system::{ClassKey, PolicySection, SystemEvent};
use trailkeep_proof::time::UnixMillis;

/// The class of an event that is received now. A new one is stated in the ledger first.
pub(crate) fn class_for(
    journal: &Journal,
    ledger: &Ledger,
    policies: &[Arc<Policy>],
    action: &str,
    now: UnixMillis,
) -> Result<Arc<Class>, AppendError> {
    let applied: Vec<Applied<'_>> = policies
        .iter()
        .map(|policy| Applied::to(policy, action, now))
        .collect();
    let key = class_key(&applied, action);
    match ledger.classes.by_key(&key) {
        Some(class) => Ok(class),
        None => may_wait(|| state_class(journal, ledger, policies, (key, &applied))),
    }
}

/// States a new class with its policies, unless another request stated it meanwhile.
fn state_class(
    journal: &Journal,
    ledger: &Ledger,
    policies: &[Arc<Policy>],
    (key, applied): (ClassKey, &[Applied<'_>]),
) -> Result<Arc<Class>, AppendError> {
    // One at a time: a number is looked up before it is taken.
    let _one = journal.locks.classes();
    if let Some(class) = ledger.classes.by_key(&key) {
        return Ok(class);
    }
    let last = ledger
        .classes
        .all()
        .last()
        .map_or(0, |class| class.number.get());
    if last >= CLASSES_MAX {
        return Err(ClassError::TooMany.into());
    }
    for policy in policies {
        state_policy(journal, ledger, policy, |policy| SystemEvent::PolicyLoad {
            policy,
        })?;
    }
    let definition = define_class(last + 1, key, applied);
    let states = Statement::Class {
        number: ClassNumber::new(definition.number),
        definition: definition.text(),
    };
    let event = SystemEvent::ClassDefine {
        class: definition.clone(),
    };
    let statement = append_statement(&journal.writer, ledger, event, states)?;
    let class = Class::from_definition(statement, definition);
    let class = class.expect("a definition made here has periods that read back");
    Ok(ledger.classes.add(class))
}

/// States a version of a policy in the ledger, unless it is stated already.
pub(crate) fn state_policy(
    journal: &Journal,
    ledger: &Ledger,
    policy: &Arc<Policy>,
    event: impl FnOnce(PolicySection) -> SystemEvent,
) -> Result<(), AppendError> {
    let stated = ledger.classes.last_stated();
    let is_stated = |stated: &LastStated| stated.sha256 == policy.sha256 && !stated.is_dropped;
    if stated.iter().any(is_stated) {
        return Ok(());
    }
    let event = event(policy_section(policy));
    let statement = append_statement(&journal.writer, ledger, event, Statement::Policy)?;
    ledger.classes.add_policy(StatedPolicy {
        statement,
        policy: Arc::clone(policy),
    });
    Ok(())
}

/// Regimes that an event may name: schema/event.schema.json.
const REGIMES_MAX: usize = 8;

/// The policies that apply to an event: those of its regimes that are for its action; the default one where none is.
pub fn policies_of(
    policies: &PolicySet,
    default_regimes: &[String],
    regimes: &[String],
    action: &str,
) -> Result<Vec<Arc<Policy>>, ClassError> {
    let regimes = if regimes.is_empty() {
        default_regimes
    } else {
        regimes
    };
    if regimes.len() > REGIMES_MAX {
        return Err(ClassError::TooManyRegimes(regimes.len()));
    }
    let mut found: Vec<Arc<Policy>> = Vec::new();
    for regime in regimes {
        let policy = policies.known(regime)?;
        let is_for = policy.actions.iter().any(|pattern| pattern.matches(action));
        if is_for && !found.iter().any(|known| known.id == policy.id) {
            found.push(Arc::clone(policy));
        }
    }
    if found.is_empty() {
        let default = policies.of_regime(DEFAULT_POLICY);
        found.extend(default.cloned());
    }
    Ok(found)
}

/// Classes that a ledger may have.
const CLASSES_MAX: u16 = 4_096;

/// Why an event has no class.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClassError {
    /// A regime that no policy is of.
    #[error(transparent)]
    UnknownRegime(#[from] UnknownRegime),
    /// More regimes than an event may name.
    #[error("the event has {0} regimes; the maximum is {REGIMES_MAX}")]
    TooManyRegimes(usize),
    /// The ledger has as many classes as it may.
    #[error(
        "the ledger has {CLASSES_MAX} retention classes, the maximum: use a set of regimes that is in use"
    )]
    TooMany,
}
