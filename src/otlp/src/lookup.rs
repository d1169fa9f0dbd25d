//! Looking attributes up in several places, and reading JSON that stands in strings.

use std::collections::BTreeMap;

use serde_json::Value;

use super::telemetry::Attributes;

/// What OpenInference writes in the place of content that it was told to hide.
const REDACTED: &str = "__REDACTED__";
/// Levels of JSON from a string that become a part of an event; an event has 64 itself.
const DEPTH_MAX: usize = 40;
/// Parts of a flattened name that become levels of their own.
const PATH_PARTS_MAX: usize = 16;

/// Attributes in layers: the first one that has a name counts.
#[derive(Clone, Debug)]
pub(super) struct Lookup<'a>(Vec<&'a Attributes>);

impl<'a> Lookup<'a> {
    pub(super) fn new(layers: Vec<&'a Attributes>) -> Self {
        Self(layers)
    }

    /// The value, where there is one: neither null nor hidden.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        let mut values = self.0.iter().filter_map(|layer| layer.get(name));
        values.find(|value| !value.is_null() && value.as_str() != Some(REDACTED))
    }

    /// A text that is not empty; numbers and flags as they are written.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(as_text)
    }

    /// The first of several names that has a text.
    pub(super) fn first_text(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.text(name))
    }

    pub(super) fn count(&self, name: &str) -> Option<u64> {
        as_count(self.get(name)?)
    }

    /// A number of 0 or more.
    pub(super) fn amount(&self, name: &str) -> Option<f64> {
        let value = self.get(name)?;
        let number = match value {
            Value::String(text) => text.trim().parse().ok(),
            value => value.as_f64(),
        };
        number.filter(|number: &f64| number.is_finite() && *number >= 0.0)
    }

    /// A value; where it is a string that holds JSON, what the string holds.
    pub(super) fn parsed(&self, name: &str) -> Option<Value> {
        self.get(name).map(parsed)
    }

    /// A value inside of JSON in a string: `path` leads from member to member.
    pub(super) fn inside(&self, name: &str, path: &[&str]) -> Option<Value> {
        let mut value = self.parsed(name)?;
        for step in path {
            value = value.get_mut(step)?.take();
        }
        (!value.is_null()).then_some(value)
    }

    /// Whether a name begins like this.
    pub(super) fn has_prefix(&self, prefix: &str) -> bool {
        self.0
            .iter()
            .any(|layer| layer.keys().any(|name| name.starts_with(prefix)))
    }

    /// What names that begin with `prefix` spell out: `0.message.role` becomes a list of objects.
    pub(super) fn tree(&self, prefix: &str) -> Option<Value> {
        self.0.iter().find_map(|layer| unflatten(layer, prefix))
    }

    /// All names with a prefix, without it, and their values; of the first layer that has any.
    pub(super) fn with_prefix(&self, prefix: &str) -> Vec<(&'a str, &'a Value)> {
        let of_layer = |layer: &&'a Attributes| {
            let pairs = layer.iter().filter_map(|(name, value)| {
                let rest = name.strip_prefix(prefix)?;
                (!value.is_null()).then_some((rest, value))
            });
            Some(pairs.collect::<Vec<_>>()).filter(|pairs| !pairs.is_empty())
        };
        self.0.iter().find_map(of_layer).unwrap_or_default()
    }
}

/// A text that is not empty.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// A whole number of 0 or more that an event may hold.
pub(super) fn as_count(value: &Value) -> Option<u64> {
    const MAX: u64 = (1 << 53) - 1;
    let number = match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    };
    number.filter(|number| *number <= MAX)
}

/// What a string of JSON holds; any other value as it is.
pub(super) fn parsed(value: &Value) -> Value {
    let json = value.as_str().and_then(parse_json);
    json.unwrap_or_else(|| value.clone())
}

