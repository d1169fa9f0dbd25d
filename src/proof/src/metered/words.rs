//! The closed lists of a section `metered`, each with its number. Numbers are permanent (docs/format.md).

/// As what an event counts. The server decides it from what it assembled, never from what a client wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A call of a model.
    Call,
    /// The execution of a tool.
    Tool,
    /// What came later of a recorded call: it counts as no call, and its tokens and cost are what it adds.
    Late,
    /// Another report of a recorded call: it counts as no call, and its tokens and cost are what it adds.
    Duplicate,
    /// A call that a budget refused.
    Denied,
}

/// A name by its registered number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Named {
    /// The event names none.
    Absent,
    /// It names one that is not registered.
    Other,
    /// The number that its statement gives it, from 1.
    Number(u32),
}

impl Named {
    /// The registered number.
    pub const fn number(self) -> Option<u32> {
        match self {
            Self::Number(number) => Some(number),
            Self::Absent | Self::Other => None,
        }
    }
}

/// Kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the operation of its name")]
pub enum Operation {
    /// Any that is not listed.
    Other,
    Chat,
    TextCompletion,
    Embeddings,
    Rerank,
    Retrieval,
    GenerateContent,
}

impl Operation {
    /// Whether it may be done without a model: by a search index.
    pub const fn may_lack_model(self) -> bool {
        matches!(self, Self::Rerank | Self::Retrieval)
    }
}

/// How an action ended, in the words of the section `outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the outcome of its name")]
pub enum Ended {
    Success,
    Failure,
    Denied,
    Error,
    Unknown,
}

/// What went wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// None of the others.
    Other,
    /// It took too long.
    Timeout,
    /// There were too many calls.
    RateLimit,
    /// A filter stopped the question or the answer.
    ContentFilter,
    /// The caller gave up.
    Canceled,
    /// There was no connection, or it broke.
    Connection,
    /// The HTTP status, 100 to 599.
    Status(u16),
}

impl Fault {
    /// The word by which it is counted.
    pub fn word(self) -> String {
        match self {
            Self::Other => "other".to_owned(),
            Self::Timeout => "timeout".to_owned(),
            Self::RateLimit => "rate_limit".to_owned(),
            Self::ContentFilter => "content_filter".to_owned(),
            Self::Canceled => "canceled".to_owned(),
            Self::Connection => "connection".to_owned(),
            Self::Status(status) => status.to_string(),
        }
    }

    pub(super) const fn code(self) -> u64 {
        match self {
            Self::Other => 1,
            Self::Timeout => 2,
            Self::RateLimit => 3,
            Self::ContentFilter => 4,
            Self::Canceled => 5,
            Self::Connection => 6,
            Self::Status(status) => status as u64,
        }
    }

    pub(super) fn of_code(code: u64) -> Option<Self> {
        Some(match code {
            1 => Self::Other,
            2 => Self::Timeout,
            3 => Self::RateLimit,
            4 => Self::ContentFilter,
            5 => Self::Canceled,
            6 => Self::Connection,
            100..=599 => Self::Status(u16::try_from(code).ok()?),
            _ => return None,
        })
    }
}

/// A closed list whose members have numbers from 0, and words.
macro_rules! numbered {
    ($name:ident: $($member:ident = $word:literal),+) => {
        impl $name {
            /// Each, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$member),+];

            /// Its word.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$member => $word),+
                }
            }

            /// The member of this word.
            pub fn of_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|member| member.word() == word)
            }

            pub(super) const fn code(self) -> u64 {
                self as u64
            }

            pub(super) fn of_code(code: u64) -> Option<Self> {
                Self::ALL.get(usize::try_from(code).ok()?).copied()
            }
        }
    };
}
numbered!(Kind: Call = "call", Tool = "tool", Late = "late", Duplicate = "duplicate", Denied = "denied");
numbered!(Operation: Other = "other", Chat = "chat", TextCompletion = "text_completion", Embeddings = "embeddings",
    Rerank = "rerank", Retrieval = "retrieval", GenerateContent = "generate_content");
numbered!(Ended: Success = "success", Failure = "failure", Denied = "denied", Error = "error", Unknown = "unknown");
