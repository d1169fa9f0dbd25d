-- ledger.db, schema 2: events that are shown to nobody.

-- Events that a statement restricts, by its row; `lifted_by` is the row of the entry that lifted it. The rows stay when
-- the text has gone: they are the items whose root the statement signs.
CREATE TABLE restricted (
    row INTEGER NOT NULL,
    statement INTEGER NOT NULL,
    lifted_by INTEGER,
    PRIMARY KEY (row, statement)
) STRICT, WITHOUT ROWID;

CREATE INDEX restricted_by ON restricted (statement, row);

-- One more kind.
CREATE TABLE statement_new (
    row INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('policy', 'expiry', 'covers-request', 'covers-trigger', 'restricts')),
    open INTEGER NOT NULL CHECK (open IN (0, 1))
) STRICT;
INSERT INTO statement_new (row, kind, open) SELECT row, kind, open FROM statement;
DROP TABLE statement;
ALTER TABLE statement_new RENAME TO statement;
