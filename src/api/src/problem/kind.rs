//! The kinds of problems: the stable end of their type, their status and their title. docs/errors.md says of each
//! what causes it and how to fix it; a test compares.

/// Begins the type of every problem.
const TYPE_PREFIX: &str = "urn:trailkeep:problem:";

macro_rules! kinds {
    ($($(#[$meaning:meta])* $kind:ident = $status:literal, $name:literal, $title:literal;)*) => {
        /// A kind of problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$meaning])* $kind,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// Its name, the end of its type.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// The status that it is answered with.
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$kind => $status,)*
                }
            }

            /// What it is in short.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$kind => $title,)*
                }
            }
        }
    };
}

kinds! {
    /// The request is not of the form that the route takes.
    BadRequest = 400, "bad-request", "Malformed request";
    /// No token, or a wrong one.
    Unauthorized = 401, "unauthorized", "Not authenticated";
    /// The key's role has not the right.
    Forbidden = 403, "forbidden", "Not allowed";
    /// The event is shown only for a purpose that is stated.
    Restricted = 403, "restricted", "Restricted";
    /// It is not there, or not the caller's.
    NotFound = 404, "not-found", "Not found";
    /// The route does not take this method.
    MethodNotAllowed = 405, "method-not-allowed", "Method not allowed";
    /// Request body too slow, or paused for too long.
    TooSlow = 408, "too-slow", "Request body too slow";
    /// An id stands for something else already.
    IdConflict = 409, "id-conflict", "Id already in use";
    /// A name that is given once only was given.
    NameTaken = 409, "name-taken", "Name already in use";
    /// What is asked for is not in the state that it needs.
    NotReady = 409, "not-ready", "Not ready";
    /// A request of a person is in a state that does not allow it.
    RequestState = 409, "request-state", "Not possible in the request's state";
    /// The token of an order does not fit what the order would do now.
    StalePreview = 409, "stale-preview", "Preview out of date";
    /// The tenant takes no more events.
    TenantClosed = 409, "tenant-closed", "Tenant closed";
    /// A write names a ledger that a recovery superseded.
    SupersededLedger = 409, "superseded-ledger", "Ledger superseded";
    /// A policy or a hold forbids it.
    Refused = 409, "refused", "Refused by policy or hold";
    /// The text went lawfully: it expired, or a person's request reached it.
    Gone = 410, "gone", "Payload no longer available";
    /// What is there is not what the caller knows.
    PreconditionFailed = 412, "precondition-failed", "Changed meanwhile";
    /// An event, a body or a batch is too large.
    TooLarge = 413, "too-large", "Too large";
    /// A media type or encoding that the route does not take.
    MediaType = 415, "media-type", "Unsupported media type";
    /// No byte of the file is in the range that was asked for.
    RangeNotSatisfiable = 416, "range-not-satisfiable", "Range not satisfiable";
    /// The request has the form, and asks for what can't be.
    Unprocessable = 422, "unprocessable", "Unprocessable request";
    /// Events that break the rules.
    InvalidEvent = 422, "invalid-event", "Invalid event";
    /// A policy refuses events, or is not there.
    Policy = 422, "policy", "Refused by policy";
    /// As many as may be at once are under way, or wait to be fetched.
    TooMany = 429, "too-many", "Too many requests";
    /// A fault of this program.
    Internal = 500, "internal", "Internal error";
    /// What is stored is not what was written.
    Damaged = 500, "damaged", "Stored data damaged";
    /// Temporarily unavailable.
    Unavailable = 503, "unavailable", "Temporarily unavailable";
    /// There is no room on the disk.
    DiskFull = 507, "disk-full", "Disk full";
}

impl Kind {
    /// The whole type.
    pub fn to_type(self) -> String {
        format!("{TYPE_PREFIX}{}", self.name())
    }

    /// Whether it may go better later: its answer says when.
    pub const fn is_for_later(self) -> bool {
        matches!(self, Self::TooMany | Self::Unavailable | Self::DiskFull)
    }

    /// The kind of this type.
    pub fn of_type(text: &str) -> Option<Self> {
        text.strip_prefix(TYPE_PREFIX).and_then(Self::named)
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A section of docs/errors.md: its name and its lines.
    fn sections() -> Vec<(&'static str, &'static str)> {
        let document = include_str!("../../../../docs/errors.md");
        let sections = document.split("\n## ").skip(1);
        sections
            .map(|section| section.split_once('\n').unwrap())
            .collect()
    }

    #[test]
    fn every_kind_is_documented_and_none_else() {
        let documented: Vec<&str> = sections().into_iter().map(|(name, _)| name).collect();
        let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(documented, known);
    }

    #[test]
    fn the_documents_say_what_is_sent() {
        let overview = include_str!("../../../../docs/api.md");
        for (name, text) in sections() {
            let kind = Kind::named(name).unwrap();
            for part in ["**Cause.** ", "**Remedy.** "] {
                assert!(text.contains(part), "{name} has no {part}");
            }
            let example = text.split("```json\n").nth(1).unwrap();
            let example = example.split("\n```").next().unwrap();
            let example: serde_json::Value = serde_json::from_str(example).unwrap();
            assert_eq!(example["type"], kind.to_type(), "{name}");
            assert_eq!(example["title"], kind.title(), "{name}");
            assert_eq!(example["status"], kind.status(), "{name}");
            assert!(example["detail"].is_string(), "{name}");
            assert!(
                overview.contains(&format!("`{name}`")),
                "docs/api.md does not name {name}"
            );
        }
    }
}
