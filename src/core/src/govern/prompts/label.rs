//! Moving a label, and back.

use super::{PromptError, act, prompt_of, random_id, reason, required_reason, state, version_of};
use crate::journal::Journal;
use crate::keys::rows::{Changes, STATED_HERE};
use crate::tenant::Tenant;
use crate::tenant::prompts::{
    Act, Experiment, LabelMove, NotServed, Prompt, PromptVersion, Prompts,
};
use trailkeep_proof::prompts::{Label, PromptName, Unit, Variant, Variants};
use trailkeep_proof::system::{PromptLabelSection, SystemEvent};

/// Moves of a prompt's labels that are not rollbacks: those always find room.
const MOVES_MAX: u32 = 100_000;

/// A label to move.
#[derive(Clone, Debug)]
pub struct NewMove {
    /// The prompt.
    pub name: String,
    /// The label.
    pub label: String,
    /// What it is to stand for.
    pub to: Vec<Variant>,
    /// The unit of an experiment; none: what it was, or the conversation.
    pub unit: Option<Unit>,
    /// Why.
    pub reason: Option<String>,
}

/// States of a label, each named by the id of the move that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum States {
    /// Any.
    All,
    /// Those of these moves.
    MadeBy(Vec<String>),
}

impl States {
    fn have(&self, current: Option<&LabelMove>) -> bool {
        current.is_some_and(|current| match self {
            Self::All => true,
            Self::MadeBy(ids) => ids.contains(&current.id),
        })
    }
}

/// In which state the label must be, or must not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// It is one of these.
    pub is: Option<States>,
    /// It is none of these.
    pub is_not: Option<States>,
}

impl Condition {
    fn check(&self, current: Option<&LabelMove>) -> Result<(), PromptError> {
        let holds = self.is.as_ref().is_none_or(|states| states.have(current))
            && !self
                .is_not
                .as_ref()
                .is_some_and(|states| states.have(current));
        if holds {
            Ok(())
        } else {
            Err(PromptError::Changed)
        }
    }
}

/// What a label is to stand for.
struct Target {
    to: Variants,
    unit: Unit,
    experiment: Option<Experiment>,
}

/// Moves a label; recorded first. What it stands for already changes nothing. The answer is its last move.
pub fn move_label(
    journal: &Journal,
    tenant: &Tenant,
    new: NewMove,
    condition: &Condition,
    by: &str,
) -> Result<LabelMove, PromptError> {
    let name = PromptName::parse(&new.name)?;
    let label = Label::parse(&new.label)?;
    let to = Variants::new(new.to)?;
    let why = reason(new.reason.as_deref())?;
    let _one = journal.locks.creation();
    let prompts = tenant.active().prompts();
    let prompt = prompt_of(&prompts, name.as_str())?;
    for variant in to.all() {
        let version = version_of(prompt, variant.version)?;
        if let Some(why) = version.not_served() {
            return Err(PromptError::NotServed {
                version: variant.version,
                why,
                remedy: "name another version, or register the text again",
            });
        }
    }
    let current = prompt.label(label.as_str());
    condition.check(current)?;
    let unit = new.unit.or_else(|| current.map(|current| current.unit));
    let (to, experiment) = continuing(to, current, tenant);
    let target = Target {
        to,
        unit: unit.unwrap_or_default(),
        experiment,
    };
    if prompt.next_move() > MOVES_MAX {
        return Err(PromptError::TooMany(
            "the prompt's labels were moved 100,000 times, which is the most: go on under another name",
        ));
    }
    let moved = act(journal, tenant, by, why);
    let all = (&*prompts, prompt);
    make(
        journal,
        tenant,
        all,
        (&name, &label),
        (target, moved, false),
    )
}

/// An experiment begins where a label goes from one version to several. As long as there are several it is the same one, so
/// that no unit changes its version but those of the share that moves.
fn continuing(
    to: Variants,
    current: Option<&LabelMove>,
    tenant: &Tenant,
) -> (Variants, Option<Experiment>) {
    if !to.are_several() {
        return (to, None);
    }
    if let Some(current) = current
        && let Some(experiment) = &current.experiment
    {
        return (to.in_order_of(&current.to), Some(experiment.clone()));
    }
    let begun = Experiment {
        seq: STATED_HERE,
        ledger: tenant.active().record.origin.to_string(),
    };
    (to, Some(begun))
}

