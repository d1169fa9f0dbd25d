-- staging.db, schema 1: what was acknowledged and is no event yet. All of it is sealed under the staging key of
-- its day; tags are keyed.

-- Which data directory this file belongs to; one row.
CREATE TABLE directory (
    id TEXT NOT NULL CHECK (length(id) = 32)
) STRICT;

-- A span or log record. `tag` is of its trace, span, signal and content: a request that comes again adds nothing.
-- `state`: 0 waits; 1 is kept for calls that come later, since it says who the user is; 2 does not open.
CREATE TABLE part (
    id INTEGER PRIMARY KEY,
    ledger INTEGER NOT NULL,
    tag BLOB NOT NULL CHECK (length(tag) = 16),
    trace BLOB NOT NULL CHECK (length(trace) = 16),
    span BLOB NOT NULL CHECK (length(span) = 16),
    answer BLOB CHECK (length(answer) = 16),
    is_root INTEGER NOT NULL,
    arrived_at_ms INTEGER NOT NULL,
    day INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    sealed BLOB NOT NULL,
    UNIQUE (ledger, tag)
) STRICT;

CREATE INDEX part_by_trace ON part (ledger, trace, state, is_root, arrived_at_ms);
CREATE INDEX part_by_answer ON part (ledger, answer) WHERE answer IS NOT NULL;

-- Events that are assembled and not in the ledger yet. Their parts are gone: after a crash exactly these are appended.
CREATE TABLE assembled (
    id INTEGER PRIMARY KEY,
    ledger INTEGER NOT NULL,
    day INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
