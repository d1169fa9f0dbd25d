//! A bundle as it arrives: the archive, its members, and what is repaired after a way there.
#![no_main]

use std::io;

use libfuzzer_sys::fuzz_target;
use trailkeep_proof::bundle::archive::Source;
use trailkeep_proof::bundle::verify::{Question, verify};
use trailkeep_proof::ledger::note::PublicKey;

struct Bytes<'a>(&'a [u8]);

impl Source for Bytes<'_> {
    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.0.get(at..));
        let rest = rest.unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

fuzz_target!(|data: &[u8]| {
    let key = include_str!("../../tests/bundle/vectors/public.pem");
    let key = PublicKey::parse(key).expect("the key of the vectors");
    let question = Question {
        key: &key,
        against: None,
        witnesses: &[],
    };
    let report = verify(&Bytes(data), &question, &mut |_, _| ()).expect("memory can be read");
    assert!(
        report.authentic || !report.findings.is_empty(),
        "what is refused has a finding"
    );
});
