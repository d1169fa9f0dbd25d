-- vault.db, schema 1: secrets, each sealed under an epoch key that stands elsewhere.

-- Which data directory this file belongs to; one row.
CREATE TABLE directory (
    id TEXT NOT NULL CHECK (length(id) = 32)
) STRICT;

-- A person's keyed tag, and the sealed random reference that stands for them in the ledger's files.
CREATE TABLE person (
    id INTEGER PRIMARY KEY,
    ledger INTEGER NOT NULL,
    tag BLOB NOT NULL CHECK (length(tag) = 16),
    epoch INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    UNIQUE (ledger, tag)
) STRICT;

-- Data keys: of a person, or (person 0) of a class's events that are about nobody.
CREATE TABLE data_key (
    key_id INTEGER PRIMARY KEY,
    ledger INTEGER NOT NULL,
    person INTEGER NOT NULL,
    class INTEGER NOT NULL CHECK (class > 0),
    period TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    UNIQUE (ledger, person, class, period)
) STRICT;

-- The keys of a class and period go together when nothing is left that they open.
CREATE INDEX data_key_of_period ON data_key (ledger, class, period);

-- Of each ledger: `signing`, `index` and `system`.
CREATE TABLE ledger_secret (
    ledger INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('signing', 'index', 'system')),
    key_id INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (ledger, kind)
) STRICT;

-- API keys: what a key may do and the hash of its secret stand in the sealed text, so that a row
-- changed by hand gives no access.
CREATE TABLE api_key (
    id TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;

-- The last head of each ledger that the vault saw, and when: a shorter ledger was rolled back.
CREATE TABLE watermark (
    ledger INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    root BLOB NOT NULL CHECK (length(root) = 32),
    seen_at_ms INTEGER NOT NULL
) STRICT;

-- What a restored ledger must neither bring back nor lose, each sealed in its place: a tenant's settings, holds,
-- destroying jobs.
CREATE TABLE sealed_record (
    kind TEXT NOT NULL,
    ledger INTEGER NOT NULL,
    id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (kind, ledger, id)
) STRICT;

-- The names of each ledger that has secrets here: what is sealed for a ledger is bound to its origin, also where
-- an older ledger.db that does not know the ledger was put back.
CREATE TABLE ledger (
    number INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    origin TEXT NOT NULL UNIQUE
) STRICT;

-- One row. Nothing may be written under an epoch below `lowest_epoch`: a rotation ended it. `changes` counts the
-- commits that changed anything but a watermark.
CREATE TABLE sealing (
    lowest_epoch INTEGER NOT NULL,
    changes INTEGER NOT NULL
) STRICT;
INSERT INTO sealing (lowest_epoch, changes) VALUES (1, 0);

-- What each copy target was last given: the count of changes, the lowest epoch of its rows and the lowest epoch
-- whose key it holds. Rows of targets that are registered; the targets themselves are sealed records.
CREATE TABLE copy_state (
    target TEXT PRIMARY KEY,
    changes INTEGER,
    rows_epoch INTEGER,
    key_epoch INTEGER,
    copied_at_ms INTEGER,
    failed_at_ms INTEGER,
    error TEXT
) STRICT;

CREATE TRIGGER person_insert_epoch BEFORE INSERT ON person
WHEN NEW.epoch < (SELECT lowest_epoch FROM sealing)
BEGIN SELECT RAISE(ABORT, 'retired epoch'); END;
CREATE TRIGGER person_update_epoch BEFORE UPDATE ON person
WHEN NEW.epoch < (SELECT lowest_epoch FROM sealing)
BEGIN SELECT RAISE(ABORT, 'retired epoch'); END;
CREATE TRIGGER data_key_insert_epoch BEFORE INSERT ON data_key
WHEN NEW.epoch < (SELECT lowest_epoch FROM sealing)
BEGIN SELECT RAISE(ABORT, 'retired epoch'); END;
CREATE TRIGGER data_key_update_epoch BEFORE UPDATE ON data_key
WHEN NEW.epoch < (SELECT lowest_epoch FROM sealing)
BEGIN SELECT RAISE(ABORT, 'retired epoch'); END;
CREATE TRIGGER ledger_secret_insert_epoch BEFORE INSERT ON ledger_secret
WHEN NEW.epoch < (SELECT lowest_epoch FROM sealing)
BEGIN SELECT RAISE(ABORT, 'retired epoch'); END;
CREATE TRIGGER ledger_secret_update_epoch BEFORE UPDATE ON ledger_secret
WHEN NEW.epoch < (SELECT lowest_epoch FROM sealing)
BEGIN SELECT RAISE(ABORT, 'retired epoch'); END;
CREATE TRIGGER api_key_insert_epoch BEFORE INSERT ON api_key
WHEN NEW.epoch < (SELECT lowest_epoch FROM sealing)
BEGIN SELECT RAISE(ABORT, 'retired epoch'); END;
CREATE TRIGGER api_key_update_epoch BEFORE UPDATE ON api_key
WHEN NEW.epoch < (SELECT lowest_epoch FROM sealing)
BEGIN SELECT RAISE(ABORT, 'retired epoch'); END;
CREATE TRIGGER sealed_record_insert_epoch BEFORE INSERT ON sealed_record
WHEN NEW.epoch < (SELECT lowest_epoch FROM sealing)
BEGIN SELECT RAISE(ABORT, 'retired epoch'); END;
CREATE TRIGGER sealed_record_update_epoch BEFORE UPDATE ON sealed_record
WHEN NEW.epoch < (SELECT lowest_epoch FROM sealing)
BEGIN SELECT RAISE(ABORT, 'retired epoch'); END;
