//! JSON in one pass, without a tree: whether it reads the same in every reader, and the members of its outermost value.

use super::words::{escaped_char, plain_end};

/// Levels that are followed; `check_json` allows more.
const DEPTH_MAX: usize = 32;
/// Names of one object that are compared each with each.
const NAMES_MAX: usize = 64;
/// Digits of a whole number or a fraction, and of an exponent, so that no number is beyond a double.
const DIGITS_MAX: usize = 18;
const EXPONENT_DIGITS_MAX: usize = 2;

/// Names of the objects that are open, the outermost object's first. One list serves text after text.
pub(in crate::bundle) type Names<'t> = Vec<&'t str>;

/// Whether `check_json` accepts this text for certain.
pub(in crate::bundle) fn is_usual<'t>(text: &'t str, names: &mut Names<'t>) -> bool {
    let mut reader = Reader::new(text, names);
    reader.value(0).is_some() && reader.is_at_end()
}

/// Gives each member of an object, name and value, in the order of the text. `None` where `check_json` may not accept the text,
/// or it is no object; some members may have been given then.
pub(in crate::bundle) fn members<'t>(
    text: &'t str,
    names: &mut Names<'t>,
    each: &mut impl FnMut(&'t str, &'t str),
) -> Option<()> {
    let mut reader = Reader::new(text, names);
    reader.expect(b'{')?;
    reader.object(1, each)?;
    reader.is_at_end().then_some(())
}

/// The same for the elements of an array.
pub(in crate::bundle) fn elements<'t>(
    text: &'t str,
    names: &mut Names<'t>,
    each: &mut impl FnMut(&'t str),
) -> Option<()> {
    let mut reader = Reader::new(text, names);
    reader.expect(b'[')?;
    reader.array(1, each)?;
    reader.is_at_end().then_some(())
}

struct Reader<'t, 'n> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    names: &'n mut Names<'t>,
}

impl<'t, 'n> Reader<'t, 'n> {
    fn new(text: &'t str, names: &'n mut Names<'t>) -> Self {
        names.clear();
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            names,
        }
    }

    fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn skip_white(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'"' => {
                self.at += 1;
                self.string()
            }
            b'{' => {
                self.at += 1;
                self.object(depth + 1, &mut |_, _| ())
            }
            b'[' => {
                self.at += 1;
                self.array(depth + 1, &mut |_| ())
            }
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let is_there = self.bytes.get(self.at..)?.starts_with(word);
        is_there.then(|| self.at += word.len())
    }

    /// The rest of a string whose first quote was read.
    fn string(&mut self) -> Option<()> {
        loop {
            self.at = plain_end(self.bytes, self.at);
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => match self.bytes.get(self.at + 1)? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
                    b'u' => {
                        escaped_char(self.bytes.get(self.at + 2..)?)?;
                        self.at += 6;
                    }
                    _ => return None,
                },
                _ => return None,
            }
        }
    }

    /// A name without escapes, so that its text is the name.
    fn name(&mut self) -> Option<&'t str> {
        self.expect(b'"')?;
        let start = self.at;
        self.at = plain_end(self.bytes, start);
        let name = self.text.get(start..self.at)?;
        self.expect(b'"').map(|()| name)
    }

    fn digits(&mut self, max: usize) -> Option<usize> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        let count = self.at - start;
        (1..=max).contains(&count).then_some(count)
    }

    fn number(&mut self) -> Option<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let begins_with_0 = self.peek() == Some(b'0');
        if self.digits(DIGITS_MAX)? > 1 && begins_with_0 {
            return None;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits(DIGITS_MAX)?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits(EXPONENT_DIGITS_MAX)?;
        }
        Some(())
    }

    /// The rest of an object whose brace was read.
    fn object(&mut self, depth: usize, each: &mut impl FnMut(&'t str, &'t str)) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        let first = self.names.len();
        self.skip_white();
        if self.expect(b'}').is_some() {
            return Some(());
        }
        let mut is_ascending = true;
        loop {
            self.skip_white();
            let name = self.name()?;
            // Names that ascend are distinct.
            is_ascending &= self.names[first..].last().is_none_or(|last| *last < name);
            if !is_ascending && self.names[first..].contains(&name)
                || self.names.len() - first == NAMES_MAX
            {
                return None;
            }
            self.names.push(name);
            self.skip_white();
            self.expect(b':')?;
            self.skip_white();
            let start = self.at;
            self.value(depth)?;
            each(name, self.text.get(start..self.at)?);
            self.skip_white();
            if self.expect(b',').is_none() {
                self.names.truncate(first);
                return self.expect(b'}');
            }
        }
    }

    /// The rest of an array whose bracket was read.
    fn array(&mut self, depth: usize, each: &mut impl FnMut(&'t str)) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        self.skip_white();
        if self.expect(b']').is_some() {
            return Some(());
        }
        loop {
            self.skip_white();
            let start = self.at;
            self.value(depth)?;
            each(self.text.get(start..self.at)?);
            self.skip_white();
            if self.expect(b',').is_none() {
                return self.expect(b']');
            }
        }
    }
}

