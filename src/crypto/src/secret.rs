//! Secrets: types that erase themselves and do not print.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use trailkeep_proof::ids::{KeyId, Seq, Tag};

/// The machine's random generator failed. Nothing can be sealed without it.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes ({0}); nothing was written")]
pub struct RandomError(getrandom::Error);

/// Fresh random bytes from the operating system.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(RandomError)?;
    Ok(bytes)
}

macro_rules! secret_type {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Zeroize, ZeroizeOnDrop)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes the 32 bytes of the secret.
            pub const fn new(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// A new random secret.
            pub fn random() -> Result<Self, RandomError> {
                Ok(Self(random_bytes()?))
            }

            /// Reads 32 bytes; `None` for any other length.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// The secret bytes, for the place that computes with them.
            pub fn expose(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

secret_type! {
    /// Opens `epoch.key`. It stands outside of the data directory's backups.
    RootKey
}
secret_type! {
    /// Seals every secret in the vault; rotated after a destruction.
    EpochKey
}
secret_type! {
    /// Key of one (ledger, person, retention class, period), or of a ledger's system events.
    /// Destroying it erases what it seals.
    DataKey
}
secret_type! {
    /// The bytes of an index key.
    IndexSecret
}

/// Key of a ledger's look-up tags. HMAC takes it in once, for all tags.
#[derive(Clone)]
pub struct IndexKey {
    secret: IndexSecret,
    /// Erases itself, too (feature `zeroize` of hmac and sha2).
    keyed: Hmac<Sha256>,
}

secret_type! {
    /// Key of its own that seals whom a record is about: it goes before the record does.
    RecordKey
}

secret_type! {
    /// Key of the tokens that previews give. It is not stored: a token ends with its process.
    PreviewKey
}

/// What kind of value a tag stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TagLabel {
    /// A person whom an event is about.
    Subject,
    /// The same, but for the spelling of their identifier.
    SubjectFolded,
    /// Who did it.
    Actor,
    /// What it was done to.
    Target,
    /// `context.conversation`.
    Conversation,
    /// `context.trace_id`.
    Trace,
    /// `action`.
    Action,
    /// `outcome`.
    Outcome,
    /// A requested or answering model.
    Model,
    /// `llm.prompt.name`.
    Prompt,
    /// `retention.record`.
    Record,
    /// The producer of `source`.
    Source,
    /// `id`.
    EventId,
}

impl TagLabel {
    /// The label's bytes in the tag's message.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::SubjectFolded => "subject-folded",
            Self::Actor => "actor",
            Self::Target => "target",
            Self::Conversation => "conversation",
            Self::Trace => "trace",
            Self::Action => "action",
            Self::Outcome => "outcome",
            Self::Model => "model",
            Self::Prompt => "prompt",
            Self::Record => "record",
            Self::Source => "source",
            Self::EventId => "event-id",
        }
    }
}

impl From<IndexSecret> for IndexKey {
    fn from(secret: IndexSecret) -> Self {
        let keyed = Hmac::new_from_slice(secret.expose());
        Self {
            secret,
            keyed: keyed.expect("HMAC takes keys of any length"),
        }
    }
}

impl fmt::Debug for IndexKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("IndexKey(..)")
    }
}

impl IndexKey {
    /// Takes the 32 bytes of the secret.
    pub fn new(bytes: [u8; 32]) -> Self {
        IndexSecret::new(bytes).into()
    }

    /// A new random secret.
    pub fn random() -> Result<Self, RandomError> {
        Ok(IndexSecret::random()?.into())
    }

    /// Reads 32 bytes; `None` for any other length.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        IndexSecret::from_slice(bytes).map(Self::from)
    }

    /// The secret bytes, for the place that stores them encrypted.
    pub fn expose(&self) -> &[u8; 32] {
        self.secret.expose()
    }

    /// The tag of a value (docs/format.md, "Tags"). No normalisation: other bytes, other tag.
    pub fn tag(&self, label: TagLabel, namespace: &str, id: &str) -> Tag {
        let mut mac = self.keyed.clone();
        let label = label.as_str();
        mac.update(b"trailkeep/tag/v1\n");
        mac.update(&[label.len() as u8]);
        mac.update(label.as_bytes());
        for part in [namespace, id] {
            // Events are at most 1 MiB, but a part is at most 65,535 bytes by the event schema.
            mac.update(&(part.len() as u16).to_be_bytes());
            mac.update(part.as_bytes());
        }
        tag_of(mac)
    }

    /// By which equal bytes under equal data keys are recognized while a process runs. It is not stored.
    pub fn value_tag(&self, keys: impl Iterator<Item = KeyId>, bytes: &[u8]) -> Tag {
        let mut mac = self.keyed.clone();
        mac.update(b"trailkeep/value-tag/v1\n");
        // Bytes come last, and a JSON value does not begin with the zero byte that ends the keys.
        for id in keys {
            mac.update(&[1]);
            mac.update(&id.get().to_be_bytes());
        }
        mac.update(&[0]);
        mac.update(bytes);
        tag_of(mac)
    }
}

fn tag_of(mac: Hmac<Sha256>) -> Tag {
    let digest = mac.finalize().into_bytes();
    let mut tag = [0; 16];
    tag.copy_from_slice(&digest[..16]);
    Tag::new(tag)
}

/// The salt of an event's item in a statement (docs/format.md, "Cover"): nobody without the ledger's system key can
/// tell which events an item may be of.
pub fn item_salt(system_key: &DataKey, nonce: &[u8; 16], seq: Seq) -> [u8; 16] {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(&system_key.0).expect("HMAC takes keys of any length");
    mac.update(b"trailkeep/item/v1\n");
    mac.update(nonce);
    mac.update(&seq.get().to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let mut salt = [0; 16];
    salt.copy_from_slice(&digest[..16]);
    salt
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn secrets_do_not_print() {
        let key = DataKey::new([7; 32]);
        assert_eq!(format!("{key:?}"), "DataKey(..)");
    }

    proptest! {
        #[test]
        fn tags_of_different_values_differ(
            a in (0usize..3, ".{0,12}", ".{0,12}"),
            b in (0usize..3, ".{0,12}", ".{0,12}"),
        ) {
            let labels = [TagLabel::Subject, TagLabel::Actor, TagLabel::Target];
            let key = IndexKey::new([1; 32]);
            let tag = |v: &(usize, String, String)| key.tag(labels[v.0], &v.1, &v.2);
            prop_assert_eq!(a == b, tag(&a) == tag(&b));
        }

        #[test]
        fn moving_a_byte_between_namespace_and_id_changes_the_tag(text in "[a-z]{2,20}", cut in 1usize..19) {
            prop_assume!(cut < text.len());
            let key = IndexKey::new([1; 32]);
            let whole = key.tag(TagLabel::Subject, "", &text);
            let split = key.tag(TagLabel::Subject, &text[..cut], &text[cut..]);
            prop_assert_ne!(whole, split);
        }
    }
}
