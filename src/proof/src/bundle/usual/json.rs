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
pub(in crate::bundle) mod tests;
