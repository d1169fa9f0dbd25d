//! What is usual, against the general readers.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::ledger::event::check_json;

/// Texts near JSON: pieces of it, one behind the other.
pub(in crate::bundle) fn near_json() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"b\":",
        "\"a\":1",
        "\"id\":",
        "\\",
        "\\n",
        "\\\"",
        "\\u00e9",
        "\\ud83d",
        "\\ude00",
        "\\u12",
        "\\x",
        "\u{e9}",
        "\u{1}",
        " ",
        "\n",
        "0",
        "-",
        "12",
        "1.5",
        ".",
        "1e3",
        "e",
        "+",
        "1e999",
        "true",
        "fals",
        "null",
        "{}",
        "[]",
        "\"\\u0061\":2",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// JSON of every kind, as programs write it.
pub(in crate::bundle) fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[=a-c,;\"\\\\\r\n\t\u{e9}\u{1f600}\u{FF1D}-]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c\"\u{e9}]{1,2}|id|type|usage", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

#[test]
fn what_is_common_is_usual() {
    for text in [
        "\"\"",
        "\"a\\n\\\"\\u00e9\u{e9}\"",
        "-0",
        "0.5",
        "123456789012345678",
        "1e99",
        "[6e-06,1.5E+2]",
        "[]",
        "{}",
        "{ \"b\" : [ 1 , {\"a\":null} ] ,\n\"a\" : true }",
        "{\"b\":{\"a\":1},\"a\":{\"b\":1}}",
    ] {
        assert!(is_usual(text, &mut Names::new()), "{text}");
        assert_eq!(check_json(text), Ok(()), "{text}");
    }
}

#[test]
fn what_reads_in_two_ways_is_not_usual() {
    for text in [
        "",
        " 1",
        "1 ",
        "01",
        "1.",
        ".5",
        "1e999",
        "1e",
        "1e+",
        "+1",
        "nul",
        "\"\\ud83d\"",
        "\"\\u00\"",
        "\"a\nb\"",
        "\"a",
        "[1,]",
        "[1 2]",
        "{\"a\":1,}",
        "{\"a\":1,\"a\":2}",
        "{\"b\":1,\"a\":1,\"b\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"x\":{\"a\":1,\"a\":2}}",
        "{a:1}",
        "1 1",
    ] {
        assert!(!is_usual(text, &mut Names::new()), "{text}");
    }
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert!(
        is_usual(&deep(DEPTH_MAX), &mut Names::new())
            && !is_usual(&deep(DEPTH_MAX + 1), &mut Names::new())
    );
    assert_eq!(check_json(&deep(DEPTH_MAX)), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_is_usual_is_checked_json(near in near_json(), value in json()) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        for text in [near, value.to_string(), pretty] {
            let strictly = check_json(&text);
            prop_assert!(!is_usual(&text, &mut Names::new()) || strictly.is_ok(), "{}: {:?}", text, strictly);
        }
    }

    #[test]
    fn members_and_elements_are_those_of_the_tree(value in json()) {
        let text = serde_json::to_string_pretty(&value).unwrap();
        let mut found = serde_json::Map::new();
        let read = members(&text, &mut Names::new(), &mut |name, value| {
            found.insert(name.to_owned(), serde_json::from_str(value).unwrap());
        });
        if read.is_some() {
            prop_assert_eq!(&Value::Object(found), &serde_json::from_str::<Value>(&text).unwrap());
        }
        let mut found = Vec::new();
        let read = elements(&text, &mut Names::new(), &mut |value| found.push(serde_json::from_str::<Value>(value).unwrap()));
        if read.is_some() {
            prop_assert_eq!(&Value::Array(found), &serde_json::from_str::<Value>(&text).unwrap());
        }
    }
}
