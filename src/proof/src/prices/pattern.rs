//! Which models a price is for.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const LENGTH_MAX: usize = 256;

/// Names of models: `gpt-4o` is that name alone, in `gpt-4o-*` a `*` stands for any text, and in `gpt-4o-####-##-##` a `#`
/// for one digit. Small and capital letters are the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelPattern(String);

impl ModelPattern {
    /// A pattern of printable ASCII without capital letters and quotes, with something in it besides `*`.
    pub fn new(text: &str) -> Option<Self> {
        let fits = |byte: u8| {
            byte.is_ascii_graphic() && !byte.is_ascii_uppercase() && !b"\"\\'`".contains(&byte)
        };
        let is_pattern = (1..=LENGTH_MAX).contains(&text.len())
            && text.bytes().all(fits)
            && text.bytes().any(|byte| byte != b'*');
        is_pattern.then(|| Self(text.to_owned()))
    }

    /// The text of the pattern.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the name of one model.
    pub fn is_exact(&self) -> bool {
        !self.0.contains(['*', '#'])
    }

    /// How closely it describes a name: a name alone, then the pattern with more characters besides `*`, then one whose only
    /// `*` is its end.
    pub fn closeness(&self) -> (bool, usize, bool) {
        let said = self.0.bytes().filter(|byte| *byte != b'*').count();
        let is_prefix = self.0.find('*') == Some(self.0.len() - 1);
        (self.is_exact(), said, is_prefix)
    }

    /// Whether a name fits. Takes no more steps than the product of both lengths.
    pub fn matches(&self, model: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), model.as_bytes());
        let (mut at, mut place) = (0, 0);
        // Where the last `*` stands, and up to where it reaches so far.
        let mut star: Option<(usize, usize)> = None;
        while let Some(byte) = name.get(place) {
            match pattern.get(at) {
                Some(b'*') => {
                    star = Some((at, place));
                    at += 1;
                }
                Some(mark) if fits(*mark, *byte) => {
                    at += 1;
                    place += 1;
                }
                _ => {
                    let Some((of_star, reach)) = star else {
                        return false;
                    };
                    star = Some((of_star, reach + 1));
                    (at, place) = (of_star + 1, reach + 1);
                }
            }
        }
        pattern
            .get(at..)
            .is_some_and(|rest| rest.iter().all(|mark| *mark == b'*'))
    }
}

fn fits(mark: u8, byte: u8) -> bool {
    match mark {
        b'#' => byte.is_ascii_digit(),
        mark => mark == byte.to_ascii_lowercase(),
    }
}

impl fmt::Display for ModelPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Serialize for ModelPattern {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        writer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ModelPattern {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(reader)?;
        Self::new(&text).ok_or_else(|| {
            de::Error::custom(
                "not a model: write small letters, digits and signs, such as `gpt-4o` or `gpt-4o-*`",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_and_a_hash_a_digit() {
        let matches = |pattern: &str, name| ModelPattern::new(pattern).unwrap().matches(name);
        for (pattern, name) in [
            ("gpt-4o", "gpt-4o"),
            ("gpt-4o", "GPT-4o"),
            ("gpt-4o-*", "gpt-4o-"),
            ("gpt-4o-*", "gpt-4o-2024-08-06"),
            ("gpt-4o-####-##-##", "gpt-4o-2024-08-06"),
            ("*nova-lite*", "us.amazon.nova-lite-v1:0"),
            ("a*b*c", "a-b-b-c"),
            ("*c", "abcc"),
            ("**a", "a"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("gpt-4o", "gpt-4o-mini"),
            ("gpt-4o-####-##-##", "gpt-4o-2024-08-0x"),
            ("gpt-4o-*", "gpt-4o"),
            ("a*b*c", "a-c-b"),
            ("*c", "abcd"),
            ("a", ""),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        for bad in ["", "*", "**", "GPT", "a b", "a\"", "é"] {
            assert_eq!(ModelPattern::new(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_time() {
        let pattern = ModelPattern::new(&"a*".repeat(128)).unwrap();
        assert!(!pattern.matches(&"ab".repeat(60)));
        assert!(!pattern.matches(&"b".repeat(20_000)));
        assert!(pattern.matches(&"a".repeat(20_000)));
    }
}
