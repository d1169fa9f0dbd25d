//! The cases T1 to T26 and the date vectors, at the level of policies: through the library and through
//! `policy explain` of the real binary. Where a case is about state, here stands what policies say of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use crate::support::trailkeep;
use serde_json::{Value, json};
use trailkeep_core::journal::class::policies_of;
use trailkeep_policy::{self, Applied, EventTimes, Policy, PolicySet, change, ingest, later, lint};
use trailkeep_proof::time::UnixMillis;

/// What is asked, and what is to be answered; an empty text is null, and a list of no hold or trigger is none.
#[derive(Clone, Copy, Default)]
struct Case<'a> {
    name: &'a str,
    regimes: &'a [&'a str],
    action: &'a str,
    recorded: &'a str,
    occurred: Option<&'a str>,
    asked: Option<&'a str>,
    holds: &'a [&'a str],
    triggers: &'a [&'a str],
    at: Option<&'a str>,
    keep_until: &'a str,
    expires_at: &'a str,
    destroy_at: &'a str,
    decision: &'a str,
    erasure: (&'a str, &'a str),
    conflict: Option<(&'a str, &'a str)>,
}

/// `2026-11-24` is its midnight.
fn full(text: &str) -> String {
    match text.len() {
        10 => format!("{text}T00:00:00Z"),
        17 => format!("{}:00Z", &text[..16]),
        _ => text.to_owned(),
    }
}

fn moment(text: &str) -> UnixMillis {
    UnixMillis::parse_rfc3339(&full(text)).unwrap_or_else(|| panic!("{text}"))
}

/// The hold or trigger with full times.
fn full_parts(text: &str, divider: &str) -> String {
    let (one, other) = text.split_once(divider).unwrap();
    let whole = |part: &str| match part {
        "" => String::new(),
        part if part.starts_with(|c: char| c.is_ascii_digit()) => full(part),
        part => part.to_owned(),
    };
    format!("{}{divider}{}", whole(one), whole(other))
}

impl Case<'_> {
    fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = ["policy", "explain", "--json"].map(String::from).into();
        let mut add = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        self.regimes
            .iter()
            .for_each(|regime| add("--regime", (*regime).to_owned()));
        add("--recorded-at", full(self.recorded));
        if !self.action.is_empty() {
            add("--action", self.action.to_owned());
        }
        for (name, value) in [
            ("--occurred-at", self.occurred),
            ("--erasure-requested-at", self.asked),
            ("--at", self.at),
        ] {
            value.into_iter().for_each(|value| add(name, full(value)));
        }
        self.holds
            .iter()
            .for_each(|hold| add("--hold", full_parts(hold, "..")));
        self.triggers
            .iter()
            .for_each(|trigger| add("--trigger", full_parts(trigger, "=")));
        arguments
    }

    /// What the library says.
    fn explained(&self) -> Value {
        let set = PolicySet::shipped().unwrap();
        let regimes: Vec<String> = self.regimes.iter().map(|name| (*name).to_owned()).collect();
        let policies = policies_of(&set, &[], &regimes, self.action).unwrap();
        let recorded_at = moment(self.recorded);
        let mut times = EventTimes::received(recorded_at);
        times.occurred_at = self.occurred.map_or(recorded_at, moment);
        for trigger in self.triggers {
            let (name, at) = trigger.split_once('=').unwrap();
            times.triggers.insert(name.to_owned(), moment(at));
        }
        let holds: Vec<_> = self
            .holds
            .iter()
            .map(|hold| {
                let (from, to) = hold.split_once("..").unwrap();
                let to = (!to.is_empty()).then(|| moment(to));
                trailkeep_policy::HoldSpan {
                    from: moment(from),
                    to,
                }
            })
            .collect();
        let applied: Vec<Applied<'_>> = policies
            .iter()
            .map(|policy| Applied::to(policy, self.action, recorded_at))
            .collect();
        let case = trailkeep_policy::Case {
            applied: &applied,
            times: &times,
            class_after: None,
            erasure_requested_at: self.asked.map(moment),
            holds: &holds,
        };
        let at = self.at.or(self.asked);
        explain(&case, at.map_or(UnixMillis::new(1_795_478_400_000), moment))
    }

    fn compare(&self, answer: &Value, by: &str) {
        let Self { name, .. } = self;
        let date = |text: &str| {
            if text.is_empty() {
                Value::Null
            } else {
                json!(full(text))
            }
        };
        for (key, expected) in [
            ("keep_until", self.keep_until),
            ("expires_at", self.expires_at),
            ("destroy_at", self.destroy_at),
        ] {
            assert_eq!(
                answer[key],
                date(expected),
                "{name} by {by}: {key}\n{answer:#}"
            );
        }
        assert_eq!(
            answer["decision"], self.decision,
            "{name} by {by}\n{answer:#}"
        );
        let (outcome, until) = self.erasure;
        let erasure = json!({"outcome": outcome, "until": date(until)});
        assert_eq!(answer["erasure"], erasure, "{name} by {by}\n{answer:#}");
        let conflicts = answer["conflicts"].as_array().unwrap();
        match self.conflict {
            Some((held, over)) => {
                assert_eq!(conflicts.len(), 1, "{name} by {by}\n{answer:#}");
                let found = (&conflicts[0]["policy"], &conflicts[0]["over"]);
                assert_eq!(found, (&json!(held), &json!(over)), "{name} by {by}");
            }
            None => assert!(conflicts.is_empty(), "{name} by {by}\n{answer:#}"),
        }
    }
}

