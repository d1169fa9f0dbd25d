//! What the program says, as checked in: the help of every command, the answers of the main routes, and what the
//! commands print, for people and under `--json`. A change shows as a difference; CONTRIBUTING.md says how to review it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod commands;
mod help;
mod routes;

use std::fmt::Write;
use std::path::Path;

use crate::support::root;

/// What is other in every run, and what stands for it.
const RANDOM: &[(&str, &str)] = &[
    (
        r"trailkeep_([a-z]+)_[0-9a-f]{16}_[\w-]+",
        "trailkeep_${1}_[TOKEN]",
    ),
    (r"-----BEGIN PUBLIC KEY-----\\n[\w+/=]+\\n", "[PEM]"),
    (r"-----BEGIN PUBLIC KEY-----\n[\w+/=]+\n", "[PEM]"),
    (r#""token":( ?)"[\w-]{64}""#, "\"token\":$1\"[TOKEN]\""),
    (r"\+[0-9a-f]{8}\+[A-Za-z0-9+/]{43,44}=?", "+[VKEY]"),
    (r"\b[0-9a-f]{64}\b", "[SHA256]"),
    // A bundle holds random numbers, which compress to a few bytes more or less.
    (r"(?m)^(size +\d+)\.\d KiB", "$1.[DIGIT] KiB"),
    (r"[A-Za-z0-9+/]{64,}={0,2}", "[BASE64]"),
    (r"[A-Za-z0-9+/]{43}=", "[HASH]"),
    (r"[0-9a-f]{32}", "[ID]"),
    (r"[0-9a-f]{16}", "[ID]"),
    (
        r"\b[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}\b",
        "[RECEIPT]",
    ),
    (r#""(bytes|longest_step_ms)":( ?)\d+"#, "\"$1\":$2[NUMBER]"),
    (r"bytes        \d+", "bytes        [NUMBER]"),
    (r"\d+ bytes in", "[NUMBER] bytes in"),
];

/// Compares a text with the one that is checked in under a name; `folder` is the only path that it may name.
fn assert_same(name: &str, folder: Option<&Path>, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("tests/api/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    if let Some(folder) = folder {
        settings.add_filter(&regex_of(&folder.display().to_string()), "[FOLDER]");
    }
    for (pattern, replacement) in RANDOM {
        settings.add_filter(pattern, *replacement);
    }
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// A pattern of this text alone.
fn regex_of(text: &str) -> String {
    let escaped = |c: char| {
        if c.is_alphanumeric() {
            c.to_string()
        } else {
            format!("\\{c}")
        }
    };
    text.chars().map(escaped).collect()
}

/// JSON with a line a member. Nothing else changes: members stay in their order, and values as they are written.
fn unfolded(json: &str) -> String {
    let (mut text, mut depth, mut is_text, mut is_escaped) = (String::new(), 0, false, false);
    let line = |text: &mut String, depth: usize| {
        let _ = write!(text, "\n{}", "  ".repeat(depth));
    };
    let mut characters = json.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            _ if is_text => {
                is_text = is_escaped || c != '"';
                is_escaped = c == '\\' && !is_escaped;
                text.push(c);
            }
            '{' | '[' if matches!(characters.peek(), Some('}' | ']')) => {
                text.push(c);
                text.extend(characters.next());
            }
            '{' | '[' => {
                depth += 1;
                text.push(c);
                line(&mut text, depth);
            }
            '}' | ']' => {
                depth -= 1;
                line(&mut text, depth);
                text.push(c);
            }
            ',' => {
                text.push(c);
                line(&mut text, depth);
            }
            _ => {
                is_text = c == '"';
                text.push(c);
                if c == ':' {
                    text.push(' ');
                }
            }
        }
    }
    text
}
