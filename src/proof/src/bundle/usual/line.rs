//! A line in exactly the form in which `Line::write` writes it.

use std::borrow::Cow;
use std::ops::Range;

use super::words::{escaped_char, is_plain, plain_bytes, plain_end, word_at};
use crate::bundle::line::{Line, Section};
use crate::ids::{SectionDigest, SectionSalt, Seq};

/// Characters of 32 bytes in base64.
const HASH_CHARACTERS: usize = 44;

/// Memory that line after line is read into.
#[derive(Default)]
pub(in crate::bundle) struct LineRoom {
    decoded: Vec<u8>,
    parts: Vec<Part>,
}

/// A section: its name in the line, and what it is.
struct Part {
    name: Range<usize>,
    content: Content,
}

enum Content {
    /// Salt, and where the text stands in the decoded bytes.
    Text(SectionSalt, Range<usize>),
    Digest(SectionDigest),
}

impl LineRoom {
    /// The line as `Line::parse` gives it, if it has the usual form. It lives in this room until the next is read.
    pub(in crate::bundle) fn read<'r>(&'r mut self, line: &'r [u8]) -> Option<Line<'r>> {
        self.parts.clear();
        // Decoded text is no longer than the line; it is written eight bytes at a time.
        if self.decoded.len() < line.len() + 8 {
            self.decoded.resize(line.len() + 8, 0);
        }
        let mut reader = Reader {
            line,
            at: 0,
            decoded: &mut self.decoded,
            end: 0,
        };
        let seq = reader.sections(&mut self.parts)?;
        let end = reader.end;
        // Each text begins and ends between characters of what is UTF-8 as a whole, so it is UTF-8.
        let decoded = std::str::from_utf8(self.decoded.get(..end)?).ok()?;
        let mut sections = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let name = std::str::from_utf8(line.get(part.name.clone())?).ok()?;
            let section = match &part.content {
                Content::Text(salt, range) => Section::Disclosed {
                    salt: *salt,
                    json: Cow::Borrowed(decoded.get(range.clone())?),
                },
                Content::Digest(digest) => Section::Redacted(*digest),
            };
            sections.push((Cow::Borrowed(name), section));
        }
        sections
            .is_sorted_by(|(one, _), (other, _)| one < other)
            .then_some(Line { seq, sections })
    }
}

struct Reader<'r> {
    line: &'r [u8],
    at: usize,
    decoded: &'r mut [u8],
    /// How many bytes are decoded.
    end: usize,
}

impl<'r> Reader<'r> {
    fn expect(&mut self, text: &[u8]) -> Option<()> {
        let is_there = self.line.get(self.at..)?.starts_with(text);
        is_there.then(|| self.at += text.len())
    }

    fn sections(&mut self, parts: &mut Vec<Part>) -> Option<Seq> {
        self.expect(b"{\"seq\":")?;
        let seq = self.number()?;
        self.expect(b",\"sections\":{")?;
        if self.expect(b"}").is_none() {
            loop {
                let name = self.name()?;
                let content = self.content()?;
                parts.push(Part { name, content });
                if self.expect(b",").is_none() {
                    self.expect(b"}")?;
                    break;
                }
            }
        }
        self.expect(b"}")?;
        (self.at == self.line.len()).then_some(Seq::new(seq))
    }

    fn number(&mut self) -> Option<u64> {
        let rest = self.line.get(self.at..)?;
        let count = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let digits = std::str::from_utf8(&rest[..count]).ok()?;
        self.at += count;
        let begins_with_0 = digits.starts_with('0') && count > 1;
        digits.parse().ok().filter(|_| !begins_with_0)
    }

    fn name(&mut self) -> Option<Range<usize>> {
        self.expect(b"\"")?;
        let start = self.at;
        self.at = plain_end(self.line, start);
        let name = start..self.at;
        self.expect(b"\":{").map(|()| name)
    }

    fn content(&mut self) -> Option<Content> {
        if self.expect(b"\"salt\":\"").is_none() {
            self.expect(b"\"digest\":\"")?;
            let digest = SectionDigest::from_base64(self.hash()?)?;
            self.expect(b"\"}")?;
            return Some(Content::Digest(digest));
        }
        let salt = SectionSalt::from_base64(self.hash()?)?;
        self.expect(b"\",\"json\":\"")?;
        let start = self.end;
        self.text()?;
        self.expect(b"}")?;
        Some(Content::Text(salt, start..self.end))
    }

