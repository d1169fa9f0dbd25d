//! Events as JSON lines and as a JSON array.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trailkeep_proof::ledger::event::{parse_event, split_array, split_ndjson};

fuzz_target!(|data: &[u8]| {
    for (_, line) in split_ndjson(data) {
        let _ = parse_event(line);
    }
    for event in split_array(data).unwrap_or_default() {
        let _ = parse_event(event);
    }
});
