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
