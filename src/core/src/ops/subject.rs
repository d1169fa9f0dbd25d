//! What can be verified: a running engine, closed files, a backup.

use crate::audit::Subject;
use crate::ops::Engine;
use crate::ops::backup::OpenBackup;
use crate::ops::open::Files;

impl<'a> From<&'a Engine> for Subject<'a> {
    fn from(engine: &'a Engine) -> Self {
        Self {
            ledgers: &engine.journal.ledgers,
            index: Some(&engine.journal.index),
            staging: Some(engine.inbox.file()),
            keyring: &engine.journal.keyring,
        }
    }
}

impl<'a> From<&'a Files> for Subject<'a> {
    fn from(files: &'a Files) -> Self {
        Self {
            ledgers: &files.ledgers,
            index: Some(&files.index),
            staging: Some(&files.staging),
            keyring: &files.keyring,
        }
    }
}

impl<'a> From<&'a OpenBackup> for Subject<'a> {
    fn from(backup: &'a OpenBackup) -> Self {
        Self {
            ledgers: &backup.ledgers,
            index: None,
            staging: None,
            keyring: &backup.keyring,
        }
    }
}
