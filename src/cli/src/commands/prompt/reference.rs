//! How prompts, versions and labels are written on the command line.

use std::str::FromStr;

use trailkeep_api::prompts::Variant;
use trailkeep_proof::prompts::{PRODUCTION, WEIGHTS};

/// `NAME`, `NAME@LABEL` or `NAME/VERSION`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) enum Reference {
    Label(String, String),
    Version(String, u32),
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((name, label)) = text.split_once('@') {
            return Ok(Self::Label(name.to_owned(), label.to_owned()));
        }
        Ok(match text.parse() {
            Ok(VersionOf(name, version)) => Self::Version(name, version),
            Err(_) => Self::Label(text.to_owned(), PRODUCTION.to_owned()),
        })
    }
}

/// `NAME/VERSION`. A name never ends in a number of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct VersionOf(pub(super) String, pub(super) u32);

impl FromStr for VersionOf {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (name, version) = text.rsplit_once('/')?;
            Some(Self(name.to_owned(), number(version)?))
        };
        read().ok_or_else(|| "write NAME/VERSION, such as support/refund/3".to_owned())
    }
}

/// `LABEL=VERSION[:WEIGHT][,VERSION:WEIGHT]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Labelling {
    pub(super) label: String,
    pub(super) to: Vec<Variant>,
}

impl FromStr for Labelling {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "write LABEL=VERSION, or LABEL=VERSION,VERSION:WEIGHT with weights in ten-thousandths, such as production=3,4:1000".to_owned()
        };
        let (label, versions) = text.rsplit_once('=').ok_or_else(wrong)?;
        let mut to = Vec::new();
        for part in versions.split(',') {
            let (version, weight) = match part.split_once(':') {
                Some((version, weight)) => (version, Some(number(weight).ok_or_else(wrong)?)),
                None => (part, None),
            };
            to.push((number(version).ok_or_else(wrong)?, weight));
        }
        let given: u64 = to
            .iter()
            .filter_map(|(_, weight)| *weight)
            .map(u64::from)
            .sum();
        let left = u64::from(WEIGHTS).saturating_sub(given);
        let left = u32::try_from(left).unwrap_or_default();
        let open = to.iter().filter(|(_, weight)| weight.is_none()).count();
        if open > 1 {
            return Err("only one version may stand without a weight: it gets what the others leave of 10,000".to_owned());
        }
        if open == 1 && left == 0 {
            return Err(format!(
                "the weights sum to {given} and leave nothing of 10,000 for the version without one: make them smaller, such as production=3,4:1000"
            ));
        }
        let variant = |(version, weight): (u32, Option<u32>)| Variant {
            version,
            weight: weight.unwrap_or(left),
        };
        Ok(Self {
            label: label.to_owned(),
            to: to.into_iter().map(variant).collect(),
        })
    }
}

fn number(text: &str) -> Option<u32> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_a_label_or_a_version() {
        let label = |name: &str, label: &str| Reference::Label(name.to_owned(), label.to_owned());
        let version = |name: &str, version| Reference::Version(name.to_owned(), version);
        for (text, expected) in [
            ("support/refund", label("support/refund", "production")),
            ("refund@team/next", label("refund", "team/next")),
            ("refund@3", label("refund", "3")),
            ("support/refund@team/3", label("support/refund", "team/3")),
            ("support/refund/3", version("support/refund", 3)),
            ("refund/3x", label("refund/3x", "production")),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        assert!("refund".parse::<VersionOf>().is_err());
        assert!("refund/+3".parse::<VersionOf>().is_err());
    }

    #[test]
    fn weights_that_are_left_out_are_what_the_others_leave() {
        let of = |text: &str| {
            let read = text.parse::<Labelling>()?;
            let to = read.to.iter();
            let to: Vec<(u32, u32)> = to.map(|one| (one.version, one.weight)).collect();
            Ok::<_, String>((read.label, to))
        };
        let production = "production".to_owned();
        assert_eq!(
            of("production=3"),
            Ok((production.clone(), vec![(3, 10_000)]))
        );
        assert_eq!(
            of("production=3,4:1000"),
            Ok((production.clone(), vec![(3, 9_000), (4, 1_000)]))
        );
        assert_eq!(
            of("production=3:9000,4:1000"),
            Ok((production, vec![(3, 9_000), (4, 1_000)]))
        );
        for wrong in [
            "production",
            "production=",
            "production=a",
            "production=3,4",
            "p=3:x",
            "p=3:-1,4",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        for full in [
            "p=3,4:10000",
            "p=3,4:20000",
            "p=3:4294967295,4:4294967295,5",
        ] {
            let told = of(full).unwrap_err();
            assert!(told.contains("leave nothing of 10,000"), "{full}: {told}");
        }
    }
}
