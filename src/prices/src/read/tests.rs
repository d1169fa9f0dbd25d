use super::*;
use crate::SHIPPED;
use trailkeep_proof::prices::{Basis, Call, TABLE_BYTES_MAX, Usage, price};

const HEAD: &str = "schema = 1\ndated = 2026-11-30\nunit = \"mtok\"\ncurrency = \"USD\"\n";

/// The findings of a file with one price, whose keys are given beside provider, model and source.
fn findings(keys: &str) -> Vec<Finding> {
    let price = "[[price]]\nprovider = \"openai\"\nmodel = \"gpt-x\"\nverified = \"unchecked\"\n";
    read(&format!("{HEAD}{price}{keys}"))
        .err()
        .unwrap_or_default()
}

#[test]
fn a_file_says_all_that_a_table_has() {
    let text = r#"schema = 1
title = "Ours"
dated = 2026-11-30
unit = "mtok"

[aliases]
azure = "azure.ai.openai"

[[price]]
provider = "azure.ai.openai"
model = ["gpt-x", "gpt-x-*"]
region = "eu"
service_tier = "batch"
from = 2026-01-01
until = 2026-12-01
currency = "EUR"
input = "2.50"
cached_input = "1.25"
output = "10"
tiers = [{ above = 200000, by = "prompt", input = "5", cached_input = "2.5", output = "15" }]
citation = "https://example.com/prices"
verified = "page"
verified_on = 2026-11-29
note = "as agreed in the letter of 2026-01-01"

[[fx]]
from = "EUR"
to = "USD"
day = 2026-11-28
rate = "1.0875"
citation = "https://example.com/rates"
"#;
    let table = read(text).unwrap().table;
    let canonical = table.canonical();
    assert_eq!(
        canonical,
        concat!(
            r#"{"aliases":{"azure":"azure.ai.openai"},"dated":"2026-11-30","format":"trailkeep/prices/v1","#,
            r#""fx":[{"citation":"https://example.com/rates","day":"2026-11-28","from":"EUR","rate":"1.0875","to":"USD"}],"#,
            r#""prices":[{"citation":"https://example.com/prices","currency":"EUR","from":"2026-01-01","#,
            r#""model":["gpt-x","gpt-x-*"],"provider":"azure.ai.openai","#,
            r#""rates":{"cached_input":"1.25","input":"2.5","output":"10"},"region":"eu","service_tier":"batch","#,
            r#""tiers":[{"above":200000,"by":"prompt","rates":{"cached_input":"2.5","input":"5","output":"15"}}],"#,
            r#""unit":"mtok","until":"2026-12-01","verified":"page","verified_on":"2026-11-29"}]}"#
        )
    );
    assert!(!canonical.contains("letter"), "a note is for people alone");
    let written = crate::to_toml(&table, "Ours");
    assert_eq!(read(&written).unwrap().table, table, "{written}");
}

#[test]
fn what_is_wrong_has_its_line_and_a_remedy() {
    for (keys, problem, remedy) in [
        (
            "input = 2.5",
            "invalid type: floating point `2.5`, expected a string",
            "decimals are texts",
        ),
        (
            "input = \"-2.5\"",
            "a price `-2.5` not a decimal such as `2.5`",
            "the price of a million tokens",
        ),
        (
            "input = \"0.0000025\"",
            "has more than 6 digits",
            "the price of a million tokens",
        ),
        (
            "input = \"2,5\"",
            "not a decimal",
            "the price of a million tokens",
        ),
        ("inputs = \"2\"", "did you mean `input`?", "docs/prices.md"),
        (
            "input = \"2\"\nunit = \"token\"",
            "`unit` is not known",
            "times 1,000,000",
        ),
        (
            "input = \"2\"\nfrom = \"2026-01-01\"",
            "invalid type",
            "docs/prices.md",
        ),
        (
            "input = \"2\"\nfrom = 2026-01-01T00:00:00",
            "`from` is not a day",
            "2026-11-30",
        ),
        (
            "input = \"2\"\nuntil = 2026-01-01\nfrom = 2026-01-01",
            "is not after `from`",
            "the first day on which the price no longer holds",
        ),
        ("", "there is no price", "explicit"),
        (
            "input = \"2\"\ntiers = [{ above = 9, by = \"calls\", input = \"1\" }]",
            "`by` of a tier",
            "by = \"prompt\"",
        ),
        (
            "input = \"2\"\ncitation = \"page 3\"",
            "is not a URL",
            "https://",
        ),
    ] {
        let found = findings(keys);
        let first = found
            .first()
            .unwrap_or_else(|| panic!("{keys}: no finding"));
        assert!(first.problem.contains(problem), "{keys}: {}", first.problem);
        assert!(first.remedy.contains(remedy), "{keys}: {}", first.remedy);
        assert!(first.line >= 5, "{keys}: line {}", first.line);
    }
    assert!(findings("input = \"0\"").is_empty());
}

