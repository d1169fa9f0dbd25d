//! The rules of a class: its policies as they were stated when its events came, and their later versions.

use std::sync::Arc;

use super::RetentionError;
use crate::policy::later::with_later;
use crate::policy::{Applied, EventTimes, Policy, cutoff};
use crate::service::classes::Class;
use crate::service::ledger::Ledger;
use crate::time::UnixMillis;

/// What the policies say of the events of one class.
pub(in crate::service) struct Rules {
    pub(in crate::service) class: Arc<Class>,
    stated: Vec<Arc<Policy>>,
    versions: Vec<Arc<Policy>>,
}

impl Rules {
    /// The rules of a class of a ledger.
    pub(in crate::service) fn of(
        ledger: &Ledger,
        class: &Arc<Class>,
    ) -> Result<Self, RetentionError> {
        let classes = &ledger.classes;
        let named = class.definition.key.policies.iter();
        let stated = named.map(|named| classes.policy(&named.sha256));
        let stated: Option<Vec<Arc<Policy>>> = stated.map(|stated| Some(stated?.policy)).collect();
        let rules = Self {
            class: Arc::clone(class),
            stated: stated.ok_or(RetentionError::Class(class.number.get()))?,
            // What a closed ledger holds follows the laws that the tenant states today.
            versions: if ledger.is_closed() {
                let mut versions = classes.policies();
                versions.extend(ledger.recorder().classes.policies());
                versions
            } else {
                classes.policies()
            },
        };
        // Asked once here, so that what follows need not ask.
        rules
            .applied()
            .map(drop)
            .ok_or(RetentionError::Class(class.number.get()))?;
        Ok(rules)
    }

    fn applied(&self) -> Option<Vec<Applied<'_>>> {
        self.class.definition.key.applied(|named| {
            let found = self
                .stated
                .iter()
                .find(|policy| policy.sha256 == named.sha256);
            found.map(|policy| &**policy)
        })
    }

    fn versions(&self) -> Vec<&Policy> {
        self.versions.iter().map(|policy| &**policy).collect()
    }

    /// Up to which time of receipt the events have expired; none where nothing has, or by other clocks.
    pub(in crate::service) fn recorded_before(&self, now: UnixMillis) -> Option<UnixMillis> {
        let applied = self.applied()?;
        cutoff::recorded_before(&applied, &self.versions(), self.class.after?, now)
    }

    /// What applies to an event of the class, with what later versions lengthen.
    pub(in crate::service) fn applied_to(
        &self,
        action: Option<&str>,
        times: &EventTimes,
    ) -> Vec<Applied<'_>> {
        let applied = self.applied().unwrap_or_default();
        with_later(&applied, &self.versions(), action, times)
    }

    /// Whether its dates wait for something that happens to a record.
    pub(in crate::service) fn waits_for_a_trigger(&self) -> bool {
        self.stated
            .iter()
            .any(|policy| !policy.triggers().is_empty())
            && self.class.after.is_none()
    }
}
