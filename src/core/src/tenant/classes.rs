//! The retention classes of a ledger: found for an event by its regimes, and stated in the ledger when they
//! are new.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::RwLock;

use crate::tenant::ledger::Ledger;
use trailkeep_policy::{CalendarPeriod, DEFAULT_POLICY, Policy};
use trailkeep_proof::ids::{ClassNumber, Seq};
use trailkeep_proof::system::{ClassDefinition, ClassKey, PolicySection};

/// A retention class.
#[derive(Clone, Debug)]
pub struct Class {
    /// Its number in this ledger.
    pub number: ClassNumber,
    /// Seq of the entry that states it.
    pub statement: Seq,
    /// As it is stated.
    pub definition: ClassDefinition,
    /// The period after which its events go in the ordinary course; none: by a trigger, or never.
    pub after: Option<CalendarPeriod>,
}

/// A version of a policy that the ledger has stated.
#[derive(Clone, Debug)]
pub struct StatedPolicy {
    /// Seq of the entry that states it.
    pub statement: Seq,
    /// The policy.
    pub policy: Arc<Policy>,
}

/// The classes of one ledger, and the policies that make them.
#[derive(Debug, Default)]
pub struct ClassBook {
    inner: RwLock<Book>,
}

#[derive(Debug, Default)]
struct Book {
    by_key: HashMap<ClassKey, Arc<Class>>,
    by_number: HashMap<ClassNumber, Arc<Class>>,
    policies: HashMap<String, StatedPolicy>,
    last_stated: BTreeMap<String, LastStated>,
}

/// What a ledger said last of a policy.
#[derive(Clone, Debug)]
pub struct LastStated {
    /// The policy's id.
    pub id: String,
    /// Its version.
    pub version: u32,
    /// SHA-256 of its file.
    pub sha256: String,
    /// Whether it was dropped.
    pub is_dropped: bool,
}

impl ClassBook {
    /// Adds a class that is stated in the ledger.
    pub(crate) fn add(&self, class: Class) -> Arc<Class> {
        let class = Arc::new(class);
        let mut book = self.write();
        book.by_key
            .insert(class.definition.key.clone(), Arc::clone(&class));
        book.by_number.insert(class.number, Arc::clone(&class));
        class
    }

    /// Adds a version of a policy that is stated in the ledger.
    pub(crate) fn add_policy(&self, stated: StatedPolicy) {
        let policy = &stated.policy;
        let last = LastStated {
            id: policy.id.clone(),
            version: policy.version,
            sha256: policy.sha256.clone(),
            is_dropped: false,
        };
        let mut book = self.write();
        book.last_stated.insert(last.id.clone(), last);
        let sha256 = policy.sha256.clone();
        book.policies.entry(sha256).or_insert(stated);
    }

    /// The last statement of a policy says that it was dropped.
    pub(crate) fn set_dropped(&self, id: &str) {
        if let Some(stated) = self.write().last_stated.get_mut(id) {
            stated.is_dropped = true;
        }
    }

    /// What was said last of each policy.
    pub(crate) fn last_stated(&self) -> Vec<LastStated> {
        self.read().last_stated.values().cloned().collect()
    }

    /// The class with a number.
    pub fn class(&self, number: ClassNumber) -> Option<Arc<Class>> {
        self.read().by_number.get(&number).cloned()
    }

    /// The policies of a class, each with its version, such as `hipaa 1`; none of one that is not known.
    pub fn policy_names(&self, number: ClassNumber) -> Vec<String> {
        let class = self.class(number);
        let policies = class
            .iter()
            .flat_map(|class| &class.definition.key.policies);
        policies
            .map(|policy| format!("{} {}", policy.id, policy.version))
            .collect()
    }

    /// All classes, by number.
    pub fn all(&self) -> Vec<Arc<Class>> {
        let mut classes: Vec<Arc<Class>> = self.read().by_number.values().cloned().collect();
        classes.sort_by_key(|class| class.number);
        classes
    }

    /// A version of a policy, by the SHA-256 of its file.
    pub fn policy(&self, sha256: &str) -> Option<StatedPolicy> {
        self.read().policies.get(sha256).cloned()
    }

    /// All versions of policies that are stated.
    pub fn policies(&self) -> Vec<Arc<Policy>> {
        let book = self.read();
        let policies = book.policies.values();
        policies.map(|stated| Arc::clone(&stated.policy)).collect()
    }

    /// Seqs of the entries that state a policy, in any version.
    pub(crate) fn statements_of(&self, id: &str) -> Vec<Seq> {
        let book = self.read();
        let stated = book.policies.values();
        let stated = stated.filter(|stated| stated.policy.id == id);
        stated.map(|stated| stated.statement).collect()
    }

    /// The class with these policies.
    pub(crate) fn by_key(&self, key: &ClassKey) -> Option<Arc<Class>> {
        self.read().by_key.get(key).cloned()
    }

    fn read(&self) -> parking_lot::RwLockReadGuard<'_, Book> {
        self.inner.read()
    }

    fn write(&self) -> parking_lot::RwLockWriteGuard<'_, Book> {
        self.inner.write()
    }
}

impl Class {
    /// A class as its statement defines it.
    pub fn from_definition(statement: Seq, definition: ClassDefinition) -> Option<Self> {
        let after = definition.after.as_deref().map(CalendarPeriod::parse);
        Some(Self {
            number: ClassNumber::new(definition.number),
            statement,
            after: after.transpose().ok()?,
            definition,
        })
    }
}

/// The class of the default policy that a ledger has from its beginning, as it was stated last: of what was acknowledged and
/// fits no other.
pub(crate) fn default_class(ledger: &Ledger) -> Option<Arc<Class>> {
    let of_default = |class: &Arc<Class>| {
        let policies = &class.definition.key.policies;
        policies.len() == 1 && policies[0].id == DEFAULT_POLICY
    };
    ledger.classes.all().into_iter().rev().find(of_default)
}

/// The section `policy` of a statement: docs/format.md.
pub(crate) fn policy_section(policy: &Policy) -> PolicySection {
    PolicySection {
        id: policy.id.clone(),
        version: policy.version,
        sha256: policy.sha256.clone(),
        text: policy.text.clone(),
    }
}
