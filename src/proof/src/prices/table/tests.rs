use super::*;

pub(crate) fn rates(input: &str) -> Rates {
    Rates {
        input: Some(Rate::parse(input).unwrap()),
        output: Some(Rate::FREE),
        ..Rates::default()
    }
}

pub(crate) fn of(provider: &str, model: &str, rates: Rates) -> Price {
    Price {
        provider: provider.to_owned(),
        model: vec![ModelPattern::new(model).unwrap()],
        region: None,
        service_tier: None,
        from: None,
        until: None,
        currency: "USD".to_owned(),
        unit: Unit::Mtok,
        rates,
        tiers: Vec::new(),
        citation: None,
        verified: Verified::Unchecked,
        verified_on: None,
        package: None,
        package_version: None,
    }
}

pub(crate) fn table(make: impl Fn(fn(&str, &str, Rates) -> Price) -> Vec<Price>) -> PriceTable {
    let dated = Day::parse("2026-11-30").unwrap();
    PriceTable::new(dated, BTreeMap::new(), make(of), Vec::new()).unwrap()
}

fn all(text: &[(&str, &str)]) -> Rates {
    let members = text
        .iter()
        .map(|(name, rate)| ((*name).to_owned(), (*rate).into()));
    serde_json::from_value(Value::Object(members.collect())).unwrap()
}

/// Prices of the form that the large providers have.
pub(crate) fn three_models() -> PriceTable {
    table(|price| {
        let claude = [
            ("input", "3"),
            ("cached_input", "0.3"),
            ("cache_write_5m", "3.75"),
            ("cache_write_1h", "6"),
            ("output", "15"),
        ];
        let gemini = [
            ("input", "1.25"),
            ("cached_input", "0.125"),
            ("output", "10"),
        ];
        let long = [("input", "2.5"), ("cached_input", "0.25"), ("output", "15")];
        let voice = [
            ("input", "4"),
            ("cached_input", "0.4"),
            ("output", "16"),
            ("reasoning", "20"),
            ("audio_input", "32"),
            ("audio_cached_input", "0.5"),
            ("audio_output", "64"),
        ];
        let gpt = [
            ("input", "2.5"),
            ("cached_input", "1.25"),
            ("cache_write_5m", "2.5"),
            ("output", "10"),
        ];
        let mut tiered = price("gcp.gemini", "gemini-x", all(&gemini));
        tiered.tiers.push(Tier {
            above: 200_000,
            by: TierBy::Prompt,
            rates: all(&long),
        });
        vec![
            price("openai", "gpt-x", all(&gpt)),
            price("anthropic", "claude-x", all(&claude)),
            tiered,
            price("openai", "voice", all(&voice)),
            price("openai", "embed", all(&[("input", "0.02")])),
            price(
                "self-hosted",
                "*llama*",
                all(&[("input", "0"), ("output", "0")]),
            ),
        ]
    })
}

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

fn rules(aliases: &[(&str, &str)], prices: Vec<Price>, fx: Vec<Fx>) -> Vec<&'static str> {
    let aliases = aliases
        .iter()
        .map(|(name, of)| ((*name).to_owned(), (*of).to_owned()));
    let made = PriceTable::new(day("2026-11-30"), aliases.collect(), prices, fx);
    made.err()
        .unwrap_or_default()
        .into_iter()
        .map(|fault| fault.rule)
        .collect()
}

