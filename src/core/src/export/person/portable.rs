//! A person's events in JSON alone, for another service (GDPR Art. 20): one object, not signed.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::json;

use crate::export::bundle_writer::Hashed;
use crate::export::jobs::Exports;
use crate::export::person::PersonScope;
use crate::export::person::withheld::Tally;
use crate::export::plan::Plan;
use crate::export::rows::{Content, Rows, Wanted, Wanting};
use crate::export::{ExportError, ExportSummary, Exported, check_going_on};
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::spool::SpoolWriter;
use trailkeep_proof::bundle::line::{Line, Section};
use trailkeep_proof::bundle::manifest::Counts;
use trailkeep_proof::ids::hex;

/// What `format` says.
const FORMAT: &str = "trailkeep/portable/v1";

/// Writes the file (docs/gdpr.md has its form).
pub(in crate::export) fn write(
    exports: &Exports,
    ledger: &Ledger,
    plan: &Plan,
    person: &PersonScope,
    cancelled: &AtomicBool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Exported, ExportError> {
    let mut out = Hashed::new(SpoolWriter::new(&exports.spools)?);
    let head = json!({
        "format": FORMAT,
        "origin": ledger.record.origin.as_str(),
        "subject": {"namespace": person.subject.namespace, "id": person.subject.id},
        "receipt": person.receipt,
        "exported_at": plan.exported_at.to_string(),
        "export_seq": plan.export_seq.get(),
    })
    .to_string();
    // The head's object stays open for the events.
    out.write_all(head.strip_suffix('}').unwrap_or(&head).as_bytes())?;
    out.write_all(b",\"events\":[")?;
    let rows = Rows::new(&exports.journal, ledger, &plan.request, &plan.seqs);
    let wanting = Wanting::new(Wanted {
        excerpts: false,
        cards: false,
    });
    let (mut counts, mut withheld) = (Counts::default(), Tally::default());
    rows.each(&wanting, |some| {
        check_going_on(exports, cancelled)?;
        for row in some {
            let Content::Event(event) = row.content else {
                return Err(ExportError::Changed);
            };
            out.write_all(if counts.entries == 0 { b"\n" } else { b",\n" })?;
            let line = Line::parse(event.line.trim_ascii_end()).map_err(std::io::Error::other)?;
            let at = row.entry.recorded_at.to_string();
            write_event(&line, &at, &event.own_words, &mut out)?;
            counts.entries += 1;
            counts.disclosed += 1;
            withheld.add(event.withheld);
        }
        progress(counts.entries, plan.entries());
        Ok(())
    })?;
    let withheld = plan.withheld(&withheld);
    writeln!(out, "\n],\"withheld\":{}}}", json!(withheld))?;
    let (spool, sha256) = out.finish()?;
    Ok(Exported {
        summary: ExportSummary {
            proof: plan.seqs.proof(),
            range: plan.seqs.ends(),
            recorded: None,
            counts,
            export_seq: plan.export_seq.get(),
            size: ledger.published().head.size,
            bytes: spool.size_bytes(),
            sha256: hex(&sha256),
            encrypted: false,
            withheld,
        },
        file: Arc::new(spool),
    })
}

/// `{"seq","recorded_at","withheld":[names],"own_words":[texts],"event":{sections, byte for byte}}`; own words stand only
/// where the input is withheld.
fn write_event(
    line: &Line<'_>,
    recorded_at: &str,
    own_words: &[String],
    out: &mut impl Write,
) -> Result<(), ExportError> {
    let withheld: Vec<&str> = line.redacted().collect();
    write!(
        out,
        "{{\"seq\":{},\"recorded_at\":\"{recorded_at}\",\"withheld\":{},",
        line.seq,
        json!(withheld)
    )?;
    if !own_words.is_empty() {
        write!(out, "\"own_words\":{},", json!(own_words))?;
    }
    out.write_all(b"\"event\":{")?;
    let mut is_first = true;
    for (name, section) in &line.sections {
        let Section::Disclosed { json, .. } = section else {
            continue;
        };
        if !is_first {
            out.write_all(b",")?;
        }
        is_first = false;
        serde_json::to_writer(&mut *out, name)?;
        write!(out, ":{json}")?;
    }
    Ok(out.write_all(b"}}")?)
}
