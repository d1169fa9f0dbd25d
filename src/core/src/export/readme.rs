//! README.txt: what the bundle is, for whoever opens it first: an auditor, or the person whose copy it is.

use crate::export::person::{PersonScope, date};
use crate::export::plan::{Plan, Seqs, question};
use crate::tenant::ledger::Ledger;
use trailkeep_proof::bundle::verify::fingerprint;
use trailkeep_proof::text::counted;

/// The whole text.
pub(super) fn text(ledger: &Ledger, plan: &Plan) -> String {
    match &plan.request.person {
        Some(person) => for_person(ledger, plan, person),
        None => for_auditor(ledger, plan),
    }
}

/// The text in a person's copy.
fn for_person(ledger: &Ledger, plan: &Plan, person: &PersonScope) -> String {
    let origin = &ledger.record.origin;
    let day = date(plan.exported_at);
    let (receipt, received_on) = (&person.receipt, person.received_on);
    let digits = fingerprint(&ledger.verifier);
    format!(
        "YOUR COPY

This is the answer to your request {receipt}, received on {received_on}.
It was made on {day} from the log {origin}.

Open the file person.html. It shows in plain words what is recorded about you, who accessed it,
how long it is kept, and what is not shown and why. Any web browser opens it, without the
internet. You can print it.

You need no other file to read your data. Keep this ZIP file as it is, because it also proves that
nothing in it was changed since.

The other files

  events.csv       the main fields of each event as a table. A spreadsheet program opens it.
                   Its cells have what applications wrote: do not follow links in it
  events.jsonl     each event in full, one a line, for programs. Where person.html says that
                   something was cut, the whole stands here
  report.html      numbers about the events
  all others       proof that the events are those that were recorded

Your rights

Quote the number {receipt} when you write to the sender. person.html says under \"Your rights\" what
you may ask for, and that you may complain.

It contains your personal data. Keep it where others cannot read it, and delete it when you do not
need it any more.

Check it (optional, for someone with technical knowledge)

  trailkeep-verify FILE.zip --key PUBLIC.pem

The program needs no network. Get the public key from someone other than the sender, or compare its
fingerprint over another channel:

  {digits}

docs/verify-without-trailkeep.md of the project shows how to check the file without the program.
"
    )
}

/// The text in a bundle for auditors.
fn for_auditor(ledger: &Ledger, plan: &Plan) -> String {
    let origin = &ledger.record.origin;
    let question = serde_json::to_string(&question(&plan.request)).unwrap_or_default();
    let (by, at) = (&plan.request.asked_by, plan.exported_at);
    let kind = match &plan.seqs {
        Seqs::Range(first, last) => format!(
            "Proof \"range\": every entry of the ledger from seq {first} to seq {last}. The verification\n\
             fails if anything between them was changed, added, dropped or left out."
        ),
        Seqs::Selection(seqs) => format!(
            "Proof \"selection\": {}, all that match the query. Each is genuine. A selection does not\n\
             prove that nothing was left out.",
            counted(seqs.len() as u64, "event")
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
