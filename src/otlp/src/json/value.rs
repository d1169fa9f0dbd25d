//! `AnyValue` of OTLP/JSON, and what is sent in its place.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use super::{Reader, integer};
use crate::decode::DEPTH_MAX;
use crate::protobuf::double;
use crate::rejection::Altering;
use crate::telemetry::Attributes;

impl Reader<'_> {
    pub(super) fn raw_value(&mut self, name: &str, raw: &RawValue) -> Value {
        if let Ok(value) = serde_json::from_str(raw.get()) {
            return self.value(name, value, 0);
        }
        // Nested beyond what is read, or a number beyond a double: it is kept as a text.
        self.altered.add(name, Altering::Unreadable);
        let marked = self.body.part(Cow::Owned(raw.get().to_owned()));
        Value::String(marked.readable(name, &mut self.altered))
    }

    /// An `AnyValue`. One member of it is set; others, of later versions, are passed over.
    fn value(&mut self, name: &str, value: Value, depth: usize) -> Value {
        if depth > DEPTH_MAX {
            self.altered.add(name, Altering::TooDeep);
            return Value::Null;
        }
        let Value::Object(mut any) = value else {
            if !value.is_null() {
                self.altered.add(name, Altering::WrongType);
            }
            return self.plain(name, value);
        };
        let mut take = |camel: &str, snake: &str| {
            let value = any.remove(camel).or_else(|| any.remove(snake));
            value.filter(|value| !value.is_null())
        };
        if let Some(text) = take("stringValue", "string_value") {
            return self.expect(name, Value::is_string, text);
        }
        if let Some(bytes) = take("bytesValue", "bytes_value") {
            return self.expect(name, Value::is_string, bytes);
        }
        if let Some(flag) = take("boolValue", "bool_value") {
            let named = flag.as_str().and_then(|text| text.parse().ok());
            let flag = named.map_or(flag, Value::Bool);
            return self.expect(name, Value::is_boolean, flag);
        }
        if let Some(number) = take("intValue", "int_value") {
            // One beyond 64 bits stays as it is written.
            let whole = integer(&number).and_then(|number| i64::try_from(number).ok());
            let number = whole.map_or(number, Value::from);
            return self.expect(name, Value::is_i64, number);
        }
        if let Some(number) = take("doubleValue", "double_value") {
            let named = number.as_str().and_then(|text| text.parse().ok());
            let number = named.or_else(|| number.as_f64()).map_or(number, double);
            let is_double = |value: &Value| {
                value.is_number()
                    || matches!(value.as_str(), Some("NaN" | "Infinity" | "-Infinity"))
            };
            return self.expect(name, is_double, number);
        }
        if let Some(list) = take("arrayValue", "array_value") {
            let values = values_of(list).into_iter();
            return values
                .map(|value| self.value(name, value, depth + 1))
                .collect();
        }
        if let Some(map) = take("kvlistValue", "kvlist_value") {
            let mut found = Attributes::new();
            for entry in values_of(map) {
                let Value::Object(mut entry) = entry else {
                    self.altered.add(name, Altering::WrongType);
                    continue;
                };
                let Some(Value::String(key)) = entry.remove("key") else {
                    self.altered.add(name, Altering::WrongType);
                    continue;
                };
                let key = self.name(key);
                let value = entry.remove("value").unwrap_or_default();
                let value = self.value(&key, value, depth + 1);
                found.insert(key, value);
            }
            return Value::Object(found);
        }
        Value::Null
    }

    fn expect(&mut self, name: &str, is_right: impl Fn(&Value) -> bool, value: Value) -> Value {
        if !is_right(&value) {
            self.altered.add(name, Altering::WrongType);
        }
        self.plain(name, value)
    }

    /// A value as JSON has it. What is not UTF-8 in it was marked.
    fn plain(&mut self, name: &str, value: Value) -> Value {
        match value {
            Value::String(text) => {
                let marked = self.body.part(Cow::Owned(text));
                marked.value(name, &mut self.altered)
            }
            Value::Array(items) => items
                .into_iter()
                .map(|item| self.plain(name, item))
                .collect(),
            Value::Object(members) => {
                let members = members.into_iter();
                let renamed = members.map(|(key, value)| {
                    let key = self.name(key);
                    let value = self.plain(&key, value);
                    (key, value)
                });
                Value::Object(renamed.collect())
            }
            other => other,
        }
    }
}

/// The values of a list or map: `{"values": [...]}`, or the list itself.
fn values_of(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        Value::Object(mut object) => match object.remove("values") {
            Some(Value::Array(values)) => values,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
