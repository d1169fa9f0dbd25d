//! JSON as it was written, for pages: members in their order, numbers digit by digit. `12.50` stays `12.50`, and an
//! order number of 20 digits stays that number.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Values inside of values that are read; what is deeper stays its text.
const DEPTH_MAX: usize = 64;

/// A JSON value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Exact {
    #[default]
    Null,
    Bool(bool),
    /// Its digits as written.
    Number(String),
    Text(String),
    List(Vec<Exact>),
    Members(Vec<(String, Exact)>),
}

/// The members of an object, in their order.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Pairs<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl Exact {
    /// Reads a text; one that is no JSON stays a text.
    pub(super) fn read(text: &str) -> Self {
        Self::at(text.trim(), 0)
    }

    /// The value of a section, null where there is none.
    pub(super) fn section(sections: &[(String, Vec<u8>)], wanted: &str) -> Self {
        let found = sections.iter().find(|(name, _)| name == wanted);
        let text = found.and_then(|(_, bytes)| std::str::from_utf8(bytes).ok());
        text.map(Self::read).unwrap_or_default()
    }

    fn at(text: &str, depth: usize) -> Self {
        let plain = || Self::Text(text.to_owned());
        if depth > DEPTH_MAX {
            return plain();
        }
        match text.as_bytes().first() {
            Some(b'{') => serde_json::from_str::<Pairs<'_>>(text).map_or_else(
                |_| plain(),
                |Pairs(pairs)| {
                    let pairs = pairs.into_iter();
                    let read = |raw: &RawValue| Self::at(raw.get(), depth + 1);
                    Self::Members(pairs.map(|(name, raw)| (name, read(raw))).collect())
                },
            ),
            Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(text).map_or_else(
                |_| plain(),
                |items| {
                    let items = items.into_iter();
                    Self::List(items.map(|raw| Self::at(raw.get(), depth + 1)).collect())
                },
            ),
            Some(b'"') => serde_json::from_str(text).map_or_else(|_| plain(), Self::Text),
            Some(b'-' | b'0'..=b'9') if serde_json::from_str::<&RawValue>(text).is_ok() => {
                Self::Number(text.to_owned())
            }
            _ => match text {
                "null" => Self::Null,
                "true" => Self::Bool(true),
                "false" => Self::Bool(false),
                _ => plain(),
            },
        }
    }

    /// JSON that stands inside of a string, as some libraries write the arguments of a tool.
    pub(super) fn unpacked(&self) -> Self {
        match self {
            Self::Text(text) if text.trim_start().starts_with(['{', '[']) => Self::read(text),
            other => other.clone(),
        }
    }

    pub(super) fn get(&self, name: &str) -> &Self {
        const NONE: &Exact = &Exact::Null;
        let found = self.members().iter().find(|(known, _)| known == name);
        found.map_or(NONE, |(_, value)| value)
    }

    pub(super) fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Members(members) => members,
            _ => &[],
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A value that has no others inside, in words.
    pub(super) fn plain(&self) -> Option<String> {
        match self {
            Self::Null => Some("none".to_owned()),
            Self::Bool(yes) => Some(if *yes { "yes" } else { "no" }.to_owned()),
            Self::Number(text) | Self::Text(text) => Some(text.clone()),
            Self::List(items) if items.is_empty() => Some("none".to_owned()),
            Self::Members(members) if members.is_empty() => Some("none".to_owned()),
            Self::List(_) | Self::Members(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_order_stay_and_no_text_breaks_it() {
        let read = Exact::read(r#"{"b":12.50,"a":[12345678901234567890,1e400],"s":"é\n"}"#);
        let names: Vec<&str> = read.members().iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["b", "a", "s"]);
        assert_eq!(*read.get("b"), Exact::Number("12.50".to_owned()));
        let Exact::List(items) = read.get("a") else {
            panic!("{read:?}")
        };
        assert_eq!(items[0], Exact::Number("12345678901234567890".to_owned()));
        assert_eq!(read.get("s").text(), Some("é\n"));
        for broken in ["{", "[1,", "\"", "-", "nul", "", "{\"a\":}"] {
            assert_eq!(Exact::read(broken), Exact::Text(broken.to_owned()));
        }
        let deep = "[".repeat(100) + &"]".repeat(100);
        assert!(matches!(Exact::read(&deep), Exact::List(_)));
        let packed = Exact::Text(r#"{"order":4711}"#.to_owned());
        assert_eq!(
            *packed.unpacked().get("order"),
            Exact::Number("4711".to_owned())
        );
    }
}
