//! What policy files are refused for: their form, and their sense, each with its line and a remedy.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use trailkeep_policy::lint::{check, is_review_overdue};
use trailkeep_policy::read::POLICY_BYTES_MAX;
use trailkeep_policy::set::SHIPPED;
use trailkeep_policy::{DEFAULT_90D, Policy, PolicyError};
use trailkeep_proof::time::UnixMillis;

/// The paths of what is wrong with the shipped default after a change.
fn faults(from: &str, to: &str) -> Vec<String> {
    assert!(DEFAULT_90D.contains(from), "{from}");
    let changed = DEFAULT_90D.replacen(from, to, 1);
    match Policy::parse(&changed) {
        Ok(_) => Vec::new(),
        Err(PolicyError(faults)) => faults.iter().map(|fault| fault.path.join(".")).collect(),
    }
}

#[test]
fn what_is_no_policy_is_refused_where_it_stands() {
    for (from, to, path) in [
        ("schema = 1", "schema = 2", "schema"),
        ("version = 1", "version = 0", "version"),
        ("id = \"default-90d\"", "id = \"A b\"", "id"),
        ("regimes = []", "regimes = [\"A\"]", "applies_to.regimes"),
        (
            "event_types = [\"*\"]",
            "event_types = []",
            "applies_to.event_types",
        ),
        (
            "event_types = [\"*\"]",
            "event_types = [\"A\"]",
            "applies_to.event_types",
        ),
        (
            "jurisdiction = [\"*\"]",
            "jurisdiction = [\"usa\"]",
            "jurisdiction",
        ),
        ("2027-11-24", "2027-11-24T00:00:00Z", "review_by"),
        ("2026-11-24", "07:00:00", "effective_from"),
        ("P90D", "90D", "retention.delete_after"),
        ("P90D", "PT90H", "retention.delete_after"),
        (
            "\nclock = \"received\"",
            "\nclock = \"now\"",
            "retention.clock",
        ),
        (
            "keep_force = \"none\"",
            "keep_force = \"guidance\"",
            "retention.keep_force",
        ),
        (
            "[erasure]",
            "timezone = \"Europe/Berlin\"\n[erasure]",
            "retention.timezone",
        ),
        (
            "[erasure]",
            "purge_within = \"soon\"\n[erasure]",
            "retention.purge_within",
        ),
        (
            "[erasure]",
            "[retention.class.x]\nevent_types = []\n[erasure]",
            "retention.class.x.event_types",
        ),
        (
            "[erasure]",
            "[hold]\nblocks_expiry = false\n[erasure]",
            "hold.blocks_expiry",
        ),
        (
            "[erasure]",
            "[hold]\non_release = \"restart\"\n[erasure]",
            "hold.on_release",
        ),
        (
            "[erasure]",
            "[record]\nrequired_event_fields = [\"outcome\", \"patient\"]\n[erasure]",
            "record.required_event_fields.1",
        ),
        (
            "[erasure]",
            "[record]\nrequired_for = {\"a.*\" = [\"role\"]}\n[erasure]",
            "record.required_for.a.*.0",
        ),
        (
            "[erasure]",
            "[record]\nforbidden_event_fields = [\"action\"]\n[erasure]",
            "record.forbidden_event_fields",
        ),
        (
            "[erasure]",
            "[record]\nmax_clock_skew = \"P1D\"\n[erasure]",
            "record.max_clock_skew",
        ),
    ] {
        assert_eq!(faults(from, to), [path], "{to}");
    }
    // Not TOML, or unknown keys, or keys that are missing: the text itself says where.
    for (from, to) in [
        ("schema = 1", "schema ="),
        ("[retention]", "[retention]\nkeep_for = \"P1D\""),
        ("request = \"honour\"", "request = \"maybe\""),
        ("request = \"honour\"", ""),
        ("keep_at_least = \"P0D\"", ""),
    ] {
        let changed = DEFAULT_90D.replacen(from, to, 1);
        let PolicyError(faults) = Policy::parse(&changed).unwrap_err();
        assert!(faults[0].offset.is_some(), "{to}: {faults:?}");
    }
    let PolicyError(faults) = Policy::parse(&"#".repeat(POLICY_BYTES_MAX + 1)).unwrap_err();
    assert!(faults[0].problem.contains("65537 bytes"), "{faults:?}");
}

#[test]
fn all_faults_are_said_at_once() {
    let changed = DEFAULT_90D.replace("P90D", "90D").replace("P0D", "0D");
    let said = Policy::parse(&changed).unwrap_err().to_string();
    assert!(said.contains("`90D`") && said.contains("`0D`"), "{said}");
}

fn shipped(id: &str) -> &'static str {
    SHIPPED.iter().find(|(name, _)| *name == id).unwrap().1
}

