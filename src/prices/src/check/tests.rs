use super::*;
use crate::SHIPPED;

const HEAD: &str = "schema = 1\ndated = 2026-11-30\nunit = \"mtok\"\ncurrency = \"USD\"\n";

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

fn price(model: &str, keys: &str) -> String {
    format!(
        "[[price]]\nprovider = \"openai\"\nmodel = \"{model}\"\nverified = \"unchecked\"\n{keys}\n"
    )
}

fn rules(prices: &str, earlier: Option<&PriceTable>) -> Vec<&'static str> {
    let checked = check(&format!("{HEAD}{prices}"), day("2026-11-30"), earlier);
    assert!(checked.file.is_some(), "{:?}", checked.findings);
    checked
        .findings
        .into_iter()
        .map(|finding| finding.rule)
        .collect()
}

/// https://github.com/BerriAI/litellm/issues/20615: the price of one token where that of a million is meant.
#[test]
fn a_price_100_times_off_the_one_before_is_a_finding() {
    let two = |old: &str, new: &str| {
        price("gpt-x", &format!("until = 2026-06-01\n{old}"))
            + &price("gpt-x", &format!("from = 2026-06-01\n{new}"))
    };
    for (old, new, is_leap) in [
        ("input = \"2.5\"", "input = \"0.0025\"", true),
        ("input = \"2.5\"", "input = \"250\"", true),
        ("input = \"2.5\"", "input = \"249.9\"", false),
        ("input = \"2.5\"", "input = \"0.0251\"", false),
        ("input = \"0\"", "input = \"5\"", false),
        ("input = \"5\"", "input = \"0\"", false),
        (
            "input = \"5\"\noutput = \"1\"",
            "input = \"5\"\noutput = \"100\"",
            true,
        ),
        (
            "input = \"1\"\ntiers = [{ above = 9, by = \"prompt\", input = \"1\" }]",
            "input = \"1\"\ntiers = [{ above = 9, by = \"prompt\", input = \"100\" }]",
            true,
        ),
    ] {
        let expected: &[&str] = if is_leap { &["leap"] } else { &[] };
        assert_eq!(rules(&two(old, new), None), expected, "{old} {new}");
    }
    // The order in the file does not matter, and another currency is another number.
    let turned = price("gpt-x", "from = 2026-06-01\ninput = \"250\"")
        + &price("gpt-x", "until = 2026-06-01\ninput = \"1\"");
    assert_eq!(rules(&turned, None), ["leap"]);
    let yen = price(
        "gpt-x",
        "from = 2026-06-01\ninput = \"250\"\ncurrency = \"JPY\"",
    ) + &price("gpt-x", "until = 2026-06-01\ninput = \"1\"");
    assert!(rules(&yen, None).is_empty());
}

#[test]
fn a_new_file_is_compared_with_the_prices_in_force() {
    let shipped = read(SHIPPED).unwrap().table;
    let found = |model, keys: &str| rules(&price(model, keys), Some(&shipped));
    assert_eq!(found("gpt-4o", "input = \"0.000003\""), ["leap"]);
    assert_eq!(
        found("gpt-4o", "input = \"2\"\noutput = \"8\""),
        Vec::<&str>::new()
    );
    assert_eq!(
        found("gpt-of-ours", "input = \"0.000003\""),
        Vec::<&str>::new()
    );
    assert_eq!(found("ft:gpt-3.5-turbo*", "input = \"0.000003\""), ["leap"]);
    assert_eq!(
        found("gpt-4o", "service_tier = \"batch\"\ninput = \"0.000003\""),
        ["leap"]
    );
}

/// https://github.com/Arize-ai/phoenix/issues/12673: tables grow old. An old table still prices, with a warning.
#[test]
fn the_shipped_table_is_fine_at_any_age() {
    for (today, warnings) in [
        ("2026-11-10", 0),
        ("2026-12-10", 0),
        ("2026-12-11", 1),
        ("2036-01-01", 1),
        ("2026-01-01", 1),
    ] {
        let checked = check(SHIPPED, day(today), None);
        assert!(checked.findings.is_empty(), "{:?}", checked.findings);
        assert_eq!(
            checked.warnings.len(),
            warnings,
            "{today}: {:?}",
            checked.warnings
        );
    }
    let read_long_ago = price(
        "gpt-x",
        "input = \"1\"\ncitation = \"https://example.com/p\"\nverified_on = 2026-09-01",
    )
    .replace("unchecked", "page");
    let checked = check(&format!("{HEAD}{read_long_ago}"), day("2026-11-30"), None);
    assert_eq!(checked.warnings.len(), 1);
    assert_eq!(checked.warnings[0].line, 5);
}
