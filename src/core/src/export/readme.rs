//! README.txt: what the bundle is, for whoever opens it first.

use super::plan::{Plan, Seqs, question};
use crate::ledger::Ledger;
use trailkeep_proof::bundle::verify::fingerprint;

/// The whole text.
pub(super) fn text(ledger: &Ledger, plan: &Plan) -> String {
    let origin = &ledger.record.origin;
    let question = serde_json::to_string(&question(&plan.request)).unwrap_or_default();
    let (by, at) = (&plan.request.asked_by, plan.exported_at);
    let kind = match &plan.seqs {
        Seqs::Range(first, last) => format!(
            "Proof \"range\": every entry of the ledger from seq {first} to seq {last}. Nothing between them can\n\
             have been changed, added, dropped or left out without the verification saying so."
        ),
        Seqs::Selection(seqs) => format!(
            "Proof \"selection\": {} events that answer the question. Each is genuine; nothing is said about\n\
             what was left out.",
            seqs.len()
        ),
    };
    let (key, digits) = (&ledger.verifier, fingerprint(&ledger.verifier));
    format!(
        "TRAILKEEP AUDIT BUNDLE

Ledger       {origin}
Asked by     {by}
Asked at     {at}
Question     {question} (empty: everything)
Export       recorded in the ledger as seq {export_seq}

{kind}

Verify it before you rely on any of it.

1. Get the ledger's public key from somebody else than who gave you this bundle, or compare
   its fingerprint with them by another way. It must be

     {digits}

   which is the SHA-256 of the 32 bytes of the key

     {key}

2. With the verifier, which needs no network and no data directory:

     trailkeep-verify BUNDLE.zip --key PUBLIC.pem

3. Without it, in a new directory:

     unzip BUNDLE.zip
     openssl pkeyutl -verify -rawin -pubin -inkey PUBLIC.pem -in SHA256SUMS -sigfile SHA256SUMS.sig
     sha256sum -c SHA256SUMS

   That checks the signature. That the entries are one chain in the tree that the checkpoint signs, and the
   texts those of the entries, takes a page of Python: docs/verify-without-trailkeep.md of the project.

What is in it

  entries.bin              the public entries: 84 bytes each, no text
  events.jsonl             the texts of the events, with the salts that prove them
  statements.jsonl         what the ledger says of itself: keys, policies, classes, exports
  statements-entries.bin   the entries of these
  dispositions.jsonl       the events that are not shown, and the statement that says why
  boundary.bin             the entries before and after the range
  proofs.json              paths in the tree
  checkpoint               the signed head of the ledger
  keys.txt                 changes of the ledger's key
  public-key.pem, .vkey    the key, for comparing only: a forger would put in his own
  events.csv               the events for a spreadsheet. Signed, not proven by itself.
                           Its cells hold what applications wrote: open it in a
                           spreadsheet, since raw control characters steer a terminal
  report.html              a summary for reading. Signed, not proven
  SHA256SUMS, .sig         digests of all of these, and the signature over them

It holds personal data and leaves the reach of an erasure in the ledger: keep it as such, and delete it
when it has served.
",
        export_seq = plan.export_seq,
    )
}
