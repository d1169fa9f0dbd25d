//! The last statement that changes the vault, as it is kept beside a head: with a MAC over both, so that an older one can't
//! be put beside a newer head.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use trailkeep_crypto::payload::NumberedKey;
use trailkeep_ports::StoredCheckpoint;
use trailkeep_proof::ids::{RootHash, Seq};

/// Stands for "no statement".
const NONE: u64 = u64::MAX;

/// What stands beside a head.
pub(super) fn encode(newest: Option<Seq>, head: (u64, RootHash), key: &NumberedKey) -> Vec<u8> {
    let seq = newest.map_or(NONE, Seq::get).to_be_bytes();
    let mut bytes = seq.to_vec();
    bytes.extend(mac(seq, head, key).finalize().into_bytes());
    bytes
}

/// What is known of the last statement that changes the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Newest {
    /// It is this one, or there is none.
    Known(Option<Seq>),
    /// An earlier version wrote the head.
    Unknown,
    /// Somebody else wrote it.
    Forged,
}

impl Newest {
    /// What a head says.
    pub(crate) fn of(head: &StoredCheckpoint, key: &NumberedKey) -> Self {
        let Some(stated) = &head.stated else {
            return Self::Unknown;
        };
        let Some((seq, tag)) = stated.split_first_chunk::<8>() else {
            return Self::Forged;
        };
        if mac(*seq, (head.size, head.root), key)
            .verify_slice(tag)
            .is_err()
        {
            return Self::Forged;
        }
        let seq = u64::from_be_bytes(*seq);
        Self::Known((seq != NONE).then_some(Seq::new(seq)))
    }
}

fn mac(seq: [u8; 8], (size, root): (u64, RootHash), key: &NumberedKey) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.key.expose()).expect("HMAC takes keys of any length");
    mac.update(b"trailkeep/newest-statement/v1\n");
    mac.update(&seq);
    mac.update(&size.to_be_bytes());
    mac.update(root.as_bytes());
    mac
}
