//! README.txt: what the bundle is, for whoever opens it first.

use crate::export::plan::{Plan, Seqs, question};
use crate::tenant::ledger::Ledger;
use trailkeep_proof::bundle::verify::fingerprint;

/// The whole text.
pub(super) fn text(ledger: &Ledger, plan: &Plan) -> String {
    let origin = &ledger.record.origin;
    let question = serde_json::to_string(&question(&plan.request)).unwrap_or_default();
    let (by, at) = (&plan.request.asked_by, plan.exported_at);
    let kind = match &plan.seqs {
        Seqs::Range(first, last) => format!(
            "Proof \"range\": every entry of the ledger from seq {first} to seq {last}. The verification\n\
             fails if anything between them was changed, added, dropped or left out."
        ),
        Seqs::Selection(seqs) => format!(
            "Proof \"selection\": {} events that match the query. Each is genuine. A selection does not\n\
             prove that nothing was left out.",
            seqs.len()
        ),
    };
    let (key, digits) = (&ledger.verifier, fingerprint(&ledger.verifier));
    format!(
        "TRAILKEEP AUDIT BUNDLE

Ledger       {origin}
Exported by  {by}
Exported at  {at}
Query        {question} (empty: everything)
Export       recorded in the ledger as seq {export_seq}

{kind}

Verify it before you rely on any of it.

1. Get the ledger's public key from someone other than the sender of this bundle, or compare
   its fingerprint with theirs over another channel. It must be

     {digits}

   which is the SHA-256 of the 32 bytes of the key

     {key}

2. With the verifier, which needs no network and no data directory:

     trailkeep-verify BUNDLE.zip --key PUBLIC.pem

3. Without it, in a new directory:

     unzip BUNDLE.zip
     openssl pkeyutl -verify -rawin -pubin -inkey PUBLIC.pem -in SHA256SUMS -sigfile SHA256SUMS.sig
     sha256sum -c SHA256SUMS

   This checks the signature. docs/verify-without-trailkeep.md of the project has a page of Python that checks the
   rest: the entries are one chain in the signed tree, and the payloads are those of the entries.

What is in it

  entries.bin              the public entries: 84 bytes each, no payload
  events.jsonl             the payloads of the events, with the salts that prove them
  statements.jsonl         the ledger's own statements: keys, policies, classes, exports
  statements-entries.bin   the entries of these
  dispositions.jsonl       the events that are not disclosed, and the statement with the reason
  boundary.bin             the entries before and after the range
  proofs.json              paths in the tree
  checkpoint               the ledger's signed checkpoint
  keys.txt                 changes of the ledger's key
  public-key.pem, .vkey    the key, for comparison only: a forger would include another one
  events.csv               the events for a spreadsheet. Signed, not proven by itself.
                           Its cells have what applications wrote: open it in a
                           spreadsheet, not in a terminal
  report.html              a summary for reading. Signed, not proven
  SHA256SUMS, .sig         digests of all of these, and the signature over them

It contains personal data, and an erasure in the ledger does not reach it: store it accordingly, and delete it
when it is no longer needed.
",
        export_seq = plan.export_seq,
    )
}