const NOTHING: Case<'_> = Case {
    name: "",
    regimes: &[],
    action: "",
    recorded: "",
    occurred: None,
    asked: None,
    holds: &[],
    triggers: &[],
    at: Some("2026-11-24"),
    keep_until: "",
    expires_at: "",
    destroy_at: "",
    decision: "keep",
    erasure: ("honour", ""),
    conflict: None,
};

/// An event of one regime that is kept: its dates alone.
const fn dates<'a>(
    name: &'a str,
    regimes: &'a [&'a str],
    recorded: &'a str,
    keep_until: &'a str,
    expires_at: &'a str,
) -> Case<'a> {
    Case {
        name,
        regimes,
        recorded,
        at: Some(recorded),
        keep_until,
        expires_at,
        destroy_at: expires_at,
        erasure: ("restrict", keep_until),
        ..NOTHING
    }
}

const SOX_CLOSED: &[&str] = &["audit_concluded=2027-03-15"];
const THREE: &[&str] = &["pci-dss", "nydfs-500", "gdpr-minimal"];
const CUSTOMS: &[&str] = &["soc2", "iso-27001", "gdpr-minimal"];
const H1_H2: &[&str] = &["2026-07-15..2026-10-20", "2026-09-10..2026-12-05"];

/// The cases that ask for dates and decisions.
fn cases() -> Vec<Case<'static>> {
    vec![
        Case {
            name: "T1",
            regimes: &["hipaa"],
            recorded: "2024-11-24T10:00:00Z",
            asked: Some("2026-11-24"),
            keep_until: "2030-11-26",
            expires_at: "2031-02-25",
            destroy_at: "2030-11-26",
            decision: "restrict",
            erasure: ("restrict", "2030-11-26"),
            ..NOTHING
        },
        Case {
            name: "T1, on the day",
            regimes: &["hipaa"],
            recorded: "2024-11-24T10:00:00Z",
            asked: Some("2026-11-24"),
            at: Some("2030-11-26T02:00:00Z"),
            keep_until: "2030-11-26",
            expires_at: "2031-02-25",
            destroy_at: "2030-11-26",
            decision: "destroy",
            erasure: ("restrict", "2030-11-26"),
            ..NOTHING
        },
        dates(
            "T2 HIPAA",
            &["hipaa"],
            "2024-02-29T10:00:00Z",
            "2030-03-02",
            "2030-05-30",
        ),
        dates(
            "T2 PCI, the leap day inside",
            &["pci-dss"],
            "2023-02-28T10:00:00Z",
            "2024-03-01",
            "2024-05-29",
        ),
        dates(
            "T2 PCI",
            &["pci-dss"],
            "2024-02-29T10:00:00Z",
            "2025-03-02",
            "2025-05-30",
        ),
        dates(
            "T3 December",
            &["eu-ai-act-deployer"],
            "2027-12-31T10:00:00Z",
            "2028-07-02",
            "2029-01-01",
        ),
        dates(
            "T3 August",
            &["eu-ai-act-deployer"],
            "2028-08-31T10:00:00Z",
            "2029-03-02",
            "2029-09-01",
        ),
        // T4: CCPA's record of the answer stays 24 months; deadlines of answers are no retention.
        Case {
            name: "T4",
            regimes: &["ccpa"],
            action: "dsr.closed",
            recorded: "2026-11-24T10:00:00Z",
            triggers: &["request_closed=2026-11-24T15:00:00Z"],
            at: Some("2026-11-25"),
            asked: Some("2026-11-25"),
            keep_until: "2028-11-26",
            expires_at: "2029-05-25",
            destroy_at: "2028-11-26",
            erasure: ("refuse", "2028-11-26"),
            ..NOTHING
        },
        Case {
            name: "T5, the hold came before the run",
            regimes: &["default-90d"],
            recorded: "2026-08-26T10:00:00Z",
            holds: &["2026-11-25T01:00:00Z.."],
            at: Some("2026-11-25T02:00:00Z"),
            keep_until: "2026-08-26T10:00:00Z",
            expires_at: "2026-11-25",
            decision: "held",
            erasure: ("restrict", ""),
            ..NOTHING
        },
        Case {
            name: "T5, the hold came after the run",
            regimes: &["default-90d"],
            recorded: "2026-08-26T10:00:00Z",
            holds: &["2026-11-25T02:05:00Z.."],
            at: Some("2026-11-25T02:00:00Z"),
            keep_until: "2026-08-26T10:00:00Z",
            expires_at: "2026-11-25",
            destroy_at: "2026-11-25",
            decision: "destroy",
            ..NOTHING
        },
        Case {
            name: "T6, one hold is lifted",
            regimes: &["default-90d"],
            recorded: "2026-06-01T10:00:00Z",
            asked: Some("2026-10-01"),
            holds: H1_H2,
            at: Some("2026-10-21"),
            keep_until: "2026-06-01T10:00:00Z",
            expires_at: "2026-08-31",
            destroy_at: "2026-12-05",
            decision: "held",
            erasure: ("restrict", "2026-12-05"),
            ..NOTHING
        },
        Case {
            name: "T6, both are lifted",
            regimes: &["default-90d"],
            recorded: "2026-06-01T10:00:00Z",
            asked: Some("2026-10-01"),
            holds: H1_H2,
            at: Some("2026-12-06T02:00:00Z"),
            keep_until: "2026-06-01T10:00:00Z",
            expires_at: "2026-08-31",
            destroy_at: "2026-12-05",
            decision: "destroy",
            erasure: ("restrict", "2026-12-05"),
            ..NOTHING
        },
        Case {
            name: "T7",
            regimes: THREE,
            recorded: "2026-05-01T10:00:00Z",
            asked: Some("2026-11-24"),
            keep_until: "2029-05-03",
            expires_at: "2029-05-03",
            destroy_at: "2029-05-03",
            decision: "restrict",
            erasure: ("restrict", "2029-05-03"),
            conflict: Some(("nydfs-500", "gdpr-minimal")),
            ..NOTHING
        },
        Case {
            name: "T8, asked",
            regimes: CUSTOMS,
            recorded: "2026-06-01T10:00:00Z",
            asked: Some("2026-11-24"),
            keep_until: "2026-06-01T10:00:00Z",
            expires_at: "2027-06-02",
            destroy_at: "2026-11-24",
            decision: "destroy",
            conflict: Some(("gdpr-minimal", "soc2")),
            ..NOTHING
        },
        Case {
            name: "T8, not asked",
            regimes: CUSTOMS,
            recorded: "2026-06-01T10:00:00Z",
            keep_until: "2026-06-01T10:00:00Z",
            expires_at: "2027-06-02",
            destroy_at: "2027-06-02",
            conflict: Some(("gdpr-minimal", "soc2")),
            ..NOTHING
        },
        Case {
            name: "T9, before the tag",
            regimes: &["gdpr-minimal"],
            recorded: "2026-06-01T10:00:00Z",
            keep_until: "2026-06-01T10:00:00Z",
            expires_at: "2027-06-02",
            destroy_at: "2027-06-02",
            ..NOTHING
        },
        Case {
            name: "T9, with the tag",
            regimes: &["gdpr-minimal", "hipaa"],
            recorded: "2026-06-01T10:00:00Z",
            keep_until: "2032-06-03",
            expires_at: "2032-06-03",
            destroy_at: "2032-06-03",
            erasure: ("restrict", "2032-06-03"),
            conflict: Some(("hipaa", "gdpr-minimal")),
            ..NOTHING
        },
        // T12: the clinician in a patient's chart is restricted as long as the chart's minimum.
        Case {
            name: "T12, variant",
            regimes: &["hipaa"],
            recorded: "2026-06-01T10:00:00Z",
            asked: Some("2026-11-24"),
            keep_until: "2032-06-03",
            expires_at: "2032-09-02",
            destroy_at: "2032-06-03",
            decision: "restrict",
            erasure: ("restrict", "2032-06-03"),
            ..NOTHING
        },
        Case {
            name: "T12, no minimum",
            regimes: &["gdpr-minimal"],
            recorded: "2026-06-01T10:00:00Z",
            asked: Some("2026-11-24"),
            keep_until: "2026-06-01T10:00:00Z",
            expires_at: "2027-06-02",
            destroy_at: "2026-11-24",
            decision: "destroy",
            ..NOTHING
        },
        dates(
            "T13, a new id with old content is new",
            &["hipaa"],
            "2026-11-25T10:00:00Z",
            "2032-11-27",
            "2033-02-26",
        ),
        dates(
            "T14",
            &["hipaa"],
            "2024-03-11T09:30:00Z",
            "2030-03-13",
            "2030-06-12",
        ),
        dates(
            "T14, written with its zone",
            &["hipaa"],
            "2024-03-10T23:30:00-10:00",
            "2030-03-13",
            "2030-06-12",
        ),
        // T15: a claimed date in the future buys no time.
        Case {
            occurred: Some("2031-01-01"),
            ..dates(
                "T15",
                &["hipaa"],
                "2026-11-24T10:00:00Z",
                "2032-11-26",
                "2033-02-25",
            )
        },
        Case {
            occurred: Some("2021-05-10"),
            ..dates(
                "T16",
                &["hipaa"],
                "2026-11-24T10:00:00Z",
                "2032-11-26",
                "2033-02-25",
            )
        },
        Case {
            name: "T17, in force",
            regimes: &["hipaa"],
            action: "policy.update",
            recorded: "2022-12-01T10:00:00Z",
            decision: "keep",
            erasure: ("restrict", ""),
            ..NOTHING
        },
        Case {
            name: "T17, superseded",
            regimes: &["hipaa"],
            action: "policy.update",
            recorded: "2022-12-01T10:00:00Z",
            triggers: &["superseded=2026-11-24T12:00:00Z"],
            keep_until: "2032-11-26",
            expires_at: "2033-02-25",
            destroy_at: "2033-02-25",
            erasure: ("restrict", "2032-11-26"),
            ..NOTHING
        },
        Case {
            name: "T18, not fired",
            regimes: &["sox"],
            recorded: "2026-06-30T10:00:00Z",
            erasure: ("restrict", ""),
            ..NOTHING
        },
        Case {
            name: "T18",
            regimes: &["sox"],
            recorded: "2026-06-30T10:00:00Z",
            triggers: SOX_CLOSED,
            at: Some("2027-03-16"),
            keep_until: "2034-03-17",
            expires_at: "2034-09-16",
            destroy_at: "2034-09-16",
            erasure: ("restrict", "2034-03-17"),
            ..NOTHING
        },
        Case {
            name: "T19",
            regimes: &["sec-17a-4"],
            recorded: "2022-01-10T10:00:00Z",
            asked: Some("2026-11-24"),
            keep_until: "2028-01-12",
            expires_at: "2028-07-11",
            destroy_at: "2028-01-12",
            decision: "restrict",
            erasure: ("restrict", "2028-01-12"),
            ..NOTHING
        },
        Case {
            name: "T19, an account that closed later",
            regimes: &["sec-17a-4"],
            recorded: "2022-01-10T10:00:00Z",
            triggers: &["account_closed=2024-01-10"],
            asked: Some("2026-11-24"),
            keep_until: "2030-01-12",
            expires_at: "2030-07-11",
            destroy_at: "2030-01-12",
            decision: "restrict",
            erasure: ("restrict", "2030-01-12"),
            ..NOTHING
        },
        Case {
            name: "T20",
            regimes: &["pci-dss"],
            recorded: "2026-01-10T10:00:00Z",
            asked: Some("2026-11-24"),
            keep_until: "2027-01-12",
            expires_at: "2027-04-11",
            destroy_at: "2027-01-12",
            decision: "restrict",
            erasure: ("restrict", "2027-01-12"),
            ..NOTHING
        },
        // T21: what is restricted stays for its person's access until the minimum ends.
        Case {
            name: "T21",
            regimes: &["nydfs-500"],
            recorded: "2026-05-01T10:00:00Z",
            asked: Some("2026-11-24"),
            keep_until: "2029-05-03",
            expires_at: "2029-11-02",
            destroy_at: "2029-05-03",
            decision: "restrict",
            erasure: ("restrict", "2029-05-03"),
            ..NOTHING
        },
        // T22: after a restore the same verdict is reached again, whatever the day.
        Case {
            name: "T22",
            regimes: &["gdpr-minimal"],
            recorded: "2026-10-01T10:00:00Z",
            asked: Some("2026-11-24"),
            at: Some("2026-12-10"),
            keep_until: "2026-10-01T10:00:00Z",
            expires_at: "2027-10-02",
            destroy_at: "2026-11-24",
            decision: "destroy",
            ..NOTHING
        },
        // T23: the states of an export at one moment: expired, restricted.
        Case {
            name: "T23, expired",
            regimes: &[],
            recorded: "2026-08-01T10:00:00Z",
            keep_until: "2026-08-01T10:00:00Z",
            expires_at: "2026-10-31",
            destroy_at: "2026-10-31",
            decision: "destroy",
            ..NOTHING
        },
        Case {
            name: "T24, before the law",
            regimes: &["eu-ai-act-deployer"],
            recorded: "2026-11-24T10:00:00Z",
            asked: Some("2026-12-15"),
            at: Some("2026-12-15"),
            keep_until: "2026-11-24T10:00:00Z",
            expires_at: "2027-11-25",
            destroy_at: "2026-12-15",
            decision: "destroy",
            ..NOTHING
        },
        Case {
            name: "T24, under the law",
            regimes: &["eu-ai-act-deployer"],
            recorded: "2028-05-24T10:00:00Z",
            asked: Some("2028-06-14"),
            at: Some("2028-06-14"),
            keep_until: "2028-11-26",
            expires_at: "2029-05-25",
            destroy_at: "2028-11-26",
            decision: "restrict",
            erasure: ("restrict", "2028-11-26"),
            ..NOTHING
        },
        // T25: the denial of a request is kept 24 months from its closing.
        Case {
            name: "T25",
            regimes: &["ccpa"],
            action: "dsr.denied",
            recorded: "2026-11-24T10:00:00Z",
            triggers: &["request_closed=2027-01-08"],
            keep_until: "2029-01-10",
            expires_at: "2029-07-09",
            destroy_at: "2029-07-09",
            erasure: ("refuse", "2029-01-10"),
            ..NOTHING
        },
        // T26: the suspension is a record of its own; the disclosures that it hides keep their dates.
        Case {
            action: "disclosure.agency",
            ..dates(
                "T26",
                &["hipaa"],
                "2026-11-24T10:00:00Z",
                "2032-11-26",
                "2033-02-25",
            )
        },
        // More than the cases: no regime, the record of a request, and both periods of NYDFS.
        Case {
            name: "records of requests",
            regimes: &["gdpr-requests"],
            action: "dsr.closed",
            recorded: "2026-11-24T10:00:00Z",
            triggers: &["request_closed=2026-11-24"],
            asked: Some("2026-12-01"),
            at: Some("2026-12-01"),
            keep_until: "2029-11-26",
            expires_at: "2030-05-25",
            destroy_at: "2029-11-26",
            erasure: ("refuse", "2029-11-26"),
            ..NOTHING
        },
        Case {
            action: "payment.send",
            ..dates(
                "transactions",
                &["nydfs-500"],
                "2026-05-01T10:00:00Z",
                "2031-05-03",
                "2031-11-02",
            )
        },
        Case {
            action: "order.place",
            ..dates(
                "orders",
                &["sec-17a-4"],
                "2026-05-01T10:00:00Z",
                "2029-05-03",
                "2029-11-02",
            )
        },
        Case {
            name: "an action that no policy of the regime is for falls under the default",
            regimes: &["ccpa"],
            action: "chat.completion",
            recorded: "2026-11-01T10:00:00Z",
            keep_until: "2026-11-01T10:00:00Z",
            expires_at: "2027-01-31",
            destroy_at: "2027-01-31",
            ..NOTHING
        },
        Case {
            name: "Part 11 waits for its record",
            regimes: &["fda-part-11"],
            recorded: "2026-01-01T10:00:00Z",
            triggers: &[
                "record_retention_started=2026-01-01",
                "record_retention_ended=2031-05-10",
            ],
            keep_until: "2031-05-12",
            expires_at: "2031-11-11",
            destroy_at: "2031-11-11",
            erasure: ("restrict", "2031-05-12"),
            ..NOTHING
        },
        Case {
            name: "documents of a provider",
            regimes: &["eu-ai-act-provider"],
            action: "ai.doc.publish",
            recorded: "2028-01-01T10:00:00Z",
            at: Some("2028-02-01"),
            triggers: &["placed_on_market=2028-01-15"],
            keep_until: "2038-01-17",
            expires_at: "2038-07-16",
            destroy_at: "2038-07-16",
            erasure: ("restrict", "2038-01-17"),
            ..NOTHING
        },
    ]
}

