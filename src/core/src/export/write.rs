//! The bundle, member after member.
//!
//! The texts are read once. What they give for later members waits in spools; what is held in memory does
//! not grow with the number of events, but for eight bytes of each of a selection.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::anchor::witnessed_head;
use crate::export::bundle_writer::BundleWriter;
use crate::export::jobs::Exports;
use crate::export::person::page;
use crate::export::person::page::PersonPage;
use crate::export::person::withheld::Tally;
use crate::export::plan::{Plan, Seqs, question};
use crate::export::rows::{Content, Row, Rows, Wanted, Wanting, neighbours};
use crate::export::statements::{Explaining, explaining};
use crate::export::summary::Summary;
use crate::export::{ExportError, ExportSummary, Exported, check_going_on, readme, report};
use crate::journal::Journal;
use crate::journal::tombstone::ItemTrees;
use crate::short_reads::short_reads;
use crate::tenant::ledger::{Ledger, LedgerKeys, Published, StoredTiles};
use trailkeep_crypto::spool::{Spool, SpoolWriter};
use trailkeep_proof::bundle::line::Disposition;
use trailkeep_proof::bundle::manifest::{Counts, FORMAT, Manifest, Proof, StatementCounts};
use trailkeep_proof::bundle::proofs::{self, ConsistencyProof, InclusionProof};
use trailkeep_proof::bundle::{member, sources, table};
use trailkeep_proof::ids::{ClassNumber, Seq, hex};
use trailkeep_proof::ledger::entry::{Entry, EntryBytes, EntryKind};
use trailkeep_proof::ledger::note::public_key_pem;
use trailkeep_proof::ledger::sources::Sighting;
use trailkeep_proof::ledger::tile::{InclusionPaths, consistency_path, encode_entry_bundle};
use trailkeep_proof::privacy::Withheld;

/// What is known after the texts were written.
struct Walked {
    counts: Counts,
    summary: Summary,
    /// Names of sections that stand as digests in some event.
    redacted: BTreeSet<String>,
    /// For the person whom the bundle is for: what was collected, and the cards.
    page: PersonPage,
    cards: Spool,
    /// What a person's copy leaves out.
    withheld: Vec<Withheld>,
    /// events.csv, and the statements inside of the range with their entries.
    table: Spool,
    lines: Spool,
    entries: Spool,
    dispositions: Spool,
    /// The statements by which texts of the range went.
    covering: BTreeSet<Seq>,
}

