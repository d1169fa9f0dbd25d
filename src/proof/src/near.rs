//! What a misspelt word may mean. A suggestion names known words alone, so it repeats nothing of what was sent.

/// Letters that are wrong in a word that is still guessed.
const EDITS_MAX: usize = 2;

/// The known word that is nearest to a misspelt one: at most two letters are put in, left out, exchanged or swapped, and
/// fewer than half of the known word. Case does not count.
pub fn meant<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let known = known.into_iter();
    let far = known.map(|known| (strsim::osa_distance(&word, &known.to_lowercase()), known));
    let near = far.filter(|(edits, known)| *edits <= EDITS_MAX && *edits < known.len() / 2);
    near.min().map(|(_, known)| known)
}

/// The same as the end of a message; empty where nothing is near.
pub fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let meant = meant(word, known);
    meant.map_or_else(String::new, |known| format!("; did you mean `{known}`?"))
}

/// The same for an error of serde about a field that a type does not have (`deny_unknown_fields`), or about a word that is not in
/// a closed list. Where nothing is near in such a list, it names the words.
pub fn suggestion_for_field(error: &str) -> String {
    let parts = |what: &str| error.split_once(what)?.1.rsplit_once("`, expected ");
    if let Some((word, known)) = parts("unknown field `") {
        return suggestion(word, quoted(known));
    }
    let Some((word, known)) = parts("unknown variant `") else {
        return String::new();
    };
    match suggestion(word, quoted(known)) {
        near if near.is_empty() => {
            let words: Vec<&str> = quoted(known).collect();
            format!("; use {}", words.join(", "))
        }
        near => near,
    }
}

/// The names of a list such as `a`, `b` or `c`: they stand between every second pair of marks.
fn quoted(list: &str) -> impl Iterator<Item = &str> {
    list.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_is_guessed_and_another_is_not() {
        let known = ["action", "actor", "occurred_at", "id"];
        for (word, expected) in [
            ("acton", Some("action")),
            ("Actor", Some("actor")),
            ("ocurred_at", Some("occurred_at")),
            ("occurerd_at", Some("occurred_at")),
            ("when", None),
            // One letter of two may be any word.
            ("ix", None),
            ("", None),
        ] {
            assert_eq!(meant(word, known), expected, "{word}");
        }
    }

    #[test]
    fn an_error_of_serde_is_read() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Two {
            matter: Option<String>,
            reason: Option<String>,
        }
        let said = |text: &str| {
            let error = serde_json::from_str::<Two>(text).unwrap_err();
            suggestion_for_field(&error.to_string())
        };
        let right: Two = serde_json::from_str(r#"{"matter":"x"}"#).unwrap();
        assert_eq!((right.matter.as_deref(), right.reason), (Some("x"), None));
        assert_eq!(said(r#"{"mater":"x"}"#), "; did you mean `matter`?");
        assert_eq!(said(r#"{"`, expected `":"x"}"#), "");
        assert_eq!(said(r#"{"matter":1}"#), "");
        let said = |text: &str| {
            let error = serde_json::from_str::<crate::privacy::Manner>(text).unwrap_err();
            suggestion_for_field(&error.to_string())
        };
        assert_eq!(said(r#""telefone""#), "; did you mean `telephone`?");
        let list = "; use web-form, email, letter, telephone, in-person, agent, other";
        assert_eq!(said(r#""pigeon""#), list);
        assert_eq!(said(r#""x`, expected `y""#), list);
    }
}
