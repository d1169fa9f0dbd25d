//! How a request came in and how it was checked who asks: words of closed lists, beside an officer's own.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use trailkeep_core::requests::NOT_CHECKED;
use trailkeep_proof::privacy::{IdentityKind, Manner};

/// Who established who asks.
#[derive(Args)]
pub(super) struct IdentityArgs {
    /// How the requester's identity was verified, in your own words [default: `not checked` is recorded]
    #[arg(long, value_name = "TEXT")]
    identity_verified_by: Option<String>,
    /// By what kind of check, or why none was made; the ledger's entry has it
    #[arg(long, value_name = "KIND", value_parser = identity_kinds())]
    pub(super) identity_kind: Option<IdentityKind>,
}

impl IdentityArgs {
    /// The officer's words; none where the kind of check says enough.
    pub(super) fn verified_by(&self) -> Option<String> {
        let nobody = self.identity_kind.is_none().then(|| NOT_CHECKED.to_owned());
        self.identity_verified_by.clone().or(nobody)
    }
}

/// Reads a manner; an unknown word is answered with the list, and with the one that is meant.
pub(super) fn manners() -> impl TypedValueParser<Value = Manner> {
    let words = PossibleValuesParser::new(Manner::WORDS);
    words.try_map(|word| Manner::of_word(&word).ok_or("it is not in the list"))
}

/// The same of a kind of identity check.
pub(super) fn identity_kinds() -> impl TypedValueParser<Value = IdentityKind> {
    let words = PossibleValuesParser::new(IdentityKind::WORDS);
    words.try_map(|word| IdentityKind::of_word(&word).ok_or("it is not in the list"))
}
