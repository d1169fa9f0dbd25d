//! Sealing, opening, sealing anew.

use super::*;
use std::sync::Arc;

fn keys(ids: &[u64]) -> KeySet {
    let numbered = |id: &u64| NumberedKey {
        id: KeyId::new(*id),
        key: Arc::new(DataKey::new([*id as u8; 32])),
    };
    KeySet::new(ids.iter().map(numbered).collect()).unwrap()
}

const SECTIONS: [(&str, &[u8]); 2] = [("action", b"\"a.b\""), ("actor", b"{\"id\":\"x\"}")];

fn origin() -> Origin {
    Origin::parse("audit.example.com/default").unwrap()
}

#[test]
fn opens_to_the_same_sections() {
    let sealed = seal(&origin(), &keys(&[9, 3]), [1; 16], &SECTIONS).unwrap();
    assert_eq!(
        key_ids(&sealed.payload).unwrap(),
        [KeyId::new(3), KeyId::new(9)]
    );
    let opened = open(
        &origin(),
        &sealed.payload,
        &keys(&[3, 9]),
        &sealed.commitment,
    )
    .unwrap();
    let found: Vec<(&str, &[u8])> = opened
        .sections
        .iter()
        .map(|(n, b)| (n.as_str(), b.as_slice()))
        .collect();
    assert_eq!(found, SECTIONS);
}

#[test]
fn refuses_another_key_ledger_commitment_and_any_changed_byte() {
    let sealed = seal(&origin(), &keys(&[3]), [1; 16], &SECTIONS).unwrap();
    let refused = |payload: &[u8], keys: &KeySet, commitment: &Commitment| {
        open(&origin(), payload, keys, commitment)
            .err()
            .expect("it must not open")
    };
    assert_eq!(
        refused(&sealed.payload, &keys(&[4]), &sealed.commitment),
        OpenError::OtherKeys
    );
    assert_eq!(
        refused(&sealed.payload, &keys(&[3]), &Commitment::new([0; 32])),
        OpenError::Commitment
    );
    let other = Origin::parse("audit.example.com/other").unwrap();
    assert_eq!(
        open(&other, &sealed.payload, &keys(&[3]), &sealed.commitment).err(),
        Some(OpenError::DoesNotOpen)
    );
    for index in 0..sealed.payload.len() {
        let mut changed = sealed.payload.clone();
        changed[index] ^= 0x41;
        refused(&changed, &keys(&[3]), &sealed.commitment);
        refused(&sealed.payload[..index], &keys(&[3]), &sealed.commitment);
    }
}

#[test]
fn sealed_anew_it_gives_the_same_commitment_under_other_keys() {
    let (old, new) = (keys(&[3, 9]), keys(&[12]));
    let sealed = seal(&origin(), &old, [1; 16], &SECTIONS).unwrap();
    let first = open(&origin(), &sealed.payload, &old, &sealed.commitment).unwrap();
    let anew = re_encrypt(&origin(), &new, [2; 16], &first).unwrap();
    assert_eq!(anew[0], 2);
    let second = open(&origin(), &anew, &new, &sealed.commitment).unwrap();
    assert_eq!(second.sections, first.sections);
    assert_eq!(*second.event_salt, *first.event_salt);
    // And once more: the salt is the first one's for ever.
    let again = re_encrypt(&origin(), &old, [3; 16], &second).unwrap();
    assert!(open(&origin(), &again, &old, &sealed.commitment).is_ok());
    for index in 0..anew.len() {
        let mut changed = anew.clone();
        changed[index] ^= 0x41;
        assert!(open(&origin(), &changed, &new, &sealed.commitment).is_err());
        assert!(open(&origin(), &anew[..index], &new, &sealed.commitment).is_err());
    }
}

#[test]
fn padding_is_zero_bytes_only() {
    let mut plaintext = encode_sections(&SECTIONS).unwrap().to_vec();
    plaintext.extend_from_slice(&[0; 5]);
    assert!(decode_sections(&plaintext).is_some());
    plaintext.push(1);
    assert!(decode_sections(&plaintext).is_none());
}