#[test]
fn the_head_of_a_file_is_checked() {
    let problem = |text: &str| {
        let found = read(text).unwrap_err();
        found
            .into_iter()
            .map(|finding| finding.problem)
            .collect::<Vec<_>>()
            .join("; ")
    };
    assert!(problem("schema = 2\ndated = 2026-11-30").contains("`schema` 2 is not known"));
    assert!(
        problem("schema = 1\ndated = 2026-11-30\npriec = []").contains("did you mean `price`?")
    );
    assert!(problem("schema = 1").contains("missing field `dated`"));
    let price =
        "[[price]]\nprovider = \"a\"\nmodel = \"b\"\ninput = \"1\"\nverified = \"secondery\"\n";
    let all = problem(&format!("schema = 1\ndated = 2026-11-30\n{price}"));
    for part in [
        "did you mean `secondary`?",
        "there is no `unit`",
        "there is no `currency`",
    ] {
        assert!(all.contains(part), "{all}");
    }
    assert!(problem(&"x".repeat(FILE_BYTES_MAX + 1)).contains("bytes"));
    let two =
        "[[price]]\nprovider = \"a\"\nmodel = \"b\"\ninput = \"1\"\nverified = \"unchecked\"\n"
            .repeat(2);
    let found = read(&format!("{HEAD}{two}")).unwrap_err();
    assert_eq!((found[0].line, found[0].rule), (10, "overlap"));
}

#[test]
fn the_shipped_table_prices_the_large_providers() {
    let table = read(SHIPPED).unwrap().table;
    assert!(table.canonical().len() < TABLE_BYTES_MAX / 2);
    let cost = |provider, model, service_tier| {
        let call = Call {
            provider,
            model,
            day: Day::parse("2026-11-30").unwrap(),
            service_tier,
            region: None,
            usage: Usage {
                input: Some(1_000_000),
                output: Some(0),
                ..Usage::default()
            },
            basis: Basis::Inclusive,
        };
        price(&table, &call).map(|priced| priced.amount.to_string())
    };
    for (provider, model, amount) in [
        ("openai", "gpt-4o", "2.500000000000"),
        ("openai", "gpt-4o-2024-08-06", "2.500000000000"),
        ("anthropic", "claude-sonnet-4-5-20250929", "6.000000000000"),
        ("gcp.vertex_ai", "gemini-2.5-pro", "2.500000000000"),
        ("mistral_ai", "mistral-large-2512", "0.500000000000"),
        ("xai", "grok-4", "3.000000000000"),
    ] {
        assert_eq!(
            cost(provider, model, None).as_deref(),
            Ok(amount),
            "{model}"
        );
    }
    assert_eq!(
        cost("openai", "gpt-4o", Some("batch")).as_deref(),
        Ok("1.250000000000")
    );
    assert!(cost("openai", "gpt-4o-of-ours", None).is_err());
    for provider in ["aws.bedrock", "azure.ai.openai", "cohere", "deepseek"] {
        assert!(
            table
                .prices()
                .iter()
                .any(|price| price.provider == provider),
            "{provider}"
        );
    }
    for price in table.prices() {
        assert_eq!(price.verified, Verified::Secondary);
        assert_eq!(price.package.as_deref(), Some("genai-prices"));
    }
    let written = crate::to_toml(&table, "Prices of genai-prices 0.2.3");
    assert_eq!(written, SHIPPED, "the file is what `prices import` writes");
}
