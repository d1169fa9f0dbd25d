//! Verifying a bundle with a public key obtained elsewhere, and nothing else (docs/format.md, "Verifying a
//! bundle").
//!
//! files.rs checks the container and what is signed, statements.rs what the ledger says of itself, range.rs
//! and selection.rs that the entries are in the tree, events.rs and text.rs that the texts are those of the entries, agreement.rs
//! that the manifest says what was found. at_once.rs does all of it in one reading, with flow.rs: enough where everything holds.

mod account;
mod agreement;
mod at_once;
mod edges;
mod events;
mod export;
mod files;
mod flow;
mod range;
mod report;
mod selection;
mod statements;
mod streams;
#[cfg(test)]
mod tests;
mod text;

use crate::text::counted;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

pub use report::{Finding, Report, fingerprint};

use self::at_once::AtOnce;
use self::files::Signed;
use super::archive::{Archive, ArchiveError, Source, Unpacked};
use super::manifest::{Counts, Proof, SeqRange, StatementCounts};
use super::transport::Change;
use super::{member, proofs, sources};
use crate::ids::{ClassNumber, RootHash, Seq, TreeHash};
use crate::ledger::cosignature::WitnessKey;
use crate::ledger::note::PublicKey;
use crate::ledger::sources::SourceBook;

/// Findings that are listed; all are counted.
const FINDINGS_MAX: usize = 1_000;

/// What the verifier is given besides the bundle.
pub struct Question<'a> {
    /// The ledger's public key, from somebody else than who made the bundle.
    pub key: &'a PublicKey,
    /// The signed note of an older head that somebody kept.
    pub against: Option<&'a str>,
    /// Witnesses that must have cosigned the head.
    pub witnesses: &'a [WitnessKey],
}

