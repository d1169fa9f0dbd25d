//! What the templates of pages share.

use std::fmt::{self, Write};

use askama::filters::Escaper;

use trailkeep_proof::text::block;

/// Makes each value of a template safe: it stays text, in an element or an attribute, and steers no screen.
/// `askama.toml` applies it to all pages.
#[derive(Clone, Copy, Default)]
pub(crate) struct Untrusted;

impl Escaper for Untrusted {
    fn write_escaped_str<W: Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        let text = block(text);
        let mut rest = &*text;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            let (plain, special) = rest.split_at(at);
            dest.write_str(plain)?;
            dest.write_str(match special.as_bytes()[0] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &special[1..];
        }
        dest.write_str(rest)
    }
}

/// 1234567 as 1,234,567.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Functions that templates call by name.
pub(super) mod filters {
    #![expect(
        unreachable_pub,
        clippy::inline_always,
        clippy::trivially_copy_pass_by_ref,
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "the macro asks for these signatures, and writes such code"
    )]

    use askama::Values;
    use trailkeep_proof::time::UnixMillis;

    use crate::export::person;

    /// 1234567 as 1,234,567.
    #[askama::filter_fn]
    pub(in crate::export) fn grouped(number: &u64, _: &dyn Values) -> askama::Result<String> {
        Ok(super::grouped(*number))
    }

    /// A moment for people.
    #[askama::filter_fn]
    pub(in crate::export) fn moment(at: &UnixMillis, _: &dyn Values) -> askama::Result<String> {
        Ok(person::moment(*at))
    }

    /// A day for people.
    #[askama::filter_fn]
    pub(in crate::export) fn date(at: &UnixMillis, _: &dyn Values) -> askama::Result<String> {
        Ok(person::date(*at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_text_and_steers_nothing() {
        let shown = |text: &str| {
            let mut shown = String::new();
            Untrusted.write_escaped_str(&mut shown, text).unwrap();
            shown
        };
        assert_eq!(
            shown("<a href='x' title=\"&\">\u{e9}\n"),
            "&lt;a href=&#39;x&#39; title=&quot;&amp;&quot;&gt;\u{e9}\n"
        );
        assert_eq!(shown("\u{1b}[2J\u{202e}<"), "\\u001b[2J\\u202e&lt;");
        assert_eq!(shown(""), "");
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