#[test]
fn the_cases_by_the_library() {
    for case in cases() {
        case.compare(&case.explained(), "the library");
    }
}

#[test]
fn the_cases_by_the_binary() {
    for case in cases() {
        let output = trailkeep().args(case.arguments()).output().unwrap();
        let answer = serde_json::from_slice(&output.stdout);
        let answer: Value = answer.unwrap_or_else(|_| panic!("{}: {output:?}", case.name));
        case.compare(&answer, "the binary");
        assert_eq!(answer, case.explained(), "{}", case.name);
    }
}

#[test]
fn all_26_cases_are_here() {
    let names: Vec<String> = cases().iter().map(|case| case.name.to_owned()).collect();
    // T10 and T11 are about versions: below.
    for number in (1..=26).filter(|number| ![10, 11].contains(number)) {
        let name = format!("T{number}");
        let is_it = |case: &String| case.split([',', ' ']).next() == Some(&name);
        assert!(names.iter().any(is_it), "{name}");
    }
}

/// Every action that a shipped policy has figures for, with the fields that it asks for.
#[test]
fn a_shipped_policy_that_waits_for_a_record_asks_for_it() {
    for policy in PolicySet::shipped().unwrap().iter() {
        let special = policy.special_cases.iter().flat_map(|case| &case.actions);
        for pattern in policy.actions.iter().chain(special) {
            let action = pattern.as_str().replace('*', "x");
            let recorded_at = moment("2026-11-24");
            let applied = Applied::to(policy, &action, recorded_at);
            let waits = applied.waits_for(&EventTimes::received(recorded_at));
            let asked = policy.required_of(&action);
            let asks = asked
                .iter()
                .any(|field| field.as_str() == "retention.record");
            assert!(
                waits.is_empty() || asks,
                "{} {action}: {waits:?}",
                policy.id
            );
        }
    }
}

