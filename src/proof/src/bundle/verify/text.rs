//! One event's text against its entry, and its row of the table.

use crate::bundle::line::Line;
use crate::bundle::usual::line::LineRoom;
use crate::bundle::{sources, table};
use crate::ids::Origin;
use crate::ledger::entry::Entry;
use crate::ledger::sources::Sighting;

/// What came out of one event.
pub(super) struct Checked {
    pub(super) outcome: Result<(), (&'static str, String)>,
    pub(super) redacted: Vec<String>,
    pub(super) source: Option<Sighting>,
}

/// Checks an event, and writes its row behind `rows`.
pub(super) fn check_event(
    origin: &Origin,
    entry: &Entry,
    text: &[u8],
    room: &mut LineRoom,
    rows: &mut Vec<u8>,
) -> Checked {
    let read = match room.read(text) {
        Some(line) => Ok(line),
        None => Line::parse(text),
    };
    let line = match read {
        Ok(line) => line,
        Err(error) => {
            return Checked {
                outcome: Err(("section", error)),
                redacted: Vec::new(),
                source: None,
            };
        }
    };
    table::write_row(rows, &line, entry.recorded_at);
    Checked {
        outcome: check_line(origin, entry, &line),
        redacted: line.redacted().map(str::to_owned).collect(),
        source: sources::sighting(&line),
    }
}

fn check_line(
    origin: &Origin,
    entry: &Entry,
    line: &Line<'_>,
) -> Result<(), (&'static str, String)> {
    if line.seq != entry.seq {
        return Err(("section", "the line names two seqs".to_owned()));
    }
    if line.commitment(origin) != Ok(entry.commitment) {
        return Err((
            "commitment",
            "its sections do not match the commitment of its entry".to_owned(),
        ));
    }
    line.check_texts().map_err(|error| ("section", error))?;
    if line.is_disclosed() {
        Ok(())
    } else {
        Err((
            "disclosed",
            "a disclosed event must show id and action, and occurred_at and outcome where it has them".to_owned(),
        ))
    }
}
