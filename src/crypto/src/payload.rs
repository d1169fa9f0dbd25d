//! The payload: an event's sections, compressed and encrypted (docs/format.md, "Payload").

mod header;
mod sections;
mod value;

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use self::header::{Form, Header, SALT_BYTES, decrypt, derive, encrypt};
pub use self::sections::Cut;
use self::sections::{decode_referring, decode_sections, encode_referring, encode_sections};
use self::value::open_value;
pub use self::value::seal_value;
use super::compress::{Compression, CompressionError};
use super::secret::DataKey;
use trailkeep_proof::ids::{Commitment, KeyId, Origin, ValueNumber};
use trailkeep_proof::ledger::commitment::commitment_of;

/// Bytes of an event nonce.
pub const EVENT_NONCE_BYTES: usize = 16;
/// Most data keys of one payload: one for each subject.
pub const DATA_KEYS_MAX: usize = 64;
/// Most bytes of a payload's plaintext: an event of the largest size that can be set, and what the server adds.
const PLAINTEXT_BYTES_MAX: usize = 20 << 20;

/// A data key with its number.
#[derive(Clone, Debug)]
pub struct NumberedKey {
    /// The number that stands in the payload.
    pub id: KeyId,
    pub key: std::sync::Arc<DataKey>,
}

/// The distinct data keys of one event, in ascending order of number: all of them are needed to open it.
#[derive(Clone, Debug)]
pub struct KeySet(Vec<NumberedKey>);

impl KeySet {
    /// Orders the keys and drops repetitions. `None` unless 1 to 64 remain.
    pub fn new(mut keys: Vec<NumberedKey>) -> Option<Self> {
        keys.sort_by_key(|key| key.id);
        keys.dedup_by_key(|key| key.id);
        (1..=DATA_KEYS_MAX)
            .contains(&keys.len())
            .then_some(Self(keys))
    }

    /// The keys but for some.
    pub fn without(&self, gone: impl Fn(KeyId) -> bool) -> Vec<NumberedKey> {
        self.0.iter().filter(|key| !gone(key.id)).cloned().collect()
    }

    /// The keys' numbers, ascending.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.0.iter().map(|key| key.id)
    }
}

/// Why a payload does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Shorter than its own header says.
    #[error("the payload is truncated")]
    Truncated,
    /// Made by a later version of this program, or damaged.
    #[error("unknown payload version {0}")]
    Version(u8),
    /// Not 1 to 64 ascending key numbers.
    #[error("the payload's list of keys is malformed")]
    KeyList,
    /// The keys given are not those that the payload names.
    #[error("the payload names other keys")]
    OtherKeys,
    /// AES-GCM refused: changed bytes, another key or another ledger.
    #[error("the payload does not decrypt")]
    DoesNotOpen,
    /// It decrypted to what is not compressed text.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// It decrypted to what is not a list of sections.
    #[error("the plaintext is malformed")]
    Plaintext,
    /// It decrypted to something else than what the entry commits to.
    #[error("the payload does not match the commitment of its entry")]
    Commitment,
    /// A value that it refers to is not stored.
    #[error("the payload refers to value {0}, which is missing")]
    ValueMissing(ValueNumber),
    /// A value that it refers to is encrypted under other keys: it belongs to other events.
    #[error("the payload refers to value {0}, which names other keys")]
    ValueForeign(ValueNumber),
    /// A value that it refers to was changed, or moved from another place.
    #[error("the payload refers to value {0}, which does not decrypt")]
    Value(ValueNumber),
}

#[derive(Debug)]
pub struct SealedEvent {
    /// The bytes to store.
    pub payload: Vec<u8>,
    /// What goes into the entry.
    pub commitment: Commitment,
}

/// An event, opened, and checked against its entry.
pub struct OpenedEvent {
    /// Name and exact bytes of each section, in ascending order of names.
    pub sections: Vec<(String, Vec<u8>)>,
    /// The values that its payload refers to, ascending, each once.
    pub refers: Vec<ValueNumber>,
    /// Salt from which the section salts come.
    pub event_salt: Zeroizing<[u8; 32]>,
}

/// Seals sections, which are in ascending order of names, under all keys of the set.
///
/// The nonce must be fresh and random for every sealing.
pub fn seal(
    origin: &Origin,
    keys: &KeySet,
    nonce: [u8; EVENT_NONCE_BYTES],
    sections: &[(&str, &[u8])],
) -> Option<SealedEvent> {
    seal_referring(origin, keys, nonce, (sections, &[]))
}