/// Reads an object or array. `None` also where it would not come out with the same meaning: a number of
/// more digits than a double has, or too many levels.
pub(super) fn parse_json(text: &str) -> Option<Value> {
    let trimmed = text.trim_start();
    if !trimmed.starts_with(['{', '[']) || !keeps_numbers(text) {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    (depth(&value) <= DEPTH_MAX).then_some(value)
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Whether every number of a JSON text has at most 15 significant digits, or is a 64-bit integer.
fn keeps_numbers(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (mut at, mut in_string) = (0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'-' | b'0'..=b'9' if !in_string => {
                let number = bytes[at..].iter().take_while(|byte| {
                    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
                });
                let end = at + number.count();
                if !keeps_number(&text[at..end]) {
                    return false;
                }
                at = end - 1;
            }
            _ => {}
        }
        at += 1;
    }
    true
}

fn keeps_number(token: &str) -> bool {
    let mantissa = token.split(['e', 'E']).next().unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    // A double that was printed as short as possible may have 17.
    let is_printed_double = || {
        token
            .parse::<f64>()
            .is_ok_and(|number| Value::from(number).to_string().as_str() == token)
    };
    digits <= 15
        || token.parse::<i64>().is_ok()
        || token.parse::<u64>().is_ok()
        || is_printed_double()
}

enum Node {
    Leaf(Value),
    Branch(BTreeMap<String, Node>),
}

fn unflatten(layer: &Attributes, prefix: &str) -> Option<Value> {
    let mut root = BTreeMap::new();
    for (name, value) in layer {
        let Some(rest) = name.strip_prefix(prefix) else {
            continue;
        };
        if value.is_null() || value.as_str() == Some(REDACTED) {
            continue;
        }
        let path: Vec<&str> = rest.splitn(PATH_PARTS_MAX, '.').collect();
        insert(&mut root, &path, value);
    }
    (!root.is_empty()).then(|| finish(Node::Branch(root)))
}

fn insert(branch: &mut BTreeMap<String, Node>, path: &[&str], value: &Value) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        branch
            .entry((*first).to_owned())
            .or_insert_with(|| Node::Leaf(value.clone()));
        return;
    }
    let next = branch
        .entry((*first).to_owned())
        .or_insert_with(|| Node::Branch(BTreeMap::new()));
    if let Node::Branch(next) = next {
        insert(next, rest, value);
    }
}

/// Members that are all numbers are a list, in the numbers' order.
fn finish(node: Node) -> Value {
    let branch = match node {
        Node::Leaf(value) => return value,
        Node::Branch(branch) => branch,
    };
    let numbers: Option<Vec<u64>> = branch.keys().map(|name| name.parse().ok()).collect();
    match numbers {
        Some(numbers) => {
            let mut items: Vec<(u64, Node)> =
                numbers.into_iter().zip(branch.into_values()).collect();
            items.sort_by_key(|(number, _)| *number);
            items.into_iter().map(|(_, node)| finish(node)).collect()
        }
        None => branch
            .into_iter()
            .map(|(name, node)| (name, finish(node)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn flattened_names_become_lists_in_the_order_of_their_numbers() {
        let attributes =
            json!({"m.0.role": "a", "m.10.role": "c", "m.2.role": "b", "m.2.parts.0": 1, "n": 1});
        let lookup = Lookup::new(vec![attributes.as_object().unwrap()]);
        let expected = json!([{"role": "a"}, {"role": "b", "parts": [1]}, {"role": "c"}]);
        assert_eq!(lookup.tree("m."), Some(expected));
        assert_eq!(lookup.tree("x."), None);
    }

    #[test]
    fn json_that_would_change_stays_a_string() {
        let same = [
            r#"{"a": [1, 2.5, "Zo\u00eb 123456789012345678901234567890"]}"#,
            "[18446744073709551615]",
            "[0.30000000000000004]",
        ];
        for text in same {
            assert!(parse_json(text).is_some(), "{text}");
        }
        let deep = format!("{}{}", "[".repeat(41), "]".repeat(41));
        for text in [
            "[123456789012345678901]",
            "[1.23456789012345678]",
            "1",
            "\"x\"",
            "{",
            "[\"\\ud83d\"]",
            &deep,
        ] {
            assert_eq!(parse_json(text), None, "{text}");
        }
    }
}
