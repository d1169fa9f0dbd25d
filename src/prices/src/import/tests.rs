use super::*;
use proptest::prelude::*;
use trailkeep_proof::prices::{Basis, Call, Usage, price};

fn source(providers: &[String]) -> Source<'_> {
    Source {
        package_version: "1.2.3",
        dated: Day::parse("2026-11-10").unwrap(),
        providers,
    }
}

fn left_out(imported: &Imported) -> Vec<String> {
    let rows = imported.left_out.iter();
    rows.map(|row| format!("{} {}: {}", row.provider, row.model, row.why))
        .collect()
}

fn cost(
    table: &PriceTable,
    provider: &str,
    model: &str,
    day: &str,
    tier: Option<&str>,
) -> Option<String> {
    let call = Call {
        provider,
        model,
        day: Day::parse(day).unwrap(),
        service_tier: tier,
        region: None,
        usage: Usage {
            input: Some(1_000_000),
            output: Some(1_000_000),
            ..Usage::default()
        },
        basis: Basis::Inclusive,
    };
    price(table, &call)
        .ok()
        .map(|priced| priced.amount.to_string())
}

const GENAI: &str = r#"[
 {"id":"x-ai","pricing_urls":["https://example.com/x"],"extractors":[],"models":[
  {"id":"Grok-1","match":{"or":[{"equals":"Grok-1"},{"regex":"^grok-1-\\d{4}$"}]},"context_window":9,
   "prices":[{"prices":{"input_mtok":{"base":1,"tiers":[{"start":200000,"price":2}]},"output_mtok":3,"web_searches_kcount":10}},
             {"constraint":{"start_date":"2026-06-01"},"prices":{"input_mtok":0.5,"output_mtok":"1.50"}}],
   "price_variants":[{"when":{"processing":"batch"},"constraint":{"start_date":"2026-07-01"},"prices":{"input_mtok":0.25}},
                     {"when":{"service_tier":"default"},"prices":{"input_mtok":0.5}}]},
  {"id":"grok","match":{"starts_with":"grok"},"prices":{"input_mtok":7,"output_mtok":0}},
  {"id":"grok-1-2026","match":{"equals":"grok-1-2026"},"prices":{"input_mtok":9,"output_mtok":0}},
  {"id":"night","match":{"or":[{"equals":"night"},{"equals":"grok-night"}]},"prices":[{"prices":{"input_mtok":1}},
    {"constraint":{"start_time":"00:30:00+00:00","end_time":"16:30:00+00:00"},"prices":{"input_mtok":2}}]},
  {"id":"picture","match":{"equals":"picture"},"prices":{"input_mtok":1,"output_image_mtok":40}},
  {"id":"fine","match":{"equals":"fine"},"prices":{"input_mtok":0.0000001}},
  {"id":"minus","match":{"equals":"minus"},"prices":{"input_mtok":-1}},
  {"id":"huge","match":{"equals":"huge"},"prices":{"input_mtok":1e30}},
  {"id":"twice","match":{"equals":"twice"},"prices":{"input_mtok":1,"input_mtok":2}},
  {"id":"nights","match":{"or":[{"starts_with":"nig"},{"equals":"nightly"}]},"prices":{"input_mtok":5,"output_mtok":0}},
  {"id":"and","match":{"and":[{"starts_with":"and"},{"regex":"^(?!.*-tts)"}]},"prices":{"input_mtok":4,"output_mtok":0}}
 ]},
 {"id":"quiet","models":[{"id":"q","match":{"equals":"q"},"prices":{"input_mtok":1}}]}
]"#;

