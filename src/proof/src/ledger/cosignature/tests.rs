use super::*;
use crate::ids::{Origin, RootHash};
use crate::ledger::checkpoint::Checkpoint;
use ed25519_dalek::{Signer, SigningKey};

pub(crate) fn witness(byte: u8, name: &str) -> (SigningKey, WitnessKey) {
    let signing = SigningKey::from_bytes(&[byte; 32]);
    let key = WitnessKey::from_public(name, &signing.verifying_key());
    (signing, key)
}

pub(crate) fn cosign(
    text: &str,
    seconds: u64,
    (signing, key): &(SigningKey, WitnessKey),
) -> String {
    let signature = signing.sign(signed_text(seconds, text).as_bytes());
    let bytes = [&seconds.to_be_bytes()[..], &signature.to_bytes()].concat();
    signature_line(key.name(), key.id, &bytes)
}

pub(crate) fn note() -> String {
    let checkpoint = Checkpoint {
        origin: Origin::parse("a.b/x").unwrap(),
        size: 7,
        root: RootHash::new([5; 32]),
    };
    checkpoint.sign(&SigningKey::from_bytes(&[1; 32]))
}

fn text(note: &str) -> String {
    SignedNote::parse(note).unwrap().text().to_owned()
}

#[test]
fn the_signed_text_is_that_of_the_specification() {
    let expected = "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let checkpoint =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    assert_eq!(signed_text(1_679_315_147, checkpoint), expected);
}

#[test]
fn a_key_reads_as_it_is_written_and_only_of_its_type() {
    let (signing, key) = witness(3, "w.example/1");
    assert_eq!(WitnessKey::parse(&key.to_string()), Ok(key.clone()));
    let ledger_key =
        crate::ledger::note::VerifierKey::from_public("w.example/1", &signing.verifying_key());
    assert!(WitnessKey::parse(&ledger_key.to_string()).is_err());
    assert!(crate::ledger::note::VerifierKey::parse(&key.to_string()).is_err());
    assert!(WitnessKey::parse(&key.to_string().replace("w.example/1", "w.example/2")).is_err());
}

#[test]
fn an_answer_is_taken_only_with_the_witness_s_own_signature() {
    let note = note();
    let (one, other) = (witness(3, "w.example/1"), witness(4, "w.example/2"));
    let line = cosign(&text(&note), 1_700_000_000, &one);
    let strange = cosign(&text(&note), 1_700_000_000, &other);
    let (kept, moment) = one.1.accept(&note, &format!("{strange}{line}")).unwrap();
    assert_eq!(kept, line);
    assert_eq!(moment.to_string(), "2023-11-14T22:13:20.000Z");
    assert!(matches!(
        one.1.accept(&note, &strange),
        Err(CosignatureError::Absent { .. })
    ));
    // The same name with another key, another checkpoint, another time, and no time at all.
    let forged = cosign(&text(&note), 1_700_000_000, &witness(5, "w.example/1"));
    assert!(one.1.accept(&note, &forged).is_err());
    let elsewhere = cosign("a.b/x\n8\nx\n", 1_700_000_000, &one);
    assert_eq!(
        one.1.accept(&note, &elsewhere),
        Err(CosignatureError::Wrong("w.example/1".to_owned()))
    );
    let never = cosign(&text(&note), 0, &one);
    assert_eq!(
        one.1.accept(&note, &never),
        Err(CosignatureError::Form("w.example/1".to_owned()))
    );
    let signature = one.0.sign(text(&note).as_bytes()).to_bytes();
    let bare = signature_line("w.example/1", one.1.id, &signature);
    assert!(one.1.accept(&note, &bare).is_err());
    for answer in ["", "\n", "ok\n", line.trim_end(), &format!("{line}\n")] {
        assert!(one.1.accept(&note, answer).is_err(), "{answer:?}");
    }
}

#[test]
fn of_a_key_that_signed_already_the_first_line_stays() {
    let note = note();
    let line = cosign(&text(&note), 1, &witness(3, "w.example/1"));
    let once = with_lines(&note, &line);
    assert_eq!(with_lines(&once, &line), once);
    let later = cosign(&text(&note), 2, &witness(3, "w.example/1"));
    assert_eq!(with_lines(&once, &later), once);
    assert_eq!(once, format!("{note}{line}"));
}
