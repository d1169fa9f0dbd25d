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
        no_values,
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
        open(&origin(), payload, keys, commitment, no_values)
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
        open(
            &other,
            &sealed.payload,
            &keys(&[3]),
            &sealed.commitment,
            no_values
        )
        .err(),
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
    let first = open(
        &origin(),
        &sealed.payload,
        &old,
        &sealed.commitment,
        no_values,
    )
    .unwrap();
    let anew = re_encrypt(&origin(), &new, [2; 16], &first).unwrap();
    assert_eq!(anew[0], 2);
    let second = open(&origin(), &anew, &new, &sealed.commitment, no_values).unwrap();
    assert_eq!(second.sections, first.sections);
    assert_eq!(*second.event_salt, *first.event_salt);
    // And once more: the salt is the first one's for ever.
    let again = re_encrypt(&origin(), &old, [3; 16], &second).unwrap();
    assert!(open(&origin(), &again, &old, &sealed.commitment, no_values).is_ok());
    for index in 0..anew.len() {
        let mut changed = anew.clone();
        changed[index] ^= 0x41;
        assert!(open(&origin(), &changed, &new, &sealed.commitment, no_values).is_err());
        assert!(
            open(
                &origin(),
                &anew[..index],
                &new,
                &sealed.commitment,
                no_values
            )
            .is_err()
        );
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

const HISTORY: &[u8] = b"[{\"role\":\"user\",\"content\":\"hello there\"},{\"role\":\"user\",\"content\":\"hello there\"},3]";
const REFERRING: [(&str, &[u8]); 3] = [
    ("action", b"\"a.b\""),
    ("input", HISTORY),
    ("output", b"\"hello\""),
];

fn cut(section: usize, range: std::ops::Range<usize>, value: u64) -> Cut {
    Cut {
        section,
        range,
        value: ValueNumber::new(value),
    }
}

/// Two equal messages in one value, and a whole section in another.
fn referring() -> (SealedEvent, Vec<u8>, Vec<u8>) {
    let keys = keys(&[3, 9]);
    let message = &HISTORY[1..40];
    assert_eq!(message, &HISTORY[41..80]);
    let cuts = [cut(1, 1..40, 7), cut(1, 41..80, 7), cut(2, 0..7, 5)];
    let sealed = seal_referring(&origin(), &keys, [1; 16], (&REFERRING, &cuts)).unwrap();
    let seven = seal_value(&origin(), &keys, [2; 16], ValueNumber::new(7), message);
    let five = seal_value(&origin(), &keys, [3; 16], ValueNumber::new(5), b"\"hello\"");
    (sealed, five, seven)
}

fn with(
    sealed: &SealedEvent,
    values: [Option<&[u8]>; 2],
) -> Result<Vec<(String, Vec<u8>)>, OpenError> {
    let stored = |numbers: &[ValueNumber]| {
        assert_eq!(numbers, [ValueNumber::new(5), ValueNumber::new(7)]);
        Ok::<_, OpenError>(values.map(|value| value.map(<[u8]>::to_vec)).to_vec())
    };
    let keys = keys(&[3, 9]);
    let (payload, commitment) = (&sealed.payload, &sealed.commitment);
    open(&origin(), payload, &keys, commitment, stored).map(|opened| opened.sections)
}

#[test]
fn what_stands_in_values_is_put_back_byte_for_byte() {
    let (sealed, five, seven) = referring();
    assert_eq!(sealed.payload[0], 3);
    let found = with(&sealed, [Some(&five), Some(&seven)]).unwrap();
    let found: Vec<(&str, &[u8])> = found.iter().map(|(n, b)| (&**n, &**b)).collect();
    assert_eq!(found, REFERRING);
    // The commitment is over the whole text. Only the salt, which the version gives, is another.
    let whole = seal(&origin(), &keys(&[3, 9]), [1; 16], &REFERRING).unwrap();
    assert_eq!(whole.payload[0], 1);
    let none = seal_referring(&origin(), &keys(&[3, 9]), [1; 16], (&REFERRING, &[])).unwrap();
    assert_eq!(none.payload, whole.payload);
}

#[test]
fn a_value_that_is_missing_foreign_moved_or_changed_is_named() {
    let (sealed, five, seven) = referring();
    let number = ValueNumber::new;
    let refused = |values: [Option<&[u8]>; 2]| with(&sealed, values).unwrap_err();
    assert_eq!(
        refused([Some(&five), None]),
        OpenError::ValueMissing(number(7))
    );
    let foreign = seal_value(&origin(), &keys(&[3]), [2; 16], number(7), &HISTORY[1..40]);
    assert_eq!(
        refused([Some(&five), Some(&foreign)]),
        OpenError::ValueForeign(number(7))
    );
    let other = Origin::parse("audit.example.com/other").unwrap();
    let elsewhere = seal_value(&other, &keys(&[3, 9]), [2; 16], number(7), &HISTORY[1..40]);
    assert_eq!(
        refused([Some(&five), Some(&elsewhere)]),
        OpenError::Value(number(7))
    );
    assert_eq!(
        refused([Some(&seven), Some(&five)]),
        OpenError::Value(number(5)),
        "a value is bound to its number"
    );
    let other_bytes = seal_value(&origin(), &keys(&[3, 9]), [2; 16], number(5), b"\"other\"");
    assert_eq!(
        refused([Some(&other_bytes), Some(&seven)]),
        OpenError::Commitment
    );
    for index in 0..seven.len() {
        let mut changed = seven.clone();
        changed[index] ^= 0x41;
        refused([Some(&five), Some(&changed)]);
        refused([Some(&five), Some(&seven[..index])]);
    }
    let keys = keys(&[3, 9]);
    let (payload, commitment) = (&sealed.payload, &sealed.commitment);
    let opened = open(&origin(), payload, &keys, commitment, no_values);
    assert_eq!(opened.err(), Some(OpenError::ValueMissing(number(5))));
}

#[test]
fn re_encrypted_it_refers_to_nothing() {
    let (sealed, five, seven) = referring();
    let old = keys(&[3, 9]);
    let stored = |_: &[ValueNumber]| Ok::<_, OpenError>(vec![Some(five), Some(seven)]);
    let (payload, commitment) = (&sealed.payload, &sealed.commitment);
    let first = open(&origin(), payload, &old, commitment, stored).unwrap();
    let again = re_encrypt(&origin(), &keys(&[12]), [2; 16], &first).unwrap();
    let second = open(&origin(), &again, &keys(&[12]), commitment, no_values).unwrap();
    assert_eq!(second.sections, first.sections);
}

#[test]
fn cuts_out_of_order_or_place_are_refused() {
    let sealed = |cuts: &[Cut]| {
        let keys = keys(&[3]);
        seal_referring(&origin(), &keys, [1; 16], (&REFERRING, cuts))
    };
    assert!(sealed(&[cut(1, 1..40, 7)]).is_some());
    for cuts in [
        vec![cut(1, 41..80, 7), cut(1, 1..40, 7)],
        vec![cut(1, 1..40, 7), cut(1, 39..80, 7)],
        vec![cut(2, 0..7, 5), cut(1, 1..40, 7)],
        vec![cut(1, 1..999, 7)],
        vec![cut(9, 1..2, 7)],
    ] {
        assert!(sealed(&cuts).is_none(), "{cuts:?}");
    }
}

#[test]
fn positions_in_a_plaintext_are_ascending_and_within() {
    let plaintext = encode_referring(&REFERRING, &[cut(1, 1..40, 7), cut(1, 41..80, 7)]).unwrap();
    assert!(decode_referring(&plaintext).is_some());
    for length in 0..plaintext.len() {
        assert!(decode_referring(&plaintext[..length]).is_none());
    }
    // Behind the section `input`: two positions, each before the number of its value.
    let rest = 2 + (6 + 6 + 5 + 2) + (6 + 5 + HISTORY.len() - 78 + 2);
    let swap = |first: u8, second: u8| {
        let mut changed = plaintext.to_vec();
        assert_eq!((changed[rest + 3], changed[rest + 15]), (1, 2));
        (changed[rest + 3], changed[rest + 15]) = (first, second);
        decode_referring(&changed).is_some()
    };
    assert!(swap(2, 2));
    assert!(!swap(2, 1));
    assert!(!swap(1, 200));
}