#[test]
fn figures_are_called_what_they_are() {
    let reason = |regime: &str, action: &str| {
        let case = Case {
            regimes: &[regime],
            action,
            recorded: "2026-11-24",
            ..NOTHING
        };
        let said = case.explained()["reasons"][0].clone();
        (
            said["force"].as_str().unwrap().to_owned(),
            said["figure"].as_str().unwrap().to_owned(),
        )
    };
    for (regime, action, force, period) in [
        ("hipaa", "record.read", "custom", "P6Y"),
        ("hipaa", "policy.update", "law", "P6Y"),
        ("hipaa", "training.done", "law", "P6Y"),
        ("hipaa", "disclosure.make", "law", "P6Y"),
        ("sox", "journal.post", "law", "P7Y"),
        ("sox-issuer", "journal.post", "custom", "P7Y"),
        ("sec-17a-4", "account.open", "law", "P6Y"),
        ("sec-17a-4", "chat.completion", "law", "P3Y"),
        ("sec-17a-4", "gen_ai.chat", "law", "P3Y"),
        ("sec-17a-4", "communication.send", "law", "P3Y"),
        ("dora", "login", "custom", "P12M"),
    ] {
        let (found, figure) = reason(regime, action);
        assert_eq!(found, force, "{regime} {action}");
        let start = format!("keep_at_least {period} ");
        let period = trailkeep_policy::CalendarPeriod::parse(period).unwrap();
        let start_in_words = format!("keep_at_least {period} ");
        assert!(
            figure.starts_with(&start) || figure.starts_with(&start_in_words),
            "{figure}"
        );
    }
}