/// The same, with parts of the sections left out that stand in values under the same keys. The cuts are in order and do
/// not overlap. The commitment is to the whole sections.
pub fn seal_referring(
    origin: &Origin,
    keys: &KeySet,
    nonce: [u8; EVENT_NONCE_BYTES],
    (sections, cuts): (&[(&str, &[u8])], &[Cut]),
) -> Option<SealedEvent> {
    let (form, plaintext) = if cuts.is_empty() {
        (Form::First, encode_sections(sections)?)
    } else {
        (Form::Referring, encode_referring(sections, cuts)?)
    };
    let (compression, compressed) = Compression::shrink(&plaintext);
    let header = Header::new(form, compression, nonce, keys);
    let okm = derive(origin, keys, &header);
    let commitment = commitment_of(origin, &okm.event_salt, sections.iter().copied()).ok()?;
    let place = origin.as_str().as_bytes();
    Some(SealedEvent {
        payload: encrypt(place, &header, &okm, &compressed),
        commitment,
    })
}

/// Seals an opened event anew, under other keys, so that it still gives its entry's commitment.
///
/// The nonce must be fresh and random for every sealing.
pub fn re_encrypt(
    origin: &Origin,
    keys: &KeySet,
    nonce: [u8; EVENT_NONCE_BYTES],
    event: &OpenedEvent,
) -> Option<Vec<u8>> {
    let named = event.sections.iter();
    let sections: Vec<(&str, &[u8])> = named
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    let plaintext = encode_sections(&sections)?;
    let (compression, compressed) = Compression::shrink(&plaintext);
    let header = Header::new(Form::Again, compression, nonce, keys);
    let okm = derive(origin, keys, &header);
    let text = Zeroizing::new([event.event_salt.as_slice(), &compressed].concat());
    let place = origin.as_str().as_bytes();
    Some(encrypt(place, &header, &okm, &text))
}

/// The numbers of the keys that a payload needs.
pub fn key_ids(payload: &[u8]) -> Result<Vec<KeyId>, OpenError> {
    Ok(Header::of_payload(payload)?.key_ids)
}

/// The random bytes of a payload's sealing.
pub fn event_nonce(payload: &[u8]) -> Result<[u8; EVENT_NONCE_BYTES], OpenError> {
    Ok(Header::of_payload(payload)?.nonce)
}

/// Whether a payload was sealed anew, under other keys than the first.
pub fn is_re_encrypted(payload: &[u8]) -> bool {
    payload
        .first()
        .is_some_and(|version| Form::of_payload(*version) == Ok(Form::Again))
}

/// Opens a payload and checks it against the commitment of its entry.
///
/// `stored` gives the values that it refers to, in their order; it is asked only where it refers to any.
pub fn open<E: From<OpenError>>(
    origin: &Origin,
    payload: &[u8],
    keys: &KeySet,
    commitment: &Commitment,
    stored: impl FnOnce(&[ValueNumber]) -> Result<Vec<Option<Vec<u8>>>, E>,
) -> Result<OpenedEvent, E> {
    let header = Header::of_payload(payload)?;
    if !keys.ids().eq(header.key_ids.iter().copied()) {
        return Err(OpenError::OtherKeys.into());
    }
    let okm = derive(origin, keys, &header);
    let opened = decrypt(origin.as_str().as_bytes(), &header, &okm, payload)?;
    let (event_salt, compressed) = if header.form == Form::Again {
        let (salt, text) = opened
            .split_first_chunk::<SALT_BYTES>()
            .ok_or(OpenError::Plaintext)?;
        (Zeroizing::new(*salt), text)
    } else {
        (okm.event_salt, opened.as_slice())
    };
    let plaintext = header
        .compression
        .restore(compressed, PLAINTEXT_BYTES_MAX)
        .map_err(OpenError::from)?;
    let mut refers = Vec::new();
    let sections = if header.form == Form::Referring {
        let referring = decode_referring(&plaintext).ok_or(OpenError::Plaintext)?;
        refers = referring.numbers();
        let mut values = BTreeMap::new();
        let mut found = stored(&refers)?.into_iter();
        for number in &refers {
            let bytes = found.next().flatten();
            let value = open_value(origin, keys, *number, bytes.as_deref())?;
            values.insert(*number, value);
        }
        referring.complete(&values)
    } else {
        decode_sections(&plaintext)
    };
    let sections = sections.ok_or(OpenError::Plaintext)?;

    // AES-GCM does not commit to its key; the commitment does.
    let named = sections
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    match commitment_of(origin, &event_salt, named) {
        Ok(found) if found == *commitment => Ok(OpenedEvent {
            sections,
            refers,
            event_salt,
        }),
        _ => Err(OpenError::Commitment.into()),
    }
}

/// For [`open`], where nothing but the payload is at hand: one that refers to values does not open.
pub fn no_values(_: &[ValueNumber]) -> Result<Vec<Option<Vec<u8>>>, OpenError> {
    Ok(Vec::new())
}

#[cfg(test)]
mod tests;
