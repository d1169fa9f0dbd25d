//! Which of several versions a unit gets: the same one each time, by a rule that anybody can compute.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::PromptName;

/// All weights of a label together: a weight is so many ten-thousandths.
pub const WEIGHTS: u32 = 10_000;
/// Versions that a label may stand for at once.
pub const VARIANTS_MAX: usize = 16;

/// A version and its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// The version.
    pub version: u32,
    /// Its share in ten-thousandths.
    pub weight: u32,
}

/// Why variants were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariantsError {
    /// None, or too many.
    #[error("a label stands for 1 to {VARIANTS_MAX} versions")]
    Count,
    /// A version twice.
    #[error("version {0} is named twice: name each version once")]
    Twice(u32),
    /// A version that nobody would get.
    #[error("version {0} has the weight 0: leave it out")]
    Zero(u32),
    /// Weights that are not a whole.
    #[error("the weights sum to {0}: ten-thousandths must sum to {WEIGHTS}")]
    Sum(u64),
}

/// The versions that a label stands for. Their weights sum to [`WEIGHTS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Variant>", into = "Vec<Variant>")]
pub struct Variants(Vec<Variant>);

impl Variants {
    /// Checks them.
    pub fn new(variants: Vec<Variant>) -> Result<Self, VariantsError> {
        if !(1..=VARIANTS_MAX).contains(&variants.len()) {
            return Err(VariantsError::Count);
        }
        for (position, variant) in variants.iter().enumerate() {
            let before = &variants[..position];
            if before.iter().any(|other| other.version == variant.version) {
                return Err(VariantsError::Twice(variant.version));
            }
            if variant.weight == 0 {
                return Err(VariantsError::Zero(variant.version));
            }
        }
        let sum: u64 = variants
            .iter()
            .map(|variant| u64::from(variant.weight))
            .sum();
        if sum != u64::from(WEIGHTS) {
            return Err(VariantsError::Sum(sum));
        }
        Ok(Self(variants))
    }

    /// One version for all.
    pub fn one(version: u32) -> Self {
        let weight = WEIGHTS;
        Self(vec![Variant { version, weight }])
    }

    /// The variants, in their order.
    pub fn all(&self) -> &[Variant] {
        &self.0
    }

    /// The version that stands first: of a client without a unit.
    pub fn first(&self) -> Variant {
        self.0[0]
    }

    /// Whether it is an experiment.
    pub fn are_several(&self) -> bool {
        self.0.len() > 1
    }

    /// Whether a version is one of them.
    pub fn has(&self, version: u32) -> bool {
        self.0.iter().any(|variant| variant.version == version)
    }

    /// The same in the order of those before: versions that stay stand where they stood, new ones behind. With two versions a
    /// change of weights then moves no unit but those of the share that moves.
    #[must_use]
    pub fn in_order_of(mut self, before: &Self) -> Self {
        let place = |variant: &Variant| {
            let mut known = before.0.iter();
            known
                .position(|other| other.version == variant.version)
                .unwrap_or(usize::MAX)
        };
        self.0.sort_by_key(place);
        self
    }

    /// The variant of a unit whose bucket is this one.
    pub fn of_bucket(&self, bucket: u32) -> Variant {
        self.0[position_of(&self.0, bucket)]
    }
}

impl TryFrom<Vec<Variant>> for Variants {
    type Error = VariantsError;

    fn try_from(variants: Vec<Variant>) -> Result<Self, VariantsError> {
        Self::new(variants)
    }
}

impl From<Variants> for Vec<Variant> {
    fn from(variants: Variants) -> Self {
        variants.0
    }
}

/// Where the bucket lies: the first variant whose weight, with those before it, is more than the bucket.
pub fn position_of(variants: &[Variant], bucket: u32) -> usize {
    let mut end = 0;
    let found = variants.iter().position(|variant| {
        end += u64::from(variant.weight);
        u64::from(bucket) < end
    });
    // Buckets are below the sum of all weights.
    found.unwrap_or(0)
}

