//! The payload: an event's sections, compressed and encrypted (docs/format.md, "Payload").

use aes_gcm::aead::{Aead, KeyInit, Payload as AeadInput};
use aes_gcm::{Aes256Gcm, Nonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::compress::{Compression, CompressionError};
use super::secret::DataKey;
use trailkeep_proof::ids::{Commitment, KeyId, Origin};
use trailkeep_proof::ledger::commitment::commitment_of;

/// Bytes of an event nonce.
pub const EVENT_NONCE_BYTES: usize = 16;
/// Most data keys of one payload: one for each subject.
pub const DATA_KEYS_MAX: usize = 64;
/// Most bytes of a payload's plaintext: an event of the largest size that can be set, and what the server adds.
const PLAINTEXT_BYTES_MAX: usize = 20 << 20;
/// Sealed once: the event salt comes from the keys, as the key and the nonce do.
const VERSION: u8 = 1;
/// Sealed anew, under other keys: the event salt stands in the text, since the entry's commitment stays.
const VERSION_ANEW: u8 = 2;
/// Bytes of an event salt.
const SALT_BYTES: usize = 32;
const FIXED_HEADER_BYTES: usize = 2 + EVENT_NONCE_BYTES + 1;

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
    let header = Header::new(VERSION, Compression::None, nonce, keys);
    let okm = derive(origin, keys, &header);
    let commitment = commitment_of(origin, &okm.event_salt, sections.iter().copied()).ok()?;
    let plaintext = encode_sections(sections)?;
    let (compression, compressed) = Compression::shrink(&plaintext);
    let header = Header {
        compression,
        ..header
    };
    Some(SealedEvent {
        payload: encrypt(origin, &header, &okm, &compressed),
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
    let header = Header::new(VERSION_ANEW, compression, nonce, keys);
    let okm = derive(origin, keys, &header);
    let text = Zeroizing::new([event.event_salt.as_slice(), &compressed].concat());
    Some(encrypt(origin, &header, &okm, &text))
}

fn encrypt(origin: &Origin, header: &Header, okm: &Derived, text: &[u8]) -> Vec<u8> {
    let mut payload = header.encode();
    let place = additional_data(&payload, origin);
    let input = AeadInput {
        msg: text,
        aad: &place,
    };
    let ciphertext = Aes256Gcm::new((&*okm.key).into())
        .encrypt(&Nonce::from(okm.gcm_nonce), input)
        .expect("AES-GCM seals messages up to 64 GiB");
    payload.extend_from_slice(&ciphertext);
    payload
}

/// The numbers of the keys that a payload needs.
pub fn key_ids(payload: &[u8]) -> Result<Vec<KeyId>, OpenError> {
    Ok(Header::read(payload)?.key_ids)
}

/// The random bytes of a payload's sealing.
pub fn event_nonce(payload: &[u8]) -> Result<[u8; EVENT_NONCE_BYTES], OpenError> {
    Ok(Header::read(payload)?.nonce)
}

/// Whether a payload was sealed anew, under other keys than the first.
pub fn is_re_encrypted(payload: &[u8]) -> bool {
    payload.first() == Some(&VERSION_ANEW)
}

/// Opens a payload and checks it against the commitment of its entry.
pub fn open(
    origin: &Origin,
    payload: &[u8],
    keys: &KeySet,
    commitment: &Commitment,
) -> Result<OpenedEvent, OpenError> {
    let header = Header::read(payload)?;
    if !keys.ids().eq(header.key_ids.iter().copied()) {
        return Err(OpenError::OtherKeys);
    }
    let okm = derive(origin, keys, &header);
    let (before, ciphertext) = payload.split_at(header.bytes());
    let place = additional_data(before, origin);
    let input = AeadInput {
        msg: ciphertext,
        aad: &place,
    };
    let opened = Aes256Gcm::new((&*okm.key).into())
        .decrypt(&Nonce::from(okm.gcm_nonce), input)
        .map(Zeroizing::new)
        .map_err(|_| OpenError::DoesNotOpen)?;
    let (event_salt, compressed) = if header.version == VERSION_ANEW {
        let (salt, text) = opened
            .split_first_chunk::<SALT_BYTES>()
            .ok_or(OpenError::Plaintext)?;
        (Zeroizing::new(*salt), text)
    } else {
        (okm.event_salt, opened.as_slice())
    };
    let plaintext = header
        .compression
        .restore(compressed, PLAINTEXT_BYTES_MAX)?;
    let sections = decode_sections(&plaintext).ok_or(OpenError::Plaintext)?;

    // AES-GCM does not commit to its key; the commitment does.
    let named = sections
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    match commitment_of(origin, &event_salt, named) {
        Ok(found) if found == *commitment => Ok(OpenedEvent {
            sections,
            event_salt,
        }),
        _ => Err(OpenError::Commitment),
    }
}

struct Header {
    version: u8,
    compression: Compression,
    nonce: [u8; EVENT_NONCE_BYTES],
    key_ids: Vec<KeyId>,
}

impl Header {
    fn new(
        version: u8,
        compression: Compression,
        nonce: [u8; EVENT_NONCE_BYTES],
        keys: &KeySet,
    ) -> Self {
        Self {
            version,
            compression,
            nonce,
            key_ids: keys.ids().collect(),
        }
    }

    /// Its length, which is where the ciphertext begins.
    fn bytes(&self) -> usize {
        FIXED_HEADER_BYTES + 8 * self.key_ids.len()
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.version, self.compression as u8];
        bytes.extend_from_slice(&self.nonce);
        bytes.push(self.key_ids.len() as u8);
        for id in &self.key_ids {
            bytes.extend_from_slice(&id.get().to_be_bytes());
        }
        bytes
    }

    fn read(payload: &[u8]) -> Result<Self, OpenError> {
        let (fixed, rest) = payload
            .split_first_chunk::<FIXED_HEADER_BYTES>()
            .ok_or(OpenError::Truncated)?;
        let version = fixed[0];
        if ![VERSION, VERSION_ANEW].contains(&version) {
            return Err(OpenError::Version(version));
        }
        let compression = Compression::from_byte(fixed[1])?;
        let mut nonce = [0; EVENT_NONCE_BYTES];
        nonce.copy_from_slice(&fixed[2..2 + EVENT_NONCE_BYTES]);
        let count = usize::from(fixed[FIXED_HEADER_BYTES - 1]);
        if !(1..=DATA_KEYS_MAX).contains(&count) {
            return Err(OpenError::KeyList);
        }
        let ids = rest.get(..8 * count).ok_or(OpenError::Truncated)?;
        let (ids, _) = ids.as_chunks::<8>();
        let key_ids: Vec<KeyId> = ids
            .iter()
            .map(|id| KeyId::new(u64::from_be_bytes(*id)))
            .collect();
        if !key_ids.is_sorted_by(|a, b| a < b) {
            return Err(OpenError::KeyList);
        }
        Ok(Self {
            version,
            compression,
            nonce,
            key_ids,
        })
    }
}

struct Derived {
    key: Zeroizing<[u8; 32]>,
    gcm_nonce: [u8; 12],
    /// Of a first sealing; zero of a later one.
    event_salt: Zeroizing<[u8; SALT_BYTES]>,
}

fn derive(origin: &Origin, keys: &KeySet, header: &Header) -> Derived {
    let mut ikm = Zeroizing::new(Vec::with_capacity(32 * keys.0.len()));
    for numbered in &keys.0 {
        ikm.extend_from_slice(numbered.key.expose());
    }
    let mut okm = Zeroizing::new([0; 76]);
    let (label, length): (&[u8], usize) = if header.version == VERSION_ANEW {
        (b"trailkeep/event/v2\n", 44)
    } else {
        (b"trailkeep/event/v1\n", 76)
    };
    Hkdf::<Sha256>::new(Some(&header.nonce), &ikm)
        .expand_multi_info(&[label, origin.as_str().as_bytes()], &mut okm[..length])
        .expect("76 bytes are fewer than HKDF-SHA256's 8,160");
    let mut derived = Derived {
        key: Zeroizing::new([0; 32]),
        gcm_nonce: [0; 12],
        event_salt: Zeroizing::new([0; SALT_BYTES]),
    };
    derived.key.copy_from_slice(&okm[..32]);
    derived.gcm_nonce.copy_from_slice(&okm[32..44]);
    derived.event_salt.copy_from_slice(&okm[44..]);
    derived
}

fn additional_data(before_ciphertext: &[u8], origin: &Origin) -> Vec<u8> {
    [before_ciphertext, origin.as_str().as_bytes()].concat()
}

fn encode_sections(sections: &[(&str, &[u8])]) -> Option<Zeroizing<Vec<u8>>> {
    let bytes: usize = sections
        .iter()
        .map(|(name, text)| 6 + name.len() + text.len())
        .sum();
    if 2 + bytes > PLAINTEXT_BYTES_MAX {
        return None;
    }
    let mut plaintext = Zeroizing::new(Vec::with_capacity(2 + bytes));
    plaintext.extend_from_slice(&u16::try_from(sections.len()).ok()?.to_be_bytes());
    for (name, text) in sections {
        plaintext.extend_from_slice(&u16::try_from(name.len()).ok()?.to_be_bytes());
        plaintext.extend_from_slice(name.as_bytes());
        plaintext.extend_from_slice(&u32::try_from(text.len()).ok()?.to_be_bytes());
        plaintext.extend_from_slice(text);
    }
    Some(plaintext)
}

fn decode_sections(plaintext: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let (count, mut rest) = plaintext.split_first_chunk::<2>()?;
    let mut sections = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (name, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let (text, after) =
            after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        sections.push((std::str::from_utf8(name).ok()?.to_owned(), text.to_vec()));
        rest = after;
    }
    rest.iter().all(|byte| *byte == 0).then_some(sections)
}

#[cfg(test)]
mod tests;
