//! Receipts, checkpoints, cosignatures and key changes: signed notes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trailkeep_proof::ledger::checkpoint::Checkpoint;
use trailkeep_proof::ledger::cosignature::WitnessKey;
use trailkeep_proof::ledger::key_change::KeyChange;
use trailkeep_proof::ledger::note::{PublicKey, SignedNote};
use trailkeep_proof::ledger::proof::Receipt;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let key = include_str!("../../tests/bundle/vectors/public.pem");
    let key = PublicKey::parse(key).expect("the key of the vectors");
    if let Ok(note) = SignedNote::parse(text) {
        let _ = Checkpoint::parse(note.text());
    }
    let _ = PublicKey::parse(text);
    let _ = WitnessKey::parse(text);
    if let Ok(origin) = Checkpoint::claimed_origin(text) {
        let _ = KeyChange::open_all(text, &origin);
    }
    let Ok(receipt) = Receipt::parse(text) else {
        return;
    };
    // Base64 has one form and so have the lines: what was read is written the same.
    assert_eq!(receipt.to_text(), text);
    if let Ok(origin) = receipt.claimed_origin()
        && let Ok(verifier) = key.verifier_for(&origin)
    {
        let _ = receipt.verify(&verifier);
    }
});
