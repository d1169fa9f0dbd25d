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

    /// Its text.
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
}
