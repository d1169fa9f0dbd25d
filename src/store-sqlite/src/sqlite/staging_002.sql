-- staging.db, schema 2: what a round asks for is found without a walk over all that waits.

DROP INDEX part_by_trace;
CREATE INDEX part_by_state ON part (ledger, state, trace, is_root, arrived_at_ms);
CREATE INDEX part_used ON part (ledger, arrived_at_ms) WHERE state = 1;
