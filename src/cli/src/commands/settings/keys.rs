//! The settings, once for all their forms: keys of the file, environment variables, flags, and docs/operations.md.

use std::collections::HashMap;

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

/// A setting: what it is called and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Key {
    /// Its path in the file, such as `otlp.quiet_ms`. Flag and environment variable follow from it.
    pub(in crate::commands) name: &'static str,
    /// The value's name in the help.
    value: &'static str,
    /// Its value where nothing sets it.
    pub(in crate::commands) default: Option<&'static str>,
    /// What it means, with its unit.
    means: &'static str,
}

impl Key {
    /// `otlp-quiet-ms`.
    fn flag(&self) -> String {
        self.name.replace(['.', '_'], "-")
    }

    /// `TRAILKEEP_OTLP_QUIET_MS`.
    pub(in crate::commands) fn environment(&self) -> String {
        format!("TRAILKEEP_{}", self.name.replace('.', "_").to_uppercase())
    }

    fn help(&self) -> String {
        let default = self
            .default
            .map(|default| format!(" [default: {default}]"))
            .unwrap_or_default();
        format!("{} [env: {}]{default}", self.means, self.environment())
    }
}

const fn key(
    name: &'static str,
    value: &'static str,
    default: Option<&'static str>,
    means: &'static str,
) -> Key {
    Key {
        name,
        value,
        default,
        means,
    }
}

pub(super) const DIR: Key = key("dir", "DIR", Some("./trailkeep-data"), "Data directory");
pub(super) const ROOT_KEY_FILE: Key = key(
    "root_key_file",
    "FILE",
    None,
    "File with the root key; without it DIR/root.key",
);
pub(super) const ROOT_KEY_COMMAND: Key = key(
    "root_key_command",
    "COMMAND",
    None,
    "Command that prints the root key, such as a KMS client",
);
pub(super) const LISTEN: Key = key(
    "listen",
    "ADDRESS:PORT",
    Some("127.0.0.1:8787"),
    "Address and port to listen on",
);
pub(super) const STOP_WAIT_S: Key = key(
    "stop_wait_s",
    "SECONDS",
    Some("20"),
    "Seconds for in-flight requests to finish after SIGTERM",
);
pub(super) const IDLE_S: Key = key(
    "idle_s",
    "SECONDS",
    Some("120"),
    "Seconds that a connection may be idle between requests; set it higher than the proxy's own idle timeout",
);
pub(super) const HEAD_S: Key = key(
    "head_s",
    "SECONDS",
    Some("20"),
    "Seconds until a connection's first byte, and from there to the end of its request headers, TLS included",
);
pub(super) const MIN_FREE_BYTES: Key = key(
    "min_free_bytes",
    "BYTES",
    Some("268435456"),
    "Free disk bytes below which appends are refused",
);
pub(super) const POLICIES: Key = key(
    "policies",
    "DIR",
    None,
    "Directory with policies that replace shipped ones or add to them; without it DIR/policies",
);
pub(super) const RETENTION_HOUR: Key = key(
    "retention_hour",
    "HOUR",
    Some("2"),
    "Hour of the day (UTC) of the daily retention run; `none`: only `trailkeep retention run` deletes",
);
pub(super) const TLS_CERTIFICATE_FILE: Key = key(
    "tls.certificate_file",
    "FILE",
    None,
    "PEM file with the server's certificate, then those of its issuers; reloaded when it changes",
);
pub(super) const TLS_KEY_FILE: Key = key(
    "tls.key_file",
    "FILE",
    None,
    "PEM file with the certificate's private key",
);
pub(super) const LOG_FORMAT: Key = key(
    "log.format",
    "text|json",
    Some("text"),
    "Format of log lines on standard error",
);
pub(super) const LOG_LEVEL: Key = key(
    "log.level",
    "error|warn|info|debug",
    Some("info"),
    "Log level; `debug` logs each request, without payloads and ids",
);
pub(super) const OTLP_QUIET_MS: Key = key(
    "otlp.quiet_ms",
    "MS",
    Some("5000"),
    "Milliseconds that a trace waits for content and users after its local root arrived",
);
pub(super) const OTLP_WAIT_MAX_MS: Key = key(
    "otlp.wait_max_ms",
    "MS",
    Some("600000"),
    "Milliseconds after its first part by which a trace becomes events at the latest",
);
pub(super) const OTLP_KEEP: Key = key(
    "otlp.keep",
    "calls|agents|all",
    Some("calls"),
    "Spans that become events: model and tool calls, also agents and workflows, or all",
);

