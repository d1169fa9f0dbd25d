//! Patterns of actions.

/// A pattern of actions: `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionPattern(String);

impl ActionPattern {
    /// A pattern of the characters that actions have, and `*`; at most 128.
    pub fn new(text: &str) -> Option<Self> {
        let fits = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-*".contains(&byte)
        };
        let is_pattern = (1..=128).contains(&text.len()) && text.bytes().all(fits);
        is_pattern.then(|| Self(text.to_owned()))
    }

    /// The pattern that every action fits.
    pub fn any() -> Self {
        Self("*".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an action fits.
    pub fn matches(&self, action: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = action.strip_prefix(first) else {
            return false;
        };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else {
            return rest.is_empty();
        };
        for part in parts {
            let Some(at) = rest.find(part) else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }

    /// Whether every action that another pattern is of fits this one. `false` may also mean that nobody knows.
    pub fn contains(&self, other: &Self) -> bool {
        // A `*` of the other stands for any text, and so for this one, which no action has.
        self == other || self.matches(&other.0.replace('*', "\u{0}"))
    }

    /// Whether an action may fit both.
    pub fn overlaps(&self, other: &Self) -> bool {
        overlap(self.0.as_bytes(), other.0.as_bytes())
    }
}

/// Whether a text fits two patterns: from their ends on, whether a rest of the one and a rest of the other share a text.
fn overlap(one: &[u8], other: &[u8]) -> bool {
    let mut share = vec![vec![false; other.len() + 1]; one.len() + 1];
    for at in (0..=one.len()).rev() {
        for place in (0..=other.len()).rev() {
            share[at][place] = match (one.get(at), other.get(place)) {
                (None, None) => true,
                (Some(b'*'), theirs) => {
                    share[at + 1][place] || theirs.is_some() && share[at][place + 1]
                }
                (mine, Some(b'*')) => {
                    share[at][place + 1] || mine.is_some() && share[at + 1][place]
                }
                (Some(mine), Some(theirs)) => mine == theirs && share[at + 1][place + 1],
                (None, Some(_)) | (Some(_), None) => false,
            };
        }
    }
    share[0][0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, action, fits) in [
            ("*", "a.b", true),
            ("policy.*", "policy.update", true),
            ("policy.*", "policy", false),
            ("*.delete", "s3.object.delete", true),
            ("a*b*c", "axbyc", true),
            ("a*b*c", "axcyb", false),
            ("*.a", "b.a.a", true),
            ("chat.completion", "chat.completion", true),
            ("chat.completion", "chat.completions", false),
        ] {
            let fitting = ActionPattern::new(pattern).unwrap().matches(action);
            assert_eq!(fitting, fits, "{pattern} {action}");
        }
        for bad in ["", "A*", "a b", "a/b", "?"] {
            assert_eq!(ActionPattern::new(bad), None, "{bad}");
        }
    }

    #[test]
    fn patterns_share_actions_or_take_others_in() {
        for (one, other, overlaps, contains) in [
            ("*", "a.*", true, true),
            ("a.*", "a.*", true, true),
            ("a.*", "a.b.*", true, true),
            ("a.b.*", "a.*", true, false),
            ("a.*", "*.b", true, false),
            ("a.*", "b.*", false, false),
            ("pay.*", "pay", false, false),
            ("a*c", "ab*", true, false),
            ("a*c", "ab", false, false),
            ("*.delete", "s3.object.delete", true, true),
        ] {
            let pattern = |text| ActionPattern::new(text).unwrap();
            let found = (
                pattern(one).overlaps(&pattern(other)),
                pattern(one).contains(&pattern(other)),
            );
            assert_eq!(found, (overlaps, contains), "{one} {other}");
            assert_eq!(pattern(other).overlaps(&pattern(one)), overlaps);
        }
    }
}
