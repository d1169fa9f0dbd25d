use super::*;
use crate::bundle::manifest::Proof;
use crate::privacy::{Day, Ended, Events, Kind, Outcome, Regime};

fn name() -> RequestName {
    RequestName {
        id: "r1".to_owned(),
        receipt: "7K3M-V2QX-0D9T-HN4R".to_owned(),
        kind: Kind::Erasure,
    }
}

fn by() -> String {
    "local".to_owned()
}

fn items() -> ItemsSection {
    ItemsSection {
        items: 2,
        root: "cm9vdA==".to_owned(),
        cause: "request".to_owned(),
        requests: vec![4],
    }
}

fn policy() -> PolicySection {
    PolicySection {
        id: "hipaa".to_owned(),
        version: 2,
        sha256: "00".to_owned(),
        text: "id = \"hipaa\"\n".to_owned(),
    }
}

fn replica() -> ReplicaSection {
    ReplicaSection {
        id: "c1".to_owned(),
        kind: "directory".to_owned(),
        by: by(),
    }
}

/// One event of each action, as a program writes it.
#[expect(clippy::too_many_lines, reason = "one event of each of 35 actions")]
fn one_of_each() -> Vec<SystemEvent> {
    let erasure = DecisionSections {
        covers: Some(items()),
        job: JobSection {
            events: 2,
            restricted: Some(0),
            part: Some(0),
            parts: Some(2),
            by: by(),
            ..JobSection::default()
        },
        ..DecisionSections::default()
    };
    let expiry = DecisionSections {
        expiry: Some(ExpirySection {
            class: 1,
            recorded_before_ms: 1_700_000_000_000,
            policy: 2,
            after: Some("P90D".to_owned()),
        }),
        job: JobSection {
            events: 7,
            held: Some(1),
            by: by(),
            ..JobSection::default()
        },
        ..DecisionSections::default()
    };
    let step = || RequestStep {
        name: name(),
        ground: None,
        by: by(),
    };
    vec![
        SystemEvent::Access {
            access: AccessSection {
                by: by(),
                verb: "GET".to_owned(),
                route: "/v1/events".to_owned(),
                filters: vec!["action".to_owned()],
                purpose: None,
                events: 3,
                restricted: 0,
                seq: None,
                count: 1,
                ledger: None,
            },
        },
        SystemEvent::AnchorResume {
            anchor: AnchorSection {
                target: "witness".to_owned(),
                seen: 9,
                here: 8,
                by: by(),
            },
        },
        SystemEvent::Backup {
            backup: BackupSection {
                by: by(),
                id: Some("b1".to_owned()),
            },
        },
        SystemEvent::ClassDefine {
            class: ClassDefinition {
                number: 1,
                key: ClassKey {
                    policies: vec![ClassPolicy {
                        id: "hipaa".to_owned(),
                        version: 2,
                        sha256: "00".to_owned(),
                    }],
                    cases: [("hipaa".to_owned(), "raw".to_owned())].into(),
                    law_not_yet: vec!["hipaa".to_owned()],
                },
                minimum: "P6Y".to_owned(),
                after: None,
            },
        },
        SystemEvent::ClockConfirm {
            clock: ClockSection {
                now: "2026-11-30T00:00:00.000Z".to_owned(),
                last_seen: None,
            },
        },
        SystemEvent::Export {
            export: ExportSection {
                by: by(),
                proof: Proof::Range,
                filters: vec!["from".to_owned()],
                entries: 5,
                redacted_sections: vec!["input".to_owned()],
                recipients: 0,
                ledger: None,
                request: Some("r1".to_owned()),
                withholds: Some(vec!["others".to_owned()]),
            },
        },
        SystemEvent::HoldLift {
            hold: HoldLiftSection {
                id: "h1".to_owned(),
                by: by(),
            },
        },
        SystemEvent::HoldPlace {
            hold: HoldSection {
                id: "h1".to_owned(),
                by: by(),
                filters: vec!["subject".to_owned()],
                review_at: None,
                request: None,
                until: None,
                spares: Vec::new(),
            },
        },
        SystemEvent::KeyCreate {
            key: KeySection {
                id: "k1".to_owned(),
                role: "writer".to_owned(),
                expires_at: None,
                by: by(),
                label: None,
                owner: None,
            },
        },
        SystemEvent::KeyRevoke {
            key: KeyRevokeSection {
                id: "k1".to_owned(),
                role: "writer".to_owned(),
                by: by(),
            },
        },
        SystemEvent::PolicyChange { policy: policy() },
        SystemEvent::PolicyDrop { policy: policy() },
        SystemEvent::PolicyLoad { policy: policy() },
        SystemEvent::PrivacyAnswer {
            answer: AnswerSection {
                name: name(),
                outcome: Outcome::Erased,
                events: Events {
                    held: 2,
                    destroyed: 2,
                    ..Events::default()
                },
                statement: Some(6),
                export: None,
                withheld: None,
                by: by(),
            },
        },
        SystemEvent::PrivacyDistinguish { request: step() },
        SystemEvent::PrivacyEnd {
            request: RequestEnd {
                name: name(),
                decision: Ended::IdentityNotShown,
                by: by(),
            },
        },
        SystemEvent::PrivacyErase {
            decision: erasure.clone(),
        },
        SystemEvent::PrivacyExecute { request: step() },
        SystemEvent::PrivacyExtend {
            request: RequestExtension {
                name: name(),
                due: Day::parse("2026-12-31"),
                by: by(),
            },
        },
        SystemEvent::PrivacyIdentify {
            request: RequestIdentity {
                name: name(),
                identity_checked: Some(true),
                by: by(),
            },
        },
        SystemEvent::PrivacyLift {
            lift: Some(LiftSection {
                restricts: 6,
                requests: vec![4],
                by: by(),
            }),
            closed: None,
        },
        SystemEvent::PrivacyReceive {
            request: RequestReceipt {
                name: name(),
                regime: Regime::Gdpr,
                received_on: Day::parse("2026-11-30").unwrap(),
                subject: Some("c3ViamVjdA==".to_owned()),
                identity_checked: Some(true),
                identified: true,
                former: None,
                ground: None,
                by: by(),
            },
        },
        SystemEvent::PrivacyRestrict {
            decision: DecisionSections {
                restricts: erasure.covers.clone(),
                covers: None,
                ..erasure
            },
        },
        SystemEvent::Restore {
            restore: RestoreSection {
                ledgers: vec![RestoredLedger {
                    origin: "x.example/default".to_owned(),
                    size: 5,
                    seen: 6,
                    lost: 1,
                    continued_by: None,
                }],
                keys_missing: 0,
                vault_lacked: Vec::new(),
            },
        },
        SystemEvent::RetentionExpiry { decision: expiry },
        SystemEvent::RetentionResume {
            retention: ResumeSection {
                by: by(),
                reason: "restored".to_owned(),
                paused_since: "2026-11-30T00:00:00.000Z".to_owned(),
                holds_reviewed: true,
            },
        },
        SystemEvent::RetentionTrigger {
            trigger: TriggerSection {
                name: "account-closed".to_owned(),
                at: "2026-11-30T00:00:00.000Z".to_owned(),
                by: by(),
            },
        },
        SystemEvent::TenantClose {
            tenant: TenantCloseSection {
                by: by(),
                entries_before: 9,
            },
        },
        SystemEvent::TenantCreate {
            tenant: TenantSection {
                tenant: "acme".to_owned(),
                origin: "x.example/acme".to_owned(),
                by: by(),
            },
        },
        SystemEvent::TenantSet {
            tenant: TenantSetSection {
                public_log: false,
                read_audit: true,
                strict: false,
                default_regimes: Vec::new(),
                unknown_regime: None,
                by: by(),
            },
        },
        SystemEvent::VaultBind {
            vault: BindSection {
                rows: 3,
                lost: None,
                by: by(),
            },
        },
        SystemEvent::VaultCopyAdd { vault: replica() },
        SystemEvent::VaultCopyCheck { vault: replica() },
        SystemEvent::VaultCopyRemove { vault: replica() },
        SystemEvent::VaultRotate {
            vault: RotationSection {
                epoch: 2,
                state: "done".to_owned(),
                by: by(),
                started_at: "2026-11-30T00:00:00.000Z".to_owned(),
                rows: 9,
                targets: vec![ReplicaTarget {
                    id: "c1".to_owned(),
                    kind: "directory".to_owned(),
                    in_reach: true,
                }],
            },
        },
    ]
}

