//! A request as it comes in, and what it must be.

use crate::requests::{PrivacyError, near};
use trailkeep_proof::ledger::event::Person;
use trailkeep_proof::privacy::{Day, Ground, IdentityKind, Kind, Manner, Regime};

/// Longest texts of a request, in bytes; those of a person are the event schema's, in characters.
pub(super) const TEXT_BYTES_MAX: usize = 1_024;
const ID_CHARACTERS_MAX: usize = 512;
const NAMESPACE_CHARACTERS_MAX: usize = 128;

/// What is recorded instead of a method where nobody checked who asks, and somebody answers for it all the same.
pub const NOT_CHECKED: &str = "not checked";

/// A request as it comes in.
#[derive(Clone, Debug)]
pub struct NewRequest {
    /// What is asked for.
    pub kind: Kind,
    /// Under which law.
    pub regime: Regime,
    /// Who asks.
    pub subject: Person,
    /// The caller's own name for it.
    pub reference: Option<String>,
    /// By what it was established who asks; none: it waits for that.
    pub identity_verified_by: Option<String>,
    /// By what kind of check, or why none was made.
    pub identity_kind: Option<IdentityKind>,
    /// How it came in.
    pub manner: Option<Manner>,
    /// The day on which it came in; today unless said.
    pub received_on: Option<Day>,
    /// Include events in which the data subject is only the actor.
    pub include_acted: bool,
    /// Shows other persons in the same events, and why.
    pub show_others: Option<String>,
    /// Shows who of the staff acted.
    pub show_staff: bool,
    /// Why data subjects with a near identifier are other people.
    pub not_the_same_person: Option<String>,
    /// Of a restriction: on which ground it is asked for.
    pub ground: Option<Ground>,
}

impl NewRequest {
    pub(super) fn check(&self, today: Day) -> Result<(), PrivacyError> {
        let Person { namespace, id } = &self.subject;
        let is_name = |text: &str, most: usize| {
            text.chars().count() <= most && !text.chars().any(char::is_control)
        };
        if id.is_empty() || !is_name(id, ID_CHARACTERS_MAX) {
            return Err(PrivacyError::Malformed(
                "`subject.id` must be 1 to 512 characters without control characters, as in events",
            ));
        }
        if !is_name(namespace, NAMESPACE_CHARACTERS_MAX) {
            return Err(PrivacyError::Malformed(
                "`subject.namespace` must be at most 128 characters without control characters, as in events",
            ));
        }
        let texts = [
            &self.reference,
            &self.identity_verified_by,
            &self.show_others,
        ];
        let mut texts = texts.into_iter().flatten();
        if texts.any(|text| text.trim().is_empty() || text.len() > TEXT_BYTES_MAX) {
            return Err(PrivacyError::Malformed(
                "`reference`, `identity_verified_by` and `show_others` must be 1 to 1,024 bytes, or left out",
            ));
        }
        self.not_the_same_person
            .as_deref()
            .map_or(Ok(()), near::check_reason)?;
        check_kind(self.identity_verified_by.as_deref(), self.identity_kind)?;
        if self.ground.is_some() && !takes_ground(self.kind, self.regime) {
            return Err(PrivacyError::GroundOfNothing);
        }
        // A day further east may have begun.
        if self.received_on.is_some_and(|day| day > today.plus_days(1)) {
            return Err(PrivacyError::Future);
        }
        Ok(())
    }
}

/// A kind of check says that there was one, and `not checked` says that there was none.
pub(super) fn check_kind(
    verified_by: Option<&str>,
    kind: Option<IdentityKind>,
) -> Result<(), PrivacyError> {
    if kind.is_some_and(IdentityKind::is_check) && verified_by == Some(NOT_CHECKED) {
        return Err(PrivacyError::Malformed(
            "the identity is said to be `not checked`, and the kind of identity check says that it was: leave out one of the two, or use none-no-doubt, none-not-required or none-other",
        ));
    }
    Ok(())
}

/// How it was established who asks, in words: those of whoever answers, or else the kind of check. None: nobody said.
pub(super) fn verified_by(verified_by: Option<&str>, kind: Option<IdentityKind>) -> Option<String> {
    let word = |kind: IdentityKind| {
        if kind.is_check() {
            kind.as_str()
        } else {
            NOT_CHECKED
        }
    };
    let kind = kind.map(word);
    verified_by.or(kind).map(str::to_owned)
}

/// Whether a request needs a ground of GDPR Art. 18(1).
pub(super) const fn takes_ground(kind: Kind, regime: Regime) -> bool {
    matches!(kind, Kind::Restriction) && matches!(regime, Regime::Gdpr | Regime::UkGdpr)
}
