//! Restriction (GDPR Art. 18): on which ground somebody asks for it, and for which purposes restricted data may still be
//! used. Both lists are closed.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The ground of a restriction, GDPR Art. 18(1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ground {
    /// (a): the data subject contests that the data is right, until that is checked.
    Contested,
    /// (b): the use is unlawful, and the data subject wants restriction in place of deletion.
    Unlawful,
    /// (c): the controller needs the data no more, and the data subject needs it for legal claims.
    Claims,
    /// (d): the data subject objected (Art. 21(1)), until it is clear whose grounds override.
    Objection,
}

const GROUNDS: [(Ground, &str, &str, &str); 4] = [
    (Ground::Contested, "contested", "a", "18(1)(a)"),
    (Ground::Unlawful, "unlawful", "b", "18(1)(b)"),
    (Ground::Claims, "claims", "c", "18(1)(c)"),
    (Ground::Objection, "objection", "d", "18(1)(d)"),
];

impl Ground {
    /// All grounds, as a message lists them.
    pub const LIST: &'static str = "contested (a: the accuracy is contested), unlawful (b: the use is unlawful and the data subject \
        opposes deletion), claims (c: the data subject needs it for legal claims), objection (d: an objection is pending)";

    fn row(self) -> (Self, &'static str, &'static str, &'static str) {
        let found = GROUNDS.into_iter().find(|(ground, ..)| *ground == self);
        found.unwrap_or(GROUNDS[0])
    }

    /// Its word.
    pub fn as_str(self) -> &'static str {
        self.row().1
    }

    /// Where it is said, such as `18(1)(c)`.
    pub fn article(self) -> &'static str {
        self.row().3
    }

    /// Whether the data subject asked to have the data kept, so that it must not expire meanwhile: (b) in place of its
    /// deletion, (c) for their claims.
    pub const fn keeps_beyond_expiry(self) -> bool {
        matches!(self, Self::Unlawful | Self::Claims)
    }
}

impl FromStr for Ground {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = GROUNDS
            .into_iter()
            .find(|(_, word, letter, article)| [*word, *letter, *article].contains(&text));
        let found = found.map(|(ground, ..)| ground);
        found.ok_or_else(|| format!("unknown ground; grounds are: {}", Self::LIST))
    }
}

/// What restricted data may still be used for, GDPR Art. 18(2): the stated purpose of a read begins with one of these words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestrictedUse {
    /// The data subject consented.
    Consent,
    /// To establish, exercise or defend legal claims.
    LegalClaims,
    /// To protect the rights of another person.
    RightsOfOthers,
    /// For important public interest of the Union or a member state, which includes an authority that examines.
    PublicInterest,
    /// Storage itself: to keep, repair or back it up.
    Storage,
    /// To answer the data subject.
    AnswerRequest,
}

const USES: [(RestrictedUse, &str); 6] = [
    (RestrictedUse::Consent, "consent"),
    (RestrictedUse::LegalClaims, "legal-claims"),
    (RestrictedUse::RightsOfOthers, "rights-of-others"),
    (RestrictedUse::PublicInterest, "public-interest"),
    (RestrictedUse::Storage, "storage"),
    (RestrictedUse::AnswerRequest, "answer-request"),
];

impl RestrictedUse {
    /// All of them, as a message lists them.
    pub const LIST: &'static str =
        "consent, legal-claims, rights-of-others, public-interest, storage, answer-request";

    /// Its word.
    pub fn as_str(self) -> &'static str {
        let found = USES.into_iter().find(|(purpose, _)| *purpose == self);
        found.map_or("", |(_, word)| word)
    }

    /// The purpose that a text begins with: a word of the list, alone or with free text behind it, as in `legal-claims: file
    /// 17`. Case does not matter, and a space or `_` stands for `-`.
    pub fn stated_in(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase().replace([' ', '_'], "-");
        let found = USES.into_iter().find(|(_, word)| {
            text.strip_prefix(word)
                .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        });
        found.map(|(purpose, _)| purpose)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grounds_have_a_word_a_letter_and_an_article() {
        for (ground, word, letter, article) in GROUNDS {
            for text in [word, letter, article] {
                assert_eq!(text.parse(), Ok(ground));
            }
            assert_eq!(serde_json::to_value(ground).unwrap(), word);
            assert!(Ground::LIST.contains(word));
        }
        assert!("e".parse::<Ground>().unwrap_err().contains("objection (d"));
        let keeps = GROUNDS.map(|(ground, ..)| ground.keeps_beyond_expiry());
        assert_eq!(keeps, [false, true, true, false]);
    }

    #[test]
    fn a_purpose_is_a_word_of_the_list_with_or_without_more() {
        let stated = RestrictedUse::stated_in;
        assert_eq!(stated("legal-claims"), Some(RestrictedUse::LegalClaims));
        assert_eq!(
            stated("Legal claims: file 17"),
            Some(RestrictedUse::LegalClaims)
        );
        assert_eq!(
            stated(" public_interest, examination"),
            Some(RestrictedUse::PublicInterest)
        );
        for refused in [
            "",
            "marketing",
            "consenting",
            "storage1",
            "for legal-claims",
            "claims",
        ] {
            assert_eq!(stated(refused), None, "{refused}");
        }
        for (purpose, word) in USES {
            assert_eq!(stated(word), Some(purpose));
            assert!(RestrictedUse::LIST.contains(word));
        }
    }
}
