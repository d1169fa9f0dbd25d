//! Names of the world outside: of the log, of a tenant, and of a ledger, which is made of both.

use std::fmt;

/// Why a name was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a log name.
    #[error(
        "`{0}` is not a log name: use a lower-case host with a dot, or `localhost`, with an optional `:port` and `/path`, such as `audit.example.com`"
    )]
    Log(String),
    /// Not a tenant name.
    #[error(
        "`{0}` is not a tenant name: use 1 to 63 characters of a-z, 0-9 and `-`, not beginning with `-`"
    )]
    Tenant(String),
    /// Not an origin.
    #[error("`{0}` is not an origin: it must be a log name, `/` and a tenant name")]
    Origin(String),
}

/// Who a ledger belongs to: `[a-z0-9][a-z0-9-]{0,62}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantName(String);

impl TenantName {
    /// Checks the name's form.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let bytes = name.as_bytes();
        let fits = (1..=63).contains(&bytes.len())
            && bytes[0] != b'-'
            && bytes
                .iter()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
        if fits {
            Ok(Self(name.to_owned()))
        } else {
            Err(NameError::Tenant(name.to_owned()))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Name of the whole log: a lower-case host with a dot, or `localhost`, optionally `:port` and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogName(String);

impl LogName {
    /// Checks the name's form.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let refuse = || NameError::Log(name.to_owned());
        let (authority, path) = match name.split_once('/') {
            Some((authority, path)) => (authority, Some(path)),
            None => (name, None),
        };
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        let label = |text: &str| {
            (1..=63).contains(&text.len())
                && !text.starts_with('-')
                && !text.ends_with('-')
                && text
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let host_fits = host == "localhost" || (host.contains('.') && host.split('.').all(label));
        let port_fits = port.is_none_or(|port| {
            !port.starts_with('0') && port.parse::<u16>().is_ok_and(|number| number > 0)
        });
        let path_fits = path.is_none_or(|path| {
            path.split('/').all(|part| {
                !part.is_empty()
                    && part != "."
                    && part != ".."
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
            })
        });
        if name.len() <= 255 && host_fits && port_fits && path_fits {
            Ok(Self(name.to_owned()))
        } else {
            Err(refuse())
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Name of one ledger for the whole world: `<log name>/<tenant>`, and `.2` and so on behind it
/// for the ledgers that continue one which a restore rolled back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(String);

impl Origin {
    /// The first ledger of a tenant.
    pub fn of(log: &LogName, tenant: &TenantName) -> Self {
        Self(format!("{}/{tenant}", log.0))
    }

    /// The log's name, which all ledgers of a data directory share.
    pub fn log_name(&self) -> Result<LogName, NameError> {
        let log = self.0.rsplit_once('/').map(|(log, _)| log);
        LogName::new(log.unwrap_or_default())
    }

    /// The ledger's name among those of its tenant, and in paths: the last part.
    pub fn ledger_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Which of its tenant's ledgers it names: 1 for the first, 2 for the one that continues it.
    pub fn generation(&self) -> u32 {
        let number = self
            .ledger_name()
            .split_once('.')
            .and_then(|(_, number)| number.parse().ok());
        number.unwrap_or(1)
    }

    /// The origin of another ledger of the same tenant; `generation` is 2 or more.
    #[must_use]
    pub fn next_generation(&self, generation: u32) -> Self {
        let (log, last) = self.0.rsplit_once('/').unwrap_or_default();
        let tenant = last.split('.').next().unwrap_or_default();
        Self(format!("{log}/{tenant}.{generation}"))
    }

    /// Whether it names this tenant's ledger, the first or one that continues it.
    pub fn is_of(&self, tenant: &TenantName) -> bool {
        self.ledger_name().split('.').next() == Some(tenant.as_str())
    }

    /// Checks the form of an origin that was read.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refuse = || NameError::Origin(text.to_owned());
        let (log, last) = text.rsplit_once('/').ok_or_else(refuse)?;
        LogName::new(log).map_err(|_| refuse())?;
        let tenant = match last.split_once('.') {
            Some((tenant, number)) => {
                let continues = number.parse::<u32>().is_ok_and(|n| n >= 2);
                if !continues || number.starts_with('0') || number.starts_with('+') {
                    return Err(refuse());
                }
                tenant
            }
            None => last,
        };
        TenantName::new(tenant).map_err(|_| refuse())?;
        Ok(Self(text.to_owned()))
    }

    /// The origin's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_names_are_hosts() {
        for good in [
            "audit.example.com",
            "localhost",
            "localhost:8787",
            "a.b/c/d",
            "a.b:1/x",
        ] {
            assert!(LogName::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "example",
            "Audit.example.com",
            "a..b",
            "a.b:",
            "a.b:0",
            "a.b:70000",
            "a.b/",
            "a.b//c",
            "a.b/../c",
            "a b.c",
            "a.b+c",
            "https://a.b",
        ] {
            assert!(LogName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn origins_name_a_tenant_and_its_continuation() {
        for good in [
            "a.b/default",
            "a.b/c/default",
            "localhost:1/x.2",
            "a.b/x.17",
        ] {
            let origin = Origin::parse(good).unwrap();
            assert_eq!(origin.as_str(), good);
            let tenants = ["default", "x", "y"].map(|name| TenantName::new(name).unwrap());
            assert_eq!(
                tenants.iter().filter(|tenant| origin.is_of(tenant)).count(),
                1,
                "{good}"
            );
        }
        let first = Origin::parse("a.b/c/default").unwrap();
        let second = first.next_generation(2);
        assert_eq!(second.as_str(), "a.b/c/default.2");
        assert_eq!(Origin::parse(second.as_str()).as_ref(), Ok(&second));
        assert_eq!((first.generation(), second.generation()), (1, 2));
        assert_eq!(second.next_generation(3).as_str(), "a.b/c/default.3");
        for bad in [
            "a.b",
            "default",
            "a.b/Default",
            "a.b/x.1",
            "a.b/x.02",
            "a.b/x.",
            "a.b/-x",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }
}
