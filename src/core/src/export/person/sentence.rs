//! JSON as words: a tool's call as a sentence, and everything else as rows.

use crate::export::person::exact::Exact;

/// `refund_order` with `{"order":4711,"amount":12.50}` as `The assistant called "refund_order" with order 4711, amount
/// 12.50.`
pub(super) fn call(name: &str, arguments: &Exact) -> String {
    let arguments = arguments.unpacked();
    let with = match &arguments {
        Exact::Null => String::new(),
        other => phrase(other),
    };
    let name = if name.is_empty() {
        "a tool".to_owned()
    } else {
        format!("\"{name}\"")
    };
    if with.is_empty() || with == "none" {
        format!("The assistant called {name}.")
    } else {
        format!("The assistant called {name} with {with}.")
    }
}

/// A value in one line of words.
pub(super) fn phrase(value: &Exact) -> String {
    match value {
        Exact::Text(text) if needs_quotes(text) => format!("\"{text}\""),
        Exact::List(items) if !items.is_empty() => {
            items.iter().map(inner).collect::<Vec<_>>().join("; ")
        }
        Exact::Members(members) if !members.is_empty() => {
            let named = members
                .iter()
                .map(|(name, value)| format!("{} {}", spaced(name), inner(value)));
            named.collect::<Vec<_>>().join(", ")
        }
        plain => plain.plain().unwrap_or_default(),
    }
}

fn inner(value: &Exact) -> String {
    let words = phrase(value);
    if value.plain().is_some() {
        words
    } else {
        format!("({words})")
    }
}

/// Whether the end of a text would not be seen.
fn needs_quotes(text: &str) -> bool {
    text.is_empty() || text.contains(|c: char| c.is_whitespace() || ",;()\"".contains(c))
}

/// Everything in a value, one row a text or number, each under the names that lead to it.
pub(super) fn rows(label: &str, value: &Exact, rows: &mut Vec<(String, String)>) {
    if let Some(plain) = value.plain() {
        rows.push((label.to_owned(), plain));
        return;
    }
    match value {
        Exact::List(items) if items.iter().all(|item| item.plain().is_some()) => {
            rows.push((label.to_owned(), phrase(value)));
        }
        Exact::List(items) => {
            for (index, item) in items.iter().enumerate() {
                self::rows(&format!("{label} {}", index + 1), item, rows);
            }
        }
        _ => {
            for (name, value) in value.members() {
                self::rows(&format!("{label} \u{203a} {}", spaced(name)), value, rows);
            }
        }
    }
}

/// `order_id` as `order id`.
pub(super) fn spaced(name: &str) -> String {
    match name {
        "ip" => "IP address".to_owned(),
        "user_agent" => "browser or device".to_owned(),
        other => other.replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_a_sentence() {
        for (name, arguments, sentence) in [
            (
                "refund_order",
                r#"{"order":4711,"amount":12.50}"#,
                "The assistant called \"refund_order\" with order 4711, amount 12.50.",
            ),
            (
                "send",
                r#""{\"to\":\"Ada L.\",\"items\":[1,{\"id\":\"x\"}],\"express\":true,\"note\":null}""#,
                "The assistant called \"send\" with to \"Ada L.\", items (1; (id x)), express yes, note none.",
            ),
            ("now", "{}", "The assistant called \"now\"."),
            ("now", "null", "The assistant called \"now\"."),
            ("", "17", "The assistant called a tool with 17."),
        ] {
            assert_eq!(call(name, &Exact::read(arguments)), sentence);
        }
    }

    #[test]
    fn rows_hold_every_text_and_number() {
        let mut found = Vec::new();
        let value = Exact::read(r#"{"score":0.870,"tags":["a","b c"],"of":[{"id":1},{"id":2}]}"#);
        rows("Attributes", &value, &mut found);
        let found: Vec<String> = found.into_iter().map(|(a, b)| format!("{a}={b}")).collect();
        assert_eq!(
            found,
            [
                "Attributes › score=0.870",
                "Attributes › tags=a; \"b c\"",
                "Attributes › of 1 › id=1",
                "Attributes › of 2 › id=2",
            ]
        );
    }
}