/// The bucket of a unit in an experiment, from 0 to 9,999. `seq` is that of the statement that began the experiment.
pub fn bucket(name: &PromptName, seq: u64, unit: &[u8]) -> u32 {
    let mut hash = Sha256::new();
    hash.update(b"trailkeep/ab/v1\n");
    hash.update(name.length());
    hash.update(name.as_str());
    hash.update(seq.to_be_bytes());
    hash.update(unit);
    let hash = hash.finalize();
    let first = hash[..8]
        .iter()
        .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    (first % u64::from(WEIGHTS)) as u32
}

/// Which field of an event is the unit of an experiment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// `context.conversation`.
    #[default]
    Conversation,
    /// The id of the first of `subjects`.
    Subject,
    /// `context.session`.
    Session,
}

impl Unit {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Conversation, Self::Subject, Self::Session];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conversation => "conversation",
            Self::Subject => "subject",
            Self::Session => "session",
        }
    }

    /// The unit of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variants(list: &[(u32, u32)]) -> Vec<Variant> {
        let of = |(version, weight): &(u32, u32)| Variant {
            version: *version,
            weight: *weight,
        };
        list.iter().map(of).collect()
    }

    fn checked(list: &[(u32, u32)]) -> Variants {
        Variants::new(variants(list)).unwrap()
    }

    #[test]
    fn weights_are_a_whole_and_each_version_stands_once() {
        assert_eq!(Variants::one(3), checked(&[(3, 10_000)]));
        for (list, error) in [
            (&[][..], VariantsError::Count),
            (&[(1, 9_999)], VariantsError::Sum(9_999)),
            (&[(1, 5_000), (1, 5_000)], VariantsError::Twice(1)),
            (&[(1, 10_000), (2, 0)], VariantsError::Zero(2)),
            (
                &[(1, u32::MAX), (2, u32::MAX)],
                VariantsError::Sum(2 * u64::from(u32::MAX)),
            ),
        ] {
            assert_eq!(Variants::new(variants(list)), Err(error));
        }
        let many: Vec<(u32, u32)> = (1..=17).map(|version| (version, 1)).collect();
        assert_eq!(Variants::new(variants(&many)), Err(VariantsError::Count));
        let stored = r#"[{"version":1,"weight":1}]"#;
        assert!(serde_json::from_str::<Variants>(stored).is_err());
    }

    #[test]
    fn a_bucket_lies_in_the_share_of_its_variant() {
        let both = checked(&[(1, 9_000), (2, 1_000)]);
        for (bucket, version) in [(0, 1), (8_999, 1), (9_000, 2), (9_999, 2)] {
            assert_eq!(both.of_bucket(bucket).version, version);
        }
    }

    #[test]
    fn what_stays_keeps_its_place() {
        let before = checked(&[(4, 9_000), (2, 1_000)]);
        let after = checked(&[(7, 100), (2, 400), (4, 9_500)]).in_order_of(&before);
        assert_eq!(after, checked(&[(4, 9_500), (2, 400), (7, 100)]));
    }

    #[test]
    fn buckets_are_those_of_the_published_rule() {
        let name = PromptName::parse("support/refund").unwrap();
        // By Python's hashlib, from the text of docs/format.md.
        for (seq, unit, expected) in [
            (17, "c-1", 5048),
            (17, "c-2", 2373),
            (18, "c-1", 3395),
            (1 << 40, "ä", 969),
            (0, "", 9727),
        ] {
            assert_eq!(
                bucket(&name, seq, unit.as_bytes()),
                expected,
                "{seq} {unit}"
            );
        }
        let other = PromptName::parse("support/refunds").unwrap();
        assert_ne!(bucket(&name, 17, b"c-1"), bucket(&other, 17, b"c-1"));
    }

    #[test]
    fn units_have_their_words() {
        for unit in Unit::ALL {
            assert_eq!(Unit::parse(unit.as_str()), Some(unit));
            let json = serde_json::to_string(&unit).unwrap();
            assert_eq!(json, format!("\"{}\"", unit.as_str()));
        }
        assert_eq!(Unit::parse("user"), None);
        assert_eq!(Unit::default(), Unit::Conversation);
    }
}
