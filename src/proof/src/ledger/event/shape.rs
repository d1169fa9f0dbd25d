//! The table of sections and fields that the validator walks.
//!
//! It says the same as schema/event.schema.json; tests/api/event_schema.rs compares the two field by
//! field, so that neither can be changed alone.

/// Largest integer that every JSON reader keeps exactly: 2^53 - 1.
pub const MAX_INTEGER: f64 = 9_007_199_254_740_991.0;

/// What a value must look like.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Any JSON value.
    Any,
    /// An object with any members.
    FreeObject,
    /// An integer from 0 to 2^53 - 1.
    Integer,
    /// A number of 0 or more.
    Amount,
    /// Any number.
    Number,
    /// A string.
    Text(Text),
    /// An array of at most `max` values of one shape.
    List {
        /// Shape of each value.
        of: &'static Shape,
        /// Largest number of values.
        max: usize,
    },
    /// An object with these members and no others.
    Object(&'static [Field]),
}

/// What a string must look like.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// Which characters it may have, and in which order.
    pub form: Form,
    /// Most characters (code points) that it may have.
    pub max: usize,
}

/// The forms of strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Anything, nothing included.
    Free,
    /// At least one character, no control characters: what look-ups and tables use.
    Line,
    /// Lower-case words joined by dots.
    Action,
    /// One of [`OUTCOMES`].
    Outcome,
    /// RFC 3339 with an offset, from 1970 on.
    Time,
    /// 64 lower-case hexadecimal digits.
    Sha256,
    /// Three capital letters.
    Currency,
    /// `[a-z0-9][a-z0-9-]*`.
    Regime,
}

/// The words for how an action ended.
pub const OUTCOMES: &[&str] = &["success", "failure", "denied", "error", "unknown"];

/// One member of an object.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// What its value must look like.
    pub shape: Shape,
}

const fn required(name: &'static str, shape: Shape) -> Field {
    Field {
        name,
        required: true,
        shape,
    }
}

const fn optional(name: &'static str, shape: Shape) -> Field {
    Field {
        name,
        required: false,
        shape,
    }
}

const fn text(form: Form, max: usize) -> Shape {
    Shape::Text(Text { form, max })
}

const fn line(max: usize) -> Shape {
    text(Form::Line, max)
}

const fn free(max: usize) -> Shape {
    text(Form::Free, max)
}

const fn list(of: &'static Shape, max: usize) -> Shape {
    Shape::List { of, max }
}

const OUTCOME: Shape = text(Form::Outcome, 16);
const TIME: Shape = text(Form::Time, 64);
const SHA256: Shape = text(Form::Sha256, 64);

/// The sections that a client may send, in ascending order of their names.
pub const SECTIONS: &[Field] = &[
    required("action", text(Form::Action, 128)),
    required("actor", Shape::Object(ACTOR)),
    optional("attributes", Shape::FreeObject),
    optional("context", Shape::Object(CONTEXT)),
    optional("downstream", list(&Shape::Object(DOWNSTREAM), 1024)),
    optional("id", line(256)),
    optional("input", Shape::Any),
    optional("llm", Shape::Object(LLM)),
    optional("occurred_at", TIME),
    optional("outcome", OUTCOME),
    optional("output", Shape::Any),
    optional("regimes", list(&text(Form::Regime, 63), 8)),
    optional("retention", Shape::Object(RETENTION)),
    optional("source", Shape::Object(SOURCE)),
    optional("subjects", list(&Shape::Object(SUBJECT), 64)),
    optional("targets", list(&Shape::Object(TARGET), 256)),
];

/// The section that says how an event came in; the server alone writes it.
pub const RECEIVED: &str = "received";

/// The section that says what figures count of an event; the server alone writes it.
pub const METERED: &str = "metered";

/// The sections that the server alone writes.
pub const OWN: [&str; 2] = [METERED, RECEIVED];

const RETENTION: &[Field] = &[optional("record", line(256))];

const ACTOR: &[Field] = &[
    required("id", line(512)),
    optional("namespace", line(128)),
    optional("type", line(128)),
    optional("name", free(512)),
    optional("role", line(128)),
    optional("on_behalf_of", Shape::Object(ON_BEHALF_OF)),
];

const ON_BEHALF_OF: &[Field] = &[
    required("id", line(512)),
    optional("namespace", line(128)),
    optional("type", line(128)),
    optional("name", free(512)),
    optional("role", line(128)),
];

const SUBJECT: &[Field] = &[required("id", line(512)), optional("namespace", line(128))];

const TARGET: &[Field] = &[
    required("id", line(2048)),
    optional("type", line(128)),
    optional("name", free(512)),
];

const CONTEXT: &[Field] = &[
    optional("ip", line(256)),
    optional("user_agent", free(4096)),
    optional("session", line(256)),
    optional("conversation", line(256)),
    optional("trace_id", line(128)),
    optional("span_id", line(128)),
    optional("parent_span_id", line(128)),
    optional("request_id", line(256)),
    optional("purpose", line(256)),
    optional("region", line(128)),
    optional("service", line(256)),
    optional("service_version", line(256)),
    optional("environment", line(128)),
    optional("host", line(256)),
];

const SOURCE: &[Field] = &[required("name", line(256)), required("seq", Shape::Integer)];