#[cfg(test)]
pub(in crate::bundle) mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::ledger::event::check_json;

    /// Texts near JSON: pieces of it, one behind the other.
    pub(in crate::bundle) fn near_json() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\"a\"",
            "\"b\":",
            "\"a\":1",
            "\"id\":",
            "\\",
            "\\n",
            "\\\"",
            "\\u00e9",
            "\\ud83d",
            "\\ude00",
            "\\u12",
            "\\x",
            "\u{e9}",
            "\u{1}",
            " ",
            "\n",
            "0",
            "-",
            "12",
            "1.5",
            ".",
            "1e3",
            "e",
            "+",
            "1e999",
            "true",
            "fals",
            "null",
            "{}",
            "[]",
            "\"\\u0061\":2",
        ]);
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    /// JSON of every kind, as programs write it.
    pub(in crate::bundle) fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[=a-c,;\"\\\\\r\n\t\u{e9}\u{1f600}\u{FF1D}-]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c\"\u{e9}]{1,2}|id|type|usage", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn what_is_common_is_usual() {
        for text in [
            "\"\"",
            "\"a\\n\\\"\\u00e9\u{e9}\"",
            "-0",
            "0.5",
            "123456789012345678",
            "1e99",
            "[6e-06,1.5E+2]",
            "[]",
            "{}",
            "{ \"b\" : [ 1 , {\"a\":null} ] ,\n\"a\" : true }",
            "{\"b\":{\"a\":1},\"a\":{\"b\":1}}",
        ] {
            assert!(is_usual(text, &mut Names::new()), "{text}");
            assert_eq!(check_json(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_reads_in_two_ways_is_not_usual() {
        for text in [
            "",
            " 1",
            "1 ",
            "01",
            "1.",
            ".5",
            "1e999",
            "1e",
            "1e+",
            "+1",
            "nul",
            "\"\\ud83d\"",
            "\"\\u00\"",
            "\"a\nb\"",
            "\"a",
            "[1,]",
            "[1 2]",
            "{\"a\":1,}",
            "{\"a\":1,\"a\":2}",
            "{\"b\":1,\"a\":1,\"b\":2}",
            "{\"a\":1,\"\\u0061\":2}",
            "{\"x\":{\"a\":1,\"a\":2}}",
            "{a:1}",
            "1 1",
        ] {
            assert!(!is_usual(text, &mut Names::new()), "{text}");
        }
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(
            is_usual(&deep(DEPTH_MAX), &mut Names::new())
                && !is_usual(&deep(DEPTH_MAX + 1), &mut Names::new())
        );
        assert_eq!(check_json(&deep(DEPTH_MAX)), Ok(()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        #[test]
        fn what_is_usual_is_checked_json(near in near_json(), value in json()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            for text in [near, value.to_string(), pretty] {
                let strictly = check_json(&text);
                prop_assert!(!is_usual(&text, &mut Names::new()) || strictly.is_ok(), "{}: {:?}", text, strictly);
            }
        }

        #[test]
        fn members_and_elements_are_those_of_the_tree(value in json()) {
            let text = serde_json::to_string_pretty(&value).unwrap();
            let mut found = serde_json::Map::new();
            let read = members(&text, &mut Names::new(), &mut |name, value| {
                found.insert(name.to_owned(), serde_json::from_str(value).unwrap());
            });
            if read.is_some() {
                prop_assert_eq!(&Value::Object(found), &serde_json::from_str::<Value>(&text).unwrap());
            }
            let mut found = Vec::new();
            let read = elements(&text, &mut Names::new(), &mut |value| found.push(serde_json::from_str::<Value>(value).unwrap()));
            if read.is_some() {
                prop_assert_eq!(&Value::Array(found), &serde_json::from_str::<Value>(&text).unwrap());
            }
        }
    }
}
