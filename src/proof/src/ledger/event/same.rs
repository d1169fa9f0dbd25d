//! Whether two JSON texts have one value, so that a retry which another library wrote is a retry still.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// Whether two valid JSON texts have the same value: members in any order at any depth, arrays in order, strings after
/// their escapes, numbers by their exact decimal value. Numbers are never read as floating point, in which distinct
/// integers beyond 2^53 would be one.
pub fn same_value(one: &[u8], other: &[u8]) -> bool {
    if one == other {
        return true;
    }
    match (as_raw(one), as_raw(other)) {
        (Some(one), Some(other)) => same(one, other),
        _ => false,
    }
}

fn as_raw(text: &[u8]) -> Option<&RawValue> {
    serde_json::from_slice(text).ok()
}

/// Events are nested 64 deep at most, so the recursion is bounded.
fn same(one: &RawValue, other: &RawValue) -> bool {
    let (one, other) = (one.get(), other.get());
    if one == other {
        return true;
    }
    match (first_byte(one), first_byte(other)) {
        (b'{', b'{') => match (members(one), members(other)) {
            (Some(one), Some(other)) => {
                one.len() == other.len()
                    && one
                        .iter()
                        .zip(&other)
                        .all(|((one_name, one), (name, other))| {
                            one_name == name && same(one, other)
                        })
            }
            _ => false,
        },
        (b'[', b'[') => match (elements(one), elements(other)) {
            (Some(one), Some(other)) => {
                one.len() == other.len()
                    && one.iter().zip(&other).all(|(one, other)| same(one, other))
            }
            _ => false,
        },
        (b'"', b'"') => match (string(one), string(other)) {
            (Some(one), Some(other)) => one == other,
            _ => false,
        },
        (b'-' | b'0'..=b'9', b'-' | b'0'..=b'9') => {
            match (Decimal::read(one), Decimal::read(other)) {
                (Some(one), Some(other)) => one == other,
                _ => false,
            }
        }
        // `true`, `false` and `null` have one spelling.
        _ => false,
    }
}

fn first_byte(text: &str) -> u8 {
    text.as_bytes().first().copied().unwrap_or_default()
}

/// Members by name. An event has no name twice.
fn members(text: &str) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(text).ok()
}

fn elements(text: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(text).ok()
}

fn string(text: &str) -> Option<String> {
    serde_json::from_str(text).ok()
}

/// A number as its sign, its significant digits, and the power of ten of the last of them.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Nothing where the exponent is too large to be compared: such numbers are the same only to the byte.
    fn read(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (is_negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        let significant = digits.trim_end_matches('0');
        if significant.is_empty() {
            return Some(Self {
                is_negative: false,
                digits: String::new(),
                exponent: 0,
            });
        }
        let dropped = i64::try_from(digits.len() - significant.len()).ok()?;
        let fraction = i64::try_from(fraction.len()).ok()?;
        Some(Self {
            is_negative,
            digits: significant.to_owned(),
            exponent: exponent.checked_sub(fraction)?.checked_add(dropped)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn is_same(one: &str, other: &str) -> bool {
        let same = same_value(one.as_bytes(), other.as_bytes());
        assert_eq!(same, same_value(other.as_bytes(), one.as_bytes()));
        same
    }

    #[test]
    fn another_spelling_is_the_same_value() {
        for (one, other) in [
            (r#"[{"id":"c"}]"#, r#"[ { "id" : "c" } ]"#),
            (
                r#"{"a":1,"b":{"c":2,"d":3}}"#,
                r#"{"b":{"d":3,"c":2},"a":1}"#,
            ),
            (r#""\u00e9\/\ud83d\ude00""#, "\"\u{e9}/\u{1f600}\""),
            ("1", "1.0"),
            ("1", "1e0"),
            ("100", "1E+2"),
            ("0.10", "1e-1"),
            ("-0", "0.000"),
            ("12300e-2", "123"),
        ] {
            assert!(is_same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn another_value_is_another() {
        for (one, other) in [
            ("[1,2]", "[2,1]"),
            ("9007199254740993", "9007199254740992"),
            ("0.1", "0.10000000000000001"),
            ("1", "-1"),
            ("1", "10"),
            ("1e5", "1e6"),
            ("1", "\"1\""),
            ("null", "false"),
            ("{}", "[]"),
            ("{}", "null"),
            (r#"{"a":null}"#, "{}"),
            (r#"{"a":1}"#, r#"{"A":1}"#),
            ("\"\u{e9}\"", "\"e\u{301}\""),
            ("1e-99999999999999999999", "2e-99999999999999999999"),
        ] {
            assert!(!is_same(one, other), "{one} {other}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-c\u{e9}\\\\\"]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-c]{1,2}", inner, 0..3)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_tree(one in value(), other in value()) {
            let (one_text, pretty) = (one.to_string(), serde_json::to_string_pretty(&one).unwrap());
            prop_assert!(is_same(&one_text, &pretty));
            prop_assert_eq!(is_same(&one_text, &other.to_string()), one == other);
        }
    }
}
