//! Rows of the inbox: telemetry that waits to become events.

use trailkeep_proof::ids::Tag;
use trailkeep_proof::time::UnixMillis;

/// A part on its way to the file.
#[derive(Debug)]
pub struct NewPart {
    /// Of its trace, span, signal and content.
    pub tag: Tag,
    /// Of its trace.
    pub trace: Tag,
    /// Of its trace and span.
    pub span: Tag,
    /// Of the provider's identifier of the answer.
    pub answer: Option<Tag>,
    /// Whether its trace ends with it.
    pub is_root: bool,
    /// When it came.
    pub arrived_at: UnixMillis,
    /// Day of the key that seals it, from 1970-01-01.
    pub day: u32,
    /// The sealed text.
    pub sealed: Vec<u8>,
}

/// A part that waits.
#[derive(Debug)]
pub struct StagedPart {
    /// Number of its row.
    pub id: i64,
    /// Its tag.
    pub tag: Tag,
    /// Tag of its trace.
    pub trace: Tag,
    /// Tag of its trace and span.
    pub span: Tag,
    /// Tag of the provider's identifier of the answer.
    pub answer: Option<Tag>,
    /// Day of the key that seals it.
    pub day: u32,
    /// Whether an earlier round has used it already.
    pub is_used: bool,
    /// The sealed text.
    pub sealed: Vec<u8>,
}

/// An event that is assembled: number of its row, day of its key, sealed text.
pub type AssembledRow = (i64, u32, Vec<u8>);

/// A row of the table of parts as it stands, for whoever checks it.
#[derive(Debug)]
pub struct PartRow {
    /// Number of the row.
    pub id: i64,
    /// The tags of the part, its trace, its span and its answer.
    pub tags: [Option<Vec<u8>>; 4],
    /// Whether its trace ends with it.
    pub is_root: i64,
    /// When it came.
    pub arrived_at_ms: i64,
    /// 0 waits, 1 is kept for calls that come later, 2 does not open.
    pub state: i64,
    /// Its text.
    pub text: StagedText,
}

/// What a row has sealed.
#[derive(Debug)]
pub struct StagedText {
    /// Number of the row.
    pub id: i64,
    /// Day of the key that seals it.
    pub day: i64,
    /// The sealed text.
    pub sealed: Vec<u8>,
}

/// What a round of assembling does to the file, all of it or nothing.
#[derive(Debug, Default)]
pub struct Round {
    /// Parts that go.
    pub done: Vec<i64>,
    /// Parts that are kept for calls that come later.
    pub used: Vec<i64>,
    /// Parts that do not open.
    pub unreadable: Vec<i64>,
    /// Events: day of the key and sealed text.
    pub events: Vec<(u32, Vec<u8>)>,
}
