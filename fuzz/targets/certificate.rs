//! A certificate, signed here with the key of the vectors, so that what comes after the signature is reached too.
#![no_main]

use ed25519_dalek::{Signer, SigningKey};
use libfuzzer_sys::fuzz_target;
use trailkeep_proof::ids::bytes_from_hex;
use trailkeep_proof::ledger::note::PublicKey;
use trailkeep_proof::privacy::check::{Question, check};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let key = include_str!("../../tests/bundle/vectors/signing-key.hex");
    let key = bytes_from_hex(key.trim()).expect("the key of the vectors");
    let key = SigningKey::from_bytes(&key);
    let question = Question {
        signature: &key.sign(data).to_bytes(),
        key: &PublicKey::Bare(key.verifying_key()),
        subject: Some(("patient", "p-1")),
    };
    let report = check(text, &question);
    assert!(
        report.verified || !report.findings.is_empty(),
        "what is refused has a finding"
    );
});
