//! What a JSON schema cannot see, the facts, and the splitting of bodies.

use trailkeep_proof::ledger::event::{
    EventError, Facts, FactsError, MAX_ARRAY_EVENTS, MAX_DEPTH, MAX_EVENT_BYTES, MAX_FAULTS,
    Person, Target, parse_event, split_array, split_ndjson,
};
use trailkeep_proof::time::UnixMillis;

use super::super::{faults, good, with};

fn first(text: &str) -> (String, String) {
    let fault = faults(text.as_bytes()).swap_remove(0);
    (fault.pointer, fault.detail)
}

fn nested(levels: usize, open: &str, close: &str) -> String {
    format!("{}1{}", open.repeat(levels), close.repeat(levels))
}

#[test]
fn names_that_stand_twice_are_refused_at_any_depth() {
    for (text, pointer) in [
        (with(r#""action":"b""#), "/action"),
        (with(r#""\u0061ction":"b""#), "/action"),
        (
            r#"{"action":"a","actor":{"id":"x","id":"y"}}"#.to_owned(),
            "/actor/id",
        ),
        (
            r#"{"action":"a","actor":{"id":"x","i\u0064":"y"}}"#.to_owned(),
            "/actor/id",
        ),
        (
            with(r#""attributes":{"a":{"b":[{"c":1,"c":1}]}}"#),
            "/attributes/?/?/0/?",
        ),
        (with(r#""input":[{"\ud83d\ude00":1,"😀":2}]"#), "/input/0/?"),
        (
            with(r#""llm":{"parameters":{"x":1,"x":1}}"#),
            "/llm/parameters/?",
        ),
    ] {
        let (at, detail) = first(&text);
        assert_eq!(at, pointer, "{text}");
        assert!(detail.contains("twice"), "{detail}");
    }
    // Above the size where names are hashed.
    let names: Vec<_> = (0..100).map(|n| format!(r#""n{n}":0"#)).collect();
    good(&with(&format!(r#""attributes":{{{}}}"#, names.join(","))));
    for twin in [0, 15, 16, 99] {
        let text = with(&format!(
            r#""attributes":{{{},"n{twin}":1}}"#,
            names.join(",")
        ));
        assert!(first(&text).1.contains("twice"));
    }
    // The same name in different objects is none.
    good(&with(r#""attributes":{"a":{"a":{"a":[{"a":1},{"a":1}]}}}"#));
}

#[test]
fn lone_surrogates_are_refused_in_names_and_values() {
    for lone in [
        r"\ud83d",
        r"\ude00",
        r"\ud83dx",
        r"\ud83d\n",
        r"\ud83d\u0041",
        r"\ud83d\ud83d",
        r"\ude00\ud83d",
    ] {
        for text in [
            with(&format!(r#""input":"{lone}""#)),
            with(&format!(r#""input":[{{"{lone}":1}}]"#)),
            with(&format!(r#""attributes":{{"a":["{lone}"]}}"#)),
            with(&format!(r#""id":"{lone}""#)),
            with(&format!(r#""{lone}":1"#)),
        ] {
            assert!(
                first(&text).1.contains("surrogate"),
                "{text}: {:?}",
                first(&text)
            );
        }
    }
    good(&with(r#""input":"\ud83d\ude00","id":"\ud83d\ude00""#));
}

#[test]
fn depth_is_bounded_without_recursion() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        // The event's object is the first level.
        good(&with(&format!(
            r#""input":{}"#,
            nested(MAX_DEPTH - 1, open, close)
        )));
        for levels in [MAX_DEPTH, MAX_DEPTH + 1, 127, 128, 129, 10_000, 100_000] {
            let (_, detail) = first(&with(&format!(
                r#""input":{}"#,
                nested(levels, open, close)
            )));
            assert!(detail.contains("deeper than 64"), "{levels}: {detail}");
        }
    }
    // A million levels: over the limit of bytes as an event, yet split_array must survive it.
    let million = nested(1_000_000, "[", "]");
    assert!(matches!(
        parse_event(with(&format!(r#""input":{million}"#)).as_bytes()),
        Err(EventError::TooLarge { .. })
    ));
    assert_eq!(
        split_array(format!("[{million}]").as_bytes()).unwrap(),
        [million.as_bytes()]
    );
    assert!(matches!(
        split_array(&million.as_bytes()[..1_000_000]),
        Err(EventError::Invalid(_))
    ));
    // A million levels that are never closed stay within the limit of bytes.
    let open = format!(
        r#"{{"action":"a","actor":{{"id":"x"}},"input":{}"#,
        "[".repeat(1_000_000)
    );
    assert!(first(&open).1.contains("not JSON"));
    assert!(first(&"[".repeat(1_000_000)).1.contains("one JSON object"));
    assert!(first(&r#"{"a":"#.repeat(200_000)).1.contains("not JSON"));
}

#[test]
fn what_is_not_one_object_of_strict_json_is_refused() {
    let fine = r#"{"action":"a","actor":{"id":"x"}}"#;
    good(&format!(" \t\r\n{fine}\n\n"));
    for (text, words) in [
        (format!("\u{feff}{fine}"), "byte order mark"),
        (format!("{fine}{fine}"), "data follows"),
        (format!("{fine} x"), "data follows"),
        (format!("{fine},"), "data follows"),
        (format!("{fine}\0"), "data follows"),
        (String::new(), "one JSON object"),
        ("nope".to_owned(), "one JSON object"),
        (fine[..fine.len() - 1].to_owned(), "not JSON"),
        (with(r#""input":NaN"#), "not JSON"),
        (with(r#""input":01"#), "not JSON"),
        (with(r#""input":'x'"#), "not JSON"),
        (with(r#""input":[1,]"#), "not JSON"),
        (with(r#""input":"\x""#), "not JSON"),
        (with("\"input\":1 // no"), "not JSON"),
        (with("\"input\":\"a\u{1}b\""), "control character"),
        (with("\"input\":\"a\nb\""), "control character"),
        (with("\"in\tput\":1"), "control character"),
        (with(r#""input":1e400"#), "range of a double"),
        (with(r#""attributes":{"a":[-1e400]}"#), "range of a double"),
        (with(r#""llm":{"latency_ms":1e999}"#), "range of a double"),
    ] {
        let (_, detail) = first(&text);
        assert!(detail.contains(words), "{text}: {detail}");
    }
    let mut bytes = with(r#""input":"?""#).into_bytes();
    let place = bytes.iter().position(|byte| *byte == b'?').unwrap();
    bytes[place] = 0xff;
    assert!(faults(&bytes)[0].detail.contains("UTF-8"));
    // CESU-8: a surrogate written as UTF-8.
    bytes.splice(place..=place, [0xed, 0xa0, 0x80]);
    assert!(faults(&bytes)[0].detail.contains("UTF-8"));
}

#[test]
fn the_place_of_broken_text_is_counted_in_the_whole_event() {
    let text = with("\"output\":1,\n\n \"input\":\n [\n  1e400]");
    let (pointer, detail) = first(&text);
    assert_eq!(pointer, "/input/0");
    let place = text.find("1e400").unwrap();
    let told: usize = detail
        .rsplit(' ')
        .next()
        .unwrap()
        .trim_end_matches(')')
        .parse()
        .unwrap();
    assert!((place..=place + 5).contains(&told), "{detail}, {place}");
}

#[test]
fn odd_but_lawful_content_is_kept() {
    let event = good(&with(
        r#""input":"\u0000\u001b\u202e / \/ é","output":12345678901234567890123"#,
    ));
    assert_eq!(
        event.section("input").unwrap(),
        r#""\u0000\u001b\u202e / \/ é""#.as_bytes()
    );
    assert_eq!(event.section("output").unwrap(), b"12345678901234567890123");
}

#[test]
fn size_is_bounded() {
    let frame = with(r#""input":"""#).len();
    let fitting = with(&format!(
        r#""input":"{}""#,
        "x".repeat(MAX_EVENT_BYTES - frame)
    ));
    good(&fitting);
    let error = parse_event(format!("{fitting} ").as_bytes()).unwrap_err();
    assert_eq!(
        error,
        EventError::TooLarge {
            bytes: MAX_EVENT_BYTES + 1,
            limit: MAX_EVENT_BYTES
        }
    );
}

#[test]
fn all_faults_are_told_up_to_a_limit_and_quote_nothing() {
    let text = r#"{"action":"SECRET","actor":{"id":"","SECRET":1},"id":7,"SECRET":"SECRET","outcome":"SECRET"}"#;
    let found = faults(text.as_bytes());
    let pointers: Vec<_> = found.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        ["/?", "/action", "/actor/id", "/actor/?", "/id", "/outcome"]
    );
    assert!(!format!("{found:?}").contains("SECRET"));
    let many = vec!["{}"; 64].join(",");
    assert_eq!(
        faults(with(&format!(r#""subjects":[{many}]"#)).as_bytes()).len(),
        MAX_FAULTS
    );
}

#[test]
fn before_1970_and_after_9999_by_their_offset() {
    for time in ["1970-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"] {
        assert_eq!(
            first(&with(&format!(r#""occurred_at":"{time}""#))).0,
            "/occurred_at"
        );
    }
}

fn person(namespace: &str, id: &str) -> Person {
    Person {
        namespace: namespace.to_owned(),
        id: id.to_owned(),
    }
}

#[test]
fn facts_are_read_decoded_and_without_repeats() {
    let event = good(
        r#"{"source":{"name":"bot","seq":7.0},"regimes":["hipaa","soc2","hipaa"],"llm":{"prompt":{"name":"p"},"request_model":"m","response_model":"m"},
        "context":{"conversation":"c","trace_id":"t"},"targets":[{"id":"b","type":"B"},{"id":"b"},{"id":"b","type":"B"}],
        "subjects":[{"id":"\u0061"},{"namespace":"n","id":"a"},{"id":"a"}],"actor":{"namespace":"iam","id":"Zo\u00eb"},
        "outcome":"denied","occurred_at":"2026-11-24T10:30:00.5+01:00","action":"a.b","id":"e\"1"}"#,
    );
    let expected = Facts {
        id: Some("e\"1".to_owned()),
        action: "a.b".to_owned(),
        outcome: Some("denied".to_owned()),
        occurred_at: UnixMillis::parse_rfc3339("2026-11-24T09:30:00.500Z"),
        actor: person("iam", "Zoë"),
        subjects: vec![person("", "a"), person("n", "a")],
        targets: vec![
            Target {
                kind: "B".to_owned(),
                id: "b".to_owned(),
            },
            Target {
                kind: String::new(),
                id: "b".to_owned(),
            },
        ],
        conversation: Some("c".to_owned()),
        trace: Some("t".to_owned()),
        models: vec!["m".to_owned()],
        prompt: Some("p".to_owned()),
        prompt_version: None,
        regimes: vec!["hipaa".to_owned(), "soc2".to_owned()],
        record: None,
        source: Some(("bot".to_owned(), 7)),
    };
    assert_eq!(*event.facts(), expected);
    let system: (&str, &[u8]) = ("expiry", b"{not looked at");
    let pairs = event
        .sections()
        .iter()
        .map(|section| (section.name, &*section.bytes));
    assert_eq!(Facts::from_sections(pairs.chain([system])), Ok(expected));
}

#[test]
fn facts_of_damaged_sections_are_errors_that_quote_nothing() {
    let read = |pairs: &[(&str, &str)]| {
        Facts::from_sections(pairs.iter().map(|(name, text)| (*name, text.as_bytes())))
    };
    assert_eq!(read(&[]), Err(FactsError::Missing("action")));
    assert_eq!(
        read(&[("action", "\"a\"")]),
        Err(FactsError::Missing("actor"))
    );
    let actor = ("actor", r#"{"id":"x"}"#);
    for (name, text) in [
        ("action", "7"),
        ("subjects", r#"["SECRET"]"#),
        ("occurred_at", "\"SECRET\""),
        ("source", r#"{"name":"n","seq":0.5}"#),
        ("llm", "["),
        ("id", "\"\\ud800\""),
    ] {
        let error = read(&[("action", "\"a\""), actor, (name, text)]).unwrap_err();
        assert_eq!(error, FactsError::Unreadable(name));
        assert!(!error.to_string().contains("SECRET"));
    }
}

#[test]
fn the_server_adds_sections_in_their_place() {
    let event = good(r#"{"output":1,"action":"a","actor":{"id":"x"}}"#);
    let event = event.with_section("id", *b"\"e-1\"").unwrap();
    let names: Vec<_> = event
        .sections()
        .iter()
        .map(|section| section.name)
        .collect();
    assert_eq!(names, ["action", "actor", "id", "output"]);
    assert_eq!(event.facts().id.as_deref(), Some("e-1"));
    for (name, text) in [
        ("id", "\"e-2\""),
        ("received", "{}"),
        ("outcome", "7"),
        ("outcome", " \"error\""),
        ("outcome", "\"error\" 7"),
        ("other", "7"),
    ] {
        assert!(
            event.clone().with_section(name, text.as_bytes()).is_err(),
            "{name} {text}"
        );
    }
}

#[test]
fn bodies_are_split_into_exact_texts() {
    let lines: Vec<_> = split_ndjson(b"{}\r\n\n  \t\r\n{\"a\":1} \n[\n").collect();
    assert_eq!(lines, [(1, &b"{}"[..]), (4, b"{\"a\":1} "), (5, b"[")]);
    assert_eq!(split_ndjson(b"").count(), 0);
    assert_eq!(split_ndjson(b"{}").count(), 1);

    let elements = split_array(b" [ {\"a\" : [1,2]} ,7, \"x,]\" ]\n").unwrap();
    assert_eq!(elements, [&b"{\"a\" : [1,2]}"[..], b"7", b"\"x,]\""]);
    assert_eq!(split_array(b"[]").unwrap(), Vec::<&[u8]>::new());
    for bad in ["", "{}", "[", "[1,]", "[1] 2", "[1 2]", "\u{feff}[]"] {
        assert!(
            matches!(split_array(bad.as_bytes()), Err(EventError::Invalid(_))),
            "{bad}"
        );
    }
    let full = vec!["0"; MAX_ARRAY_EVENTS].join(",");
    assert_eq!(
        split_array(format!("[{full}]").as_bytes()).unwrap().len(),
        MAX_ARRAY_EVENTS
    );
    let error = split_array(format!("[{full},0]").as_bytes()).unwrap_err();
    assert_eq!(
        error,
        EventError::TooMany {
            limit: MAX_ARRAY_EVENTS
        }
    );
}