#[test]
fn the_data_of_genai_prices_becomes_a_table() {
    let imported = genai_prices(GENAI, source(&[])).unwrap();
    let table = &imported.table;
    let of = |model, day, tier| cost(table, "xai", model, day, tier);
    // 1,000,000 tokens are in the tier.
    assert_eq!(
        of("grok-1", "2026-05-31", None).as_deref(),
        Some("5.000000000000")
    );
    assert_eq!(
        of("grok-1", "2026-06-01", None).as_deref(),
        Some("2.000000000000")
    );
    assert_eq!(
        of("GROK-1-2024", "2026-06-01", None).as_deref(),
        Some("2.000000000000")
    );
    // The package has no batch price before the day that it gives.
    assert_eq!(of("grok-1", "2026-06-30", Some("batch")), None);
    assert_eq!(
        of("grok-1", "2026-07-01", Some("batch")).as_deref(),
        Some("1.750000000000")
    );
    assert_eq!(
        of("grok-2", "2026-06-01", None).as_deref(),
        Some("7.000000000000")
    );
    // The package asks its models in their order, so the pattern of the first one keeps this name.
    assert_eq!(
        of("grok-1-2026", "2026-06-01", None).as_deref(),
        Some("2.000000000000")
    );
    assert_eq!(
        of("and", "2026-06-01", None).as_deref(),
        Some("4.000000000000")
    );
    assert_eq!(of("and-tts", "2026-06-01", None), None);
    // The package prices this one by the hour. A wider pattern of another model does not price it either.
    assert_eq!(of("night", "2026-06-01", None), None);
    assert_eq!(
        of("nightly", "2026-06-01", None).as_deref(),
        Some("5.000000000000")
    );
    let rows = left_out(&imported).join("\n");
    for part in [
        "x-ai night: it is left out, and so are the patterns",
        "x-ai night: its price depends on the time of the day",
        "x-ai picture: it has a price `output_image_mtok`",
        "x-ai fine: a price has more than 6 digits",
        "x-ai minus: a price not a decimal",
        "x-ai huge: a price is too large",
        "x-ai twice: `input_mtok` occurs twice",
        "x-ai and: some of its names",
        "quiet *: the package cites no page",
    ] {
        assert!(rows.contains(part), "{part}\n{rows}");
    }
    let first = &table.prices()[0];
    assert_eq!(first.verified, Verified::Secondary);
    assert_eq!(first.citation.as_deref(), Some("https://example.com/x"));
    assert_eq!(first.package.as_deref(), Some("genai-prices"));
    assert_eq!(first.package_version.as_deref(), Some("1.2.3"));
}

const LITELLM: &str = r#"{
 "sample_spec":{"litellm_provider":"one of ..."},
 "gpt-x":{"litellm_provider":"openai","mode":"chat","source":"https://example.com/o","max_tokens":9,
   "input_cost_per_token":2.5e-06,"output_cost_per_token":0.00001,"cache_read_input_token_cost":1.25e-6,
   "input_cost_per_token_batches":1.25E-06,"output_cost_per_token_batches":5e-6,
   "search_context_cost_per_query":{"search_context_size_low":0.03}},
 "gemini/gem-x":{"litellm_provider":"gemini","mode":"chat","source":"https://example.com/g",
   "input_cost_per_token":1e-06,"output_cost_per_token":0.0,
   "input_cost_per_token_above_200k_tokens":2e-06,"output_cost_per_token_above_200k_tokens":0},
 "azure/eu/gpt-x":{"litellm_provider":"azure","mode":"chat","source":"https://example.com/a","input_cost_per_token":3e-06},
 "picture":{"litellm_provider":"openai","mode":"image_generation","source":"https://example.com/o","input_cost_per_token":1e-6},
 "per-image":{"litellm_provider":"openai","mode":"chat","source":"https://example.com/o","input_cost_per_token":1e-6,"input_cost_per_image":1},
 "uncited":{"litellm_provider":"openai","mode":"chat","input_cost_per_token":1e-6},
 "fine":{"litellm_provider":"openai","mode":"chat","source":"https://example.com/o","input_cost_per_token":1.5e-13},
 "text":{"litellm_provider":"openai","mode":"chat","source":"https://example.com/o","input_cost_per_token":"much"},
 "half":{"litellm_provider":"gemini","mode":"chat","source":"https://example.com/g","input_cost_per_token":1e-6,
   "input_cost_per_token_above_200k_tokens":2e-06,"input_cost_per_token_priority":2e-6},
 "openai/gpt-x":{"litellm_provider":"openai","mode":"chat","source":"https://example.com/o","input_cost_per_token":9e-6},
 "double":{"litellm_provider":"openai","mode":"chat","source":"https://example.com/o","input_cost_per_token":1e-6},
 "double":{"litellm_provider":"openai","mode":"chat","source":"https://example.com/o","input_cost_per_token":2e-6},
 "none":7
}"#;

