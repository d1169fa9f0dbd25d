//! Real events, where they are at hand (they are others' data, so not in this repository).

use std::path::PathBuf;

use trailkeep_proof::ledger::event::{Facts, parse_event, split_ndjson};

use super::super::validator;

fn shared() -> PathBuf {
    std::env::var_os("TRAILKEEP_SHARED").map_or_else(
        || crate::support::root().to_owned().join("../shared"),
        PathBuf::from,
    )
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that did nothing must say so")]
fn every_real_event_passes_both() {
    let validator = validator();
    for (file, count) in [("llm-events", 4554), ("cloudtrail-events", 2900)] {
        let path = shared().join("data").join(format!("{file}.ndjson.zst"));
        let Ok(packed) = std::fs::File::open(&path) else {
            eprintln!("skipped: {} is not here", path.display());
            continue;
        };
        let body = zstd::decode_all(packed).unwrap();
        let mut seen = 0;
        for (number, line) in split_ndjson(&body) {
            let event =
                parse_event(line).unwrap_or_else(|error| panic!("{file}:{number}: {error}"));
            let value: serde_json::Value = serde_json::from_slice(line).unwrap();
            assert!(validator.is_valid(&value), "{file}:{number}");
            for section in event.sections() {
                let text: serde_json::Value = serde_json::from_slice(&section.bytes).unwrap();
                assert_eq!(text, value[section.name], "{file}:{number}");
            }
            let pairs = event
                .sections()
                .iter()
                .map(|section| (section.name, &*section.bytes));
            assert_eq!(&Facts::from_sections(pairs).unwrap(), event.facts());
            seen += 1;
        }
        assert_eq!(seen, count, "{file}");
    }
}