const LLM: &[Field] = &[
    optional("provider", line(128)),
    optional("operation", line(128)),
    optional("request_model", line(256)),
    optional("response_model", line(256)),
    optional("response_id", line(256)),
    optional("prompt", Shape::Object(PROMPT)),
    optional("parameters", Shape::FreeObject),
    optional("usage", Shape::Object(USAGE)),
    optional("cost", Shape::Object(COST)),
    optional("latency_ms", Shape::Amount),
    optional("time_to_first_token_ms", Shape::Amount),
    optional("finish_reason", free(256)),
    optional("finish_reasons", list(&free(256), 128)),
    optional("error_type", free(256)),
    optional("retrieval", list(&Shape::Object(RETRIEVAL), 1024)),
    optional("service_tier", line(128)),
];

const PROMPT: &[Field] = &[
    optional("name", line(256)),
    optional("version", line(256)),
    optional("sha256", SHA256),
];

const USAGE: &[Field] = &[
    optional("input_tokens", Shape::Integer),
    optional("output_tokens", Shape::Integer),
    optional("total_tokens", Shape::Integer),
    optional("cached_input_tokens", Shape::Integer),
    optional("cache_write_input_tokens", Shape::Integer),
    optional("reasoning_tokens", Shape::Integer),
    optional("audio_input_tokens", Shape::Integer),
    optional("audio_output_tokens", Shape::Integer),
    optional("cache_write_1h_input_tokens", Shape::Integer),
    optional("requests", Shape::Integer),
];

const COST: &[Field] = &[
    required("amount", Shape::Amount),
    required("currency", text(Form::Currency, 3)),
];

const RETRIEVAL: &[Field] = &[
    required("id", line(2048)),
    optional("type", line(128)),
    optional("name", free(512)),
    optional("version", line(256)),
    optional("sha256", SHA256),
    optional("score", Shape::Number),
    optional("content", Shape::Any),
];

const DOWNSTREAM: &[Field] = &[
    optional("type", line(128)),
    optional("name", free(512)),
    optional("id", line(512)),
    optional("call", Shape::Any),
    optional("arguments", Shape::Any),
    optional("result", Shape::Any),
    optional("outcome", OUTCOME),
    optional("occurred_at", TIME),
    optional("latency_ms", Shape::Amount),
    optional("error_type", free(256)),
    optional("target", Shape::Object(TARGET)),
];

impl Shape {
    /// What the value must be, to stand behind "must be".
    pub fn expected(&self) -> String {
        match self {
            Self::Any => "any JSON value".to_owned(),
            Self::FreeObject | Self::Object(_) => "a JSON object".to_owned(),
            Self::Integer => "an integer from 0 to 9007199254740991".to_owned(),
            Self::Amount => "a number of 0 or more".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Text(text) => text.expected(),
            Self::List { max, .. } => format!("an array of at most {max} values"),
        }
    }
}

impl Text {
    /// Whether `value` has this form and length.
    pub fn fits(&self, value: &str) -> bool {
        // Characters are never more than bytes, so most strings need no counting.
        let short = value.len() <= self.max || value.chars().count() <= self.max;
        short && self.form.fits(value)
    }

    fn expected(&self) -> String {
        let max = self.max;
        match self.form {
            Form::Free => format!("a string of at most {max} characters"),
            Form::Line => format!("a string of 1 to {max} characters without control characters"),
            Form::Action => format!(
                "lower-case words of a-z, 0-9, `_` and `-`, joined by dots, of at most {max} characters, such as `chat.completion`"
            ),
            Form::Outcome => format!("one of {}", OUTCOMES.join(", ")),
            Form::Time => {
                "a time of RFC 3339 with an offset, from 1970 to 9999, such as `2026-11-24T09:30:00Z`".to_owned()
            }
            Form::Sha256 => "64 lower-case hexadecimal digits".to_owned(),
            Form::Currency => "a currency code of ISO 4217, such as `USD`".to_owned(),
            Form::Regime => format!(
                "the name of a regime: 1 to {max} characters of a-z, 0-9 and `-`, such as `pci-dss`"
            ),
        }
    }
}

impl Form {
    fn fits(self, value: &str) -> bool {
        match self {
            Self::Free => true,
            Self::Line => !value.is_empty() && !value.chars().any(char::is_control),
            Self::Action => value.split('.').all(|word| is_word(word, b"_-")),
            Self::Outcome => OUTCOMES.contains(&value),
            Self::Time => crate::time::UnixMillis::parse_rfc3339(value).is_some(),
            Self::Sha256 => {
                value.len() == 64
                    && value
                        .bytes()
                        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            }
            Self::Currency => value.len() == 3 && value.bytes().all(|b| b.is_ascii_uppercase()),
            Self::Regime => is_word(value, b"-"),
        }
    }
}

/// A lower-case letter or digit, then more of them or of `joiners`.
fn is_word(word: &str, joiners: &[u8]) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut bytes = word.bytes();
    bytes.next().is_some_and(plain) && bytes.all(|byte| plain(byte) || joiners.contains(&byte))
}

/// The number as an integer that a typed field may hold. `1.0` is an integer, as in JSON Schema.
pub fn as_integer(number: f64) -> Option<u64> {
    let fits = (0.0..=MAX_INTEGER).contains(&number) && number.fract() == 0.0;
    #[expect(
        clippy::cast_sign_loss,
        reason = "the line above refuses what is below 0"
    )]
    fits.then_some(number as u64)
}
