-- vault.db, schema 2: what its rows add up to, so that a row that was changed, added or taken away outside of the
-- program shows (docs/design.md, "The vault's rows").

-- Of each part of the vault (a table, of a ledger; records by kind): its rows, and the sum of their keyed hashes.
CREATE TABLE row_sum (
    part TEXT PRIMARY KEY,
    rows INTEGER NOT NULL CHECK (rows > 0),
    sum BLOB NOT NULL CHECK (length(sum) = 32)
) STRICT;

-- One row, none before the sums began: the sum of the keyed hashes of `row_sum`, and a MAC over it and `sealing`.
CREATE TABLE row_state (
    sum BLOB NOT NULL CHECK (length(sum) = 32),
    mac BLOB NOT NULL CHECK (length(mac) = 32)
) STRICT;

-- The last statement of each ledger whose change of the vault is in these rows.
CREATE TABLE applied (
    ledger INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL
) STRICT;
