//! Which parts of an event's text other events may repeat: the messages of a chat's history, and long strings.

use std::ops::Range;

use trailkeep_proof::ledger::event::scan;

/// A shorter part costs as much to refer to as to store.
const PART_BYTES_MIN: usize = 200;
/// A list of so many elements may be a history, which grows with each turn.
const HISTORY_MIN: usize = 3;

/// A part of a section: one whole JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) range: Range<usize>,
    /// The list of the section that it is an element of, where that may be a history.
    pub(super) history: Option<usize>,
}

/// The parts of a section that are long enough, in order. One lies within another only where that one is the only element
/// of a list, and then comes after it.
pub(super) fn parts(section: &[u8]) -> Vec<Part> {
    // Most sections are short.
    if section.len() < PART_BYTES_MIN {
        return Vec::new();
    }
    let mut scan = Scan {
        section,
        histories: 0,
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
    histories: usize,
    parts: Vec<Part>,
}

impl Scan<'_> {
    /// Looks through the value at a place, and gives its end.
    fn value(&mut self, at: usize) -> Option<usize> {
        match self.section.get(at)? {
            b'{' => self.object(at),
            b'[' => self.array(at),
            b'"' => {
                let end = scan::end_of_string(self.section, at)?;
                self.add(at..end, None);
                Some(end)
            }
            _ => scan::end_of_value(self.section, at),
        }
    }

    fn object(&mut self, at: usize) -> Option<usize> {
        let mut at = scan::after_space(self.section, at + 1);
        while *self.section.get(at)? != b'}' {
            let colon = scan::after_space(self.section, scan::end_of_string(self.section, at)?);
            let end = self.value(scan::after_space(self.section, colon + 1))?;
            at = self.after_comma(end);
        }
        Some(at + 1)
    }

    /// The elements of an array are parts as a whole. One that stands alone is looked through, too: it may be the first
    /// message of a history, or an envelope of all.
    fn array(&mut self, at: usize) -> Option<usize> {
        let mut elements = Vec::new();
        let mut at = scan::after_space(self.section, at + 1);
        while *self.section.get(at)? != b']' {
            let end = scan::end_of_value(self.section, at)?;
            elements.push(at..end);
            at = self.after_comma(end);
        }
        if let [only] = elements.as_slice() {
            if self.section.get(only.start) != Some(&b'"') {
                self.add(only.clone(), None);
            }
            self.value(only.start)?;
        } else {
            let history = (elements.len() >= HISTORY_MIN).then_some(self.histories);
            self.histories += 1;
            for element in elements {
                self.add(element, history);
            }
        }
        Some(at + 1)
    }

    fn add(&mut self, range: Range<usize>, history: Option<usize>) {
        if range.len() >= PART_BYTES_MIN {
            self.parts.push(Part { range, history });
        }
    }

    fn after_comma(&self, at: usize) -> usize {
        let at = scan::after_space(self.section, at);
        match self.section.get(at) {
            Some(b',') => scan::after_space(self.section, at + 1),
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

    fn found(section: &str) -> Vec<(Value, Option<usize>)> {
        let parts = parts(section.as_bytes()).into_iter();
        parts
            .map(|part| {
                let text = &section[part.range];
                (serde_json::from_str(text).unwrap(), part.history)
            })
            .collect()
    }

    #[test]
    fn messages_are_parts_and_short_ones_are_not() {
        let (one, two) = (
            json!({"role": "user", "content": long("é\"\\[{")}),
            json!([long("a")]),
        );
        let input = json!([one, {"role": "user", "content": "short"}, two, 5, true, null]);
        let expected = [(one.clone(), Some(0)), (two.clone(), Some(0))];
        assert_eq!(found(&input.to_string()), expected);
        let pretty = serde_json::to_string_pretty(&input).unwrap();
        assert_eq!(found(&pretty), expected);
        let within = json!({"system": long("s"), "messages": input, "n": 1});
        let expected = [
            (one.clone(), Some(0)),
            (two, Some(0)),
            (json!(long("s")), None),
        ];
        let mut both = found(&within.to_string());
        both.sort_by_key(|(part, _)| part.is_string());
        assert_eq!(both, expected);
        // A list of two messages is not taken for a history.
        let two = json!({"a": [one, one], "b": [one, 1, 2]}).to_string();
        let expected = [(one.clone(), None), (one.clone(), None), (one, Some(1))];
        assert_eq!(found(&two), expected);
    }

    #[test]
    fn a_list_of_one_is_looked_through() {
        let message = json!({"content": long("m")});
        let envelope = json!({"messages": [message, message, message]});
        let parts = found(&json!([envelope]).to_string());
        assert_eq!(parts[0], (envelope, None));
        assert_eq!(parts[1..], [(); 3].map(|()| (message.clone(), Some(0))));
        let only = json!([long("x")]).to_string();
        assert_eq!(found(&only), [(json!(long("x")), None)]);
    }

    #[test]
    fn what_is_short_or_no_json_has_no_parts() {
        for section in [
            "", "[", "{", "\"", "[1", "{\"a\"", "12 ", "[]", "{}", "\"\\", "]", ",",
        ] {
            assert_eq!(parts(section.as_bytes()), [], "{section}");
        }
        let cut = json!([long("a"), long("b"), {"c": long("c")}]).to_string();
        for end in 0..cut.len() {
            assert_eq!(parts(&cut.as_bytes()[..end]), [], "{end}");
        }
        assert_eq!(parts(cut.as_bytes()).len(), 3);
    }
}