#[test]
fn the_data_of_litellm_becomes_a_table() {
    let imported = litellm(LITELLM, source(&[])).unwrap();
    let table = &imported.table;
    let of = |provider, model, tier| cost(table, provider, model, "2026-11-30", tier);
    // Prices of one token, exactly.
    assert_eq!(
        of("openai", "gpt-x", None).as_deref(),
        Some("12.500000000000")
    );
    assert_eq!(
        of("openai", "gpt-x", Some("batch")).as_deref(),
        Some("6.250000000000")
    );
    assert_eq!(
        of("google", "gem-x", None).as_deref(),
        Some("2.000000000000")
    );
    let price = table
        .prices()
        .iter()
        .find(|price| price.region.is_some())
        .unwrap();
    assert_eq!(price.region.as_deref(), Some("eu"));
    assert_eq!(price.rates.input.unwrap().to_string(), "3");
    let rows = left_out(&imported).join("\n");
    for part in [
        "openai picture: its calls are not priced by tokens",
        "openai per-image: it has a price `input_cost_per_image`",
        "openai uncited: the package cites no page",
        "openai fine: a price has more than 12 digits",
        "openai text: a price not a decimal",
        "gemini half: a service tier of it has no price of long prompts",
        "openai openai/gpt-x: another entry has the same provider and model",
        "openai double: the file has it twice",
        "none: it has another form",
    ] {
        assert!(rows.contains(part), "{part}\n{rows}");
    }
    assert_eq!(of("openai", "double", None), None);
}

#[test]
fn only_the_providers_that_were_asked_for_are_imported() {
    let only = |name: &str| {
        let providers = [name.to_owned()];
        litellm(LITELLM, source(&providers)).map(|imported| imported.table.prices().len())
    };
    assert_eq!(only("openai").unwrap(), 2);
    assert_eq!(only("gcp.gemini").unwrap(), 1);
    assert!(matches!(only("nobody"), Err(ImportError::Nothing(_))));
    assert!(matches!(
        litellm("[]", source(&[])),
        Err(ImportError::Form { .. })
    ));
    assert!(matches!(
        genai_prices("{}", source(&[])),
        Err(ImportError::Form { .. })
    ));
    assert!(matches!(
        genai_prices("[]", source(&[])),
        Err(ImportError::Nothing(_))
    ));
}

proptest! {
    /// Whatever number a file has for a token: it becomes exactly that price, or none.
    #[test]
    fn a_price_of_a_token_is_kept_exactly_or_not_at_all(digits in 1_u64..1_000_000, exponent in -20_i32..0) {
        let text = format!(
            r#"{{"m":{{"litellm_provider":"openai","mode":"embedding","source":"https://example.com/","input_cost_per_token":{digits}e{exponent}}}}}"#
        );
        let imported = litellm(&text, source(&[]));
        let exact = {
            let mut value = u128::from(digits) * 10_u128.pow(12);
            let mut is_exact = true;
            for _ in exponent..0 {
                is_exact &= value.is_multiple_of(10);
                value /= 10;
            }
            is_exact.then_some(value).filter(|value| *value < 10_u128.pow(15))
        };
        let got = imported.ok().map(|imported| u128::from(imported.table.prices()[0].rates.input.unwrap().per_token()));
        prop_assert_eq!(got, exact);
    }

    #[test]
    fn no_text_makes_an_import_panic(text in ".{0,64}") {
        let _ = litellm(&text, source(&[]));
        let _ = genai_prices(&text, source(&[]));
        let _ = crate::read(&text);
    }

    /// A valid file with some bytes changed: it is refused, or it is a table that reads back as the same from both its forms.
    #[test]
    fn a_changed_file_is_refused_or_a_whole_table(
        which in 0..3_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), "[ -~]?", 0..3_usize), 1..6),
    ) {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/prices.toml");
        let file = std::fs::read_to_string(file).unwrap();
        let mut text = [&file, GENAI, LITELLM][which].to_owned();
        for (at, put, cut) in changes {
            let at = at.index(text.len());
            text.replace_range(at..(at + cut).min(text.len()), &put);
        }
        let table = match which {
            0 => crate::read(&text).ok().map(|file| file.table),
            1 => genai_prices(&text, source(&[])).ok().map(|imported| imported.table),
            _ => litellm(&text, source(&[])).ok().map(|imported| imported.table),
        };
        if let Some(table) = table {
            let canonical = table.canonical();
            prop_assert_eq!(&PriceTable::read(canonical.as_bytes()).unwrap(), &table);
            let written = crate::to_toml(&table, "changed");
            prop_assert_eq!(crate::read(&written).unwrap().table, table, "{}", written);
        }
    }
}
