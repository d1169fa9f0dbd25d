//! How a request came in, and how it was checked who asks, in words of closed lists. They name nobody, so entries of the
//! ledger have them, whatever an officer writes beside them (11 CCR 7101(b); GDPR Art. 5(2), 12(6)).

use serde::{Deserialize, Serialize};

macro_rules! closed_list {
    ($(#[$meaning:meta])* $name:ident: $($(#[$of:meta])* $variant:ident = $word:literal, $said:literal;)*) => {
        $(#[$meaning])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$of])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// The words of the list.
            pub const WORDS: &[&str] = &[$($word),*];
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its word.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// The same within a sentence to the data subject.
            pub const fn said(self) -> &'static str {
                match self {
                    $(Self::$variant => $said,)*
                }
            }

            /// The one of a word.
            pub fn of_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == word)
            }
        }
    };
}

closed_list! {
    /// How a request came in.
    Manner:
    /// By a form on a web page, or in the account or the application of the data subject.
    WebForm = "web-form", "by a web form";
    /// By mail over the Internet.
    Email = "email", "by e-mail";
    /// On paper.
    Letter = "letter", "by letter";
    /// In a call.
    Telephone = "telephone", "by telephone";
    /// They came themselves.
    InPerson = "in-person", "in person";
    /// From somebody who acts for the data subject.
    Agent = "agent", "through an agent";
    /// None of these.
    Other = "other", "in another manner";
}

closed_list! {
    /// The kind of check by which it was established who asks, or why none was made.
    IdentityKind:
    /// They were signed in to their account.
    AccountLogin = "account-login", "by a login to the account";
    /// They answered at an address that was known before.
    EmailConfirmation = "email-confirmation", "by a confirmation from a known e-mail address";
    /// They showed a document.
    Document = "document", "by a document that was seen";
    /// Whoever answers knows them.
    Known = "known", "because you are known to the controller";
    /// An agent showed the authority to ask for them.
    AgentAuthority = "agent-authority", "by the authority of the agent";
    /// A check of another kind.
    Other = "other", "in another way";
    /// None was made: there was no reasonable doubt (GDPR Art. 12(6)).
    NoneNoDoubt = "none-no-doubt", "because there was no doubt about it";
    /// None was made: the law asks for none, as for a request to limit (11 CCR 7060(b)).
    NoneNotRequired = "none-not-required", "because the law requires no check";
    /// None was made, for another reason.
    NoneOther = "none-other", "for another reason";
}

impl IdentityKind {
    /// Whether the requester's identity was checked.
    pub const fn is_check(self) -> bool {
        !matches!(
            self,
            Self::NoneNoDoubt | Self::NoneNotRequired | Self::NoneOther
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_in_json_and_on_the_command_line() {
        for (manner, word) in Manner::ALL.iter().zip(Manner::WORDS) {
            assert_eq!(serde_json::to_value(manner).unwrap(), *word);
            assert_eq!(Manner::of_word(word), Some(*manner));
        }
        for (kind, word) in IdentityKind::ALL.iter().zip(IdentityKind::WORDS) {
            assert_eq!(serde_json::to_value(kind).unwrap(), *word);
            assert_eq!(IdentityKind::of_word(word), Some(*kind));
            assert_eq!(kind.is_check(), !word.starts_with("none-"), "{word}");
        }
        assert_eq!(Manner::of_word("Web-form"), None);
        assert!(serde_json::from_str::<IdentityKind>("\"passport of Ada\"").is_err());
    }
}
