//! The text of `epoch.key`: the epoch keys, each wrapped by the root key.
//!
//! ```text
//! trailkeep/epoch-key/v1
//! directory 2f0c…                     (32 hex digits: which data directory it belongs to)
//! epoch 1 <base64 of the wrapped key>
//! ```
//! During a rotation two epochs stand in it, otherwise one.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::secret::{EpochKey, RandomError, RootKey};

const FIRST_LINE: &str = "trailkeep/epoch-key/v1";

/// Random number of a data directory, in each of its files: it tells when one was swapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectoryId([u8; 16]);

impl DirectoryId {
    /// Wraps 16 random bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Reads 32 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32
            || !text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        {
            return None;
        }
        let mut bytes = [0; 16];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl std::fmt::Display for DirectoryId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&trailkeep_proof::ids::hex(&self.0))
    }
}

/// Number of an epoch, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EpochNumber(pub u32);

/// An epoch key with its number.
#[derive(Clone, Debug)]
pub struct Epoch {
    pub number: EpochNumber,
    pub key: EpochKey,
}

/// Why `epoch.key` gives no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EpochFileError {
    /// Not this format, or cut off.
    #[error("epoch.key is damaged: {0}; restore the epoch.key that belongs to this vault")]
    Malformed(&'static str),
    /// Another directory's file.
    #[error(
        "epoch.key belongs to another data directory; restore the one that belongs to this vault"
    )]
    Foreign,
    /// The root key is another one.
    #[error(
        "the root key does not open epoch.key: it is the wrong root key; use the one that this directory was created with (root.key, TRAILKEEP_ROOT_KEY_FILE, TRAILKEEP_ROOT_KEY or TRAILKEEP_ROOT_KEY_COMMAND)"
    )]
    WrongRootKey,
}

/// Writes the file's text.
pub fn encode(
    root: &RootKey,
    directory: DirectoryId,
    epochs: &[Epoch],
) -> Result<String, RandomError> {
    let mut text = format!("{FIRST_LINE}\ndirectory {directory}\n");
    for epoch in epochs {
        let wrapped = root.wrap(
            epoch.key.expose(),
            place(directory, epoch.number).as_bytes(),
        )?;
        let _ = writeln!(text, "epoch {} {}", epoch.number.0, BASE64.encode(wrapped));
    }
    Ok(text)
}

/// Reads the file's text. The last epoch is the one to seal under.
pub fn decode(
    root: &RootKey,
    directory: DirectoryId,
    text: &str,
) -> Result<Vec<Epoch>, EpochFileError> {
    use EpochFileError::{Foreign, Malformed, WrongRootKey};
    let body = text
        .strip_suffix('\n')
        .ok_or(Malformed("it does not end with a line end"))?;
    let mut lines = body.split('\n');
    if lines.next() != Some(FIRST_LINE) {
        return Err(Malformed("it does not begin with the name of its format"));
    }
    let named = lines
        .next()
        .and_then(|line| line.strip_prefix("directory "))
        .and_then(DirectoryId::parse);
    if named.ok_or(Malformed("its second line names no directory"))? != directory {
        return Err(Foreign);
    }
    let mut epochs = Vec::new();
    for line in lines {
        let parts = line
            .strip_prefix("epoch ")
            .and_then(|rest| rest.split_once(' '));
        let (number, wrapped) = parts.ok_or(Malformed("a line is not an epoch"))?;
        let number = EpochNumber(
            number
                .parse()
                .map_err(|_| Malformed("an epoch has no number"))?,
        );
        let wrapped = BASE64
            .decode(wrapped)
            .map_err(|_| Malformed("an epoch is not base64"))?;
        let key = root
            .unwrap(&wrapped, place(directory, number).as_bytes())
            .map_err(|_| WrongRootKey)?;
        let key = EpochKey::from_slice(&key).ok_or(Malformed("an epoch key is not 32 bytes"))?;
        epochs.push(Epoch { number, key });
    }
    if epochs.is_empty() || !epochs.is_sorted_by(|a, b| a.number < b.number) {
        return Err(Malformed("its epochs are missing or not ascending"));
    }
    Ok(epochs)
}

fn place(directory: DirectoryId, number: EpochNumber) -> String {
    format!("trailkeep/epoch/v1\n{directory}\n{}", number.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_refusals() {
        let (root, directory) = (RootKey::new([1; 32]), DirectoryId::new([2; 16]));
        let epoch = Epoch {
            number: EpochNumber(1),
            key: EpochKey::new([3; 32]),
        };
        let text = encode(&root, directory, std::slice::from_ref(&epoch)).unwrap();
        let read = decode(&root, directory, &text).unwrap();
        assert_eq!(read[0].key.expose(), epoch.key.expose());
        assert_eq!(
            decode(&RootKey::new([9; 32]), directory, &text).unwrap_err(),
            EpochFileError::WrongRootKey
        );
        assert_eq!(
            decode(&root, DirectoryId::new([9; 16]), &text).unwrap_err(),
            EpochFileError::Foreign
        );
        for length in 0..text.len() {
            assert!(
                decode(&root, directory, &text[..length]).is_err(),
                "cut at {length}"
            );
        }
    }
}