#[test]
fn the_canonical_form_is_the_same_bytes_whatever_the_order() {
    let table = three_models();
    let mut turned = table.prices().to_vec();
    turned.reverse();
    let again = PriceTable::new(table.dated(), BTreeMap::new(), turned, Vec::new()).unwrap();
    assert_eq!(table.canonical(), again.canonical());
    assert_eq!(table.sha256(), again.sha256());
    let text = table.canonical();
    assert_eq!(PriceTable::read(text.as_bytes()).unwrap(), table);
    assert_eq!(PriceTable::from_value(&table.to_value()).unwrap(), table);
    let first = concat!(
        r#"{"dated":"2026-11-30","format":"trailkeep/prices/v1","prices":[{"currency":"USD","#,
        r#""model":["claude-x"],"provider":"anthropic","rates":{"cache_write_1h":"6","#,
        r#""cache_write_5m":"3.75","cached_input":"0.3","input":"3","output":"15"},"unit":"mtok","#,
        r#""verified":"unchecked"},"#
    );
    assert!(text.starts_with(first), "{text}");
    // Another form of the same, an unknown member, a number where a text stands, another format, and what is no table.
    for (what, changed) in [
        (r#""input":"3""#, r#""input":"3.0""#),
        (r#""unit":"mtok""#, r#""unit":"mtok","note":"x""#),
        (r#""input":"3""#, r#""input":3"#),
        (r#""input":"3""#, r#""input":"-3""#),
        ("prices/v1", "prices/v2"),
        (r#"{"dated""#, r#"{ "dated""#),
        (r#""unit":"mtok""#, r#""unit":"token""#),
    ] {
        assert!(text.contains(what), "{what}");
        let changed = text.replacen(what, changed, 1);
        assert!(PriceTable::read(changed.as_bytes()).is_err(), "{changed}");
    }
    let mut value = table.to_value();
    let prices = value
        .get_mut("prices")
        .and_then(Value::as_array_mut)
        .unwrap();
    prices.swap(0, 1);
    assert!(matches!(
        PriceTable::from_value(&value),
        Err(TableReadError::NotCanonical)
    ));
}

#[test]
fn what_no_table_may_say_is_named() {
    let plain = || of("openai", "gpt-x", rates("2"));
    assert_eq!(rules(&[], vec![plain()], vec![]), Vec::<&str>::new());
    let changed = |change: &dyn Fn(&mut Price)| {
        let mut price = plain();
        change(&mut price);
        rules(&[], vec![price], vec![])
    };
    assert_eq!(
        changed(&|price| price.provider = "Open AI".into()),
        ["name"]
    );
    assert_eq!(
        changed(&|price| price.service_tier = Some("standard".into())),
        ["name"]
    );
    assert_eq!(changed(&|price| price.model.clear()), ["model"]);
    assert_eq!(
        changed(&|price| price.currency = "usd".into()),
        ["currency"]
    );
    assert_eq!(
        changed(&|price| price.rates = Rates::default()),
        ["no-price"]
    );
    let same_day = |price: &mut Price| {
        price.from = Some(day("2026-01-01"));
        price.until = price.from;
    };
    assert_eq!(changed(&same_day), ["dates"]);
    assert_eq!(
        changed(&|price| price.citation = Some("a letter".into())),
        ["citation"]
    );
    assert_eq!(
        changed(&|price| price.verified = Verified::Page),
        ["verified"]
    );
    assert_eq!(
        changed(&|price| price.verified = Verified::Secondary),
        ["verified"]
    );
    assert_eq!(
        changed(&|price| price.package = Some("p".into())),
        ["verified"]
    );
    let tier = |above, rates| Tier {
        above,
        by: TierBy::Prompt,
        rates,
    };
    let lacks = |price: &mut Price| price.tiers = vec![tier(9, all(&[("input", "1")]))];
    assert_eq!(changed(&lacks), ["tiers"]);
    let unordered =
        |price: &mut Price| price.tiers = vec![tier(9, rates("1")), tier(9, rates("1"))];
    assert_eq!(changed(&unordered), ["tiers"]);
    let far = |price: &mut Price| price.tiers = vec![tier(u64::MAX, rates("1"))];
    assert_eq!(changed(&far), ["tiers"]);
    assert_eq!(rules(&[("azure", "azure")], vec![], vec![]), ["alias"]);
    assert_eq!(rules(&[("openai", "x")], vec![plain()], vec![]), ["alias"]);
    let fx = |to: &str| Fx {
        from: "EUR".into(),
        to: to.into(),
        day: day("2026-11-28"),
        rate: FxRate::parse("1.09").unwrap(),
        citation: "https://example.com/rates".into(),
    };
    assert_eq!(rules(&[], vec![], vec![fx("USD")]), Vec::<&str>::new());
    assert_eq!(rules(&[], vec![], vec![fx("EUR")]), ["currency"]);
    assert_eq!(rules(&[], vec![], vec![fx("USD"), fx("USD")]), ["overlap"]);
}

#[test]
fn prices_of_one_model_do_not_overlap() {
    let dated = |from: Option<&str>, until: Option<&str>| {
        let mut price = of("openai", "gpt-x", rates("2"));
        price.from = from.map(day);
        price.until = until.map(day);
        price
    };
    let (a, b) = ("2026-01-01", "2026-06-01");
    for (one, other, is_fine) in [
        (dated(None, Some(a)), dated(Some(a), None), true),
        (dated(Some(a), Some(b)), dated(Some(b), None), true),
        (dated(Some(a), None), dated(None, Some(a)), true),
        (dated(None, None), dated(Some(a), None), false),
        (dated(Some(a), None), dated(Some(b), None), false),
        (dated(Some(a), Some(b)), dated(Some(a), Some(b)), false),
        (dated(None, Some(b)), dated(Some(a), None), false),
    ] {
        let found = rules(&[], vec![one.clone(), other.clone()], vec![]);
        assert_eq!(found.is_empty(), is_fine, "{one:?} {other:?}");
    }
    // Another service tier or region is another price.
    let mut batch = dated(None, None);
    batch.service_tier = Some("batch".into());
    let mut europe = dated(None, None);
    europe.region = Some("eu".into());
    assert!(rules(&[], vec![dated(None, None), batch, europe], vec![]).is_empty());
}

#[test]
fn the_latest_rate_that_is_not_after_the_day_converts() {
    let fx = |on: &str, rate: &str| Fx {
        from: "EUR".into(),
        to: "USD".into(),
        day: day(on),
        rate: FxRate::parse(rate).unwrap(),
        citation: "https://example.com/rates".into(),
    };
    let rates = vec![fx("2026-02-01", "1.2"), fx("2026-01-01", "1.1")];
    let table = PriceTable::new(day("2026-11-30"), BTreeMap::new(), vec![], rates).unwrap();
    let on = |text| {
        table
            .fx_on("EUR", "USD", day(text))
            .map(|fx| fx.rate.to_string())
    };
    assert_eq!(on("2025-12-31"), None);
    assert_eq!(on("2026-01-31").as_deref(), Some("1.1"));
    assert_eq!(on("2026-02-01").as_deref(), Some("1.2"));
    assert_eq!(table.fx_on("USD", "EUR", day("2026-02-01")), None);
}
