-- ledger.db, schema 4.

-- The events of a class, in order (bytes 2 and 3 of an entry; system entries have class 0). Few classes, each growing at its
-- end: no random-key B-tree.
CREATE INDEX entry_of_class ON entry (substr(bytes, 3, 2));
