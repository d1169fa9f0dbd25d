//! Values from their text, the same wherever it comes from. An error says what the text may be.

use std::net::SocketAddr;
use std::path::PathBuf;

use trailkeep_otlp::classify::Keep;

/// The form of the log's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands) enum LogFormat {
    /// For a person.
    Text,
    /// One JSON object a line.
    Json,
}

pub(super) fn path_text(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() || text.contains(char::REPLACEMENT_CHARACTER) {
        return Err("write a path, in UTF-8".to_owned());
    }
    Ok(PathBuf::from(text))
}

pub(super) fn command_text(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("write a shell command".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let remedy = "write an address and a port, such as 127.0.0.1:8787 or [::]:8787";
    text.parse().map_err(|_| remedy.to_owned())
}

pub(super) fn whole_number(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| "write a whole number, without a unit".to_owned())
}

pub(super) fn number_within(lowest: u64, highest: u64) -> impl Fn(&str) -> Result<u64, String> {
    move |text| {
        let number = text.parse().ok();
        let number = number.filter(|number| (lowest..=highest).contains(number));
        number.ok_or_else(|| format!("write a whole number from {lowest} to {highest}"))
    }
}

/// A number from 1, or `none`.
pub(super) fn number_or_none(text: &str) -> Result<Option<usize>, String> {
    if text == "none" {
        return Ok(None);
    }
    let number = text.parse().ok().filter(|number| *number > 0);
    number
        .map(Some)
        .ok_or_else(|| "write a whole number from 1, or none".to_owned())
}

pub(super) fn daily_hour(text: &str) -> Result<Option<u8>, String> {
    if text == "none" {
        return Ok(None);
    }
    let hour = text.parse().ok().filter(|hour| *hour < 24);
    hour.map(Some)
        .ok_or_else(|| "write an hour from 0 to 23, or none".to_owned())
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("write text or json".to_owned()),
    }
}

pub(super) fn log_level(text: &str) -> Result<tracing::Level, String> {
    match text {
        "error" => Ok(tracing::Level::ERROR),
        "warn" => Ok(tracing::Level::WARN),
        "info" => Ok(tracing::Level::INFO),
        "debug" => Ok(tracing::Level::DEBUG),
        _ => Err("write error, warn, info or debug".to_owned()),
    }
}

pub(super) fn keep(text: &str) -> Result<Keep, String> {
    text.parse().map_err(|forms| format!("write {forms}"))
}