#[test]
fn a_product_of_annex_i_is_bound_later() {
    let outcome = |regime: &str, asked: &str| {
        let case = Case {
            regimes: &[regime],
            recorded: "2028-07-01",
            asked: Some(asked),
            at: Some(asked),
            ..NOTHING
        };
        case.explained()["erasure"]["outcome"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    for who in ["deployer", "provider"] {
        let (third, first) = (
            format!("eu-ai-act-high-risk-{who}"),
            format!("eu-ai-act-annex-i-{who}"),
        );
        assert_eq!(outcome(&third, "2028-07-10"), "restrict");
        assert_eq!(outcome(&first, "2028-07-10"), "honour");
    }
}

#[test]
fn t1_and_t20_show_their_ground() {
    let set = PolicySet::shipped().unwrap();
    let ground = |id: &str| {
        set.of_regime(id)
            .unwrap()
            .erasure
            .gdpr_ground
            .clone()
            .unwrap()
    };
    assert!(ground("hipaa").starts_with("17(1)(a) not met; 17(3)(e)."));
    assert!(ground("hipaa").contains("NOT 17(3)(b)"));
    assert!(ground("pci-dss").contains("NOT 17(3)(b)"));
    assert!(
        set.of_regime("pci-dss")
            .unwrap()
            .erasure
            .justification
            .is_some()
    );
    assert_eq!(ground("eu-ai-act-high-risk-deployer"), "17(3)(b)");
}

fn law(version: u32, keep: &str, delete: &str, force: &str) -> Policy {
    let text = format!(
        "schema = 1\nid = \"own-law\"\nversion = {version}\ntitle = \"t\"\nreview_by = 2027-01-01\n\
         [[authority]]\ncitation = \"c\"\nkind = \"law\"\n\
         [retention]\nkeep_at_least = \"{keep}\"\nkeep_force = \"{force}\"\nkeep_law = [\"EU\"]\n\
         delete_after = \"{delete}\"\nclock = \"received\"\nmax_clock = \"received\"\n\
         [erasure]\nrequest = \"restrict_until_minimum\"\njustification = \"j\"\n"
    );
    lint::check(&text).unwrap()
}

/// The verdict as it is answered.
fn explain(case: &trailkeep_policy::Case<'_>, at: UnixMillis) -> Value {
    let explained = trailkeep_core::tenant::explain::explain(case, at);
    serde_json::to_value(trailkeep_server::verdict(explained)).unwrap()
}

#[test]
fn t10_a_longer_law_lengthens_what_is_recorded() {
    let recorded_at = moment("2025-12-01T10:00:00Z");
    let times = EventTimes::received(recorded_at);
    let own = law(1, "P12M", "P15M", "law");
    let stated = [Applied::to(&own, "a", recorded_at)];
    let explained = |versions: &[&Policy]| {
        let applied = later::with_later(&stated, versions, &times);
        let case = trailkeep_policy::Case {
            applied: &applied,
            times: &times,
            class_after: None,
            erasure_requested_at: Some(moment("2026-06-01")),
            holds: &[],
        };
        explain(&case, moment("2026-11-24"))
    };
    assert_eq!(explained(&[])["keep_until"], "2026-12-03T00:00:00Z");
    let answer = explained(&[&law(2, "P3Y", "P4Y", "law")]);
    assert_eq!(answer["keep_until"], "2028-12-03T00:00:00Z");
    // The subject with a pending request is told the new date.
    assert_eq!(
        answer["erasure"],
        json!({"outcome": "restrict", "until": "2028-12-03T00:00:00Z"})
    );
    assert_eq!(
        explained(&[&law(2, "P3Y", "P4Y", "custom")]),
        explained(&[])
    );
}

#[test]
fn t11_a_custom_may_be_shortened_and_a_law_may_not() {
    let set = PolicySet::shipped().unwrap();
    let shipped = |id: &str| set.of_regime(id).unwrap();
    let shorter = |id: &str, pairs: &[(&str, &str)]| {
        let mut text = shipped(id).text.replace("version = 1", "version = 2");
        for (from, to) in pairs {
            assert!(text.contains(from));
            text = text.replace(from, to);
        }
        text
    };
    let soc2 = lint::check(&shorter("soc2", &[("P15M", "P9M"), ("P18M", "P12M")])).unwrap();
    assert!(change::lowered(shipped("soc2"), &soc2).is_empty());
    // What is recorded keeps its figures, also under HIPAA beside it.
    let recorded_at = moment("2026-06-01T10:00:00Z");
    let times = EventTimes::received(recorded_at);
    for others in [vec![], vec!["hipaa"]] {
        let mut stated = vec![Applied::to(shipped("soc2"), "a", recorded_at)];
        stated.extend(
            others
                .iter()
                .map(|id| Applied::to(shipped(id), "a", recorded_at)),
        );
        let applied = later::with_later(&stated, &[&soc2], &times);
        assert_eq!(applied.len(), stated.len());
    }
    let findings = lint::check(&shorter("hipaa", &[("\"P6Y\"", "\"P5Y\"")])).unwrap_err();
    assert_eq!(findings[0].rule, "law-lowered");
    // The same file is refused at load, with its line.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hipaa.toml");
    std::fs::write(&file, shorter("hipaa", &[("\"P6Y\"", "\"P5Y\"")])).unwrap();
    let output = explain_in(
        folder.path(),
        &["--regime", "hipaa", "--recorded-at", "2026-01-01T00:00:00Z"],
    );
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("hipaa.toml:16: `keep_at_least` P5Y is below the statutory period"),
        "{said}"
    );
}

#[test]
fn t13_t15_t16_at_ingest() {
    let set = PolicySet::shipped().unwrap();
    let received_at = moment("2026-11-24T10:00:00Z");
    let check = |policy: &Policy, occurred: &str| {
        let event = json!({"action": "a.b", "actor": {"id": "u"}, "occurred_at": occurred});
        let event =
            trailkeep_proof::ledger::event::parse_event(event.to_string().as_bytes()).unwrap();
        ingest::check(&[policy.clone().into()], &event, received_at)
    };
    let shipped = set.of_regime("default-90d").unwrap();
    let future = check(shipped, "2031-01-01T00:00:00Z");
    assert_eq!(future.odd.len(), 1, "T15: taken and flagged");
    assert_eq!(
        future.strict_refusals().len(),
        1,
        "T15: refused where the tenant is strict"
    );
    assert!(
        check(shipped, "2021-05-10T00:00:00Z").is_clean(),
        "old logs can be taken in"
    );
    let text = shipped
        .text
        .replace("max_clock = \"received\"", "max_clock = \"occurred\"");
    let past = check(&Policy::parse(&text).unwrap(), "2021-05-10T00:00:00Z");
    assert!(
        past.refusals[0].detail.starts_with("already_past_maximum"),
        "T16"
    );
}

#[test]
fn the_date_vectors() {
    for (anchor, period, keep_until, expires_at) in [
        ("2024-11-24", "P6Y", "2030-11-26", "2030-11-25"),
        ("2024-02-29", "P6Y", "2030-03-02", "2030-03-01"),
        ("2023-02-28", "P12M", "2024-03-01", "2024-02-29"),
        ("2024-02-29", "P12M", "2025-03-02", "2025-03-01"),
        ("2027-12-31", "P6M", "2028-07-02", "2028-07-01"),
        ("2028-08-31", "P6M", "2029-03-02", "2029-03-01"),
        ("2024-03-11", "P6Y", "2030-03-13", "2030-03-12"),
        ("2026-06-01", "P90D", "2026-09-01", "2026-08-31"),
        ("2026-08-26", "P90D", "2026-11-26", "2026-11-25"),
        ("2026-05-01", "P3Y", "2029-05-03", "2029-05-02"),
        ("2026-05-01", "P12M", "2027-05-03", "2027-05-02"),
        ("2026-06-01", "P15M", "2027-09-03", "2027-09-02"),
        ("2025-12-01", "P3Y", "2028-12-03", "2028-12-02"),
        ("2021-05-10", "P6Y", "2027-05-12", "2027-05-11"),
        ("2027-03-15", "P7Y", "2034-03-17", "2034-03-16"),
        ("2026-01-10", "P12M", "2027-01-12", "2027-01-11"),
        ("2026-11-24", "P24M", "2028-11-26", "2028-11-25"),
        ("2028-05-24", "P6M", "2028-11-26", "2028-11-25"),
    ] {
        let text = PolicySet::shipped()
            .unwrap()
            .of_regime("soc2")
            .unwrap()
            .text
            .clone();
        let text = text.replace("P15M", period).replace("P18M", period);
        let policy = Policy::parse(&text).unwrap();
        for time in ["00:00:00", "12:34:56", "23:59:59.999"] {
            let recorded_at = moment(&format!("{anchor}T{time}Z"));
            let times = EventTimes::received(recorded_at);
            let applied = Applied::to(&policy, "a", recorded_at);
            let said = |date: Option<trailkeep_policy::Date>| date.unwrap().to_string();
            assert_eq!(
                said(applied.keep_until(&times)),
                full(keep_until),
                "{anchor} {period}"
            );
            assert_eq!(
                said(applied.expires_at(&times)),
                full(expires_at),
                "{anchor} {period}"
            );
        }
        // The same through a directory of policies and the binary.
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("own.toml"), own_policy(period)).unwrap();
        let recorded = format!("{anchor}T15:00:00Z");
        let output = explain_in(
            folder.path(),
            &["--regime", "own", "--recorded-at", &recorded, "--json"],
        );
        let answer: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        assert_eq!(answer["keep_until"], full(keep_until), "{anchor} {period}");
        assert_eq!(
            answer["reasons"][0]["date"],
            full(keep_until),
            "{anchor} {period}"
        );
    }
}