#[test]
fn what_is_shipped_has_no_finding() {
    for (id, text) in SHIPPED {
        if let Err(findings) = check(text) {
            panic!("{id}: {findings:?}");
        }
    }
}

#[test]
fn each_rule_finds_its_fault_in_its_line() {
    for (id, from, to, rule, line) in [
        (
            "hipaa",
            "delete_after = \"P6Y3M\"",
            "delete_after = \"P6Y29D\"",
            "no-room-to-purge",
            "delete_after",
        ),
        (
            "hipaa",
            "keep_at_least = \"P6Y\"",
            "keep_at_least = \"P5Y\"",
            "law-lowered",
            "keep_at_least",
        ),
        (
            "hipaa",
            "keep_law = [\"US\"]",
            "keep_law = []",
            "law-without-source",
            "keep_force",
        ),
        (
            "hipaa",
            "kind = \"law\"",
            "kind = \"standard\"",
            "law-without-source",
            "keep_force",
        ),
        (
            "hipaa",
            "keep_force = \"law\"",
            "keep_force = \"none\"",
            "force-without-figure",
            "keep_force",
        ),
        (
            "soc2",
            "keep_at_least = \"P15M\"",
            "keep_at_least = \"P0D\"",
            "force-without-figure",
            "keep_force",
        ),
        (
            "soc2",
            "delete_force = \"custom\"",
            "delete_force = \"none\"",
            "force-without-figure",
            "delete_force",
        ),
        (
            "gdpr-minimal",
            "delete_after = \"P12M\"",
            "",
            "force-without-figure",
            "delete_force",
        ),
        (
            "hipaa",
            "gdpr_ground = \"",
            "gdpr_ground = \"17(3)(b); ",
            "foreign-law-in-17-3-b",
            "gdpr_ground",
        ),
        (
            "hipaa",
            "request = \"restrict_until_minimum\"",
            "request = \"honour\"",
            "honoured-minimum",
            "request",
        ),
        (
            "ccpa",
            "ccpa_ground",
            "# ccpa_ground",
            "refuse-without-ground",
            "request",
        ),
        (
            "pci-dss",
            "justification",
            "# justification",
            "justification-missing",
            "request",
        ),
        (
            "soc2",
            "request = \"honour\"",
            "request = \"restrict_until_minimum\"",
            "justification-missing",
            "request",
        ),
        (
            "hipaa",
            "review_by",
            "# review_by",
            "review-by-missing",
            "version",
        ),
        (
            "fda-part-11",
            "max_clock = \"trigger:record_retention_ended\"",
            "max_clock = \"received\"",
            "follows-nothing",
            "follows_record",
        ),
        (
            "default-90d",
            "delete_force = \"custom\"",
            "delete_force = \"law\"\npurge_within = \"P90D\"",
            "purge-before-receipt",
            "purge_within",
        ),
        (
            "hipaa",
            "keep_law = [\"US\"]",
            "keep_for = [\"US\"]",
            "form",
            "keep_for",
        ),
        ("hipaa", "version = 2", "version = 0", "form", "version"),
    ] {
        let text = shipped(id);
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let findings = check(&changed).unwrap_err();
        let finding = findings.iter().find(|finding| finding.rule == rule);
        let finding = finding.unwrap_or_else(|| panic!("{rule}: {findings:?}"));
        let found = changed.lines().nth(finding.line - 1).unwrap();
        assert!(
            found.starts_with(line),
            "{rule}: line {} is `{found}`",
            finding.line
        );
        assert!(!finding.remedy.is_empty());
    }
    // Two months are room enough. A fault of the figures is found in each table that has them.
    let text = shipped("hipaa").replace("P6Y3M", "P6Y2M");
    check(&text).unwrap();
    let text = text
        .replace("review_by", "# review_by")
        .replace("P6Y2M", "P6Y");
    assert_eq!(check(&text).unwrap_err().len(), 5);
}

#[test]
fn a_list_shows_the_line_of_its_element() {
    let text = shipped("hipaa").replace("\"outcome\"", "\n\"actor_role\"");
    let findings = check(&text).unwrap_err();
    let line = text.lines().nth(findings[0].line - 1).unwrap();
    assert!(line.starts_with("\"actor_role\""), "{line}");
    assert!(findings[0].remedy.contains("`actor.role`"), "{findings:?}");
}

#[test]
fn a_review_is_overdue_the_day_after() {
    let policy = check(shipped("default-90d")).unwrap();
    let at = |text| is_review_overdue(&policy, UnixMillis::parse_rfc3339(text).unwrap());
    assert!(!at("2027-11-24T23:59:59Z"));
    assert!(at("2027-11-25T00:00:00Z"));
}
