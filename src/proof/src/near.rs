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

/// The same for an error of serde about a field that a type does not have (`deny_unknown_fields`).
pub fn suggestion_for_field(error: &str) -> String {
    let fault = error.split_once("unknown field `");
    let parts = fault.and_then(|(_, fault)| fault.rsplit_once("`, expected "));
    let Some((word, known)) = parts else {
        return String::new();
    };
    // `a`, `b` or `c`: the names stand between every second pair of marks.
    suggestion(word, known.split('`').skip(1).step_by(2))
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
    }
}