pub(super) const LIMITS_BODY_MEMORY_BYTES: Key = key(
    "limits.body_memory_bytes",
    "BYTES",
    Some("268435456"),
    "Memory in bytes for all request bodies, as sent and as decoded; beyond it the largest unfinished request gets 503",
);
pub(super) const LIMITS_BODY_BYTES_PER_S: Key = key(
    "limits.body_bytes_per_s",
    "BYTES",
    Some("1024"),
    "Minimum bytes per second of a request body, after its first 30 seconds",
);
pub(super) const LIMITS_CONNECTIONS: Key = key(
    "limits.connections",
    "NUMBER",
    None,
    "Maximum connections; without it three quarters of the open-file limit, up to 8192",
);
pub(super) const LIMITS_UNAUTHENTICATED_CONNECTIONS: Key = key(
    "limits.unauthenticated_connections",
    "NUMBER",
    None,
    "Maximum connections without an authenticated request; without it half of all. Beyond it the oldest idle one is closed",
);
pub(super) const LIMITS_CONNECTIONS_PER_ADDRESS: Key = key(
    "limits.connections_per_address",
    "NUMBER|none",
    Some("none"),
    "Maximum connections per address; leave it at `none` behind a proxy or a NAT",
);

pub(super) const LIMITS_REQUESTS_PER_KEY_S: Key = key(
    "limits.requests_per_key_s",
    "NUMBER|none",
    Some("none"),
    "Requests per second of one API key; beyond it 429, and events are lost if the application does not retry",
);
pub(super) const LIMITS_EXPORT_BYTES: Key = key(
    "limits.export_bytes",
    "BYTES",
    Some("34359738368"),
    "Disk bytes for all exports that are being written or wait for download",
);

/// All settings, in the order of the documentation.
pub(in crate::commands) const KEYS: &[Key] = &[
    DIR,
    ROOT_KEY_FILE,
    ROOT_KEY_COMMAND,
    LISTEN,
    STOP_WAIT_S,
    IDLE_S,
    HEAD_S,
    MIN_FREE_BYTES,
    POLICIES,
    RETENTION_HOUR,
    TLS_CERTIFICATE_FILE,
    TLS_KEY_FILE,
    LOG_FORMAT,
    LOG_LEVEL,
    OTLP_QUIET_MS,
    OTLP_WAIT_MAX_MS,
    OTLP_KEEP,
    LIMITS_BODY_MEMORY_BYTES,
    LIMITS_BODY_BYTES_PER_S,
    LIMITS_CONNECTIONS,
    LIMITS_UNAUTHENTICATED_CONNECTIONS,
    LIMITS_CONNECTIONS_PER_ADDRESS,
    LIMITS_REQUESTS_PER_KEY_S,
    LIMITS_EXPORT_BYTES,
];

/// What the command line sets, by the key's name. The values are read with those of the other places.
#[derive(Clone, Debug, Default)]
pub(in crate::commands) struct Flags(pub(super) HashMap<&'static str, String>);

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        KEYS.iter().fold(command, |command, key| {
            let flag = Arg::new(key.name).long(key.flag());
            command.arg(flag.value_name(key.value).help(key.help()))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for key in KEYS {
            let value = matches
                .try_get_one::<String>(key.name)
                .map_err(|error| clap::Error::raw(ErrorKind::ValueValidation, error))?;
            if let Some(value) = value {
                self.0.insert(key.name, value.clone());
            }
        }
        Ok(())
    }
}

impl Flags {
    /// How a key's flag is written, for messages.
    pub(super) fn written(key: &Key) -> String {
        format!("--{}", key.flag())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_each_setting_as_the_program_has_it() {
        let document = include_str!("../../../../../docs/operations.md");
        for key in KEYS {
            let default = key
                .default
                .map(|default| format!("`{default}`"))
                .unwrap_or_default();
            let row = format!(
                "| `{}` | `{}` | `{}` | {default} | {} |",
                key.name,
                key.environment(),
                Flags::written(key),
                key.means.replace('|', "\\|")
            );
            assert!(document.contains(&row), "docs/operations.md lacks\n{row}");
        }
    }
}
