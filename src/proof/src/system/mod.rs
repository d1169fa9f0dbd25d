//! What a ledger records of itself: the sections of system entries (docs/format.md, "Genesis and system entries").
//!
//! A system event is plain data: ids, numbers, times as text. It names no data subject, and an entry of any version reads back:
//! members that a version does not know are passed over, and an action that it does not know is [`SystemRead::Unknown`].

mod class;
mod figures;
mod journal;
mod privacy;
mod prompts;
mod vault;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::class::{ClassDefinition, ClassKey, ClassPolicy, PolicySection};
pub use self::figures::{FiguresNameSection, NameKind};
pub use self::journal::{
    AccessSection, AnchorSection, BackupSection, ClockSection, Continues, ExportSection,
    GenesisSection, HoldLiftSection, HoldSection, KeyRevokeSection, KeySection, LackedStatement,
    PricesSection, RestoreSection, RestoredLedger, ResumeSection, TenantCloseSection,
    TenantSection, TenantSetSection, TriggerSection,
};
pub use self::privacy::{
    AnswerSection, ExpirySection, FormerEntry, ItemsSection, JobSection, LiftSection, RequestEnd,
    RequestExtension, RequestIdentity, RequestName, RequestReceipt, RequestStep, StatedSections,
    SupersededSection,
};
pub use self::prompts::{PromptEndSection, PromptLabelSection, PromptVersionSection};
pub use self::vault::{
    BindSection, LostRow, ReplicaSection, ReplicaTarget, RotationSection, RowChange, RowsSection,
};
use crate::ids::Origin;
use crate::ledger::action::SystemAction;

/// Exact bytes of sections by name, in ascending order of names.
pub type Sections = Vec<(String, Vec<u8>)>;

/// A system event: its action, and the sections beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action")]
#[expect(
    missing_docs,
    reason = "each variant is the action of its name, and each field the section of its name"
)]
pub enum SystemEvent {
    #[serde(rename = "trailkeep.access")]
    Access { access: AccessSection },
    #[serde(rename = "trailkeep.anchor.resume")]
    AnchorResume { anchor: AnchorSection },
    #[serde(rename = "trailkeep.backup")]
    Backup { backup: BackupSection },
    #[serde(rename = "trailkeep.class.define")]
    ClassDefine { class: ClassDefinition },
    #[serde(rename = "trailkeep.clock.confirm")]
    ClockConfirm { clock: ClockSection },
    #[serde(rename = "trailkeep.export")]
    Export { export: ExportSection },
    #[serde(rename = "trailkeep.figures.name")]
    FiguresName { figures: FiguresNameSection },
    #[serde(rename = "trailkeep.hold.lift")]
    HoldLift { hold: HoldLiftSection },
    #[serde(rename = "trailkeep.hold.place")]
    HoldPlace { hold: HoldSection },
    #[serde(rename = "trailkeep.key.create")]
    KeyCreate { key: KeySection },
    #[serde(rename = "trailkeep.key.revoke")]
    KeyRevoke { key: KeyRevokeSection },
    #[serde(rename = "trailkeep.policy.change")]
    PolicyChange { policy: PolicySection },
    #[serde(rename = "trailkeep.policy.drop")]
    PolicyDrop { policy: PolicySection },
    #[serde(rename = "trailkeep.policy.load")]
    PolicyLoad { policy: PolicySection },
    #[serde(rename = "trailkeep.prices.set")]
    PricesSet { prices: PricesSection },
    #[serde(rename = "trailkeep.privacy.answer")]
    PrivacyAnswer { answer: AnswerSection },
    #[serde(rename = "trailkeep.privacy.distinguish")]
    PrivacyDistinguish { request: RequestStep },
    #[serde(rename = "trailkeep.privacy.end")]
    PrivacyEnd { request: RequestEnd },
    #[serde(rename = "trailkeep.privacy.erase")]
    PrivacyErase {
        #[serde(flatten)]
        decision: DecisionSections,
    },
    #[serde(rename = "trailkeep.privacy.execute")]
    PrivacyExecute { request: RequestStep },
    #[serde(rename = "trailkeep.privacy.extend")]
    PrivacyExtend { request: RequestExtension },
    #[serde(rename = "trailkeep.privacy.identify")]
    PrivacyIdentify { request: RequestIdentity },
    #[serde(rename = "trailkeep.privacy.lift")]
    PrivacyLift {
        #[serde(flatten)]
        scope: Scope,
    },
    #[serde(rename = "trailkeep.privacy.receive")]
    PrivacyReceive { request: RequestReceipt },
    #[serde(rename = "trailkeep.privacy.restrict")]
    PrivacyRestrict {
        #[serde(flatten)]
        decision: DecisionSections,
    },
    #[serde(rename = "trailkeep.prompt.erase")]
    PromptErase { prompt: PromptEndSection },
    #[serde(rename = "trailkeep.prompt.label")]
    PromptLabel { prompt: PromptLabelSection },
    #[serde(rename = "trailkeep.prompt.version")]
    PromptVersion { prompt: PromptVersionSection },
    #[serde(rename = "trailkeep.prompt.withdraw")]
    PromptWithdraw { prompt: PromptEndSection },
    #[serde(rename = "trailkeep.restore")]
    Restore { restore: RestoreSection },
    #[serde(rename = "trailkeep.retention.expiry")]
    RetentionExpiry {
        #[serde(flatten)]
        decision: DecisionSections,
    },
    #[serde(rename = "trailkeep.retention.resume")]
    RetentionResume { retention: ResumeSection },
    #[serde(rename = "trailkeep.retention.trigger")]
    RetentionTrigger { trigger: TriggerSection },
    #[serde(rename = "trailkeep.tenant.close")]
    TenantClose { tenant: TenantCloseSection },
    #[serde(rename = "trailkeep.tenant.create")]
    TenantCreate { tenant: TenantSection },
    #[serde(rename = "trailkeep.tenant.set")]
    TenantSet { tenant: TenantSetSection },
    #[serde(rename = "trailkeep.vault.bind")]
    VaultBind { vault: BindSection },
    #[serde(rename = "trailkeep.vault.copy-add")]
    VaultCopyAdd { vault: ReplicaSection },
    #[serde(rename = "trailkeep.vault.copy-check")]
    VaultCopyCheck { vault: ReplicaSection },
    #[serde(rename = "trailkeep.vault.copy-remove")]
    VaultCopyRemove { vault: ReplicaSection },
    #[serde(rename = "trailkeep.vault.rotate")]
    VaultRotate { vault: RotationSection },
}

