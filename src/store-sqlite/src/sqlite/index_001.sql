-- index.db, schema 1: merged index runs. All of it can be derived again from the payloads.

-- Which data directory this file belongs to; one row.
CREATE TABLE directory (
    id TEXT NOT NULL CHECK (length(id) = 32)
) STRICT;

-- A run that is whole: its rows stand in the table `run_<id>`, keys of 16 bytes with their seqs, sorted.
-- A table without its row here was being written when the process ended.
CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ledger INTEGER NOT NULL,
    level INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    filter BLOB NOT NULL,
    -- Rows were deleted since the filter was made: it is made again in the background.
    filter_is_stale INTEGER NOT NULL DEFAULT 0 CHECK (filter_is_stale IN (0, 1))
) STRICT;