fn read(sections: &Sections) -> Result<SystemRead, SystemReadError> {
    let slices = sections.iter();
    SystemEvent::read(slices.map(|(name, bytes)| (name.as_str(), bytes.as_slice())))
}

fn text(sections: &Sections, name: &str) -> String {
    let found = sections.iter().find(|(known, _)| known == name);
    String::from_utf8(found.unwrap().1.clone()).unwrap()
}

#[test]
fn each_action_has_an_event_and_reads_back() {
    let events = one_of_each();
    assert_eq!(events.len(), SystemAction::ALL.len());
    for (event, action) in events.into_iter().zip(SystemAction::ALL) {
        let mut sections = event.sections();
        assert_eq!(text(&sections, "action").as_bytes(), action.section());
        assert!(sections.is_sorted_by(|(one, _), (next, _)| one < next));
        let Ok(SystemRead::Known(back)) = read(&sections) else {
            panic!("{action} does not read back: {:?}", read(&sections));
        };
        assert_eq!(*back, event);
        // The section of the vault's rows stands beside any of them.
        sections.push(("row".to_owned(), br#"{"rows":[]}"#.to_vec()));
        assert!(
            matches!(read(&sections), Ok(SystemRead::Known(_))),
            "{action}"
        );
    }
}

/// What 0.1.0 wrote, byte for byte: members in the order of their names, null where there is nothing.
#[test]
fn the_bytes_of_sections_are_those_of_the_first_release() {
    let events = one_of_each();
    let of = |action: SystemAction, name: &str| {
        let place = SystemAction::ALL.iter().position(|known| *known == action);
        text(&events[place.unwrap()].sections(), name)
    };
    for (action, name, bytes) in [
        (
            SystemAction::Access,
            "access",
            r#"{"by":"local","count":1,"events":3,"filters":["action"],"purpose":null,"restricted":0,"route":"/v1/events","seq":null,"verb":"GET"}"#,
        ),
        (
            SystemAction::ClassDefine,
            "class",
            r#"{"after":null,"cases":{"hipaa":"raw"},"law_not_yet":["hipaa"],"minimum":"P6Y","number":1,"policies":[{"id":"hipaa","sha256":"00","version":2}]}"#,
        ),
        (
            SystemAction::HoldPlace,
            "hold",
            r#"{"by":"local","filters":["subject"],"id":"h1","review_at":null}"#,
        ),
        (
            SystemAction::KeyCreate,
            "key",
            r#"{"by":"local","expires_at":null,"id":"k1","role":"writer"}"#,
        ),
        (
            SystemAction::PrivacyErase,
            "covers",
            r#"{"cause":"request","items":2,"requests":[4],"root":"cm9vdA=="}"#,
        ),
        (
            SystemAction::PrivacyErase,
            "job",
            r#"{"by":"local","events":2,"part":0,"parts":2,"restricted":0}"#,
        ),
        (
            SystemAction::PrivacyReceive,
            "request",
            r#"{"by":"local","id":"r1","identified":true,"identity_checked":true,"receipt":"7K3M-V2QX-0D9T-HN4R","received_on":"2026-11-30","regime":"gdpr","subject":"c3ViamVjdA==","type":"erasure"}"#,
        ),
        (
            SystemAction::PrivacyAnswer,
            "answer",
            r#"{"by":"local","events":{"destroyed":2,"disclosed":0,"held":2,"kept":0},"export":null,"id":"r1","outcome":"erased","receipt":"7K3M-V2QX-0D9T-HN4R","statement":6,"type":"erasure"}"#,
        ),
        (
            SystemAction::RetentionExpiry,
            "expiry",
            r#"{"after":"P90D","class":1,"policy":2,"recorded_before_ms":1700000000000}"#,
        ),
        (
            SystemAction::RetentionExpiry,
            "job",
            r#"{"by":"local","events":7,"held":1}"#,
        ),
    ] {
        assert_eq!(of(action, name), bytes);
    }
}

#[test]
fn what_is_stated_of_a_superseded_ledger_stands_under_its_origin() {
    for event in one_of_each() {
        let stating = ["covers", "expiry", "lift", "restricts"];
        let own = event.sections();
        let own = own
            .iter()
            .filter(|(name, _)| stating.contains(&name.as_str()));
        let own: Vec<_> = own.cloned().collect();
        let about = event.clone().about_superseded("x.example/old");
        if own.is_empty() {
            assert_eq!(about, event, "it states nothing of events");
            continue;
        }
        let sections = about.sections();
        let closed: Value = serde_json::from_str(&text(&sections, "closed")).unwrap();
        assert_eq!(closed["ledger"], "x.example/old");
        for (name, bytes) in own {
            assert_eq!(closed[&name].to_string().into_bytes(), bytes);
            assert!(sections.iter().all(|(known, _)| *known != name));
        }
        assert!(matches!(read(&sections), Ok(SystemRead::Known(back)) if *back == about));
    }
}

#[test]
fn an_action_of_a_later_version_reads_and_a_malformed_section_is_named() {
    let of = |action: &str, section: &str| {
        let action = serde_json::to_vec(action).unwrap();
        let sections = vec![
            ("action".to_owned(), action),
            ("hold".to_owned(), section.as_bytes().to_vec()),
        ];
        read(&sections)
    };
    let later = of("trailkeep.hold.review", "{}");
    assert!(matches!(later, Ok(SystemRead::Unknown(action)) if action == "trailkeep.hold.review"));
    let more = of("trailkeep.hold.lift", r#"{"id":"h","by":"b","of_later":1}"#);
    assert!(matches!(more, Ok(SystemRead::Known(_))));
    let error = of("trailkeep.hold.lift", r#"{"id":1}"#).unwrap_err();
    assert!(
        error.to_string().contains("`trailkeep.hold.lift`"),
        "{error}"
    );
    assert!(matches!(read(&Vec::new()), Err(SystemReadError::NoAction)));
}
