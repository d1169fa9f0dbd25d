-- ledger.db, schema 3: heads that were given to somebody outside. Never deleted.

-- The note of such a head: signed by the ledger's key, with the lines of the witnesses that cosigned it.
CREATE TABLE anchored (
    ledger INTEGER NOT NULL REFERENCES ledger (number),
    size INTEGER NOT NULL CHECK (size > 0),
    cosigned INTEGER NOT NULL CHECK (cosigned IN (0, 1)),
    note TEXT NOT NULL,
    PRIMARY KEY (ledger, size)
) STRICT;

-- The newest head with a cosignature is asked for with each proof.
CREATE INDEX anchored_cosigned ON anchored (ledger, size) WHERE cosigned = 1;

-- Who has it, by the name of the target in the settings, and since when.
CREATE TABLE anchoring (
    ledger INTEGER NOT NULL REFERENCES ledger (number),
    size INTEGER NOT NULL CHECK (size > 0),
    target TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('directory', 'webhook', 'witness')),
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (ledger, target, size)
) STRICT;