/// Writes the bundle of a plan.
pub(super) fn write(
    exports: &Exports,
    ledger: &Ledger,
    plan: &Plan,
    cancelled: &AtomicBool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Exported, ExportError> {
    let keys = LedgerKeys::load(&exports.journal.keyring, &ledger.record)?;
    let spool = SpoolWriter::new(&exports.spools)?;
    let mut bundle = BundleWriter::new(spool, &plan.recipients)?;
    bundle.add(member::README, readme::text(ledger, plan).as_bytes())?;
    let classes = write_entries(&exports.journal, ledger, plan, &mut bundle)?;
    let mut walked = write_events(exports, ledger, plan, &mut bundle, cancelled, progress)?;
    let explaining = explaining(&exports.journal, ledger, plan, &classes, &walked.covering)?;
    write_statements(plan, &explaining, &mut walked, &mut bundle)?;
    bundle.start(member::DISPOSITIONS)?;
    io::copy(&mut walked.dispositions.reader(), &mut bundle)?;
    bundle.start(member::TABLE)?;
    io::copy(&mut walked.table.reader(), &mut bundle)?;

    // The head that is published now holds all that was read, and the export's own entry. Witnesses are asked for it.
    let (published, checkpoint) = witnessed_head(&exports.anchors, ledger)?;
    let boundary = boundary(&exports.journal, ledger, plan, published.head.size)?;
    bundle.add(member::BOUNDARY, &encode_entry_bundle(&boundary))?;
    write_proofs(
        &exports.journal,
        ledger,
        plan,
        &published,
        &explaining,
        &mut bundle,
    )?;
    bundle.add(member::CHECKPOINT, checkpoint.as_bytes())?;
    bundle.add(member::KEYS, b"")?;
    let pem = public_key_pem(ledger.verifier.public());
    bundle.add(member::PUBLIC_KEY_PEM, pem.as_bytes())?;
    let vkey = format!("{}\n", ledger.verifier);
    bundle.add(member::PUBLIC_KEY_VKEY, vkey.as_bytes())?;
    write_pages(
        &exports.journal,
        ledger,
        plan,
        &published,
        &walked,
        &explaining,
        &mut bundle,
    )?;
    let manifest = manifest(ledger, plan, &walked, explaining);
    let mut text = serde_json::to_vec_pretty(&manifest)?;
    text.push(b'\n');
    bundle.add(member::MANIFEST, &text)?;
    let (file, sha256) = bundle.finish(&keys.signing)?;
    Ok(Exported {
        summary: ExportSummary {
            proof: manifest.proof,
            range: manifest.range,
            recorded: manifest.recorded,
            counts: manifest.counts,
            export_seq: manifest.export_seq,
            size: published.head.size,
            bytes: file.size_bytes(),
            sha256: hex(&sha256),
            encrypted: !plan.recipients.is_empty(),
            withheld: walked.withheld,
        },
        file: Arc::new(file),
    })
}

/// The pages for readers.
fn write_pages(
    journal: &Journal,
    ledger: &Ledger,
    plan: &Plan,
    published: &Published,
    walked: &Walked,
    explaining: &Explaining,
    bundle: &mut BundleWriter,
) -> Result<(), ExportError> {
    bundle.start(member::REPORT)?;
    let (counts, summary) = (&walked.counts, &walked.summary);
    report::render(ledger, plan, published, counts, summary, explaining, bundle)?;
    if let Some(person) = &plan.request.person {
        bundle.start(member::PERSON)?;
        page::render(
            journal,
            ledger,
            (plan, person),
            (&walked.page, summary, &walked.withheld),
            explaining,
            &walked.cards,
            bundle,
        )?;
    }
    Ok(())
}

/// entries.bin. Gives the classes of the events.
fn write_entries(
    journal: &Journal,
    ledger: &Ledger,
    plan: &Plan,
    bundle: &mut BundleWriter,
) -> Result<BTreeSet<ClassNumber>, ExportError> {
    bundle.start(member::ENTRIES)?;
    let number = ledger.record.number;
    let mut classes = BTreeSet::new();
    let mut copy = |range: Range<u64>, wanted: &[u64]| -> Result<(), ExportError> {
        let mut entries = journal.ledgers.entries(number, range)?;
        if !wanted.is_empty() {
            entries.retain(|bytes| {
                Entry::decode(bytes)
                    .is_ok_and(|entry| wanted.binary_search(&entry.seq.get()).is_ok())
            });
        }
        for bytes in &entries {
            let entry = Entry::decode(bytes).map_err(io::Error::other)?;
            if entry.kind == EntryKind::Event {
                classes.insert(entry.class);
            }
        }
        Ok(bundle.write_all(&encode_entry_bundle(&entries))?)
    };
    match &plan.seqs {
        Seqs::Range(first, last) => {
            for range in short_reads(first.get()..last.get() + 1) {
                copy(range, &[])?;
            }
        }
        Seqs::Selection(seqs) => {
            for near in neighbours(seqs) {
                copy(near[0]..near[near.len() - 1] + 1, near)?;
            }
        }
    }
    Ok(classes)
}

/// events.jsonl, and what is found on the way.
fn write_events(
    exports: &Exports,
    ledger: &Ledger,
    plan: &Plan,
    bundle: &mut BundleWriter,
    cancelled: &AtomicBool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Walked, ExportError> {
    let room = &exports.spools;
    let mut table = SpoolWriter::new(room)?;
    let (mut lines, mut entries) = (SpoolWriter::new(room)?, SpoolWriter::new(room)?);
    let mut dispositions = SpoolWriter::new(room)?;
    let mut trees = ItemTrees::new(&exports.journal.ledgers, ledger);
    let mut covering = BTreeSet::new();
    let mut counts = Counts::default();
    let mut summary = Summary::new();
    table.write_all(&table::header())?;
    bundle.start(member::EVENTS)?;
    let mut withheld = Tally::default();
    let mut redacted: BTreeSet<String> = plan.request.redact.iter().cloned().collect();
    let (mut page, mut cards) = (PersonPage::default(), SpoolWriter::new(room)?);
    let rows = Rows::new(&exports.journal, ledger, &plan.request, &plan.seqs);
    let wanted = |summary: &Summary, page: &PersonPage| Wanted {
        excerpts: summary.wants_rows(),
        cards: page.wants_cards(),
    };
    let wanting = Wanting::new(wanted(&summary, &page));
    rows.each(&wanting, |some| {
        check_going_on(exports, cancelled)?;
        for row in some {
            counts.entries += 1;
            match row.content {
                Content::Event(event) => {
                    counts.disclosed += 1;
                    bundle.write_all(&event.line)?;
                    table.write_all(&event.cells)?;
                    summary.add(event.brief);
                    redacted.extend(event.redacted);
                    withheld.add(event.withheld);
                    page.add(&row.entry, event.purpose, event.card, &mut cards)?;
                }
                Content::Statement(line) => {
                    counts.statements += 1;
                    lines.write_all(&line)?;
                    entries.write_all(&encode_entry_bundle(&[row.bytes]))?;
                }
                // A selection is of what there is: one of its events went since it was made.
                Content::Hidden(_) if plan.seqs.range().is_none() => {
                    return Err(ExportError::Changed);
                }
                Content::Hidden(hidden) => {
                    let seq = row.entry.seq;
                    summary.sources.see(Sighting::Gone(seq));
                    let payload_state = trees.payload_state(seq, hidden)?;
                    counts.add(&payload_state);
                    covering.extend(payload_state.tombstone().map(|tombstone| tombstone.by));
                    Disposition { seq, payload_state }.write(&mut dispositions)?;
                }
            }
        }
        wanting.set(wanted(&summary, &page));
        progress(counts.entries, plan.entries());
        Ok(())
    })?;
    Ok(Walked {
        counts,
        summary,
        redacted,
        page,
        cards: cards.finish()?,
        withheld: plan.withheld(&withheld),
        table: table.finish()?,
        lines: lines.finish()?,
        entries: entries.finish()?,
        dispositions: dispositions.finish()?,
        covering,
    })
}

/// The statements before, inside of and after the entries, ascending.
fn write_statements(
    plan: &Plan,
    explaining: &Explaining,
    walked: &mut Walked,
    bundle: &mut BundleWriter,
) -> Result<(), ExportError> {
    let first = match &plan.seqs {
        Seqs::Range(first, _) => *first,
        Seqs::Selection(_) => Seq::MAX,
    };
    let split = explaining.rows.partition_point(|row| row.entry.seq < first);
    let (before, after) = explaining.rows.split_at(split);
    walked.counts.statements += explaining.rows.len() as u64;
    bundle.start(member::STATEMENTS)?;
    let lines = |rows: &[Row]| {
        rows.iter()
            .flat_map(|row| row.content.statement().to_vec())
            .collect::<Vec<u8>>()
    };
    bundle.write_all(&lines(before))?;
    io::copy(&mut walked.lines.reader(), bundle)?;
    bundle.write_all(&lines(after))?;
    bundle.start(member::STATEMENT_ENTRIES)?;
    let entries = |rows: &[Row]| {
        let entries: Vec<EntryBytes> = rows.iter().map(|row| row.bytes).collect();
        encode_entry_bundle(&entries)
    };
    bundle.write_all(&entries(before))?;
    io::copy(&mut walked.entries.reader(), bundle)?;
    Ok(bundle.write_all(&entries(after))?)
}

/// The entries beside a range: before it there may be none, after it only a closed ledger has none.
fn boundary(
    journal: &Journal,
    ledger: &Ledger,
    plan: &Plan,
    size: u64,
) -> Result<Vec<EntryBytes>, ExportError> {
    let mut entries = Vec::new();
    for seq in beside(&plan.seqs, size) {
        let found = journal
            .ledgers
            .entries(ledger.record.number, seq.get()..seq.get() + 1)?;
        entries.extend(found);
    }
    Ok(entries)
}

fn beside(seqs: &Seqs, size: u64) -> Vec<Seq> {
    match seqs {
        Seqs::Range(first, last) => {
            let before = first.get().checked_sub(1).map(Seq::new);
            let after = Some(last.next()).filter(|seq| seq.get() < size);
            before.into_iter().chain(after).collect()
        }
        Seqs::Selection(_) => Vec::new(),
    }
}

fn write_proofs(
    journal: &Journal,
    ledger: &Ledger,
    plan: &Plan,
    published: &Published,
    explaining: &Explaining,
    bundle: &mut BundleWriter,
) -> Result<(), ExportError> {
    let tiles = StoredTiles {
        ledgers: &journal.ledgers,
        ledger: ledger.record.number,
        published,
    };
    let size = published.head.size;
    let mut needed: Vec<u64> = explaining
        .rows
        .iter()
        .map(|row| row.entry.seq.get())
        .collect();
    needed.extend(beside(&plan.seqs, size).iter().map(|seq| seq.get()));
    match &plan.seqs {
        Seqs::Range(first, last) => needed.extend([first.get(), last.get()]),
        Seqs::Selection(seqs) => needed.extend(seqs),
    }
    needed.sort_unstable();
    needed.dedup();
    let paths = InclusionPaths::new(size, &tiles);
    let inclusion = needed.into_iter().map(|seq| {
        Ok(InclusionProof {
            seq: Seq::new(seq),
            path: paths.path(seq)?,
        })
    });
    let consistency = plan
        .older
        .iter()
        .filter(|older| (1..size).contains(&older.size))
        .map(|older| {
            Ok(ConsistencyProof {
                from: older.size,
                path: consistency_path(older.size, size, &tiles)?,
            })
        })
        .collect::<Result<Vec<_>, ExportError>>()?;
    bundle.start(member::PROOFS)?;
    let mut buffered = io::BufWriter::new(bundle);
    proofs::write::<ExportError>(&mut buffered, inclusion, &consistency)?;
    Ok(buffered.flush()?)
}

fn manifest(ledger: &Ledger, plan: &Plan, walked: &Walked, explaining: Explaining) -> Manifest {
    let is_range = plan.seqs.proof() == Proof::Range;
    let outside = explaining.rows.len() as u64;
    Manifest {
        format: FORMAT.to_owned(),
        origin: ledger.record.origin.to_string(),
        proof: plan.seqs.proof(),
        range: plan.seqs.ends(),
        recorded: Some(plan.recorded.clone()),
        query: question(&plan.request),
        counts: walked.counts,
        statements: Some(StatementCounts {
            inside: walked.counts.statements - outside,
            outside,
        }),
        redacted_sections: walked.redacted.iter().cloned().collect(),
        classes: explaining.classes,
        gaps: walked.summary.gaps.counts(),
        sources: is_range.then(|| sources::listed(&walked.summary.sources)),
        sources_untold: if is_range {
            walked.summary.sources.untold()
        } else {
            0
        },
        exported_by: plan.request.asked_by.clone(),
        exported_at: plan.exported_at.to_string(),
        export_seq: plan.export_seq.get(),
        software: concat!("trailkeep ", env!("CARGO_PKG_VERSION")).to_owned(),
    }
}
