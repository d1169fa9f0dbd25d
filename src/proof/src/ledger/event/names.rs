//! Names of members: read without a copy where possible, and compared within their object.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Visitor};

/// The names of one object, compared after decoding escapes.
#[derive(Default)]
pub(super) struct Names<'de> {
    first: Vec<Cow<'de, str>>,
    more: HashSet<Cow<'de, str>>,
}

impl<'de> Names<'de> {
    /// Most objects are small: comparing each with each is faster there than hashing, and above it
    /// hashing keeps hostile objects from taking quadratic time.
    const SMALL: usize = 16;

    pub(super) fn contains(&self, name: &str) -> bool {
        self.first.iter().any(|known| known == name) || self.more.contains(name)
    }

    /// `false` where the name is already there.
    pub(super) fn insert(&mut self, name: Cow<'de, str>) -> bool {
        if self.contains(&name) {
            return false;
        }
        if self.first.len() < Self::SMALL {
            self.first.push(name);
            true
        } else {
            self.more.insert(name)
        }
    }
}

/// Reads a member's name, without a copy where it has no escapes.
pub(super) struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
