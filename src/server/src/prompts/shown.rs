//! What the routes show of prompts.

use trailkeep_api::prompts::{
    Act, Experiment, FetchedPrompt, FetchedShare, ListedPrompt, ShownLabel, ShownPromptVersion,
    Unit, Variant,
};
use trailkeep_core::tenant::prompts::{
    self, Fetched, LabelMove, NotServed, Prompt, PromptVersion, Share,
};
use trailkeep_proof::prompts as proof;
use trailkeep_proof::prompts::PromptName;
use trailkeep_proof::time::UnixMillis;

pub(super) fn listed(name: &PromptName, prompt: &Prompt) -> ListedPrompt {
    let newest = prompt.newest();
    ListedPrompt {
        name: name.to_string(),
        versions: prompt.versions().count() as u64,
        newest: newest.map_or(0, |newest| newest.version),
        latest: prompt.latest().map(|latest| latest.version),
        newest_sha256: newest.and_then(PromptVersion::sha256).map(str::to_owned),
        labels: prompt.labels().into_values().map(shown_label).collect(),
    }
}

pub(super) fn shown_version(
    version: &PromptVersion,
    prompt: Option<&Prompt>,
    text: Option<String>,
) -> ShownPromptVersion {
    let labels = prompt.map(|prompt| prompt.labels_of(version.version));
    let labels = labels.unwrap_or_default().into_iter().map(str::to_owned);
    let secret = version.secret.as_ref();
    ShownPromptVersion {
        name: version.name.to_string(),
        version: version.version,
        id: version.id.clone(),
        sha256: secret.map(|secret| secret.sha256.clone()),
        salt: secret.map(|secret| secret.salt.clone()),
        size: version.size,
        parent: version.parent,
        git_commit: version.git_commit.clone(),
        path: version.path.clone(),
        state: version
            .not_served()
            .map_or("served", NotServed::as_str)
            .to_owned(),
        labels: labels.collect(),
        registered: act(&version.registered),
        withdrawn: version.withdrawn.as_ref().map(act),
        erased: version.erased.as_ref().map(act),
        text,
        purge_pending: false,
    }
}

pub(super) fn shown_label(made: &LabelMove) -> ShownLabel {
    let experiment = made.experiment.as_ref().map(|begun| Experiment {
        seq: begun.seq,
        ledger: begun.ledger.clone(),
    });
    ShownLabel {
        name: made.name.to_string(),
        label: made.label.to_string(),
        id: made.id.clone(),
        to: made.to.all().iter().copied().map(variant).collect(),
        from: made.from.iter().copied().map(variant).collect(),
        unit: named(made.unit),
        experiment,
        rollback: made.rollback,
        restores: made.restores.clone(),
        moved: act(&made.moved),
    }
}

/// What an application gets, asked for by a label or by a version.
pub(super) fn fetched(found: Fetched, label: Option<String>) -> FetchedPrompt {
    let sha256 = found.version.sha256().unwrap_or_default().to_owned();
    FetchedPrompt {
        name: found.version.name.to_string(),
        version: found.version.version,
        label,
        sha256,
        size: found.version.size,
        text: found.text,
        experiment: found.share.as_ref().map(share),
    }
}

pub(super) fn share(share: &Share) -> FetchedShare {
    let unit = named(share.unit);
    let note = share.bucket.is_none().then(|| {
        format!(
            "the label stands for several versions and the request named no unit, so this is the version that stands first: ask with \
             `unit`, the event's {}",
            unit.as_str()
        )
    });
    FetchedShare {
        seq: share.experiment.seq,
        ledger: share.experiment.ledger.clone(),
        unit,
        bucket: share.bucket,
        weight: share.weight,
        note,
    }
}

fn act(act: &prompts::Act) -> Act {
    Act {
        at: UnixMillis::new(act.at_ms).to_string(),
        by: act.by.clone(),
        reason: act.reason.clone(),
        seq: act.seq,
        ledger: act.ledger.clone(),
    }
}

const fn variant(variant: proof::Variant) -> Variant {
    Variant {
        version: variant.version,
        weight: variant.weight,
    }
}

const fn named(unit: proof::Unit) -> Unit {
    match unit {
        proof::Unit::Conversation => Unit::Conversation,
        proof::Unit::Subject => Unit::Subject,
        proof::Unit::Session => Unit::Session,
    }
}
