//! A value: a part of events' texts that is encrypted once, under the keys of all events that refer to it.

use zeroize::Zeroizing;

use super::header::{Form, Header, decrypt, derive, encrypt};
use super::{EVENT_NONCE_BYTES, KeySet, OpenError, PLAINTEXT_BYTES_MAX};
use crate::compress::Compression;
use trailkeep_proof::ids::{Origin, ValueNumber};

/// Encrypts a value under the keys of the events that refer to it, for its place in the ledger.
///
/// The nonce must be fresh and random for every encryption.
pub fn seal_value(
    origin: &Origin,
    keys: &KeySet,
    nonce: [u8; EVENT_NONCE_BYTES],
    number: ValueNumber,
    bytes: &[u8],
) -> Vec<u8> {
    let (compression, compressed) = Compression::shrink(bytes);
    let header = Header::new(Form::Value, compression, nonce, keys);
    let okm = derive(origin, keys, &header);
    encrypt(&place(number, origin), &header, &okm, &compressed)
}

/// Opens a value that a payload under these keys refers to.
pub(super) fn open_value(
    origin: &Origin,
    keys: &KeySet,
    number: ValueNumber,
    stored: Option<&[u8]>,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let stored = stored.ok_or(OpenError::ValueMissing(number))?;
    let damaged = |_| OpenError::Value(number);
    let header = Header::of_value(stored).map_err(damaged)?;
    if !keys.ids().eq(header.key_ids.iter().copied()) {
        return Err(OpenError::ValueForeign(number));
    }
    let okm = derive(origin, keys, &header);
    let compressed = decrypt(&place(number, origin), &header, &okm, stored).map_err(damaged)?;
    header
        .compression
        .restore(&compressed, PLAINTEXT_BYTES_MAX)
        .map_err(|_| OpenError::Value(number))
}

fn place(number: ValueNumber, origin: &Origin) -> Vec<u8> {
    [&number.get().to_be_bytes(), origin.as_str().as_bytes()].concat()
}