    fn hash(&mut self) -> Option<&'r str> {
        let hash = self.line.get(self.at..self.at + HASH_CHARACTERS)?;
        self.at += HASH_CHARACTERS;
        std::str::from_utf8(hash).ok()
    }

    /// Decodes the rest of a string whose first quote was read.
    fn text(&mut self) -> Option<()> {
        loop {
            if let Some(word) = word_at(self.line, self.at) {
                let plain = plain_bytes(word);
                *self.decoded.get_mut(self.end..)?.first_chunk_mut()? = word;
                self.at += plain;
                self.end += plain;
                if plain == word.len() {
                    continue;
                }
            }
            let byte = *self.line.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => return Some(()),
                b'\\' => self.escape()?,
                _ if is_plain(byte) => self.push(byte)?,
                _ => return None,
            }
        }
    }

    fn push(&mut self, byte: u8) -> Option<()> {
        *self.decoded.get_mut(self.end)? = byte;
        self.end += 1;
        Some(())
    }

    fn escape(&mut self) -> Option<()> {
        let kind = *self.line.get(self.at)?;
        self.at += 1;
        let byte = match kind {
            b'"' | b'\\' | b'/' => kind,
            b'b' => 0x08,
            b'f' => 0x0C,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let c = escaped_char(self.line.get(self.at..)?)?;
                self.at += 4;
                let place = self.decoded.get_mut(self.end..)?.first_chunk_mut::<4>()?;
                self.end += c.encode_utf8(place).len();
                return Some(());
            }
            _ => return None,
        };
        self.push(byte)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sections() -> impl Strategy<Value = Vec<(String, Option<String>)>> {
        let text = prop_oneof!["[ -~\u{e9}\u{1f600}\n\t\\\\\"\u{1}]{0,40}", "[a-z]{0,40}",];
        let name = "[a-z\u{e9}\"]{0,3}";
        prop::collection::btree_map(name, prop::option::of(text), 0..4)
            .prop_map(|sections| sections.into_iter().collect())
    }

    fn written(seq: u64, sections: &[(String, Option<String>)]) -> Vec<u8> {
        let section = |text: Option<&str>| match text {
            Some(json) => Section::Disclosed {
                salt: SectionSalt::new([7; 32]),
                json: json.to_owned().into(),
            },
            None => Section::Redacted(SectionDigest::new([9; 32])),
        };
        let line = Line {
            seq: Seq::new(seq),
            sections: sections
                .iter()
                .map(|(name, text)| (name.as_str().into(), section(text.as_deref())))
                .collect(),
        };
        let mut out = Vec::new();
        line.write(&mut out).unwrap();
        assert_eq!(out.pop(), Some(b'\n'));
        out
    }

    /// Whether the line was read; if so, as the general reader does.
    fn is_read(room: &mut LineRoom, line: &[u8]) -> bool {
        let read = room.read(line);
        if let Some(read) = &read {
            assert_eq!(Ok(read), Line::parse(line).as_ref());
        }
        read.is_some()
    }

    #[test]
    fn a_line_is_read_only_in_its_usual_form() {
        let section = |name: &str| (name.to_owned(), Some("\"x\u{e9}\\n\"".to_owned()));
        let line = written(7, &[section("a"), section("b"), ("c".to_owned(), None)]);
        let line = String::from_utf8(line).unwrap();
        let room = &mut LineRoom::default();
        assert!(is_read(room, line.as_bytes()), "{line}");
        assert!(is_read(room, b"{\"seq\":7,\"sections\":{}}"));
        for (part, other) in [
            ("{\"seq\":7", "{\"seq\":07"),
            ("{\"seq\":7", "{\"seq\":-7"),
            ("{\"seq\":7", "{\"seq\":99999999999999999999"),
            ("{\"seq\":7", "{\"seq\": 7"),
            ("\"a\"", "\"b\""),
            ("\"a\"", "\"bb\""),
            ("\"a\"", "\"\\u0061\""),
            ("\"json\":\"", "\"json\":\"\n"),
            ("\"json\":\"", "\"json\":\"\\ud83d"),
            ("\"json\":\"", "\"json\":\"\\x"),
            ("BwcHBw", "BwcHBx="),
            ("BwcHBw", "BwcH="),
            ("\"digest\"", "\"salt\""),
            ("}}}", "}}"),
            ("}}}", "}}} "),
            ("}}}", ",\"x\":1}}}"),
        ] {
            let changed = line.replacen(part, other, 1);
            assert_ne!(changed, line);
            assert!(!is_read(room, changed.as_bytes()), "{changed}");
        }
        for end in 0..line.len() {
            assert!(!is_read(room, &line.as_bytes()[..end]), "{end}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_not_read() {
        // Whole, the two texts are one character; each alone is none.
        let line = written(
            7,
            &[
                ("a".into(), Some("1".into())),
                ("b".into(), Some("2".into())),
            ],
        );
        let mut broken = Vec::new();
        let mut rest = &line[..];
        for (digit, byte) in [(&b"json\":\"1"[..], 0xC3), (b"json\":\"2", 0xA9)] {
            let at = rest.windows(digit.len()).position(|part| part == digit);
            let end = at.unwrap() + digit.len();
            broken.extend(&rest[..end - 1]);
            broken.push(byte);
            rest = &rest[end..];
        }
        broken.extend(rest);
        assert!(Line::parse(&broken).is_err());
        assert!(LineRoom::default().read(&broken).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn a_line_reads_as_the_general_reader_reads_it(
            lines in prop::collection::vec((any::<u64>(), sections()), 1..4),
            at: prop::sample::Index,
            byte: u8,
        ) {
            let mut room = LineRoom::default();
            for (seq, sections) in &lines {
                let mut line = written(*seq, sections);
                let has_escaped_name = sections.iter().any(|(name, _)| name.contains('"'));
                prop_assert_eq!(is_read(&mut room, &line), !has_escaped_name);
                let at = at.index(line.len());
                line[at] = byte;
                is_read(&mut room, &line);
                line.remove(at);
                is_read(&mut room, &line);
            }
        }
    }
}