/// What a statement says of other entries, and of which ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Of the ledger in which it stands.
    #[serde(flatten)]
    pub own: StatedSections,
    /// Of a superseded ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<SupersededSection>,
}

/// The sections of a statement that deletes or restricts events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionSections {
    /// Which events.
    #[serde(flatten)]
    pub scope: Scope,
    /// How many events, and who ordered it.
    pub job: JobSection,
}

impl DecisionSections {
    /// A decision about the ledger in which it is stated.
    pub fn new(own: StatedSections, job: JobSection) -> Self {
        Self {
            scope: own.into(),
            job,
        }
    }
}

impl From<StatedSections> for Scope {
    fn from(own: StatedSections) -> Self {
        Self { own, closed: None }
    }
}

impl Scope {
    /// The same, about a superseded ledger.
    fn about(self, origin: &str) -> Self {
        Self {
            own: StatedSections::default(),
            closed: Some(SupersededSection {
                ledger: origin.to_owned(),
                stated: self.own,
            }),
        }
    }

    /// What is stated of a ledger by an entry that stands in the ledger `stands_in`.
    pub fn of(self, ledger: &Origin, stands_in: &Origin) -> StatedSections {
        if ledger == stands_in {
            return self.own;
        }
        let about = self.closed.filter(|about| about.ledger == ledger.as_str());
        about.map(|about| about.stated).unwrap_or_default()
    }
}

/// A system entry as it was read.
#[derive(Clone, Debug, PartialEq)]
pub enum SystemRead {
    /// An event of this version or an earlier one.
    Known(Box<SystemEvent>),
    /// The action of a later version.
    Unknown(String),
}

/// Why the sections of a system entry can't be read.
#[derive(Debug, thiserror::Error)]
pub enum SystemReadError {
    /// It has no action: a genesis, or no system entry.
    #[error("the entry has no section `action`")]
    NoAction,
    /// A section is not what its action has.
    #[error("the sections of `{action}` are malformed: {error}")]
    Malformed {
        /// The action.
        action: String,
        /// What was found.
        error: serde_json::Error,
    },
}

impl SystemEvent {
    /// The sections as they are stored. Members stand in the order of their names.
    pub fn sections(&self) -> Sections {
        sections_of(self)
    }

    /// Reads the sections of a system entry.
    pub fn read<'a>(
        sections: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<SystemRead, SystemReadError> {
        let parsed = sections.into_iter().filter_map(|(name, bytes)| {
            let value = serde_json::from_slice::<Value>(bytes).ok()?;
            Some((name.to_owned(), value))
        });
        let members: serde_json::Map<String, Value> = parsed.collect();
        let action = members.get("action").and_then(Value::as_str);
        let action = action.ok_or(SystemReadError::NoAction)?.to_owned();
        if SystemAction::parse(&action).is_none() {
            return Ok(SystemRead::Unknown(action));
        }
        match serde_json::from_value(Value::Object(members)) {
            Ok(event) => Ok(SystemRead::Known(Box::new(event))),
            Err(error) => Err(SystemReadError::Malformed { action, error }),
        }
    }

    /// The sections of a statement that deletes or restricts events.
    pub fn into_decision(self) -> Option<DecisionSections> {
        match self {
            Self::PrivacyErase { decision }
            | Self::PrivacyRestrict { decision }
            | Self::RetentionExpiry { decision } => Some(decision),
            _ => None,
        }
    }

    /// The same statement, about a superseded ledger: what it states stands under that ledger's origin, in the ledger that
    /// takes entries in its place.
    #[must_use]
    pub fn about_superseded(mut self, origin: &str) -> Self {
        let scope = match &mut self {
            Self::PrivacyErase { decision }
            | Self::PrivacyRestrict { decision }
            | Self::RetentionExpiry { decision } => &mut decision.scope,
            Self::PrivacyLift { scope } => scope,
            _ => return self,
        };
        *scope = std::mem::take(scope).about(origin);
        self
    }
}

/// Each member of what is serialized as a section.
fn sections_of(sections: &impl Serialize) -> Sections {
    let Value::Object(members) = value_of(sections) else {
        unreachable!("sections are a struct or a map of them");
    };
    let mut sections: Sections = members
        .into_iter()
        .map(|(name, value)| (name, value.to_string().into_bytes()))
        .collect();
    sections.sort_unstable_by(|(one, _), (next, _)| one.cmp(next));
    sections
}

/// A section as it is stored.
fn text_of(section: &impl Serialize) -> String {
    value_of(section).to_string()
}

fn value_of(section: &impl Serialize) -> Value {
    serde_json::to_value(section).expect("sections are plain data, which has a JSON form")
}

#[cfg(test)]
mod tests;
