//! The clauses by which genai-prices knows a model, as patterns.

use serde::Deserialize;
use trailkeep_proof::prices::ModelPattern;

/// A clause, by the one name that it has.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Clause {
    Equals(String),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    Regex(String),
    Or(Vec<Clause>),
    And(Vec<Clause>),
}

/// Patterns of a clause, and whether they are all of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Patterns {
    pub(super) patterns: Vec<ModelPattern>,
    pub(super) is_whole: bool,
}

impl Clause {
    /// The clause as patterns. What has no pattern is left out, so that the patterns fit fewer names and never others.
    pub(super) fn patterns(&self) -> Patterns {
        let mut texts = Vec::new();
        let mut is_whole = self.collect(&mut texts);
        let mut patterns = Vec::new();
        for text in texts {
            match ModelPattern::new(&text) {
                Some(pattern) if !patterns.contains(&pattern) => patterns.push(pattern),
                Some(_) => {}
                None => is_whole = false,
            }
        }
        Patterns { patterns, is_whole }
    }

    fn collect(&self, texts: &mut Vec<String>) -> bool {
        // Texts are compared with the name in small letters.
        let literal = |text: &str| {
            let text = text.to_ascii_lowercase();
            (!text.contains(['*', '#'])).then_some(text)
        };
        let one = |text: Option<String>, texts: &mut Vec<String>| {
            let is_known = text.is_some();
            texts.extend(text);
            is_known
        };
        match self {
            Self::Equals(text) => one(literal(text), texts),
            Self::StartsWith(text) => one(literal(text).map(|text| format!("{text}*")), texts),
            Self::EndsWith(text) => one(literal(text).map(|text| format!("*{text}")), texts),
            Self::Contains(text) => one(literal(text).map(|text| format!("*{text}*")), texts),
            Self::Regex(regex) => match of_regex(regex) {
                Some(found) => {
                    texts.extend(found);
                    true
                }
                None => false,
            },
            Self::Or(clauses) => {
                let mut is_whole = true;
                for clause in clauses {
                    is_whole &= clause.collect(texts);
                }
                is_whole
            }
            Self::And(_) => false,
        }
    }

    /// The names that the clause has in it.
    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Self::Equals(text)
            | Self::StartsWith(text)
            | Self::EndsWith(text)
            | Self::Contains(text) => {
                vec![text.to_ascii_lowercase()]
            }
            Self::Regex(_) => Vec::new(),
            Self::Or(clauses) | Self::And(clauses) => {
                clauses.iter().flat_map(Self::names).collect()
            }
        }
    }

    /// Whether a name in small letters fits; none where that needs a regular expression that has no pattern.
    pub(super) fn fits(&self, name: &str) -> Option<bool> {
        match self {
            Self::Equals(text) => Some(name == text.to_ascii_lowercase()),
            Self::StartsWith(text) => Some(name.starts_with(&text.to_ascii_lowercase())),
            Self::EndsWith(text) => Some(name.ends_with(&text.to_ascii_lowercase())),
            Self::Contains(text) => Some(name.contains(&text.to_ascii_lowercase())),
            Self::Regex(regex) => {
                let patterns = of_regex(regex)?;
                let mut patterns = patterns.iter().filter_map(|text| ModelPattern::new(text));
                Some(patterns.any(|pattern| pattern.matches(name)))
            }
            Self::Or(clauses) => {
                let each = clauses.iter().map(|clause| clause.fits(name));
                each.reduce(|one, other| match (one, other) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (None, _) | (_, None) => None,
                    _ => Some(false),
                })?
            }
            Self::And(clauses) => {
                let each = clauses.iter().map(|clause| clause.fits(name));
                each.reduce(|one, other| match (one, other) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (None, _) | (_, None) => None,
                    _ => Some(true),
                })?
            }
        }
    }
}

