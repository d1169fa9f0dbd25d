//! The manifest and the key changes say of the contents what was found in them.

use super::files::Signed;
use super::statements::Stated;
use super::{Check, sources};
use crate::bundle::manifest::{ClassPolicies, Proof, Recorded};
use crate::ids::ClassNumber;

impl Check<'_> {
    pub(super) fn times_have_their_form(&mut self, signed: &Signed) {
        let recorded = signed.manifest.recorded.as_ref();
        if let Some(Err(name)) = recorded.map(Recorded::moments) {
            let detail = format!("recorded.{name} is not an RFC 3339 time with milliseconds");
            self.add(None, "manifest", detail);
        }
    }

    /// The manifest says of the contents what was found in them.
    pub(super) fn manifest_agrees(&mut self, signed: &Signed, stated: &Stated) {
        let manifest = &signed.manifest;
        if manifest.counts != self.found.counts {
            let detail = format!(
                "manifest.json says {:?}, found were {:?}",
                manifest.counts, self.found.counts
            );
            self.add(None, "counts", detail);
        }
        let split = self.found.split();
        if manifest.statements.is_some_and(|said| said != split) {
            let detail = format!(
                "manifest.json says {:?}, found were {split:?}",
                manifest.statements.unwrap_or_default()
            );
            self.add(None, "counts", detail);
        }
        if manifest.proof == Proof::Selection && manifest.range != self.found.selected {
            let detail = "`range` is not the first and last of the selected entries";
            self.add(None, "manifest", detail);
        }
        let counts = self.found.counts;
        let sum = counts.disclosed
            + self.found.statements_inside
            + counts.expired
            + counts.erased
            + counts.restricted
            + counts.withheld;
        if manifest.proof == Proof::Range && sum != counts.entries {
            self.add(
                None,
                "counts",
                format!(
                    "{sum} entries are accounted for, the range has {}",
                    counts.entries
                ),
            );
        }
        let unsaid: Vec<&String> = self.found.redacted.iter().collect();
        let unsaid: Vec<String> = unsaid
            .into_iter()
            .filter(|name| !manifest.redacted_sections.contains(name))
            .cloned()
            .collect();
        if !unsaid.is_empty() {
            let detail = format!(
                "manifest.json does not list as redacted: {}",
                unsaid.join(", ")
            );
            self.add(None, "redaction", detail);
        }
        let mut listed: Vec<ClassNumber> =
            manifest.classes.iter().map(ClassPolicies::class).collect();
        listed.sort_unstable();
        if !self.found.classes.keys().eq(&listed) {
            let detail =
                "manifest.json does not list exactly the classes of the entries, each once";
            self.add(None, "class", detail);
        }
        for (class, first) in std::mem::take(&mut self.found.classes) {
            let defined = stated
                .retention
                .class(class)
                .filter(|(seq, _)| *seq < first);
            let said = manifest.classes.iter().find(|said| said.class() == class);
            match (defined, said) {
                (Some((_, section)), Some(said)) if section.policies == said.policies => {}
                (None, _) => self.add(
                    first.get(),
                    "class",
                    format!("no earlier statement of this bundle defines class {}", class.get()),
                ),
                _ => self.add(
                    None,
                    "class",
                    format!("manifest.json does not give the policies of class {} as its statement does", class.get()),
                ),
            }
        }
    }

    /// Of a range, the manifest lists the producers' numbering as the disclosed events give it. Earlier versions wrote no list.
    pub(super) fn sources_agree(&mut self, signed: &Signed) {
        if signed.manifest.proof != Proof::Range {
            return;
        }
        let found = sources::listed(&self.found.sources);
        let manifest = &signed.manifest;
        if let Some(said) = &manifest.sources
            && (*said != found || manifest.sources_untold != self.found.sources.untold())
        {
            let place = said
                .iter()
                .zip(&found)
                .position(|(one, other)| one != other);
            let place = place.unwrap_or_else(|| said.len().min(found.len()));
            let detail = format!(
                "manifest.json does not list the sources as the disclosed events give them: they differ from the {}. on",
                place + 1
            );
            self.add(None, "sources", detail);
        }
        self.report.sources = Some(self.found.sources.summary());
    }

    /// Each key change names a head of this ledger.
    pub(super) fn key_changes_agree(&mut self, signed: &Signed) {
        for change in &signed.changes {
            let found = self.found.roots.get(&change.size);
            let detail = if change.size > signed.checkpoint.size {
                "keys.txt: a key change names more entries than the checkpoint has"
            } else if found.is_some_and(|root| *root != change.root) {
                "keys.txt: a key change names another root than the entries give at its size"
            } else {
                continue;
            };
            self.add(None, "key", detail);
        }
    }
}
