//! Sealing one secret under another: AES-256-GCM with a fresh 96-bit nonce.
//!
//! `nonce (12) || ciphertext || tag (16)`. A random nonce is safe for 2^32 sealings under one key
//! (NIST SP 800-38D section 8.3); an epoch key is rotated long before.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use zeroize::Zeroizing;

use super::secret::{DataKey, EpochKey, RandomError, RecordKey, RootKey, random_bytes};

const NONCE_BYTES: usize = 12;

/// What did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the wrapped key or record cannot be opened with this key in this place")]
pub struct DoesNotOpen;

macro_rules! wrapping_key {
    ($key:ty) => {
        impl $key {
            /// Seals a secret for the place that `place` describes.
            pub fn wrap(&self, secret: &[u8], place: &[u8]) -> Result<Vec<u8>, RandomError> {
                wrap_under(self.expose(), secret, place)
            }

            /// Opens what [`Self::wrap`] sealed for the same place.
            pub fn unwrap(
                &self,
                sealed: &[u8],
                place: &[u8],
            ) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
                unwrap_under(self.expose(), sealed, place)
            }
        }
    };
}

wrapping_key!(RootKey);
wrapping_key!(EpochKey);
wrapping_key!(RecordKey);
wrapping_key!(DataKey);

fn wrap_under(key: &[u8; 32], secret: &[u8], place: &[u8]) -> Result<Vec<u8>, RandomError> {
    let nonce: [u8; NONCE_BYTES] = random_bytes()?;
    let ciphertext = Aes256Gcm::new(key.into())
        .encrypt(
            &Nonce::from(nonce),
            Payload {
                msg: secret,
                aad: place,
            },
        )
        .expect("AES-GCM seals messages up to 64 GiB");
    let mut sealed = nonce.to_vec();
    sealed.extend_from_slice(&ciphertext);
    Ok(sealed)
}

fn unwrap_under(
    key: &[u8; 32],
    sealed: &[u8],
    place: &[u8],
) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
    let (nonce, ciphertext) = sealed
        .split_first_chunk::<NONCE_BYTES>()
        .ok_or(DoesNotOpen)?;
    Aes256Gcm::new(key.into())
        .decrypt(
            &Nonce::from(*nonce),
            Payload {
                msg: ciphertext,
                aad: place,
            },
        )
        .map(Zeroizing::new)
        .map_err(|_| DoesNotOpen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_in_its_place_and_whole() {
        let key = EpochKey::new([3; 32]);
        let sealed = key.wrap(b"secret", b"here").unwrap();
        assert_eq!(&**key.unwrap(&sealed, b"here").unwrap(), b"secret");
        assert_eq!(key.unwrap(&sealed, b"there"), Err(DoesNotOpen));
        assert_eq!(
            EpochKey::new([4; 32]).unwrap(&sealed, b"here"),
            Err(DoesNotOpen)
        );
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(
                key.unwrap(&changed, b"here"),
                Err(DoesNotOpen),
                "byte {index}"
            );
            assert_eq!(key.unwrap(&sealed[..index], b"here"), Err(DoesNotOpen));
        }
    }
}
