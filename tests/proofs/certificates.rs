//! Certificates of another program (tests/certificate/make_certificate.py), good and hostile, against ours. Needs
//! no server.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use trailkeep_proof::ledger::note::PublicKey;
use trailkeep_proof::privacy::Outcome;
use trailkeep_proof::privacy::check::{Question, Report, check};

fn vectors() -> PathBuf {
    crate::support::root().join("tests/certificate/vectors")
}

fn key() -> PublicKey {
    PublicKey::parse(&std::fs::read_to_string(vectors().join("public.pem")).unwrap()).unwrap()
}

fn judge(folder: &Path, name: &str, subject: Option<(&str, &str)>) -> Report {
    let read = |ending: &str| std::fs::read(folder.join(format!("{name}{ending}"))).unwrap();
    let text = String::from_utf8(read(".json")).unwrap();
    let question = Question {
        signature: &read(".json.sig"),
        key: &key(),
        subject,
    };
    check(&text, &question)
}

#[test]
fn good_certificates_verify_and_say_who_they_are_about() {
    for (name, outcome, held) in [
        ("copy", Outcome::Disclosed, 5),
        ("nothing-held", Outcome::NothingHeld, 0),
        ("erased", Outcome::Erased, 3),
        ("partial", Outcome::Partial, 3),
        ("restricted", Outcome::Restricted, 2),
        ("held", Outcome::Held, 2),
        ("told", Outcome::Partial, 3),
    ] {
        let report = judge(&vectors(), name, None);
        assert!(report.verified, "{name}: {:?}", report.findings);
        assert_eq!((report.outcome, report.events.held), (Some(outcome), held));
        assert_eq!(report.about_subject, None);
        assert_eq!(
            report.statement_seq.is_some(),
            report.events.destroyed > 0,
            "{name}"
        );
        let theirs = judge(&vectors(), name, Some(("patient", "p-1")));
        assert!(
            theirs.verified && theirs.about_subject == Some(true),
            "{name}"
        );
        for other in [("", "p-1"), ("patient", "p-2"), ("patientp", "-1")] {
            let report = judge(&vectors(), name, Some(other));
            assert!(!report.verified, "{name}");
            assert_eq!(report.about_subject, Some(false));
            assert_eq!(report.findings[0].rule, "subject");
        }
    }
}

/// Grounds and the kind of check are proven where the entries have them, and else only signed.
#[test]
fn what_entries_have_of_grounds_and_checks_is_not_only_signed() {
    let signed_only = |name: &str| judge(&vectors(), name, None).signed_only;
    assert!(signed_only("partial").contains(&"kept"));
    let told = signed_only("told");
    for proven in ["kept", "request.identity_kind"] {
        assert!(!told.contains(&proven), "{told:?}");
    }
}

#[test]
fn hostile_certificates_are_refused_by_the_rule_that_they_break() {
    let folder = vectors().join("hostile");
    let expected = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: BTreeMap<String, String> = serde_json::from_str(&expected).unwrap();
    assert!(expected.len() > 25);
    for (name, rule) in expected {
        let report = judge(&folder, &name, None);
        assert!(!report.verified, "{name}");
        assert_eq!(
            report.findings[0].rule, rule,
            "{name}: {:?}",
            report.findings
        );
    }
}

#[test]
fn every_changed_byte_is_refused() {
    for name in ["copy", "partial"] {
        let text = std::fs::read(vectors().join(format!("{name}.json"))).unwrap();
        let signature = std::fs::read(vectors().join(format!("{name}.json.sig"))).unwrap();
        let key = key();
        for place in 0..text.len() {
            let mut changed = text.clone();
            changed[place] ^= 1;
            let Ok(changed) = String::from_utf8(changed) else {
                continue;
            };
            let question = Question {
                signature: &signature,
                key: &key,
                subject: None,
            };
            assert!(!check(&changed, &question).verified, "{name}: byte {place}");
        }
        for place in 0..signature.len() {
            let mut changed = signature.clone();
            changed[place] ^= 1;
            let question = Question {
                signature: &changed,
                key: &key,
                subject: None,
            };
            let text = std::str::from_utf8(&text).unwrap();
            assert!(
                !check(text, &question).verified,
                "{name}: signature byte {place}"
            );
        }
    }
}

#[test]
fn certificates_follow_their_schema() {
    let root = crate::support::root();
    let schema = std::fs::read_to_string(root.join("schema/certificate.schema.json")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    for name in [
        "copy",
        "nothing-held",
        "erased",
        "partial",
        "restricted",
        "held",
    ] {
        let text = std::fs::read_to_string(vectors().join(format!("{name}.json"))).unwrap();
        let value = serde_json::from_str(&text).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
        let mut wrong: serde_json::Value = value;
        wrong["subject"].as_object_mut().unwrap().remove("salt");
        assert!(!validator.is_valid(&wrong), "{name}");
    }
}
