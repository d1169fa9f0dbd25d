//! What stands before a ciphertext, and what is derived from it and the data keys.

use aes_gcm::aead::{Aead, AeadInOut, KeyInit, Payload as AeadInput};
use aes_gcm::{Aes256Gcm, Nonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{DATA_KEYS_MAX, EVENT_NONCE_BYTES, KeySet, OpenError};
use crate::compress::Compression;
use trailkeep_proof::ids::{KeyId, Origin};

const FIXED_HEADER_BYTES: usize = 2 + EVENT_NONCE_BYTES + 1;
/// Bytes that AES-GCM adds.
const TAG_BYTES: usize = 16;
/// Bytes of an event salt.
pub(super) const SALT_BYTES: usize = 32;

/// What is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Payload version 1: encrypted once. The event salt comes from the keys, as the key and the nonce do.
    First,
    /// Payload version 2: encrypted again, under other keys than the first. The event salt stands in the text,
    /// since the entry's commitment stays.
    Again,
    /// Payload version 3: as version 1, and parts of the text stand in values.
    Referring,
    /// A value, version 1.
    Value,
}

impl Form {
    const fn version(self) -> u8 {
        match self {
            Self::First | Self::Value => 1,
            Self::Again => 2,
            Self::Referring => 3,
        }
    }

    const fn label(self) -> &'static [u8] {
        match self {
            Self::First => b"trailkeep/event/v1\n",
            Self::Again => b"trailkeep/event/v2\n",
            Self::Referring => b"trailkeep/event/v3\n",
            Self::Value => b"trailkeep/value/v1\n",
        }
    }

    /// Whether the event salt is derived from the keys.
    const fn has_salt(self) -> bool {
        matches!(self, Self::First | Self::Referring)
    }

    pub(super) const fn of_payload(version: u8) -> Result<Self, OpenError> {
        match version {
            1 => Ok(Self::First),
            2 => Ok(Self::Again),
            3 => Ok(Self::Referring),
            other => Err(OpenError::Version(other)),
        }
    }
}

pub(super) struct Header {
    pub(super) form: Form,
    pub(super) compression: Compression,
    pub(super) nonce: [u8; EVENT_NONCE_BYTES],
    pub(super) key_ids: Vec<KeyId>,
}

impl Header {
    pub(super) fn new(
        form: Form,
        compression: Compression,
        nonce: [u8; EVENT_NONCE_BYTES],
        keys: &KeySet,
    ) -> Self {
        Self {
            form,
            compression,
            nonce,
            key_ids: keys.ids().collect(),
        }
    }

    /// Its length, which is where the ciphertext begins.
    fn bytes(&self) -> usize {
        FIXED_HEADER_BYTES + 8 * self.key_ids.len()
    }

    /// With room for what follows.
    fn encode(&self, more_bytes: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes() + more_bytes);
        bytes.extend([self.form.version(), self.compression as u8]);
        bytes.extend_from_slice(&self.nonce);
        bytes.push(self.key_ids.len() as u8);
        for id in &self.key_ids {
            bytes.extend_from_slice(&id.get().to_be_bytes());
        }
        bytes
    }

    pub(super) fn of_payload(payload: &[u8]) -> Result<Self, OpenError> {
        let version = payload.first().ok_or(OpenError::Truncated)?;
        Self::read(payload, Form::of_payload(*version))
    }

    pub(super) fn of_value(value: &[u8]) -> Result<Self, OpenError> {
        let version = *value.first().ok_or(OpenError::Truncated)?;
        let form = if version == Form::Value.version() {
            Ok(Form::Value)
        } else {
            Err(OpenError::Version(version))
        };
        Self::read(value, form)
    }

    fn read(stored: &[u8], form: Result<Form, OpenError>) -> Result<Self, OpenError> {
        let (fixed, rest) = stored
            .split_first_chunk::<FIXED_HEADER_BYTES>()
            .ok_or(OpenError::Truncated)?;
        let form = form?;
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
            form,
            compression,
            nonce,
            key_ids,
        })
    }
}

pub(super) struct Derived {
    key: Zeroizing<[u8; 32]>,
    gcm_nonce: [u8; 12],
    /// Zero of what has none.
    pub(super) event_salt: Zeroizing<[u8; SALT_BYTES]>,
}

pub(super) fn derive(origin: &Origin, keys: &KeySet, header: &Header) -> Derived {
    let mut ikm = Zeroizing::new(Vec::with_capacity(32 * keys.0.len()));
    for numbered in &keys.0 {
        ikm.extend_from_slice(numbered.key.expose());
    }
    let mut okm = Zeroizing::new([0; 76]);
    let length = if header.form.has_salt() { 76 } else { 44 };
    Hkdf::<Sha256>::new(Some(&header.nonce), &ikm)
        .expand_multi_info(
            &[header.form.label(), origin.as_str().as_bytes()],
            &mut okm[..length],
        )
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

/// The header and the ciphertext. `place` is bound to both, and stands in neither.
pub(super) fn encrypt(place: &[u8], header: &Header, okm: &Derived, text: &[u8]) -> Vec<u8> {
    let mut stored = header.encode(text.len() + TAG_BYTES);
    let before = stored.len();
    let aad = [&stored, place].concat();
    stored.extend_from_slice(text);
    let tag = Aes256Gcm::new((&*okm.key).into())
        .encrypt_inout_detached(
            &Nonce::from(okm.gcm_nonce),
            &aad,
            stored[before..].as_mut().into(),
        )
        .expect("AES-GCM seals messages up to 64 GiB");
    stored.extend_from_slice(&tag);
    stored
}

pub(super) fn decrypt(
    place: &[u8],
    header: &Header,
    okm: &Derived,
    stored: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (before, ciphertext) = stored.split_at(header.bytes());
    let input = AeadInput {
        msg: ciphertext,
        aad: &[before, place].concat(),
    };
    Aes256Gcm::new((&*okm.key).into())
        .decrypt(&Nonce::from(okm.gcm_nonce), input)
        .map(Zeroizing::new)
        .map_err(|_| OpenError::DoesNotOpen)
}
