//! Whether a file changed since it was last looked at.

use parking_lot::Mutex;
use rusqlite::Connection;

use super::Database;

/// The connection that compares: SQLite counts the commits of all others, for each connection anew.
#[derive(Default)]
pub(super) struct Watch(Mutex<Watching>);

#[derive(Default)]
struct Watching {
    connection: Option<Connection>,
    /// How many connections there were: what one of them counted says nothing of what the next one counts.
    opened: u32,
}

impl Watch {
    /// Closes the connection; the next question opens another.
    pub(super) fn close(&self) {
        self.0.lock().connection = None;
    }
}

impl Watching {
    fn open(&mut self, file: &Database) -> Option<Connection> {
        self.opened = self.opened.wrapping_add(1);
        file.open_reader().ok()
    }
}

impl Database {
    /// A number that differs after each commit to the file, whoever made it (`PRAGMA data_version`). None where the log is
    /// being emptied, or where the file does not say.
    pub(super) fn version(&self) -> Option<u64> {
        let _open = self.gate.try_read()?;
        let mut watching = self.watch.0.lock();
        let connection = match watching.connection.take() {
            Some(connection) => connection,
            None => watching.open(self)?,
        };
        let version: i64 = connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut asked| asked.query_row([], |row| row.get(0)))
            .ok()?;
        watching.connection = Some(connection);
        let counted = u64::try_from(version).ok()? & u64::from(u32::MAX);
        Some(u64::from(watching.opened) << 32 | counted)
    }
}