/// A regular expression from the beginning of a name as patterns: letters, `\.`, `\d`, `\d{N}` and sets of signs such as
/// `[-@]`. None for anything else.
fn of_regex(regex: &str) -> Option<Vec<String>> {
    let rest = regex.strip_prefix('^')?;
    let (mut rest, is_end) = match rest.strip_suffix('$') {
        Some(rest) if !rest.ends_with('\\') => (rest, true),
        _ => (rest, false),
    };
    let mut made = vec![String::new()];
    let push =
        |made: &mut Vec<String>, text: &str| made.iter_mut().for_each(|one| one.push_str(text));
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("\\d") {
            let (count, after) = match after.strip_prefix('{') {
                Some(count) => {
                    let (count, after) = count.split_once('}')?;
                    (
                        count.parse::<usize>().ok().filter(|count| *count <= 32)?,
                        after,
                    )
                }
                None => (1, after),
            };
            push(&mut made, &"#".repeat(count));
            rest = after;
        } else if let Some(after) = rest.strip_prefix('\\') {
            let sign = after.chars().next().filter(|sign| ".-@/".contains(*sign))?;
            push(&mut made, &sign.to_string());
            rest = after.get(1..)?;
        } else if let Some(after) = rest.strip_prefix('[') {
            let (signs, after) = after.split_once(']')?;
            let is_set = !signs.is_empty() && signs.chars().all(|sign| "-@.:_/".contains(sign));
            let is_range = signs.trim_matches('-').contains('-');
            if !is_set || is_range || made.len() * signs.len() > 8 {
                return None;
            }
            made = made
                .iter()
                .flat_map(|one| signs.chars().map(move |sign| format!("{one}{sign}")))
                .collect();
            rest = after;
        } else {
            let is_plain =
                first.is_ascii_lowercase() || first.is_ascii_digit() || "-_:@/".contains(first);
            if !is_plain {
                return None;
            }
            push(&mut made, &first.to_string());
            rest = rest.get(1..)?;
        }
        // A sign that repeats or may be absent.
        if rest.starts_with(['*', '+', '?', '{', '|']) {
            return None;
        }
    }
    if !is_end {
        push(&mut made, "*");
    }
    Some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regular_expression_of_signs_and_digits_is_a_pattern() {
        for (regex, patterns) in [
            (
                r"^claude-opus-5[-@]\d{8}$",
                vec!["claude-opus-5-########", "claude-opus-5@########"],
            ),
            (
                r"^gpt-5\.6-sol-\d{4}-\d{2}-\d{2}$",
                vec!["gpt-5.6-sol-####-##-##"],
            ),
            (r"^gemini-3\.5-flash-\d", vec!["gemini-3.5-flash-#*"]),
            ("^x-ai/grok$", vec!["x-ai/grok"]),
        ] {
            assert_eq!(of_regex(regex).unwrap(), patterns, "{regex}");
        }
        for other in [
            "^(?!.*-tts)",
            "gpt",
            "^a.b$",
            "^a+$",
            "^a?b$",
            "^[a-z]$",
            "^a|b$",
            r"^\w$",
            "^a{2}$",
            r"^\d{99999}$",
            "^a.*",
            "^[-@$",
            "^é$",
            r"^a\",
        ] {
            assert_eq!(of_regex(other), None, "{other}");
        }
    }

    #[test]
    fn what_has_no_pattern_is_left_out() {
        let clause: Clause = serde_json::from_str(
            r#"{"or":[{"equals":"A"},{"and":[{"starts_with":"b"},{"contains":"c"}]},{"contains":"d"},{"ends_with":"e"}]}"#,
        )
        .unwrap();
        let Patterns { patterns, is_whole } = clause.patterns();
        let texts: Vec<&str> = patterns.iter().map(ModelPattern::as_str).collect();
        assert_eq!(texts, ["a", "*d*", "*e"]);
        assert!(!is_whole);
        assert_eq!(clause.fits("b-c"), Some(true));
        assert_eq!(clause.fits("b"), Some(false));
    }
}
