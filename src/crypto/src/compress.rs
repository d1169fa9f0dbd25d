//! Compression of a payload's plaintext, as a whole, before encryption.

use std::cell::RefCell;
use std::sync::LazyLock;

use zeroize::Zeroizing;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

/// Compression byte of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Compression {
    None = 0,
    /// Zstandard (RFC 8878).
    Zstd = 1,
    /// Zstandard with the built-in dictionary 1.
    ZstdDictionary1 = 2,
}

/// What could not be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// A compression byte of a later version, or none at all.
    #[error("unknown compression {0}")]
    Unknown(u8),
    /// Not a Zstandard frame, or one that inflates beyond the limit.
    #[error("the compressed payload exceeds its limit")]
    Broken,
}

/// The level at which a 7 KB event takes some ten microseconds.
const LEVEL: i32 = 3;

/// Trained on made-up events and on skeletons of common telemetry, never on what tenants wrote. It is part
/// of the format: these bytes never change (another dictionary gets another compression byte).
static DICTIONARY_1: &[u8] = include_bytes!("dictionary-1.bin");

/// The dictionary, digested once for all threads.
struct Dictionaries {
    encoder: EncoderDictionary<'static>,
    decoder: DecoderDictionary<'static>,
}

static DICTIONARIES: LazyLock<Dictionaries> = LazyLock::new(|| Dictionaries {
    encoder: EncoderDictionary::copy(DICTIONARY_1, LEVEL),
    decoder: DecoderDictionary::copy(DICTIONARY_1),
});

thread_local! {
    // A context is some hundred kilobytes: one for each thread, not one for each event.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

impl Compression {
    /// Reads the byte of a payload.
    pub const fn from_byte(byte: u8) -> Result<Self, CompressionError> {
        match byte {
            0 => Ok(Self::None),
            1 => Ok(Self::Zstd),
            2 => Ok(Self::ZstdDictionary1),
            other => Err(CompressionError::Unknown(other)),
        }
    }

    /// The smaller of the text as it is and the text compressed.
    pub fn shrink(text: &[u8]) -> (Self, Zeroizing<Vec<u8>>) {
        match compress_with_dictionary(text) {
            Some(small) if small.len() < text.len() => {
                (Self::ZstdDictionary1, Zeroizing::new(small))
            }
            _ => (Self::None, Zeroizing::new(text.to_vec())),
        }
    }

    /// Undoes [`Self::shrink`], writing at most `limit_bytes`.
    pub fn restore(
        self,
        stored: &[u8],
        limit_bytes: usize,
    ) -> Result<Zeroizing<Vec<u8>>, CompressionError> {
        let text = match self {
            Self::None => Some(stored.to_vec()).filter(|text| text.len() <= limit_bytes),
            // Rare: this program writes only the other two.
            Self::Zstd => Decompressor::new()
                .and_then(|mut decompressor| {
                    decompressor.decompress(stored, capacity(stored, limit_bytes))
                })
                .ok(),
            Self::ZstdDictionary1 => {
                decompress_with_dictionary(stored, capacity(stored, limit_bytes))
            }
        };
        text.map(Zeroizing::new).ok_or(CompressionError::Broken)
    }
}

fn compress_with_dictionary(text: &[u8]) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Compressor::with_prepared_dictionary(&DICTIONARIES.encoder).ok();
        }
        slot.as_mut()?.compress(text).ok()
    })
}

fn decompress_with_dictionary(stored: &[u8], capacity: usize) -> Option<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Decompressor::with_prepared_dictionary(&DICTIONARIES.decoder).ok();
        }
        slot.as_mut()?.decompress(stored, capacity).ok()
    })
}

/// The frame's own size is a claim: it only ever lowers what is allocated.
fn capacity(stored: &[u8], limit_bytes: usize) -> usize {
    let claimed = zstd::zstd_safe::get_frame_content_size(stored)
        .ok()
        .flatten();
    claimed
        .and_then(|bytes| usize::try_from(bytes).ok())
        .map_or(limit_bytes, |bytes| bytes.min(limit_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_limits() {
        let text = b"a text that repeats itself, a text that repeats itself".repeat(20);
        let (compression, small) = Compression::shrink(&text);
        assert_eq!(compression, Compression::ZstdDictionary1);
        assert_eq!(**compression.restore(&small, text.len()).unwrap(), text);
        assert!(compression.restore(&small, text.len() - 1).is_err());
        assert!(
            compression
                .restore(&small[..small.len() - 1], text.len())
                .is_err()
        );
        // The context of a thread is as good as new after a frame that was cut.
        assert_eq!(**compression.restore(&small, text.len()).unwrap(), text);

        let plain = zstd::bulk::compress(&text, 1).unwrap();
        assert_eq!(
            **Compression::Zstd.restore(&plain, text.len()).unwrap(),
            text
        );

        let (compression, same) = Compression::shrink(b"x");
        assert_eq!((compression, &**same), (Compression::None, &b"x"[..]));
        assert_eq!(Compression::from_byte(9), Err(CompressionError::Unknown(9)));
    }
}
