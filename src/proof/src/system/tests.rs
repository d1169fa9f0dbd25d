use super::*;

/// An entry of each action as it is stored, in the order of their names: members in the order of their names, null where there
/// is nothing.
#[rustfmt::skip]
const STORED: &[&[(&str, &str)]] = &[
    &[
        ("access", r#"{"by":"local","count":1,"events":3,"filters":["action"],"purpose":null,"restricted":0,"route":"/v1/events","seq":null,"verb":"GET"}"#),
        ("action", r#""trailkeep.access""#),
    ],
    &[
        ("action", r#""trailkeep.anchor.resume""#),
        ("anchor", r#"{"by":"local","here":8,"seen":9,"target":"witness"}"#),
    ],
    &[
        ("action", r#""trailkeep.backup""#),
        ("backup", r#"{"by":"local","id":"b1"}"#),
    ],
    &[
        ("action", r#""trailkeep.class.define""#),
        ("class", r#"{"after":null,"cases":{"hipaa":"raw"},"law_not_yet":["hipaa"],"minimum":"P6Y","number":1,"policies":[{"id":"hipaa","sha256":"00","version":2}]}"#),
    ],
    &[
        ("action", r#""trailkeep.clock.confirm""#),
        ("clock", r#"{"last_seen":null,"now":"2026-11-30T00:00:00.000Z"}"#),
    ],
    &[
        ("action", r#""trailkeep.export""#),
        ("export", r#"{"by":"local","entries":5,"filters":["from"],"proof":"range","recipients":0,"redacted_sections":["input"],"request":"r1","withholds":["others"]}"#),
    ],
    &[
        ("action", r#""trailkeep.figures.name""#),
        ("figures", r#"{"by":"server","kind":"model","name":"gpt-4o","number":1}"#),
    ],
    &[
        ("action", r#""trailkeep.hold.lift""#),
        ("hold", r#"{"by":"local","id":"h1"}"#),
    ],
    &[
        ("action", r#""trailkeep.hold.place""#),
        ("hold", r#"{"by":"local","filters":["subject"],"id":"h1","review_at":null}"#),
    ],
    &[
        ("action", r#""trailkeep.key.create""#),
        ("key", r#"{"by":"local","expires_at":null,"id":"k1","role":"writer"}"#),
    ],
    &[
        ("action", r#""trailkeep.key.revoke""#),
        ("key", r#"{"by":"local","id":"k1","role":"writer"}"#),
    ],
    &[
        ("action", r#""trailkeep.policy.change""#),
        ("policy", r#"{"id":"hipaa","sha256":"00","text":"id = \"hipaa\"\n","version":2}"#),
    ],
    &[
        ("action", r#""trailkeep.policy.drop""#),
        ("policy", r#"{"id":"hipaa","sha256":"00","text":"id = \"hipaa\"\n","version":2}"#),
    ],
    &[
        ("action", r#""trailkeep.policy.load""#),
        ("policy", r#"{"id":"hipaa","sha256":"00","text":"id = \"hipaa\"\n","version":2}"#),
    ],
    &[
        ("action", r#""trailkeep.prices.set""#),
        ("prices", r#"{"by":"local","layer":"tenant","number":1,"sha256":"00","table":{"dated":"2026-11-30","format":"trailkeep/prices/v1","prices":[]}}"#),
    ],
    &[
        ("action", r#""trailkeep.privacy.answer""#),
        ("answer", r#"{"by":"local","events":{"destroyed":2,"disclosed":0,"held":2,"kept":0},"export":null,"id":"r1","outcome":"erased","receipt":"7K3M-V2QX-0D9T-HN4R","statement":6,"type":"erasure"}"#),
    ],
    &[
        ("action", r#""trailkeep.privacy.distinguish""#),
        ("request", r#"{"by":"local","id":"r1","receipt":"7K3M-V2QX-0D9T-HN4R","type":"erasure"}"#),
    ],
    &[
        ("action", r#""trailkeep.privacy.end""#),
        ("request", r#"{"by":"local","decision":"identity-not-shown","id":"r1","receipt":"7K3M-V2QX-0D9T-HN4R","type":"erasure"}"#),
    ],
    &[
        ("action", r#""trailkeep.privacy.erase""#),
        ("covers", r#"{"cause":"request","items":2,"requests":[4],"root":"cm9vdA=="}"#),
        ("job", r#"{"by":"local","events":2,"part":0,"parts":2,"restricted":0}"#),
    ],
    &[
        ("action", r#""trailkeep.privacy.execute""#),
        ("request", r#"{"by":"local","id":"r1","receipt":"7K3M-V2QX-0D9T-HN4R","type":"erasure"}"#),
    ],
    &[
        ("action", r#""trailkeep.privacy.extend""#),
        ("request", r#"{"by":"local","due":"2026-12-31","id":"r1","receipt":"7K3M-V2QX-0D9T-HN4R","type":"erasure"}"#),
    ],
    &[
        ("action", r#""trailkeep.privacy.identify""#),
        ("request", r#"{"by":"local","id":"r1","identity_checked":true,"receipt":"7K3M-V2QX-0D9T-HN4R","type":"erasure"}"#),
    ],
    &[
        ("action", r#""trailkeep.privacy.lift""#),
        ("lift", r#"{"by":"local","requests":[4],"restricts":6}"#),
    ],
    &[
        ("action", r#""trailkeep.privacy.receive""#),
        ("request", r#"{"by":"local","id":"r1","identified":true,"identity_checked":true,"receipt":"7K3M-V2QX-0D9T-HN4R","received_on":"2026-11-30","regime":"gdpr","subject":"c3ViamVjdA==","type":"erasure"}"#),
    ],
    &[
        ("action", r#""trailkeep.privacy.restrict""#),
        ("job", r#"{"by":"local","events":2,"part":0,"parts":2,"restricted":0}"#),
        ("restricts", r#"{"cause":"request","items":2,"requests":[4],"root":"cm9vdA=="}"#),
    ],
    &[
        ("action", r#""trailkeep.prompt.erase""#),
        ("prompt", r#"{"id":"v1","name":"support/refund","version":3}"#),
    ],
    &[
        ("action", r#""trailkeep.prompt.label""#),
        ("prompt", r#"{"experiment":17,"from":[{"version":2,"weight":10000}],"id":"m1","label":"production","name":"support/refund","number":5,"to":[{"version":2,"weight":9000},{"version":3,"weight":1000}],"unit":"conversation"}"#),
    ],
    &[
        ("action", r#""trailkeep.prompt.version""#),
        ("prompt", r#"{"commitment":"Y29tbWl0","git_commit":"00","id":"v1","name":"support/refund","parent":2,"size":9,"version":3}"#),
    ],
    &[
        ("action", r#""trailkeep.prompt.withdraw""#),
        ("prompt", r#"{"id":"v1","name":"support/refund","version":3}"#),
    ],
    &[
        ("action", r#""trailkeep.restore""#),
        ("restore", r#"{"keys_missing":0,"ledgers":[{"continued_by":null,"lost":1,"origin":"x.example/default","seen":6,"size":5}],"vault_lacked":[]}"#),
    ],
    &[
        ("action", r#""trailkeep.retention.expiry""#),
        ("expiry", r#"{"after":"P90D","class":1,"policy":2,"recorded_before_ms":1700000000000}"#),
        ("job", r#"{"by":"local","events":7,"held":1}"#),
    ],
    &[
        ("action", r#""trailkeep.retention.resume""#),
        ("retention", r#"{"by":"local","holds_reviewed":true,"paused_since":"2026-11-30T00:00:00.000Z","reason":"restored"}"#),
    ],
    &[
        ("action", r#""trailkeep.retention.trigger""#),
        ("trigger", r#"{"at":"2026-11-30T00:00:00.000Z","by":"local","name":"account-closed"}"#),
    ],
    &[
        ("action", r#""trailkeep.tenant.close""#),
        ("tenant", r#"{"by":"local","entries_before":9}"#),
    ],
    &[
        ("action", r#""trailkeep.tenant.create""#),
        ("tenant", r#"{"by":"local","origin":"x.example/acme","tenant":"acme"}"#),
    ],
    &[
        ("action", r#""trailkeep.tenant.set""#),
        ("tenant", r#"{"by":"local","default_regimes":[],"public_log":false,"read_audit":true,"strict":false}"#),
    ],
    &[
        ("action", r#""trailkeep.vault.bind""#),
        ("vault", r#"{"by":"local","rows":3}"#),
    ],
    &[
        ("action", r#""trailkeep.vault.copy-add""#),
        ("vault", r#"{"by":"local","id":"c1","kind":"directory"}"#),
    ],
    &[
        ("action", r#""trailkeep.vault.copy-check""#),
        ("vault", r#"{"by":"local","id":"c1","kind":"directory"}"#),
    ],
    &[
        ("action", r#""trailkeep.vault.copy-remove""#),
        ("vault", r#"{"by":"local","id":"c1","kind":"directory"}"#),
    ],
    &[
        ("action", r#""trailkeep.vault.rotate""#),
        ("vault", r#"{"by":"local","epoch":2,"rows":9,"started_at":"2026-11-30T00:00:00.000Z","state":"done","targets":[{"id":"c1","in_reach":true,"kind":"directory"}]}"#),
    ],
];

fn owned(stored: &[(&str, &str)]) -> Sections {
    let section = |(name, text): &(&str, &str)| ((*name).to_owned(), text.as_bytes().to_vec());
    stored.iter().map(section).collect()
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
fn each_action_is_read_and_written_byte_for_byte() {
    assert_eq!(STORED.len(), SystemAction::ALL.len());
    for (stored, action) in STORED.iter().zip(SystemAction::ALL) {
        let mut sections = owned(stored);
        assert_eq!(text(&sections, "action").as_bytes(), action.section());
        let Ok(SystemRead::Known(event)) = read(&sections) else {
            panic!("{action} is not read: {:?}", read(&sections));
        };
        assert_eq!(event.sections(), sections, "{action}");
        // The section of the vault's rows stands beside any of them.
        sections.push(("row".to_owned(), br#"{"rows":[]}"#.to_vec()));
        assert!(matches!(read(&sections), Ok(SystemRead::Known(with_rows)) if with_rows == event));
    }
}

/// Members that came later stand only where they say something, and read back.
#[test]
fn members_that_came_later_are_read_and_written_byte_for_byte() {
    for stored in [
        [
            ("action", r#""trailkeep.privacy.receive""#),
            (
                "request",
                r#"{"by":"local","id":"r1","identified":true,"identity_checked":true,"identity_kind":"account-login","manner":"web-form","receipt":"7K3M-V2QX-0D9T-HN4R","received_on":"2026-11-30","regime":"gdpr","subject":"c3ViamVjdA==","type":"erasure"}"#,
            ),
        ],
        [
            ("action", r#""trailkeep.privacy.identify""#),
            (
                "request",
                r#"{"by":"local","id":"r1","identity_checked":false,"identity_kind":"none-no-doubt","receipt":"7K3M-V2QX-0D9T-HN4R","type":"erasure"}"#,
            ),
        ],
        [
            ("action", r#""trailkeep.privacy.answer""#),
            (
                "answer",
                r#"{"by":"local","certificate":true,"events":{"destroyed":0,"disclosed":0,"held":2,"kept":2},"export":null,"id":"r1","kept":[{"citation":"c","class":3,"events":2,"ground":"g","policies":["hipaa 1"],"state":"restricted","until":null}],"outcome":"restricted","receipt":"7K3M-V2QX-0D9T-HN4R","statement":null,"type":"erasure"}"#,
            ),
        ],
        [
            ("action", r#""trailkeep.prompt.label""#),
            (
                "prompt",
                r#"{"experiment":17,"from":[],"id":"m1","label":"production","ledger":"x.example/old","name":"support/refund","number":6,"restores":[2],"rollback":true,"to":[{"version":2,"weight":10000}],"unit":"session"}"#,
            ),
        ],
        [
            ("action", r#""trailkeep.prompt.version""#),
            (
                "prompt",
                r#"{"commitment":"Y29tbWl0","id":"v1","name":"support/refund","size":9,"version":1}"#,
            ),
        ],
        [
            ("action", r#""trailkeep.tenant.set""#),
            (
                "tenant",
                r#"{"by":"local","default_regimes":[],"keep_requests":"P24M","public_log":false,"read_audit":true,"strict":false}"#,
            ),
        ],
        [
            ("action", r#""trailkeep.privacy.answer""#),
            (
                "answer",
                r#"{"by":"local","certificate":true,"events":{"destroyed":2,"disclosed":0,"held":2,"kept":0},"export":null,"id":"r1","outcome":"erased","receipt":"7K3M-V2QX-0D9T-HN4R","statement":6,"type":"erasure"}"#,
            ),
        ],
    ] {
        let Ok(SystemRead::Known(event)) = read(&owned(&stored)) else {
            panic!("{stored:?}");
        };
        assert_eq!(event.sections(), owned(&stored));
    }
}

#[test]
fn what_is_stated_of_a_superseded_ledger_stands_under_its_origin() {
    for stored in STORED {
        let Ok(SystemRead::Known(event)) = read(&owned(stored)) else {
            panic!("{stored:?}");
        };
        let stating = ["covers", "expiry", "lift", "restricts"];
        let own = event.sections();
        let own = own
            .iter()
            .filter(|(name, _)| stating.contains(&name.as_str()));
        let own: Vec<_> = own.cloned().collect();
        let about = event.clone().about_superseded("x.example/old");
        if own.is_empty() {
            assert_eq!(about, *event, "it states nothing of events");
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
