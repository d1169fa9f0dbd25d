//! The prompts of a tenant: their versions and labels, as the vault keeps them and as the running program knows them.
//!
//! A version's text and hash, its path, and who did what and why stand in the vault alone. The ledger's entries name a version
//! by a random id and commit to its hash.

mod fetch;
mod stored;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use self::fetch::{Asked, FetchError, Fetched, NotServed, Share, fetch, show};
pub use self::stored::{Act, Experiment, LabelMove, PromptVersion, Secret};
pub(crate) use self::stored::{PromptText, carry_over};
use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use trailkeep_ports::LedgerRecord;
use trailkeep_proof::ids::Seq;
use trailkeep_proof::prompts::{LATEST, Label, PromptName};

/// One prompt.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    versions: BTreeMap<u32, PromptVersion>,
    /// By number: the order in which they were made.
    moves: BTreeMap<u32, LabelMove>,
}

/// All prompts of a tenant.
#[derive(Clone, Debug, Default)]
pub struct Prompts(BTreeMap<PromptName, Arc<Prompt>>);

impl Prompts {
    /// Those that the vault keeps for a ledger.
    pub(crate) fn load(keyring: &Keyring, ledger: &LedgerRecord) -> Result<Self, KeyError> {
        let mut all: BTreeMap<PromptName, Prompt> = BTreeMap::new();
        for (id, mut version) in records::all::<PromptVersion>(keyring, ledger)? {
            version.id = id;
            let prompt = all.entry(version.name.clone()).or_default();
            prompt.versions.insert(version.version, version);
        }
        for (id, mut made) in records::all::<LabelMove>(keyring, ledger)? {
            made.id = id;
            let prompt = all.entry(made.name.clone()).or_default();
            prompt.moves.insert(made.number, made);
        }
        let shared = all
            .into_iter()
            .map(|(name, prompt)| (name, Arc::new(prompt)));
        Ok(Self(shared.collect()))
    }

    /// The prompt of a name.
    pub fn get(&self, name: &str) -> Option<&Prompt> {
        self.0.get(name).map(AsRef::as_ref)
    }

    /// Whether a prompt is registered, and the version where one is asked for. Erased ones are: their number stays taken.
    pub fn knows(&self, name: &str, version: Option<u32>) -> bool {
        self.get(name)
            .is_some_and(|prompt| version.is_none_or(|version| prompt.version(version).is_some()))
    }

    /// Who did what an entry states of a prompt: the id is that of the version or the move.
    pub(crate) fn by(&self, name: &str, id: &str, stated: Seq) -> Option<String> {
        let prompt = self.get(name)?;
        let of_versions = prompt.versions().filter(|version| version.id == id);
        let mut acts = of_versions.flat_map(PromptVersion::acts).chain(
            prompt
                .moves()
                .filter(|made| made.id == id)
                .map(|made| &made.moved),
        );
        acts.find(|act| act.seq == stated.get())?.by.clone()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&PromptName, &Prompt)> {
        self.0.iter().map(|(name, prompt)| (name, prompt.as_ref()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same with a version added, or in the place of the one before.
    pub(crate) fn with_version(&self, version: PromptVersion) -> Self {
        let name = version.name.clone();
        self.with(name, |prompt| {
            prompt.versions.insert(version.version, version);
        })
    }

    /// The same with a label moved.
    pub(crate) fn with_move(&self, made: LabelMove) -> Self {
        let name = made.name.clone();
        self.with(name, |prompt| {
            prompt.moves.insert(made.number, made);
        })
    }

    fn with(&self, name: PromptName, change: impl FnOnce(&mut Prompt)) -> Self {
        let mut all = self.0.clone();
        change(Arc::make_mut(all.entry(name).or_default()));
        Self(all)
    }
}

impl Prompt {
    /// A version.
    pub fn version(&self, number: u32) -> Option<&PromptVersion> {
        self.versions.get(&number)
    }

    /// The versions, oldest first.
    pub fn versions(&self) -> impl Iterator<Item = &PromptVersion> {
        self.versions.values()
    }

    /// The version with the highest number, whatever became of it.
    pub fn newest(&self) -> Option<&PromptVersion> {
        self.versions.values().next_back()
    }

    /// What `latest` stands for: the newest version that is served.
    pub fn latest(&self) -> Option<&PromptVersion> {
        let mut newest_first = self.versions.values().rev();
        newest_first.find(|version| version.not_served().is_none())
    }

    /// The moves of all labels, oldest first.
    pub fn moves(&self) -> impl DoubleEndedIterator<Item = &LabelMove> {
        self.moves.values()
    }

    /// The moves of one label, newest first.
    pub fn moves_of(&self, label: &str) -> impl Iterator<Item = &LabelMove> {
        let newest_first = self.moves.values().rev();
        newest_first.filter(move |made| made.label.as_str() == label)
    }

    /// The last move of a label: what it stands for.
    pub fn label(&self, label: &str) -> Option<&LabelMove> {
        self.moves_of(label).next()
    }

    /// What each label stands for, by label.
    pub fn labels(&self) -> BTreeMap<&Label, &LabelMove> {
        self.moves
            .values()
            .map(|made| (&made.label, made))
            .collect()
    }

    /// The labels that stand for a version, `latest` among them.
    pub fn labels_of(&self, version: u32) -> Vec<&str> {
        let labels = self.labels();
        let moved = labels.iter().filter(|(_, made)| made.to.has(version));
        let moved = moved.map(|(label, _)| label.as_str());
        let is_latest = self
            .latest()
            .is_some_and(|latest| latest.version == version);
        moved.chain(is_latest.then_some(LATEST)).collect()
    }

    /// The number of the next move.
    pub(crate) fn next_move(&self) -> u32 {
        let last = self.moves.keys().next_back();
        last.map_or(1, |last| last.saturating_add(1))
    }
}

#[cfg(test)]
mod tests;
