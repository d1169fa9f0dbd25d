-- ledger.db, schema 6: values, which are parts of events' texts that are stored once for all events that refer to them.

-- Encrypted under the keys of those events. `row` is ledger << 40 | number of the value, here and in `value_use`.
CREATE TABLE value (
    row INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

-- How many events refer to a value. It is deleted with the last of them.
CREATE TABLE value_use (
    row INTEGER PRIMARY KEY,
    events INTEGER NOT NULL CHECK (events > 0)
) STRICT;

-- The values that an event's payload refers to: their numbers, 8 bytes each, ascending, each once. Deleted with the payload.
CREATE TABLE value_reference (
    row INTEGER PRIMARY KEY,
    numbers BLOB NOT NULL CHECK (length(numbers) > 0 AND length(numbers) % 8 = 0)
) STRICT;