/// Verifies a bundle. `progress` hears how many bytes of how many are done. An error means that the file
/// could not be read; whatever is wrong with what it holds is a finding.
pub fn verify(
    source: &dyn Source,
    question: &Question<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> io::Result<Report> {
    let report = match Archive::open(source) {
        Ok(archive) => verify_archive(&archive, question, progress)?,
        Err(ArchiveError::Io(error)) => return Err(error),
        Err(error) => Report::of_archive_error(&error),
    };
    let may_be_packed_again =
        |finding: &Finding| ["archive", "members", "sums"].contains(&finding.rule);
    if report.authentic || !report.findings.iter().all(may_be_packed_again) {
        return Ok(report);
    }
    let Ok((archive, had_junk)) = Archive::open_packed_again(source) else {
        return Ok(report);
    };
    let undone = verify_archive(&archive, question, progress)?;
    let change = if had_junk {
        Change::JunkMembers
    } else {
        Change::PackedAgain
    };
    Ok(undone.damaged(change).unwrap_or(report))
}

/// Verifies an unpacked bundle. That the archive had its form can't be checked, and the report says so.
pub fn verify_folder(
    folder: &dyn Unpacked,
    question: &Question<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> io::Result<Report> {
    let mut report = match Archive::of_folder(folder) {
        Ok(archive) => verify_archive(&archive, question, progress)?,
        Err(error) => Report::of_archive_error(&error),
    };
    report.archive_form_checked = false;
    if !folder.had_junk() {
        return Ok(report);
    }
    let unverified = report.clone();
    Ok(report.damaged(Change::JunkMembers).unwrap_or(unverified))
}

fn verify_archive(
    archive: &Archive<'_>,
    question: &Question<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> io::Result<Report> {
    let report = at_once::verify(archive, question, progress, flow::BATCH_BYTES);
    match report {
        Some(report) => Ok(report),
        None => verify_in_order(archive, question, progress),
    }
}

/// One step after the other, so that the findings come in their order. It needs no threads.
fn verify_in_order(
    archive: &Archive<'_>,
    question: &Question<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> io::Result<Report> {
    let mut report = Report::new(archive);
    let mut check = Check {
        archive,
        progress: Progress::new(archive, progress),
        found: Found::new(),
        report: &mut report,
        at_once: None,
    };
    if let Some(signed) = check.files(question)? {
        check.contents(&signed)?;
    }
    report.conclude();
    Ok(report)
}

/// A verification under way.
struct Check<'a> {
    archive: &'a Archive<'a>,
    progress: Progress<'a>,
    found: Found,
    report: &'a mut Report,
    /// What is left for later, if all is done at once.
    at_once: Option<AtOnce>,
}

/// What is counted and collected while the contents are read.
struct Found {
    counts: Counts,
    /// Statements inside of the range.
    statements_inside: u64,
    /// First and last of a selection.
    selected: Option<SeqRange>,
    /// Names of sections of events that stand as digests.
    redacted: BTreeSet<String>,
    /// And of statements.
    redacted_in_statements: BTreeSet<String>,
    /// Classes of the events, with the first event of each.
    classes: BTreeMap<ClassNumber, Seq>,
    /// SHA-256 of events.csv as it is, and as the events give it.
    table: Option<[u8; 32]>,
    table_expected: Option<[u8; 32]>,
    /// Roots at the sizes of the older head and of key changes, where the entries of a range give them.
    roots: BTreeMap<u64, RootHash>,
    /// What producers numbered.
    sources: SourceBook,
}

impl Found {
    fn new() -> Self {
        Self {
            counts: Counts::default(),
            statements_inside: 0,
            selected: None,
            redacted: BTreeSet::new(),
            redacted_in_statements: BTreeSet::new(),
            classes: BTreeMap::new(),
            table: None,
            table_expected: None,
            roots: BTreeMap::new(),
            sources: sources::book(),
        }
    }
}

impl Found {
    fn split(&self) -> StatementCounts {
        StatementCounts {
            inside: self.statements_inside,
            outside: self.counts.statements - self.statements_inside,
        }
    }
}

impl Check<'_> {
    fn add(&mut self, seq: impl Into<Option<u64>>, rule: &'static str, detail: impl Into<String>) {
        self.report.add(seq, rule, detail);
    }

    fn contents(&mut self, signed: &Signed) -> io::Result<()> {
        let stated = self.statements(signed)?;
        let consistency = match signed.manifest.proof {
            Proof::Range => self.range(signed, &stated)?,
            Proof::Selection => self.selection(signed, &stated)?,
        };
        self.older_head(signed, &consistency);
        self.key_changes_agree(signed);
        self.times_have_their_form(signed);
        self.manifest_agrees(signed, &stated);
        self.export_agrees(signed, &stated);
        self.sources_agree(signed);
        self.table_agrees();
        self.report.counts = self.found.counts;
        self.report.statements = self.found.split();
        let said = signed.manifest.redacted_sections.iter();
        let found = std::mem::take(&mut self.found.redacted);
        let in_statements = std::mem::take(&mut self.found.redacted_in_statements);
        let redacted: BTreeSet<String> = found
            .into_iter()
            .chain(in_statements)
            .chain(said.cloned())
            .collect();
        self.report.redacted_sections = redacted.into_iter().collect();
        Ok(())
    }

    /// events.csv is what the events give, if both were read.
    fn table_agrees(&mut self) {
        if let (Some(found), Some(expected)) = (self.found.table, self.found.table_expected)
            && found != expected
        {
            self.add(
                None,
                "table",
                "events.csv is not the table that events.jsonl gives",
            );
        }
    }

    /// Whether it is known that the steps in order must follow.
    fn is_given_up(&self) -> bool {
        let at_once = self.at_once.as_ref();
        at_once.is_some_and(|at_once| at_once.is_given_up || self.report.findings_total > 0)
    }

    fn give_up(&mut self) {
        if let Some(at_once) = &mut self.at_once {
            at_once.is_given_up = true;
        }
    }

    /// The ledger still begins with what the older head signs.
    fn older_head(&mut self, signed: &Signed, consistency: &[proofs::ConsistencyProof]) {
        let Some(older) = &signed.older else { return };
        let (size, root) = (signed.checkpoint.size, &signed.checkpoint.root);
        let proof = consistency.iter().find(|proof| proof.from == older.size);
        let outcome = if older.size > size {
            Err(format!(
                "the checkpoint that you kept has {}, the bundle's only {size}: ask for a newer bundle; if there is none, the ledger was rolled back",
                counted(older.size, "entry")
            ))
        } else if older.size == 0 {
            Ok("proven: the older checkpoint was empty")
        } else if older.size == size {
            if older.root == *root {
                Ok("proven: it is the same checkpoint")
            } else {
                Err(
                    "two checkpoints of one size have different roots: the ledger was forked"
                        .to_owned(),
                )
            }
        } else if let Some(found) = self.found.roots.get(&older.size) {
            if *found == older.root {
                Ok("proven: the ledger begins with this checkpoint (by the entries)")
            } else {
                Err("the entries of this bundle lead to another root at its size: the ledger was forked or rewritten".to_owned())
            }
        } else if let Some(proof) = proof {
            match crate::ledger::merkle::verify_consistency(
                older.size,
                size,
                &older.root,
                root,
                &proof.path,
            ) {
                Ok(()) => {
                    Ok("proven: the ledger begins with this checkpoint (by a consistency proof)")
                }
                Err(error) => Err(format!(
                    "the ledger does not begin with this checkpoint: {error}"
                )),
            }
        } else {
            Err(format!(
                "the bundle has no proof for size {}: ask for one with `trailkeep export --against CHECKPOINT_FILE`",
                older.size
            ))
        };
        match outcome {
            Ok(how) => {
                self.report.against = Some(how.to_owned());
                self.report.attestation.anchor();
            }
            Err(detail) => self.add(None, "against", detail),
        }
    }

    /// An inclusion path, checked.
    fn included(
        &mut self,
        signed: &Signed,
        seq: Seq,
        leaf: &crate::ids::LeafHash,
        path: Option<&[TreeHash]>,
    ) {
        let Some(path) = path else {
            self.add(
                seq.get(),
                "inclusion",
                "proofs.json has no inclusion path for this entry",
            );
            return;
        };
        let (size, root) = (signed.checkpoint.size, &signed.checkpoint.root);
        if let Err(error) =
            crate::ledger::merkle::verify_inclusion(seq.get(), size, leaf, path, root)
        {
            let detail =
                format!("this entry is not in the ledger that the checkpoint signs: {error}");
            self.add(seq.get(), "inclusion", detail);
        }
    }
}

/// How far the reading has come, in bytes of contents.
struct Progress<'a> {
    done: u64,
    /// What was told last.
    told: u64,
    total: u64,
    tell: &'a mut dyn FnMut(u64, u64),
}

impl<'a> Progress<'a> {
    fn new(archive: &Archive<'_>, tell: &'a mut dyn FnMut(u64, u64)) -> Self {
        let hashed: u64 = archive
            .members()
            .iter()
            .map(|member| member.size_bytes)
            .sum();
        let read_again = archive
            .members()
            .iter()
            .filter(|member| [member::ENTRIES, member::EVENTS].contains(&member.name.as_str()));
        let read_again: u64 = read_again.map(|member| member.size_bytes).sum();
        Self {
            done: 0,
            told: 0,
            total: hashed.saturating_add(read_again),
            tell,
        }
    }

    fn of_one_reading(archive: &Archive<'_>, tell: &'a mut dyn FnMut(u64, u64)) -> Self {
        let sizes = archive.members().iter().map(|member| member.size_bytes);
        Self {
            done: 0,
            told: 0,
            total: sizes.sum(),
            tell,
        }
    }

    fn add(&mut self, bytes: u64) {
        /// Bytes after which it is told again: asking the clock for each event costs more than it shows.
        const STEP_BYTES: u64 = 64 << 10;
        self.done = self.done.saturating_add(bytes).min(self.total);
        if self.done == self.total || self.done - self.told >= STEP_BYTES {
            self.told = self.done;
            (self.tell)(self.done, self.total);
        }
    }
}
