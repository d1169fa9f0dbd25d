-- ledger.db, schema 1. Nothing in it names a person: docs/threat-model.md, "What ledger.db shows".

-- Which data directory this file belongs to; one row.
CREATE TABLE directory (
    id TEXT NOT NULL CHECK (length(id) = 32)
) STRICT;

-- Immutable. `row` is ledger << 40 | seq, here and below.
CREATE TABLE ledger (
    number INTEGER PRIMARY KEY CHECK (number > 0),
    tenant TEXT NOT NULL,
    origin TEXT NOT NULL UNIQUE
) STRICT;

-- Immutable and never deleted.
CREATE TABLE entry (
    row INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL CHECK (length(bytes) = 84)
) STRICT;

CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'an entry never changes'); END;

CREATE TRIGGER entry_is_never_deleted BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'an entry is never deleted'); END;

-- Deleted at expiry or erasure.
CREATE TABLE payload (
    row INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

-- Full tiles of 256 hashes (C2SP tlog-tiles). Immutable.
CREATE TABLE tile (
    ledger INTEGER NOT NULL REFERENCES ledger (number),
    level INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hashes BLOB NOT NULL CHECK (length(hashes) = 8192),
    PRIMARY KEY (ledger, level, position)
) STRICT;

-- The last signed head of each ledger.
CREATE TABLE checkpoint (
    ledger INTEGER PRIMARY KEY REFERENCES ledger (number),
    size INTEGER NOT NULL,
    root BLOB NOT NULL CHECK (length(root) = 32),
    note TEXT NOT NULL
) STRICT;

-- The active index run: an event's look-up keys, 16 bytes each, the event id's first.
-- One row an event keeps the write path sequential; the look-up table of these few is in memory.
CREATE TABLE active_index (
    row INTEGER PRIMARY KEY,
    keys BLOB NOT NULL CHECK (length(keys) % 16 = 0)
) STRICT;

-- Retention classes as their statements (system entries) number and define them. Immutable.
CREATE TABLE class (
    ledger INTEGER NOT NULL REFERENCES ledger (number),
    number INTEGER NOT NULL CHECK (number > 0),
    statement_seq INTEGER NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (ledger, number)
) STRICT;

-- Which persons a recorded read showed: their random references. The rows go with the person.
CREATE TABLE person_read (
    reference BLOB NOT NULL CHECK (length(reference) = 16),
    row INTEGER NOT NULL,
    PRIMARY KEY (reference, row)
) STRICT, WITHOUT ROWID;

-- System entries that state something for others: the versions of policies, what expired, what went by a request
-- or a trigger. By these rows they are found; what they state is in their texts. `open` while what was stated is
-- still being done: a job that is taken up again at the next start.
CREATE TABLE statement (
    row INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('policy', 'expiry', 'covers-request', 'covers-trigger')),
    open INTEGER NOT NULL CHECK (open IN (0, 1))
) STRICT;

-- Expiry statements: events of the class that were recorded before the moment are gone, but for those in `overdue`.
CREATE TABLE expiry (
    ledger INTEGER NOT NULL REFERENCES ledger (number),
    statement_seq INTEGER NOT NULL,
    class INTEGER NOT NULL CHECK (class > 0),
    recorded_before_ms INTEGER NOT NULL,
    PRIMARY KEY (ledger, statement_seq)
) STRICT;

-- Events that a statement covers one by one; `statement` is its row.
CREATE TABLE covered (
    row INTEGER PRIMARY KEY,
    statement INTEGER NOT NULL
) STRICT;

CREATE INDEX covered_by ON covered (statement, row);

-- Events that an expiry statement covers and a legal hold keeps: the next run looks at them again.
CREATE TABLE overdue (
    row INTEGER PRIMARY KEY
) STRICT;

-- Keyed tags of the ids of events that went: for a while a repetition is known as such. No seq leads back.
CREATE TABLE gone_id (
    ledger INTEGER NOT NULL,
    tag BLOB NOT NULL CHECK (length(tag) = 16),
    state TEXT NOT NULL CHECK (state IN ('expired', 'erased')),
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (ledger, tag)
) STRICT, WITHOUT ROWID;

-- What policies found events to lack when they came, counted. Names of policies and fields, of no person.
CREATE TABLE gap (
    ledger INTEGER NOT NULL REFERENCES ledger (number),
    policy TEXT NOT NULL,
    what TEXT NOT NULL,
    events INTEGER NOT NULL CHECK (events > 0),
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    PRIMARY KEY (ledger, policy, what)
) STRICT, WITHOUT ROWID;
