//! The retention class of an event that comes now; a new one is stated in the ledger first.

use crate::journal::Journal;
use crate::journal::append::{AppendError, append_statement};
use crate::tenant::classes::{
    CLASSES_MAX, Class, ClassError, LastStated, StatedPolicy, policy_section,
};
use crate::tenant::ledger::Ledger;
use serde_json::json;
use std::sync::Arc;
use trailkeep_policy::{Applied, ClassDefinition, ClassKey, Policy};
use trailkeep_ports::Statement;
use trailkeep_proof::ids::ClassNumber;
use trailkeep_proof::ledger::action::SystemAction;
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
    let key = ClassKey::of(&applied, action);
    if let Some(class) = ledger.classes.by_key(&key) {
        return Ok(class);
    }
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
        state_policy(journal, ledger, policy, SystemAction::PolicyLoad)?;
    }
    let definition = ClassDefinition::new(last + 1, key, &applied);
    let text = json!(definition).to_string();
    let sections: [(&str, &[u8]); 2] = [
        ("action", SystemAction::ClassDefine.section()),
        ("class", text.as_bytes()),
    ];
    let states = Statement::Class {
        number: ClassNumber::new(definition.number),
        definition: text.clone(),
    };
    let statement = append_statement(&journal.writer, ledger, &sections, states)?;
    let class = Class::from_definition(statement, definition);
    let class = class.expect("a definition made here has periods that read back");
    Ok(ledger.classes.add(class))
}

/// States a version of a policy in the ledger, unless it is stated already.
pub(crate) fn state_policy(
    journal: &Journal,
    ledger: &Ledger,
    policy: &Arc<Policy>,
    action: SystemAction,
) -> Result<(), AppendError> {
    let stated = ledger.classes.last_stated();
    let is_stated = |stated: &LastStated| stated.sha256 == policy.sha256 && !stated.is_dropped;
    if stated.iter().any(is_stated) {
        return Ok(());
    }
    let section = policy_section(policy);
    let sections: [(&str, &[u8]); 2] =
        [("action", action.section()), ("policy", section.as_bytes())];
    let statement = append_statement(&journal.writer, ledger, &sections, Statement::Policy)?;
    ledger.classes.add_policy(StatedPolicy {
        statement,
        policy: Arc::clone(policy),
    });
    Ok(())
}
