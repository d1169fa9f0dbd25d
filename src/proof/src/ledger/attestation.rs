//! Who vouches for a head besides its ledger's own key.
//!
//! A head that only the ledger's key signed is *self-attested*: whoever has the key can sign another one. It is *anchored*
//! where an older head, kept elsewhere, is shown to be its beginning, and *witnessed* where a witness that the verifier
//! trusts has cosigned it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::cosignature::WitnessKey;
use super::note::{SignedNote, VerifierKey};

/// What a head rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The ledger's own key alone.
    #[default]
    SelfAttested,
    /// A head that was kept elsewhere, too.
    Anchored,
    /// Witnesses that the verifier named, too.
    Witnessed,
}

/// A witness and when it cosigned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Witnessed {
    /// The witness's name.
    pub name: String,
    /// Its key, as a C2SP verifier key.
    pub key: String,
    /// When it cosigned, by its own clock (RFC 3339, UTC).
    pub at: String,
}

/// Who vouches for a head.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Attestation {
    /// What it rests on.
    pub level: Level,
    /// The named witnesses that cosigned it.
    pub witnesses: Vec<Witnessed>,
    /// Names beside other signatures, by keys that nobody named: not checked.
    pub unchecked: Vec<String>,
}

impl Attestation {
    /// Checks the cosignatures of a head's note. Every witness that is named must have cosigned; what is wrong with those
    /// that did not is the second part.
    pub fn of(
        note: &SignedNote<'_>,
        own: &[VerifierKey],
        named: &[WitnessKey],
    ) -> (Self, Vec<String>) {
        let mut found = Self::default();
        let mut wrong = Vec::new();
        for key in named {
            match key.verify(note) {
                Ok(moment) => found.witnesses.push(Witnessed {
                    name: key.name().to_owned(),
                    key: key.to_string(),
                    at: moment.to_short_rfc3339(),
                }),
                Err(error) => wrong.push(error.to_string()),
            }
        }
        let lines = note.signatures().iter();
        let unknown = lines.filter(|line| {
            !own.iter().any(|key| key.is_claimed_by(line))
                && !named.iter().any(|key| key.is_claimed_by(line))
        });
        found.unchecked = unknown.map(|line| line.name.to_owned()).collect();
        if !found.witnesses.is_empty() {
            found.level = Level::Witnessed;
        }
        (found, wrong)
    }

    /// A head that was kept elsewhere was shown to be the beginning.
    pub fn anchor(&mut self) {
        if self.level == Level::SelfAttested {
            self.level = Level::Anchored;
        }
    }
}

/// For a person: `witnessed by w.example/1 at 2026-11-25T14:00:00Z`.
impl fmt::Display for Attestation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Level::SelfAttested => {
                formatter.write_str("self-attested: only the ledger's own key signs it")?;
            }
            Level::Anchored => {
                formatter.write_str("anchored: it continues the checkpoint that you kept")?;
            }
            Level::Witnessed => {
                let by = self.witnesses.iter();
                let by: Vec<String> = by
                    .map(|witness| format!("{} at {}", witness.name, witness.at))
                    .collect();
                write!(formatter, "witnessed by {}", by.join(", "))?;
            }
        }
        if !self.unchecked.is_empty() {
            let names = self.unchecked.join(", ");
            write!(
                formatter,
                "; signatures by other keys, not checked: {names}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::cosignature::tests::{cosign, note, witness};
    use super::super::cosignature::with_lines;
    use super::*;
    use ed25519_dalek::SigningKey;

    #[test]
    fn what_a_head_rests_on_is_said() {
        let note = note();
        let text = SignedNote::parse(&note).unwrap().text().to_owned();
        let own =
            VerifierKey::from_public("a.b/x", &SigningKey::from_bytes(&[1; 32]).verifying_key());
        let own = std::slice::from_ref(&own);
        let (one, other) = (witness(3, "w.example/1"), witness(4, "w.example/2"));
        let bare = SignedNote::parse(&note).unwrap();
        let (mut found, wrong) = Attestation::of(&bare, own, &[]);
        assert_eq!((found.level, wrong.len()), (Level::SelfAttested, 0));
        found.anchor();
        assert!(found.to_string().starts_with("anchored"), "{found}");
        assert_eq!(
            Attestation::of(&bare, own, std::slice::from_ref(&one.1))
                .1
                .len(),
            1
        );

        let cosigned = with_lines(&note, &cosign(&text, 1_700_000_000, &one));
        let cosigned = SignedNote::parse(&cosigned).unwrap();
        let (found, wrong) = Attestation::of(&cosigned, own, std::slice::from_ref(&one.1));
        assert_eq!((found.level, wrong.len()), (Level::Witnessed, 0));
        assert_eq!(
            found.to_string(),
            "witnessed by w.example/1 at 2023-11-14T22:13:20Z"
        );
        // A signer whom nobody named is neither trusted nor refused.
        let (found, wrong) = Attestation::of(&cosigned, own, &[]);
        assert_eq!((found.level, wrong.len()), (Level::SelfAttested, 0));
        assert_eq!(found.unchecked, ["w.example/1"]);
        // One that was named and did not sign is refused, whoever else did.
        let (_, wrong) = Attestation::of(&cosigned, own, &[one.1.clone(), other.1.clone()]);
        assert_eq!(wrong.len(), 1);
        assert!(wrong[0].contains("w.example/2"), "{wrong:?}");
    }
}
