//! The policies that are in force, by the regimes they are of.

use std::fmt;
use std::sync::Arc;

use super::file::Policy;
use super::read::PolicyError;
use trailkeep_proof::near::meant;

/// The policies that the program ships, as files: policies/.
pub const SHIPPED: [(&str, &str); 19] = [
    ("ccpa", include_str!("../../../policies/ccpa.toml")),
    (
        "default-90d",
        include_str!("../../../policies/default-90d.toml"),
    ),
    (
        "dora-nis2",
        include_str!("../../../policies/dora-nis2.toml"),
    ),
    (
        "eu-ai-act-annex-i-deployer",
        include_str!("../../../policies/eu-ai-act-annex-i-deployer.toml"),
    ),
    (
        "eu-ai-act-annex-i-provider",
        include_str!("../../../policies/eu-ai-act-annex-i-provider.toml"),
    ),
    (
        "eu-ai-act-high-risk-deployer",
        include_str!("../../../policies/eu-ai-act-high-risk-deployer.toml"),
    ),
    (
        "eu-ai-act-high-risk-provider",
        include_str!("../../../policies/eu-ai-act-high-risk-provider.toml"),
    ),
    (
        "fda-part-11",
        include_str!("../../../policies/fda-part-11.toml"),
    ),
    (
        "gdpr-minimal",
        include_str!("../../../policies/gdpr-minimal.toml"),
    ),
    (
        "gdpr-requests",
        include_str!("../../../policies/gdpr-requests.toml"),
    ),
    ("hipaa", include_str!("../../../policies/hipaa.toml")),
    (
        "iso-27001",
        include_str!("../../../policies/iso-27001.toml"),
    ),
    (
        "nydfs-500",
        include_str!("../../../policies/nydfs-500.toml"),
    ),
    ("pci-dss", include_str!("../../../policies/pci-dss.toml")),
    (
        "sec-17a-4",
        include_str!("../../../policies/sec-17a-4.toml"),
    ),
    ("soc2", include_str!("../../../policies/soc2.toml")),
    ("sox", include_str!("../../../policies/sox.toml")),
    (
        "sox-issuer",
        include_str!("../../../policies/sox-issuer.toml"),
    ),
    (
        "us-federal",
        include_str!("../../../policies/us-federal.toml"),
    ),
];

/// The policy of events to which nothing else applies.
pub const DEFAULT_POLICY: &str = "default-90d";

/// Policies, each regime's name once.
#[derive(Clone, Debug)]
pub struct PolicySet {
    policies: Vec<Arc<Policy>>,
}

/// Why policies can't be in force together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicySetError {
    /// A file that is no policy.
    #[error("{0}: {1}")]
    Policy(String, PolicyError),
    /// Two files for one regime.
    #[error("the regime `{regime}` is in {first} and in {second}: a regime has one policy")]
    Twice {
        regime: String,
        first: String,
        second: String,
    },
    /// The default policy is missing.
    #[error("the policy `{DEFAULT_POLICY}` is missing; events without a regime need it")]
    NoDefault,
}

impl PolicySet {
    /// What the program ships.
    pub fn shipped() -> Result<Self, PolicySetError> {
        let policies = SHIPPED.iter().map(|(id, text)| {
            Policy::parse(text).map_err(|error| PolicySetError::Policy((*id).to_owned(), error))
        });
        Self::new(policies.collect::<Result<_, _>>()?)
    }

    /// These policies and no others.
    pub fn new(policies: Vec<Policy>) -> Result<Self, PolicySetError> {
        let mut owners: std::collections::HashMap<&str, &str> = std::collections::HashMap::new();
        for policy in &policies {
            let mut names: Vec<&str> = policy.regimes.iter().map(String::as_str).collect();
            names.push(&policy.id);
            names.sort_unstable();
            names.dedup();
            for name in names {
                if let Some(first) = owners.insert(name, &policy.id) {
                    return Err(PolicySetError::Twice {
                        regime: name.to_owned(),
                        first: first.to_owned(),
                        second: policy.id.clone(),
                    });
                }
            }
        }
        if !owners.contains_key(DEFAULT_POLICY) {
            return Err(PolicySetError::NoDefault);
        }
        let mut policies: Vec<Arc<Policy>> = policies.into_iter().map(Arc::new).collect();
        policies.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(Self { policies })
    }

    /// These in the place of those with the same ids.
    pub fn with(&self, overriding: &[Policy]) -> Result<Self, PolicySetError> {
        let replaced = |policy: &&Arc<Policy>| !overriding.iter().any(|new| new.id == policy.id);
        let kept = self.policies.iter().filter(replaced);
        let kept = kept.map(|policy| (**policy).clone());
        Self::new(kept.chain(overriding.iter().cloned()).collect())
    }

    /// The policy of a regime.
    pub fn of_regime(&self, regime: &str) -> Option<&Arc<Policy>> {
        self.policies.iter().find(|policy| policy.is_of(regime))
    }

    /// The policy of a regime, or what may have been meant.
    pub fn known(&self, regime: &str) -> Result<&Arc<Policy>, UnknownRegime> {
        self.of_regime(regime).ok_or_else(|| UnknownRegime {
            near: meant(regime, self.regimes()).map(str::to_owned),
            regime: regime.to_owned(),
        })
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.policies.iter()
    }

    /// The names of all regimes, sorted.
    pub fn regimes(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .policies
            .iter()
            .flat_map(|policy| std::iter::once(&policy.id).chain(&policy.regimes))
            .map(String::as_str)
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// A regime that no policy is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRegime {
    /// As it was written.
    regime: String,
    /// The regime that may be meant.
    near: Option<String>,
}

impl fmt::Display for UnknownRegime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { regime, near } = self;
        match near {
            Some(near) => write!(f, "unknown regime \"{regime}\"; did you mean \"{near}\"?"),
            None => write!(
                f,
                "unknown regime \"{regime}\": `trailkeep policy list` shows the regimes"
            ),
        }
    }
}

impl std::error::Error for UnknownRegime {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_policies_stand_together() {
        let set = PolicySet::shipped().unwrap();
        for (id, _) in SHIPPED {
            assert_eq!(set.of_regime(id).unwrap().id, id);
        }
        assert_eq!(set.of_regime("gdpr").unwrap().id, "gdpr-minimal");
        assert!(set.of_regime("unheard-of").is_none());
        let again = Policy::parse(SHIPPED[1].1).unwrap();
        let other = Policy {
            id: "other".to_owned(),
            regimes: vec!["hipaa".to_owned()],
            ..again
        };
        assert!(matches!(
            set.with(&[other]),
            Err(PolicySetError::Twice { .. })
        ));
    }

    #[test]
    fn a_misspelt_regime_is_guessed_and_another_is_not() {
        let set = PolicySet::shipped().unwrap();
        let said = |regime: &str| set.known(regime).unwrap_err().to_string();
        let meant = |regime| format!("unknown regime \"{regime}\"; did you mean \"hipaa\"?");
        assert_eq!(said("hippa"), meant("hippa"));
        assert_eq!(said("HIPAA"), meant("HIPAA"));
        assert!(said("unheard-of").ends_with("shows the regimes"));
        assert!(said("").ends_with("shows the regimes"));
    }
}
