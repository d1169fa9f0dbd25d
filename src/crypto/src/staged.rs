//! What waits on disk before it is an event: texts sealed under the staging key of a day, and the tags by which
//! they are told apart.
//!
//! Sealed: `compression (1) || text`, as in a payload, wrapped as in wrap.rs. The staging key is a data key
//! that seals no payload.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::compress::Compression;
use super::secret::{DataKey, IndexKey, RandomError};
use super::wrap::DoesNotOpen;
use trailkeep_proof::ids::Tag;

/// Largest text that is opened.
const TEXT_BYTES_MAX: usize = 64 << 20;

/// Seals a text for a place.
pub fn seal_staged(key: &DataKey, text: &[u8], place: &str) -> Result<Vec<u8>, RandomError> {
    let (compression, small) = Compression::shrink(text);
    let mut plain = Zeroizing::new(vec![compression as u8]);
    plain.extend_from_slice(&small);
    key.wrap(&plain, place.as_bytes())
}

/// Opens what [`seal_staged`] sealed for the same place.
pub fn open_staged(
    key: &DataKey,
    sealed: &[u8],
    place: &str,
) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
    let plain = key.unwrap(sealed, place.as_bytes())?;
    let (compression, small) = plain.split_first().ok_or(DoesNotOpen)?;
    let compression = Compression::from_byte(*compression).map_err(|_| DoesNotOpen)?;
    compression
        .restore(small, TEXT_BYTES_MAX)
        .map_err(|_| DoesNotOpen)
}

/// First 16 bytes of HMAC-SHA256(index key, "trailkeep/staging/v1\n" || label || "\n" || value): the file shows
/// which rows belong together, and nothing else.
pub fn staging_tag(key: &IndexKey, label: &str, value: &[u8]) -> Tag {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.expose()).expect("HMAC takes keys of any length");
    for part in [b"trailkeep/staging/v1\n", label.as_bytes(), b"\n", value] {
        mac.update(part);
    }
    let digest = mac.finalize().into_bytes();
    let mut tag = [0; 16];
    tag.copy_from_slice(&digest[..16]);
    Tag::new(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_in_its_place_alone_and_tags_differ_by_label() {
        let key = DataKey::new([5; 32]);
        let text = b"a person's text ".repeat(40);
        let sealed = seal_staged(&key, &text, "here").unwrap();
        assert!(sealed.len() < text.len());
        assert_eq!(**open_staged(&key, &sealed, "here").unwrap(), text);
        assert_eq!(open_staged(&key, &sealed, "there"), Err(DoesNotOpen));
        assert_eq!(
            open_staged(&DataKey::new([6; 32]), &sealed, "here"),
            Err(DoesNotOpen)
        );
        let index = IndexKey::new([1; 32]);
        assert_ne!(
            staging_tag(&index, "a", b"x"),
            staging_tag(&index, "b", b"x")
        );
    }
}
