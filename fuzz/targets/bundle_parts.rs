//! The members of a bundle, which the verifier reads only where their signature holds: here without one. The first byte
//! chooses the member.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trailkeep_proof::bundle::line::{Disposition, Line};
use trailkeep_proof::bundle::manifest::Manifest;
use trailkeep_proof::bundle::{proofs, sums};
use trailkeep_proof::ledger::entry::Entry;

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    match (choice % 6, std::str::from_utf8(rest)) {
        (0, Ok(text)) => drop(Manifest::parse(text)),
        (1, Ok(text)) => drop(sums::parse(text)),
        (2, _) => drop(Line::parse(rest)),
        (4, _) => drop(proofs::read(rest, &mut drop)),
        (5, _) => drop(Disposition::parse(rest)),
        (3, _) => {
            if let Ok(entry) = Entry::decode(rest) {
                assert_eq!(entry.encode()[..], *rest, "an entry has one form");
            }
        }
        _ => {}
    }
});
