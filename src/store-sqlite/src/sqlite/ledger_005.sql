-- ledger.db, schema 5: beside each signed head, the last statement up to it that changes the vault, with a MAC that binds
-- both (docs/design.md, "The vault's rows"). None before the first commit of a program that knows it.
ALTER TABLE checkpoint ADD COLUMN stated BLOB;
