//! Which parts of an event's text other events may repeat: the messages of a chat's history, and long strings.

use std::ops::Range;

use trailkeep_proof::ledger::event::shape::INPUT;

/// A shorter part costs as much to refer to as to store.
const PART_BYTES_MIN: usize = 200;
/// An input of so many messages has been sent before, but for its last ones, and is sent again.
const MESSAGES_MIN: usize = 3;

/// A part of a section: one whole JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) range: Range<usize>,
    /// Whether it is a message of a history. Others are shared only when they come for the second time.
    pub(super) is_message: bool,
}

/// The parts of a section that are long enough, in order; none lies within another.
pub(super) fn parts(name: &str, section: &[u8]) -> Vec<Part> {
    let mut scan = Scan {
        section,
        is_input: name == INPUT,
        parts: Vec::new(),
    };
    // What is no JSON has no parts. It was parsed before, so it is.
    match scan.value(0) {
        Some(end) if end == section.len() => scan.parts,
        _ => Vec::new(),
    }
}

struct Scan<'a> {
    section: &'a [u8],
    is_input: bool,
    parts: Vec<Part>,
}

impl Scan<'_> {
    /// Looks through the value at a place, and gives its end.
    fn value(&mut self, at: usize) -> Option<usize> {
        match self.section.get(at)? {
            b'{' => self.object(at),
            b'[' => self.array(at),
            b'"' => {
                let end = self.end_of_string(at)?;
                self.add(at..end, false);
                Some(end)
            }
            _ => self.end_of_value(at),
        }
    }

    fn object(&mut self, at: usize) -> Option<usize> {
        let mut at = self.after_space(at + 1);
        while *self.section.get(at)? != b'}' {
            let colon = self.after_space(self.end_of_string(at)?);
            let end = self.value(self.after_space(colon + 1))?;
            at = self.after_comma(end);
        }
        Some(at + 1)
    }

    /// The elements of an array are parts as a whole. One that stands alone is looked through.
    fn array(&mut self, at: usize) -> Option<usize> {
        let mut elements = Vec::new();
        let mut at = self.after_space(at + 1);
        while *self.section.get(at)? != b']' {
            let end = self.end_of_value(at)?;
            elements.push(at..end);
            at = self.after_comma(end);
        }
        if let [only] = elements.as_slice() {
            self.value(only.start)?;
        } else {
            let is_message = self.is_input && elements.len() >= MESSAGES_MIN;
            for element in elements {
                self.add(element, is_message);
            }
        }
        Some(at + 1)
    }

    fn add(&mut self, range: Range<usize>, is_message: bool) {
        if range.len() >= PART_BYTES_MIN {
            self.parts.push(Part { range, is_message });
        }
    }

    fn end_of_string(&self, at: usize) -> Option<usize> {
        let mut at = at + 1;
        loop {
            match self.section.get(at)? {
                b'"' => return Some(at + 1),
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
    }

    fn end_of_value(&self, at: usize) -> Option<usize> {
        let (mut at, mut depth) = (at, 0_usize);
        loop {
            match self.section.get(at) {
                Some(b'"') => at = self.end_of_string(at)?,
                Some(b'{' | b'[') => {
                    depth += 1;
                    at += 1;
                }
                Some(b'}' | b']') if depth > 0 => {
                    depth -= 1;
                    at += 1;
                }
                Some(b'}' | b']' | b',' | b' ' | b'\t' | b'\n' | b'\r') | None if depth == 0 => {
                    return Some(at);
                }
                Some(_) => {
                    at += 1;
                    continue;
                }
                None => return None,
            }
            if depth == 0 {
                return Some(at);
            }
        }
    }

    fn after_space(&self, at: usize) -> usize {
        let rest = self.section.get(at..).unwrap_or_default();
        let space = rest.iter().take_while(|byte| byte.is_ascii_whitespace());
        at + space.count()
    }

    fn after_comma(&self, at: usize) -> usize {
        let at = self.after_space(at);
        match self.section.get(at) {
            Some(b',') => self.after_space(at + 1),
            _ => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn long(fill: &str) -> String {
        fill.repeat(PART_BYTES_MIN)
    }

    fn found(name: &str, section: &str) -> Vec<(Value, bool)> {
        let parts = parts(name, section.as_bytes()).into_iter();
        parts
            .map(|part| {
                let text = &section[part.range];
                (serde_json::from_str(text).unwrap(), part.is_message)
            })
            .collect()
    }

    #[test]
    fn messages_of_an_input_are_parts_and_short_ones_are_not() {
        let (one, two) = (
            json!({"role": "user", "content": long("é\"\\[{")}),
            json!([long("a")]),
        );
        let input = json!([one, {"role": "user", "content": "short"}, two, 5, true, null]);
        let expected = [(one.clone(), true), (two.clone(), true)];
        assert_eq!(found("input", &input.to_string()), expected);
        let pretty = serde_json::to_string_pretty(&input).unwrap();
        assert_eq!(found("input", &pretty), expected);
        let within = json!({"system": long("s"), "messages": input, "n": 1});
        let expected = [(one.clone(), true), (two, true), (json!(long("s")), false)];
        let mut both = found("input", &within.to_string());
        both.sort_by_key(|(part, _)| part.is_string());
        assert_eq!(both, expected);
        // Elsewhere, and of two, nobody knows that they come again.
        let two = json!([one, one]).to_string();
        let expected = [(one.clone(), false), (one, false)];
        assert_eq!(found("input", &two), expected);
        assert_eq!(found("attributes", &two), expected);
    }

    #[test]
    fn a_list_of_one_is_looked_through() {
        let message = json!({"content": long("m")});
        let input = json!([{"messages": [message, message, message]}]);
        assert_eq!(found("input", &input.to_string()).len(), 3);
        let only = json!([[long("x")]]).to_string();
        assert_eq!(found("output", &only), [(json!(long("x")), false)]);
    }

    #[test]
    fn what_is_short_or_no_json_has_no_parts() {
        for section in [
            "", "[", "{", "\"", "[1", "{\"a\"", "12 ", "[]", "{}", "\"\\", "]", ",",
        ] {
            assert_eq!(parts("input", section.as_bytes()), [], "{section}");
        }
        let cut = json!([long("a"), long("b"), {"c": long("c")}]).to_string();
        for end in 0..cut.len() {
            assert_eq!(parts("input", &cut.as_bytes()[..end]), [], "{end}");
        }
        assert_eq!(parts("input", cut.as_bytes()).len(), 3);
    }
}
