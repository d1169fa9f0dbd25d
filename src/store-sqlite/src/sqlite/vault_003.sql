-- vault.db: one more keyed tag of each data subject, `subject-folded`, by which other spellings of an identifier are found
-- (docs/gdpr.md, "Near matches"). Null: the person's row is no data subject's, or nothing is left that says whose it is.
-- A person without a row here is looked at by a job.
CREATE TABLE person_folded (
    person INTEGER PRIMARY KEY,
    ledger INTEGER NOT NULL,
    folded BLOB CHECK (folded IS NULL OR length(folded) = 16)
) STRICT;

CREATE INDEX person_folded_by_tag ON person_folded (ledger, folded);
