//! Texts whose bytes are not all UTF-8. In content U+FFFD stands for what can't be read. In an identifier each such byte stands as
//! `\xNN`, so that two identifiers never become one.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::identity;
use super::lookup::parse_json;
use super::rejection::{Alterations, Altering};
use trailkeep_proof::ids::hex;

/// A text in which bytes that are not UTF-8 are marked, so that it can be read as JSON and the bytes be found again.
#[derive(Clone, Debug)]
pub(super) struct Marked<'a> {
    pub(super) text: Cow<'a, str>,
    mark: Option<Box<str>>,
}

/// A character that stands for nothing, before a digest of the text: nobody can write it by chance or on purpose.
const MARK_BEGINS: char = '\u{fdd0}';

impl<'a> Marked<'a> {
    /// Marks what is not UTF-8.
    pub(super) fn of_bytes(bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self {
                text: Cow::Borrowed(text),
                mark: None,
            },
            Err(_) => Self::marking(bytes),
        }
    }

    /// The same of a JSON text, in which half of a surrogate pair can't be read either.
    pub(super) fn of_json(bytes: &'a [u8]) -> Self {
        let halves = half_surrogates(bytes);
        if halves.is_empty() {
            return Self::of_bytes(bytes);
        }
        let mut whole = Vec::with_capacity(bytes.len());
        let mut from = 0;
        for at in halves {
            whole.extend_from_slice(&bytes[from..at]);
            let digits = std::str::from_utf8(&bytes[at + 2..at + 6]).unwrap_or_default();
            let unit = u16::from_str_radix(digits, 16).unwrap_or(0xd800);
            // The three bytes that UTF-8 would have for it, if it had any.
            whole.push(0xe0 | (unit >> 12) as u8);
            whole.push(0x80 | (unit >> 6 & 0x3f) as u8);
            whole.push(0x80 | (unit & 0x3f) as u8);
            from = at + 6;
        }
        whole.extend_from_slice(&bytes[from..]);
        Self::marking(&whole)
    }

    fn marking(bytes: &[u8]) -> Self {
        let digest = hex(&Sha256::digest(bytes)[..8]);
        let mark = format!("{MARK_BEGINS}{digest}");
        let mut text = String::with_capacity(bytes.len() + 64);
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            for byte in chunk.invalid() {
                let _ = write!(text, "{mark}{byte:02x}");
            }
        }
        Self {
            text: Cow::Owned(text),
            mark: Some(mark.into_boxed_str()),
        }
    }

    /// A part of this text, by the same mark.
    pub(super) fn part<'b>(&self, text: Cow<'b, str>) -> Marked<'b> {
        let mark = self.mark.clone().filter(|mark| text.contains(&**mark));
        Marked { text, mark }
    }

    /// Whether there are marked bytes in it.
    pub(super) const fn is_marked(&self) -> bool {
        self.mark.is_some()
    }

    /// The bytes as they were sent.
    fn bytes(&self) -> Vec<u8> {
        self.mark.as_deref().map_or_else(
            || self.text.as_bytes().to_vec(),
            |mark| bytes_of(&self.text, mark),
        )
    }

    /// For reading: U+FFFD in the place of what is not UTF-8.
    pub(super) fn readable(self, field: &str, alterations: &mut Alterations) -> String {
        if !self.is_marked() {
            return self.text.into_owned();
        }
        alterations.add(field, Altering::InvalidUtf8);
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// The name of an attribute: two names stay two.
    pub(super) fn name(self, alterations: &mut Alterations) -> String {
        if !self.is_marked() {
            return self.text.into_owned();
        }
        let name = reversible(&self.bytes());
        alterations.add(&name, Altering::InvalidUtf8);
        name
    }

    /// The value of an attribute: JSON is read where only that tells identifiers from the rest.
    pub(super) fn value(self, name: &str, alterations: &mut Alterations) -> Value {
        let may_look_escaped = || self.text.contains("\\x") || self.text.contains("u005c");
        if !self.is_marked() {
            let is_json = identity::holds_json(name);
            if !(is_json || is_identifier(name)) || !may_look_escaped() {
                return Value::String(self.text.into_owned());
            }
        }
        let before = alterations.len();
        if let Some(mut value) = parse_json(&self.text) {
            rewrite(&mut value, name, self.mark.as_deref(), alterations);
            // What nothing was done to stays as it came.
            return if alterations.len() > before {
                value
            } else {
                Value::String(self.text.into_owned())
            };
        }
        Value::String(plain(&self.text, name, self.mark.as_deref(), alterations))
    }
}

fn bytes_of(text: &str, mark: &str) -> Vec<u8> {
    let mut pieces = text.split(mark);
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2).unwrap_or((piece, ""));
        bytes.extend(u8::from_str_radix(digits, 16).ok());
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