/// A policy with a legal minimum alone.
fn own_policy(period: &str) -> String {
    format!(
        "schema = 1\nid = \"own\"\nversion = 1\ntitle = \"own\"\nreview_by = 2027-01-01\n\
         [[authority]]\ncitation = \"c\"\nkind = \"law\"\n[retention]\nkeep_at_least = \"{period}\"\n\
         keep_force = \"law\"\nkeep_law = [\"DE\"]\n[erasure]\nrequest = \"restrict_until_minimum\"\n"
    )
}

fn explain_in(folder: &Path, arguments: &[&str]) -> Output {
    let mut command: Command = trailkeep();
    command
        .args(["policy", "explain", "--policies"])
        .arg(folder);
    command.args(arguments).output().unwrap()
}

#[test]
fn odd_sets_of_regimes() {
    let run = |regimes: &[&str]| {
        let mut command = trailkeep();
        command.args([
            "policy",
            "explain",
            "--json",
            "--recorded-at",
            "2026-05-01T00:00:00Z",
        ]);
        for regime in regimes {
            command.args(["--regime", regime]);
        }
        command.output().unwrap()
    };
    let eight = [
        "hipaa",
        "pci-dss",
        "soc2",
        "nydfs-500",
        "gdpr",
        "iso-27001",
        "dora",
        "us-federal",
    ];
    let output = run(&eight);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["keep_until"], "2032-05-03T00:00:00Z");
    let twice = run(&["hipaa", "hipaa", "hipaa"]);
    assert_eq!(twice.stdout, run(&["hipaa"]).stdout);
    // Two names of one policy are one.
    assert_eq!(
        run(&["dora", "nis2", "dora-nis2"]).stdout,
        run(&["dora"]).stdout
    );
    for (regimes, words) in [
        (
            [&eight[..], &["sox"]].concat(),
            "the event has 9 regimes; the maximum is 8",
        ),
        (vec!["hipaa", "unheard-of"], "unknown regime \"unheard-of\""),
        (
            vec!["HIPAA"],
            "unknown regime \"HIPAA\"; did you mean \"hipaa\"?",
        ),
        (vec![""], "unknown regime \"\""),
    ] {
        let output = run(&regimes);
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        let said: Value = serde_json::from_slice(&output.stderr).unwrap();
        let said = said["error"]["detail"].as_str().unwrap();
        assert!(said.contains(words), "{said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn what_is_asked_wrong_is_said() {
    for (more, words) in [
        (
            ["--trigger", "audit=2027-01-01T00:00:00Z"],
            "its triggers are: audit_concluded",
        ),
        (["--trigger", "audit_concluded"], "write NAME=T"),
        (["--trigger", "audit_concluded=soon"], "RFC 3339"),
        (["--hold", "2026-01-01T00:00:00Z"], "write FROM..TO"),
        (
            ["--hold", "2026-01-02T00:00:00Z..2026-01-01T00:00:00Z"],
            "the end is before the start",
        ),
        (["--at", "tomorrow"], "RFC 3339"),
        (["--policies", "/nowhere"], "can't read /nowhere"),
    ] {
        let output = trailkeep()
            .args([
                "policy",
                "explain",
                "--regime",
                "sox",
                "--recorded-at",
                "2026-05-01T00:00:00Z",
            ])
            .args(more)
            .output()
            .unwrap();
        let code = if words.starts_with("can't read") {
            1
        } else {
            2
        };
        assert_eq!(output.status.code(), Some(code), "{more:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn policies_are_checked_listed_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own.toml");
    std::fs::write(&own, own_policy("P2Y")).unwrap();
    let bad = folder.path().join("bad.toml");
    let text = own_policy("P2Y").replace("keep_law = [\"DE\"]", "keep_law = []\nkeep_for = 1");
    std::fs::write(&bad, text).unwrap();
    let misspelt = own_policy("P2Y").replace("keep_at_least", "keep_at_lest");
    let check = |files: &[&Path], json: bool| {
        let mut command = trailkeep();
        command.args(["policy", "check"]).args(files);
        command.args(json.then_some("--json")).output().unwrap()
    };
    let shipped: Vec<_> = std::fs::read_dir(crate::support::root().join("policies"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    assert_eq!(shipped.len(), 19);
    let shipped: Vec<&Path> = shipped.iter().map(std::path::PathBuf::as_path).collect();
    assert!(check(&shipped, false).status.success());
    let output = check(&[&own, &bad], true);
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["files"][0]["findings"], json!([]));
    assert_eq!(answer["files"][1]["findings"][0]["line"], 13);
    let output = check(&[&bad], false);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("bad.toml:13: unknown field `keep_for`") && said.contains("remedy:"),
        "{said}"
    );
    std::fs::write(&bad, misspelt).unwrap();
    let said = String::from_utf8(check(&[&bad], false).stdout).unwrap();
    assert!(said.contains("did you mean `keep_at_least`?"), "{said}");

    std::fs::remove_file(&bad).unwrap();
    let policies = folder.path().to_str().unwrap();
    let list = trailkeep()
        .args(["policy", "list", "--json", "--policies", policies])
        .output()
        .unwrap();
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(list["policies"].as_array().unwrap().len(), 20);
    let show = |id: &str| {
        trailkeep()
            .args(["policy", "show", id, "--policies", policies])
            .output()
            .unwrap()
    };
    assert_eq!(show("own").stdout, own_policy("P2Y").into_bytes());
    assert!(
        show("finra-4511")
            .stdout
            .starts_with(b"schema = 1\nid = \"sec-17a-4\"")
    );
    assert_eq!(show("unheard-of").status.code(), Some(7));
    let table = trailkeep()
        .args(["policy", "explain", "--recorded-at", "2026-05-01T00:00:00Z"])
        .output()
        .unwrap();
    let said = String::from_utf8(table.stdout).unwrap();
    assert!(
        said.contains("delete_after 90 days from received"),
        "{said}"
    );
}