/// Moves a label back to what it stood for before, or to a version that once was in force under it; recorded first. No
/// withdrawal and no limit keeps it from that.
pub fn roll_back(
    journal: &Journal,
    tenant: &Tenant,
    (name, label): (&str, &str),
    to: Option<u32>,
    (why, by): (&str, &str),
) -> Result<LabelMove, PromptError> {
    let name = PromptName::parse(name)?;
    let label = Label::parse(label)?;
    let why = required_reason(why)?;
    let _one = journal.locks.creation();
    let prompts = tenant.active().prompts();
    let prompt = prompt_of(&prompts, name.as_str())?;
    let current = prompt.label(label.as_str()).ok_or(PromptError::NoLabel)?;
    let target = match to {
        Some(version) => once_in_force(prompt, current, version)?,
        None => before(prompt, current)?,
    };
    for variant in target.to.all() {
        let version = version_of(prompt, variant.version)?;
        match version.not_served() {
            None | Some(NotServed::Withdrawn) => {}
            Some(why) => {
                return Err(PromptError::NotServed {
                    version: variant.version,
                    why,
                    remedy: "there is no text to go back to; name an older version with `--to`",
                });
            }
        }
    }
    let moved = act(journal, tenant, by, Some(why));
    let all = (&*prompts, prompt);
    make(journal, tenant, all, (&name, &label), (target, moved, true))
}

fn once_in_force(
    prompt: &Prompt,
    current: &LabelMove,
    version: u32,
) -> Result<Target, PromptError> {
    version_of(prompt, version)?;
    let mut moves = prompt.moves_of(current.label.as_str());
    if !moves.any(|made| made.to.has(version)) {
        return Err(PromptError::NeverInForce(version));
    }
    Ok(Target {
        to: Variants::one(version),
        unit: current.unit,
        experiment: None,
    })
}

/// The state before the last move, an experiment with its seed: so a rollback of a rollback undoes it.
fn before(prompt: &Prompt, current: &LabelMove) -> Result<Target, PromptError> {
    let before = prompt.moves_of(current.label.as_str()).nth(1);
    let before = before.ok_or(PromptError::NothingBefore)?;
    Ok(Target {
        to: before.to.clone(),
        unit: before.unit,
        experiment: before.experiment.clone(),
    })
}

/// States a move and takes it. A withdrawn version that it stands for is served again.
fn make(
    journal: &Journal,
    tenant: &Tenant,
    (prompts, prompt): (&Prompts, &Prompt),
    (name, label): (&PromptName, &Label),
    (target, moved, rollback): (Target, Act, bool),
) -> Result<LabelMove, PromptError> {
    let current = prompt.label(label.as_str());
    let restored: Vec<PromptVersion> = target
        .to
        .all()
        .iter()
        .filter_map(|variant| prompt.version(variant.version))
        .filter(|version| version.withdrawn.is_some())
        .map(|version| PromptVersion {
            withdrawn: None,
            ..version.clone()
        })
        .collect();
    if let Some(current) = current
        && (&current.to, current.unit) == (&target.to, target.unit)
        && restored.is_empty()
    {
        return Ok(current.clone());
    }
    let made = LabelMove {
        id: random_id()?,
        name: name.clone(),
        label: label.clone(),
        number: prompt.next_move(),
        from: current.map_or_else(Vec::new, |current| current.to.all().to_vec()),
        to: target.to,
        unit: target.unit,
        experiment: target.experiment,
        rollback,
        restores: restored.iter().map(|version| version.version).collect(),
        moved,
    };
    let record = tenant.active_record().record();
    let mut changes = Changes::default();
    changes.put(&journal.keyring, record, &made.id, &made)?;
    for version in &restored {
        changes.put(&journal.keyring, record, &version.id, version)?;
    }
    let event = SystemEvent::PromptLabel {
        prompt: section(&made, record.origin.as_str()),
    };
    let made = made.stated(state(journal, tenant, &event, changes)?);
    let mut after = prompts.with_move(made.clone());
    for version in restored {
        after = after.with_version(version);
    }
    tenant.active().set_prompts(after);
    Ok(made)
}

/// What the ledger `origin` says of a move.
fn section(made: &LabelMove, origin: &str) -> PromptLabelSection {
    let experiment = made.experiment.as_ref();
    let earlier = experiment.filter(|experiment| experiment.seq != STATED_HERE);
    let ledger = earlier.map(|experiment| experiment.ledger.clone());
    PromptLabelSection {
        id: made.id.clone(),
        name: made.name.to_string(),
        label: made.label.to_string(),
        number: made.number,
        from: made.from.clone(),
        to: made.to.all().to_vec(),
        unit: made.unit.as_str().to_owned(),
        experiment: earlier.map(|experiment| experiment.seq),
        ledger: ledger.filter(|ledger| ledger != origin),
        rollback: made.rollback,
        restores: made.restores.clone(),
    }
}
