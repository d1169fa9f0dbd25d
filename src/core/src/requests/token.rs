//! Tokens of previews: an erasure or a restriction is ordered by somebody who has seen what it does now.
//!
//! A token is a MAC over the terms of the order: all that decides what becomes of the events, but not how many those are. No
//! token is stored. When the order comes, the MAC is made again from what stands then.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

use crate::requests::dry_run::DryRunRow;
use trailkeep_crypto::secret::{PreviewKey, RandomError};
use trailkeep_proof::time::{Clock, UnixMillis};

/// How long a token can be used.
const VALID_MS: u64 = 15 * 60_000;

/// What an order would do. Two orders of the same terms do the same, with however many events.
#[derive(Debug, Serialize)]
pub(super) struct Terms {
    pub(super) tenant: String,
    pub(super) request: String,
    /// Commitment to the data subject.
    pub(super) subject: String,
    pub(super) ledgers: Vec<LedgerTerms>,
    /// The holds that stand against it, each by id, the entry that places it, and its end.
    pub(super) holds: Vec<(String, u64, Option<u64>)>,
    /// Ids of the other requests of the data subject that are not closed.
    pub(super) others: Vec<String>,
}

/// What an order would do in one ledger.
#[derive(Debug, Serialize)]
pub(super) struct LedgerTerms {
    pub(super) origin: String,
    pub(super) decisions: Vec<DecisionTerms>,
    /// The entries that state the policies of these classes, in every version.
    pub(super) policies: Vec<u64>,
}

/// What an order would do with events of one class, without their number.
#[derive(Debug, Serialize)]
pub(super) struct DecisionTerms {
    class: u16,
    policies: Vec<String>,
    outcome: String,
    until: Option<String>,
    ground: Option<String>,
    citation: Option<String>,
}

impl From<&DryRunRow> for DecisionTerms {
    fn from(row: &DryRunRow) -> Self {
        let DryRunRow {
            class,
            policies,
            events: _,
            outcome,
            until,
            ground,
            citation,
        } = row.clone();
        Self {
            class,
            policies,
            outcome,
            until,
            ground,
            citation,
        }
    }
}

/// A token, as a preview gives it.
#[derive(Clone, Debug)]
pub struct PreviewToken {
    /// What the order must bring.
    pub text: String,
    /// Until when it can be used, by the wall clock.
    pub expires_at: UnixMillis,
}

/// Why a token does not fit an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StaleToken {
    /// It is too old.
    #[error("the token of the preview is older than 15 minutes")]
    Expired,
    /// It is a MAC over something else, or none of this process.
    #[error(
        "the token does not fit what the order would do now: a hold, a class, a policy or another request of the data \
         subject changed since the preview, the server was restarted, or the token is that of another request"
    )]
    Changed,
}

/// Makes and checks the tokens of one process.
pub(super) struct Tokens(PreviewKey);

impl Tokens {
    pub(super) fn new() -> Result<Self, RandomError> {
        PreviewKey::random().map(Self)
    }

    /// The token of a preview with these terms.
    pub(super) fn give(&self, clock: &dyn Clock, terms: &Terms) -> PreviewToken {
        let made = Moment::now(clock);
        let mut bytes = made.to_bytes();
        bytes.extend(self.mac(made, terms).finalize().into_bytes());
        PreviewToken {
            text: URL_SAFE_NO_PAD.encode(bytes),
            expires_at: UnixMillis::new(made.wall_ms.saturating_add(VALID_MS)),
        }
    }

    /// Whether a token was given by this process for the same terms, and is not too old.
    pub(super) fn check(
        &self,
        clock: &dyn Clock,
        terms: &Terms,
        token: &str,
    ) -> Result<(), StaleToken> {
        let bytes = URL_SAFE_NO_PAD.decode(token).unwrap_or_default();
        let (boot_ms, rest) = bytes.split_first_chunk().ok_or(StaleToken::Changed)?;
        let (wall_ms, tag) = rest.split_first_chunk().ok_or(StaleToken::Changed)?;
        let made = Moment {
            boot_ms: u64::from_be_bytes(*boot_ms),
            wall_ms: u64::from_be_bytes(*wall_ms),
        };
        let is_own = self.mac(made, terms).verify_slice(tag).is_ok();
        if !is_own {
            return Err(StaleToken::Changed);
        }
        if made.is_over(Moment::now(clock)) {
            return Err(StaleToken::Expired);
        }
        Ok(())
    }