fn plain(text: &str, name: &str, mark: Option<&str>, alterations: &mut Alterations) -> String {
    let mark = mark.filter(|mark| text.contains(mark));
    let bytes = mark.map_or_else(|| text.as_bytes().to_vec(), |mark| bytes_of(text, mark));
    if mark.is_some() {
        alterations.add(name, Altering::InvalidUtf8);
    }
    if !is_identifier(name) {
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let reversible = reversible(&bytes);
    if mark.is_none() && reversible != text {
        alterations.add(name, Altering::Escaped);
    }
    reversible
}

/// Each text of a value by the member that it stands under. [`parse_json`] bounds the depth.
fn rewrite(value: &mut Value, name: &str, mark: Option<&str>, alterations: &mut Alterations) {
    match value {
        Value::String(text) => *text = plain(text, name, mark, alterations),
        Value::Array(items) => {
            for item in items {
                rewrite(item, name, mark, alterations);
            }
        }
        Value::Object(members) => {
            let whole = std::mem::take(members);
            let renamed = whole.into_iter().map(|(key, mut value)| {
                rewrite(&mut value, &key, mark, alterations);
                let marked = mark.filter(|mark| key.contains(mark));
                let key = marked.map_or(key.clone(), |mark| reversible(&bytes_of(&key, mark)));
                (key, value)
            });
            *members = renamed.collect::<Map<_, _>>();
        }
        _ => {}
    }
}

/// Whether an attribute or member names somebody or something: by OpenTelemetry's habit of calling that `id`.
fn is_identifier(name: &str) -> bool {
    let last = name.rsplit(['.', '_']).next().unwrap_or_default();
    matches!(
        last,
        "id" | "ids" | "user" | "email" | "subject" | "uuid" | "namespace"
    ) || name.ends_with("Id")
        || identity::is_needed(name)
}

/// The text of an identifier. Bytes that are not UTF-8 are `\xNN`; the backslashes of a text that has those, or looks as if it had,
/// are doubled. So no two identifiers have one text.
pub(super) fn reversible(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !looks_escaped(text)
    {
        return text.to_owned();
    }
    let mut escaped = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        escaped.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            let _ = write!(escaped, "\\x{byte:02x}");
        }
    }
    escaped
}

fn looks_escaped(text: &str) -> bool {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.as_bytes()
        .windows(4)
        .any(|four| four.starts_with(b"\\x") && digit(four[2]) && digit(four[3]))
}

/// Where `\uD8XX` or `\uDCXX` stands in a JSON text without its other half.
fn half_surrogates(bytes: &[u8]) -> Vec<usize> {
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        let digits = std::str::from_utf8(digits).ok()?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut halves = Vec::new();
    let mut at = 0;
    while let Some(step) = bytes[at..].iter().position(|byte| *byte == b'\\') {
        at += step;
        match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => at += 12,
            Some(0xd800..=0xdfff) => {
                halves.push(at);
                at += 6;
            }
            // Two backslashes are one character.
            _ => at = (at + 2).min(bytes.len()),
        }
    }
    halves
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn value(name: &str, bytes: &[u8]) -> (Value, Vec<Altering>) {
        let mut alterations = Alterations::default();
        let value = Marked::of_bytes(bytes).value(name, &mut alterations);
        let reasons = alterations.into_inner().into_iter();
        (value, reasons.map(|one| one.reason).collect())
    }

    #[test]
    fn content_is_readable_and_identifiers_are_reversible() {
        assert_eq!(
            value("http.user_agent", b"a\xff\\xffb"),
            (json!("a\u{fffd}\\xffb"), vec![Altering::InvalidUtf8])
        );
        assert_eq!(value("user.id", b"a\xff").0, json!("a\\xff"));
        assert_eq!(
            value("user.id", b"a\\xff"),
            (json!("a\\\\xff"), vec![Altering::Escaped])
        );
        assert_eq!(
            value("user.id", b"CORP\\anna"),
            (json!("CORP\\anna"), vec![])
        );
        let inside = br#"{"user_id": "u-"#.iter().chain(b"\xfe\", \"note\": \"x\xfe\"}");
        let inside: Vec<u8> = inside.copied().collect();
        assert_eq!(
            value("metadata", &inside).0,
            json!({"user_id": "u-\\xfe", "note": "x\u{fffd}"})
        );
        assert_eq!(
            value("metadata", br#"{"user_id": "u-\\xfe"}"#).0,
            json!({"user_id": "u-\\\\xfe"})
        );
    }

    #[test]
    fn half_of_a_pair_is_marked_and_a_pair_is_not() {
        for (text, count) in [
            (r#""\ud83d""#, 1),
            (r#""\ud83d\ude00""#, 0),
            (r#""\\ud83d""#, 0),
            (r#""\ude00\ud83d""#, 2),
            (r#""\ud83"#, 0),
        ] {
            assert_eq!(half_surrogates(text.as_bytes()).len(), count, "{text}");
        }
        let marked = Marked::of_json(br#"{"a": "x\ud83d"}"#);
        let read: Value = serde_json::from_str(&marked.text).unwrap();
        let text = read["a"].as_str().unwrap();
        let mut alterations = Alterations::default();
        let part = marked.part(Cow::Borrowed(text));
        assert_eq!(
            part.clone().value("user.id", &mut alterations),
            json!("x\\xed\\xa0\\xbd")
        );
        assert!(
            part.readable("n", &mut alterations)
                .starts_with("x\u{fffd}")
        );
    }

    proptest! {
        #[test]
        fn no_two_identifiers_have_one_text(
            one in prop::collection::vec(prop::sample::select(b"\\x0f\xff\xc3a".to_vec()), 0..10),
            other in prop::collection::vec(prop::sample::select(b"\\x0f\xff\xc3a".to_vec()), 0..10),
        ) {
            prop_assert_eq!(one == other, reversible(&one) == reversible(&other));
            prop_assert_eq!(Marked::of_bytes(&one).bytes(), one);
        }
    }
}
