-- index.db, schema 2: the rows of a run stand in blocks. A table of schema 1, `run_<id>`, is packed and dropped when the
-- file is opened (runs/tables.rs).

-- Blocks of runs; `first` is the first row, key and seq of 8 bytes. Their form: ports/src/block.rs. A block without a row
-- of `run` was being written when the process ended, or is of a run that was replaced.
CREATE TABLE run_block (
    run INTEGER NOT NULL,
    first BLOB NOT NULL CHECK (length(first) = 24),
    bytes BLOB NOT NULL,
    PRIMARY KEY (run, first)
) STRICT, WITHOUT ROWID;
