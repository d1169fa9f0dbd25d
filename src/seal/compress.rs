//! Compression of a payload's plaintext, as a whole, before encryption.

use zeroize::Zeroizing;

/// Compression byte of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Compression {
    /// As it is.
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
    #[error("the compressed text does not inflate within its limit")]
    Broken,
}

/// The level at which a 7 KB event takes some ten microseconds.
const LEVEL: i32 = 3;

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
        match zstd::bulk::compress(text, LEVEL) {
            Ok(small) if small.len() < text.len() => (Self::Zstd, Zeroizing::new(small)),
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
            Self::None if stored.len() <= limit_bytes => stored.to_vec(),
            Self::None => return Err(CompressionError::Broken),
            Self::Zstd => inflate(stored, limit_bytes)?,
            Self::ZstdDictionary1 => return Err(CompressionError::Unknown(2)),
        };
        Ok(Zeroizing::new(text))
    }
}

fn inflate(stored: &[u8], limit_bytes: usize) -> Result<Vec<u8>, CompressionError> {
    // The frame's own size is a claim: it only ever lowers what is allocated.
    let claimed = zstd::zstd_safe::get_frame_content_size(stored)
        .ok()
        .flatten();
    let capacity = claimed
        .and_then(|bytes| usize::try_from(bytes).ok())
        .map_or(limit_bytes, |bytes| bytes.min(limit_bytes));
    zstd::bulk::decompress(stored, capacity).map_err(|_| CompressionError::Broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_limits() {
        let text = b"a text that repeats itself, a text that repeats itself".repeat(20);
        let (compression, small) = Compression::shrink(&text);
        assert_eq!(compression, Compression::Zstd);
        assert_eq!(**compression.restore(&small, text.len()).unwrap(), text);
        assert!(compression.restore(&small, text.len() - 1).is_err());
        assert!(
            compression
                .restore(&small[..small.len() - 1], text.len())
                .is_err()
        );

        let (compression, same) = Compression::shrink(b"x");
        assert_eq!((compression, &**same), (Compression::None, &b"x"[..]));
        assert_eq!(Compression::from_byte(9), Err(CompressionError::Unknown(9)));
    }
}
