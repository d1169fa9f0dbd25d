//! What a text is, by its looks.

use trailkeep_proof::bundle::transport::undo;
use trailkeep_proof::ids::Origin;
use trailkeep_proof::ledger::note::PublicKey;
use trailkeep_proof::privacy::check::is_certificate;

/// Begins a receipt.
pub(super) const RECEIPT: &str = "c2sp.org/tlog-proof@";

/// Begins the format of certificates of all versions.
const FORMATS: &str = "trailkeep/certificate/";

/// What a text is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TextKind {
    /// A certificate, or what says to be one.
    Certificate,
    /// A receipt or a checkpoint.
    Note,
    /// Something that is not verified; in words.
    Other(&'static str),
}

/// Tells them apart, whatever the way did to the text.
pub(super) fn kind_of(text: &str) -> TextKind {
    let undone = undo(text.as_bytes()).pop();
    let plain = undone.and_then(|(text, _)| String::from_utf8(text).ok());
    let text = plain.as_deref().unwrap_or(text);
    let first = text.lines().next().unwrap_or_default().trim_end();
    let start = text.trim_start();
    let begins = |words: &str| {
        start
            .get(..words.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(words))
    };
    if is_certificate(text) || says_to_be_a_certificate(start) {
        TextKind::Certificate
    } else if text.starts_with(RECEIPT)
        || Origin::parse(first).is_ok()
        || text.contains("\n\u{2014} ")
    {
        TextKind::Note
    } else if start.is_empty() {
        TextKind::Other("empty")
    } else if begins("-----BEGIN PUBLIC KEY") || PublicKey::parse(text).is_ok() {
        TextKind::Other("a public key: name it with --key")
    } else if begins("-----BEGIN") {
        TextKind::Other("a PEM file")
    } else if begins("<!doctype html") || begins("<html") {
        TextKind::Other("an HTML page")
    } else if begins("{") || begins("[") {
        TextKind::Other("JSON, but not a certificate")
    } else if begins("<") {
        TextKind::Other("XML or HTML")
    } else {
        TextKind::Other("some other text")
    }
}

fn says_to_be_a_certificate(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Form {
        format: String,
    }
    text.starts_with('{')
        && serde_json::from_str::<Form>(text).is_ok_and(|form| form.format.starts_with(FORMATS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_apart() {
        let other = |text: &str| matches!(kind_of(text), TextKind::Other(_));
        for text in [
            "",
            " \n",
            "-----BEGIN CERTIFICATE-----\n",
            "<!DOCTYPE html>",
            "{\"a\":1}",
            "hello\n",
            "[1]",
            "\u{e9}t\u{e9}",
        ] {
            assert!(other(text), "{text}");
        }
        for text in [
            "audit.example.com/default\n4\n",
            "\u{feff}c2sp.org/tlog-proof@v1\r\n",
            "x\n\n\u{2014} k AAAA\n",
        ] {
            assert_eq!(kind_of(text), TextKind::Note, "{text}");
        }
        let certificate = "{ \"format\": \"trailkeep/certificate/v1\" }";
        assert_eq!(kind_of(certificate), TextKind::Certificate);
    }
}
