//! Price tables and calls of another program (tests/prices/make_vectors.py), which was written from docs/format.md alone: here the
//! library must come to the same bytes and the same costs.

use serde_json::Value;
use trailkeep_proof::prices::{Basis, Call, PriceTable, Unpriced, Usage, price};
use trailkeep_proof::privacy::Day;

fn usage(reported: &Value) -> Usage {
    let of = |name: &str| reported[name].as_u64();
    Usage {
        input: of("input"),
        cached_input: of("cached_input"),
        cache_write: of("cache_write"),
        cache_write_1h: of("cache_write_1h"),
        output: of("output"),
        reasoning: of("reasoning"),
        audio_input: of("audio_input"),
        audio_cached_input: of("audio_cached_input"),
        audio_output: of("audio_output"),
    }
}

#[test]
fn another_program_comes_to_the_same_tables_and_costs() {
    let vectors: Value = serde_json::from_str(include_str!("../prices/vectors.json")).unwrap();
    let mut priced = 0;
    for vector in vectors.as_array().unwrap() {
        let table = PriceTable::from_value(&vector["table"]).unwrap();
        assert_eq!(table.sha256(), vector["sha256"].as_str().unwrap());
        for case in vector["calls"].as_array().unwrap() {
            let text = |name: &str| case[name].as_str();
            let call = Call {
                provider: text("provider").unwrap(),
                model: text("model").unwrap(),
                day: Day::parse(text("day").unwrap()).unwrap(),
                service_tier: text("service_tier"),
                region: text("region"),
                usage: usage(&case["usage"]),
                basis: match text("basis") {
                    Some("inclusive") => Basis::Inclusive,
                    _ => Basis::Exclusive,
                },
            };
            let amount = price(&table, &call).map(|priced| priced.amount.to_string());
            let expected = text("amount");
            assert_eq!(amount.as_deref().ok(), expected, "{case}: {amount:?}");
            assert_ne!(amount, Err(Unpriced::TooMany), "{case}");
            priced += usize::from(expected.is_some());
        }
    }
    assert!(priced > 300, "{priced}");
}
