//! The folded form of a data subject's identifier: what two spellings of one identifier have in common.
//!
//! Identifiers are compared byte for byte, and an answer of "nothing held" is only as good as the spelling that was asked
//! for. Two identifiers with one folded form may be one person, or not: a person decides (docs/gdpr.md, "Near matches").

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;

/// Turns that folding takes at most: case folding can undo a normal form, and a wrapping can stand inside of another.
const TURNS_MAX: usize = 8;
/// Characters of a UUID without its hyphens.
const UUID_DIGITS: usize = 32;

/// The folded form: NFKC, full case folding and digits of ASCII, without characters that nobody sees, white space and marks of wrapping around
/// it, a scheme in front (`mailto:`, `urn:uuid:`, `auth0|`), the hyphens of a UUID, and zeros in front of a number.
///
/// The namespace is no part of it. An identifier of which nothing is left is its own folded form.
pub(crate) fn fold(id: &str) -> String {
    let mut folded = id.to_owned();
    for _ in 0..TURNS_MAX {
        let next = unwrapped(&same_case(&folded)).to_owned();
        if next.is_empty() || next == folded {
            break;
        }
        folded = next;
    }
    if let Some(number) = without_zeros(&folded) {
        return number.to_owned();
    }
    uuid_digits(&folded).unwrap_or(folded)
}

fn same_case(text: &str) -> String {
    // ASCII has one normal form, and no character that nobody sees.
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    same_case_of_any(text)
}

fn same_case_of_any(text: &str) -> String {
    let normalizer = ComposingNormalizerBorrowed::new_nfkc();
    let seen: String = text
        .chars()
        .filter(|c| !is_unseen(*c))
        .map(european_digit)
        .collect();
    let normal = normalizer.normalize(&seen);
    let folded = CaseMapper::new().fold_string(&normal);
    normalizer.normalize(&folded).into_owned()
}

/// The zeros of decimal digits in other scripts; the nine others follow each.
const ZEROS: &[char] = &[
    '\u{660}', '\u{6f0}', '\u{7c0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}',
    '\u{be6}', '\u{c66}', '\u{ce6}', '\u{d66}', '\u{de6}', '\u{e50}', '\u{ed0}', '\u{f20}',
    '\u{1040}', '\u{1090}', '\u{17e0}', '\u{1810}', '\u{1946}', '\u{19d0}', '\u{1a80}', '\u{1a90}',
    '\u{1b50}', '\u{1bb0}', '\u{1c40}', '\u{1c50}', '\u{a620}', '\u{a8d0}', '\u{a900}', '\u{a9d0}',
    '\u{a9f0}', '\u{aa50}', '\u{abf0}',
];

/// A decimal digit of any script as the one of ASCII.
fn european_digit(c: char) -> char {
    let value = |zero: &char| u32::from(c).checked_sub(u32::from(*zero));
    let mut values = ZEROS.iter().filter_map(value);
    let digit = values.find_map(|value| char::from_digit(value, 10));
    digit.unwrap_or(c)
}

/// Characters that change nothing that a reader sees: soft hyphen, joiners, directions, variations.
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// What stands within white space, brackets, quotation marks and behind a scheme.
fn unwrapped(text: &str) -> &str {
    let text = text.trim();
    for (open, close) in [
        ('<', '>'),
        ('{', '}'),
        ('"', '"'),
        ('\'', '\''),
        ('[', ']'),
        ('(', ')'),
    ] {
        let inner = text
            .strip_prefix(open)
            .and_then(|text| text.strip_suffix(close));
        if let Some(inner) = inner.filter(|inner| !inner.trim().is_empty()) {
            return inner.trim();
        }
    }
    let is_scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+.-_".contains(c))
    };
    match text.split_once([':', '|']) {
        Some((scheme, rest)) if is_scheme(scheme) && !rest.trim().is_empty() => {
            rest.trim_start_matches('/').trim()
        }
        _ => text,
    }
}

fn without_zeros(text: &str) -> Option<&str> {
    let is_number = text.chars().all(|c| c.is_ascii_digit());
    let rest = text.trim_start_matches('0');
    (is_number && !rest.is_empty()).then_some(rest)
}

fn uuid_digits(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let is_uuid = digits.len() == UUID_DIGITS && digits.chars().all(|c| c.is_ascii_hexdigit());
    is_uuid.then_some(digits)
}

/// An identifier so that whoever knows it knows it again, and nobody else learns it: the first letter or digit of each word,
/// and the marks between.
pub(crate) fn mask(id: &str) -> String {
    let mut is_inside = false;
    let masked = id.chars().map(|c| {
        let is_word = c.is_alphanumeric();
        let shown = if is_word && is_inside { '*' } else { c };
        is_inside = is_word;
        // What a terminal or a page could take for something else is not shown.
        if shown.is_control() || is_unseen(shown) {
            '?'
        } else {
            shown
        }
    });
    masked.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_of_one_identifier_fold_alike() {
        for (one, others) in [
            (
                "ada.lovelace@example.org",
                &[
                    "Ada.Lovelace@Example.org",
                    " ada.lovelace@example.org\u{a0}",
                    "mailto:Ada.Lovelace@example.org",
                    "MAILTO:<ada.lovelace@example.org>",
                    "acct:ada.lovelace@example.org",
                    "ada.\u{200b}lovelace@example.org",
                    "ａｄａ.lovelace@example.org",
                    "crm:ada.lovelace@example.org",
                ][..],
            ),
            (
                "42",
                &["0042", "user:42", "０４２", "\"42\"", "٠٠٤٢", "४२", "៤២"],
            ),
            (
                "customer-17",
                &["Customer-17", "crm|customer-17", "urn:crm:customer-17"],
            ),
            (
                "0f8fad5bd9cb469fa16570867728950e",
                &[
                    "0f8fad5b-d9cb-469f-a165-70867728950e",
                    "{0F8FAD5B-D9CB-469F-A165-70867728950E}",
                    "urn:uuid:0f8fad5b-d9cb-469f-a165-70867728950e",
                ],
            ),
            ("strasse", &["Straße", "STRASSE"]),
            ("josé", &["Jose\u{301}", "JOSÉ"]),
            ("σοφος", &["ΣΟΦΟΣ", "σοφος"]),
        ] {
            for other in others {
                assert_eq!(fold(other), fold(one), "{other}");
            }
        }
    }

    proptest! {
        #[test]
        fn ascii_folds_as_any_text_does(text in "[ -~\t\r\n\u{1}]{0,40}") {
            prop_assert_eq!(same_case(&text), same_case_of_any(&text));
        }
    }

    #[test]
    fn other_identifiers_stay_apart_and_none_becomes_nothing() {
        for (one, other) in [
            ("ada", "bert"),
            ("42", "420"),
            ("customer-17", "customer-170"),
            ("0x2a", "42"),
        ] {
            assert_ne!(fold(one), fold(other), "{one} {other}");
        }
        for odd in ["", " ", "0", "000", "mailto:", "<>", "::", "\u{200b}", "-"] {
            assert_eq!(fold(odd), fold(&fold(odd)), "{odd:?}");
        }
        assert_eq!(fold("0"), "0");
        assert_ne!(fold("000"), "");
    }

    #[test]
    fn a_masked_identifier_is_known_again_and_tells_nothing_more() {
        assert_eq!(mask("Ada.Lovelace@Example.org"), "A**.L*******@E******.o**");
        assert_eq!(mask("mailto:bob@example.org"), "m*****:b**@e******.o**");
        assert_eq!(mask("0042"), "0***");
        assert_eq!(mask("\u{1b}[31mx\u{202e}"), "?[3***?");
    }
}