    fn mac(&self, made: Moment, terms: &Terms) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.0.expose())
            .expect("HMAC takes keys of any length");
        mac.update(b"trailkeep/preview-token/v1\n");
        mac.update(&made.to_bytes());
        let terms = serde_json::to_vec(terms);
        mac.update(&terms.expect("it is plain data, which has a JSON form"));
        mac
    }
}

/// When a token was made, by two clocks. A wall clock that is set back lengthens nothing; neither does a virtual machine
/// that is paused, whose time since boot may stand still meanwhile.
#[derive(Clone, Copy)]
struct Moment {
    boot_ms: u64,
    wall_ms: u64,
}

impl Moment {
    fn now(clock: &dyn Clock) -> Self {
        Self {
            boot_ms: clock.since_boot_ms(),
            wall_ms: clock.wall().get(),
        }
    }

    fn to_bytes(self) -> Vec<u8> {
        [self.boot_ms.to_be_bytes(), self.wall_ms.to_be_bytes()].concat()
    }

    /// Whether a token of this moment is too old, by either clock.
    const fn is_over(self, now: Self) -> bool {
        now.boot_ms.saturating_sub(self.boot_ms) >= VALID_MS
            || now.wall_ms.saturating_sub(self.wall_ms) >= VALID_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that stands: the wall time, and the time since boot.
    struct At(u64, u64);

    impl Clock for At {
        fn wall(&self) -> UnixMillis {
            UnixMillis::new(self.0)
        }

        fn since_boot_ms(&self) -> u64 {
            self.1
        }
    }

    fn terms(tenant: &str) -> Terms {
        Terms {
            tenant: tenant.to_owned(),
            request: "01".to_owned(),
            subject: "commitment".to_owned(),
            ledgers: Vec::new(),
            holds: Vec::new(),
            others: Vec::new(),
        }
    }

    const GIVEN: At = At(1_000_000_000, 5_000_000);

    #[test]
    fn a_token_is_valid_for_15_minutes_of_either_clock() {
        let tokens = Tokens::new().unwrap();
        let terms = terms("default");
        let token = tokens.give(&GIVEN, &terms);
        assert_eq!(token.expires_at.get(), GIVEN.0 + VALID_MS);
        let checked = |wall_ms, boot_ms| tokens.check(&At(wall_ms, boot_ms), &terms, &token.text);
        let (last_wall, last_boot) = (GIVEN.0 + VALID_MS - 1, GIVEN.1 + VALID_MS - 1);
        assert_eq!(checked(last_wall, last_boot), Ok(()));
        for (wall_ms, boot_ms) in [
            (last_wall, last_boot + 1),
            (last_wall + 1, last_boot),
            // A wall clock that is set back lengthens nothing.
            (GIVEN.0 - 86_400_000, last_boot + 1),
        ] {
            let late = checked(wall_ms, boot_ms);
            assert_eq!(late, Err(StaleToken::Expired), "{wall_ms} {boot_ms}");
        }
    }

    #[test]
    fn a_token_of_other_terms_or_another_process_or_changed_is_refused() {
        let tokens = Tokens::new().unwrap();
        let token = tokens.give(&GIVEN, &terms("default")).text;
        let refused = Err(StaleToken::Changed);
        assert_eq!(tokens.check(&GIVEN, &terms("other"), &token), refused);
        let restarted = Tokens::new().unwrap();
        assert_eq!(restarted.check(&GIVEN, &terms("default"), &token), refused);
        let mut bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        // Another time of its making, another MAC, a part of it, nothing.
        bytes[7] ^= 1;
        let later = URL_SAFE_NO_PAD.encode(&bytes);
        bytes[7] ^= 1;
        bytes[40] ^= 1;
        for forged in [
            later,
            URL_SAFE_NO_PAD.encode(&bytes),
            token[..40].to_owned(),
            String::new(),
        ] {
            let checked = tokens.check(&GIVEN, &terms("default"), &forged);
            assert_eq!(checked, refused, "{forged}");
        }
    }
}
