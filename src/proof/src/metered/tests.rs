use proptest::prelude::*;

use super::*;
use crate::prices::PriceTable;
use crate::privacy::Day;

const TABLE: &str = r#"{"dated":"2026-11-30","format":"trailkeep/prices/v1","prices":[{"currency":"USD","from":"2026-11-29","model":["gpt-4o","gpt-4o-####-##-##"],"provider":"openai","rates":{"cached_input":"1.25","input":"2.5","output":"10"},"unit":"mtok","verified":"unchecked"}]}"#;

fn money(amount: u128) -> Money {
    Money {
        amount: Amount::of_trillionths(amount),
        currency: Currency::parse("USD").unwrap(),
    }
}

fn call(tokens: (u64, u64), cost: Cost) -> Metered {
    Metered {
        provider: Named::Number(1),
        model: Named::Number(1),
        operation: Some(Operation::Chat),
        ended: Some(Ended::Success),
        usage: Usage {
            input: Some(tokens.0),
            output: Some(tokens.1),
            ..Usage::default()
        },
        basis: Some(Basis::Inclusive),
        total_ms: Some(1840),
        first_token_ms: Some(212),
        cost,
        ..Metered::of(Kind::Call)
    }
}

fn by_table(amount: u128, days_before: u8) -> Cost {
    Cost::Table {
        money: money(amount),
        table: 1,
        place: 0,
        days_before,
    }
}

#[test]
fn the_text_is_the_one_of_the_format() {
    // docs/format.md has the first.
    let cost = Cost::Table {
        money: money(3_480_000_000),
        table: 1,
        place: 402,
        days_before: 0,
    };
    let all = [
        (
            call((812, 145), cost),
            r#"[1,0,1,1,1,0,null,[812,145],0,1840,212,["3480000000","USD",2,1,402]]"#,
        ),
        (Metered::of(Kind::Tool), "[1,1]"),
        (
            Metered {
                provider: Named::Other,
                cost: Cost::Unpriced(Reason::Provider),
                fault: Some(Fault::Status(429)),
                ..Metered::of(Kind::Call)
            },
            "[1,0,0,null,null,null,429,null,null,null,null,1]",
        ),
        (
            Metered {
                usage: Usage {
                    reasoning: Some(7),
                    ..Usage::default()
                },
                basis: Some(Basis::Unknown),
                cost: Cost::Difference(money(5)),
                prompt: Named::Number(2),
                prompt_version: Some(14),
                retrieved: Some(0),
                said: Some(money(1)),
                dimension: Named::Number(3),
                budgets: vec![1, 9],
                ..Metered::of(Kind::Late)
            },
            r#"[1,2,null,null,null,null,null,[null,null,null,7],2,null,null,["5","USD",4],2,14,0,["1","USD"],3,[1,9]]"#,
        ),
        (
            Metered {
                cost: by_table(0, 3),
                ..Metered::of(Kind::Duplicate)
            },
            r#"[1,3,null,null,null,null,null,null,null,null,null,["0","USD",2,1,0,3]]"#,
        ),
    ];
    for (metered, text) in all {
        assert_eq!(metered.to_text(), text);
        assert_eq!(Metered::read(text.as_bytes()), Ok(metered));
    }
}

/// Texts that are no section, with why.
const BAD: &[(&str, MeteredError)] = &[
    ("{}", MeteredError::Form),
    ("[2,0]", MeteredError::Version),
    ("[]", MeteredError::Version),
    ("[1]", MeteredError::Member(1)),
    ("[1,5]", MeteredError::Member(1)),
    ("[1,0,-1]", MeteredError::Member(2)),
    ("[1,0,4294967296]", MeteredError::Member(2)),
    ("[1,0,null,null,7]", MeteredError::Member(4)),
    ("[1,0,null,null,null,5]", MeteredError::Member(5)),
    ("[1,0,null,null,null,null,7]", MeteredError::Member(6)),
    ("[1,0,null,null,null,null,600]", MeteredError::Member(6)),
    (
        "[1,0,null,null,null,null,null,[9007199254740992]]",
        MeteredError::Member(7),
    ),
    ("[1,0,null,null,null,null,null,7]", MeteredError::Member(7)),
    (
        "[1,0,null,null,null,null,null,[1],3]",
        MeteredError::Member(8),
    ),
    (
        "[1,0,null,null,null,null,null,null,null,null,null,11]",
        MeteredError::Member(11),
    ),
    (
        "[1,0,null,null,null,null,null,null,null,null,null,0]",
        MeteredError::Member(11),
    ),
    (
        r#"[1,0,null,null,null,null,null,null,null,null,null,["-1","USD",3]]"#,
        MeteredError::Member(11),
    ),
    (
        r#"[1,0,null,null,null,null,null,null,null,null,null,["1","usd",3]]"#,
        MeteredError::Member(11),
    ),
    (
        r#"[1,0,null,null,null,null,null,null,null,null,null,["1","USD",5]]"#,
        MeteredError::Member(11),
    ),
    (
        r#"[1,0,null,null,null,null,null,null,null,null,null,["1","USD",2,1,0,4]]"#,
        MeteredError::Member(11),
    ),
    (
        r#"[1,0,null,null,null,null,null,null,null,null,null,["999999999999999999999999999999999999999","USD",3]]"#,
        MeteredError::Member(11),
    ),
    (
        "[1,0,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,[2,1]]",
        MeteredError::Member(17),
    ),
    // The same said otherwise.
    ("[1, 0]", MeteredError::NotCanonical),
    ("[1,0,null]", MeteredError::NotCanonical),
    (
        "[1,0,null,null,null,null,null,[]]",
        MeteredError::NotCanonical,
    ),
    (
        "[1,0,null,null,null,null,null,[1,null]]",
        MeteredError::NotCanonical,
    ),
    (
        "[1,0,null,null,null,null,null,[1,2,3,4,5,6,7,8,9,10]]",
        MeteredError::NotCanonical,
    ),
    (
        r#"[1,0,null,null,null,null,null,null,null,null,null,["01","USD",3]]"#,
        MeteredError::NotCanonical,
    ),
    (
        r#"[1,0,null,null,null,null,null,null,null,null,null,["1","USD",3,9]]"#,
        MeteredError::NotCanonical,
    ),
    (
        r#"[1,0,null,null,null,null,null,null,null,null,null,["1","USD",2,1,0,0]]"#,
        MeteredError::NotCanonical,
    ),
];

#[test]
fn no_other_text_is_read() {
    for (text, error) in BAD {
        assert_eq!(Metered::read(text.as_bytes()), Err(*error), "{text}");
    }
    let long = format!("[1,0{},1]", ",null".repeat(16));
    assert_eq!(
        Metered::read(long.as_bytes()),
        Err(MeteredError::Member(18))
    );
}

#[test]
fn a_cost_by_a_table_is_computed_again() {
    let table = PriceTable::read(TABLE.as_bytes()).unwrap();
    let on = |day: &str| Day::parse(day).unwrap();
    let check = |metered: &Metered, model: &str, day: &str| {
        recompute(metered, &table, ("openai", model), on(day))
    };
    let right = call((812, 145), by_table(3_480_000_000, 0));
    for model in ["gpt-4o", "gpt-4o-####-##-##", "gpt-4o-2024-08-06"] {
        assert_eq!(
            check(&right, model, "2026-11-30"),
            Recomputed::Same,
            "{model}"
        );
    }
    let one_more = call((812, 145), by_table(3_480_000_001, 0));
    let same = Some(Amount::of_trillionths(3_480_000_000));
    assert_eq!(
        check(&one_more, "gpt-4o", "2026-11-30"),
        Recomputed::Other(same)
    );
    let other = check(&right, "gpt-4", "2026-11-30");
    assert_eq!(other, Recomputed::OtherPrice);
    assert_eq!(
        recompute(&right, &table, ("azure", "gpt-4o"), on("2026-11-30")),
        Recomputed::OtherPrice
    );
    // The price begins on the 29th.
    let before = |days| call((812, 145), by_table(3_480_000_000, days));
    assert_eq!(check(&before(1), "gpt-4o", "2026-11-30"), Recomputed::Same);
    assert_eq!(
        check(&before(2), "gpt-4o", "2026-11-30"),
        Recomputed::OtherPrice
    );
    let mut of_nowhere = right.clone();
    of_nowhere.cost = Cost::Table {
        money: money(0),
        table: 1,
        place: 1,
        days_before: 0,
    };
    assert_eq!(
        check(&of_nowhere, "gpt-4o", "2026-11-30"),
        Recomputed::OtherPrice
    );
    let mut inconsistent = right;
    inconsistent.usage.cached_input = Some(9000);
    assert_eq!(
        check(&inconsistent, "gpt-4o", "2026-11-30"),
        Recomputed::Other(None)
    );
    let said = call((1, 1), Cost::Producer(money(9)));
    assert_eq!(check(&said, "gpt-4o", "2026-11-30"), Recomputed::Same);
}

fn named() -> impl Strategy<Value = Named> {
    prop_oneof![
        Just(Named::Absent),
        Just(Named::Other),
        (1..=u32::MAX).prop_map(Named::Number)
    ]
}

fn number() -> impl Strategy<Value = Option<u64>> {
    proptest::option::of(0..=(1_u64 << 53) - 1)
}

fn cost() -> impl Strategy<Value = Cost> {
    let amount = || 0..=(i128::MAX as u128);
    prop_oneof![
        Just(Cost::None),
        (0..Reason::ALL.len()).prop_map(|at| Cost::Unpriced(Reason::ALL[at])),
        amount().prop_map(|amount| Cost::Provider(money(amount))),
        amount().prop_map(|amount| Cost::Producer(money(amount))),
        amount().prop_map(|amount| Cost::Difference(money(amount))),
        (amount(), 1..=u32::MAX, any::<u32>(), 0..=3_u8).prop_map(
            |(amount, table, place, days_before)| Cost::Table {
                money: money(amount),
                table,
                place,
                days_before
            }
        ),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        kind in 0..Kind::ALL.len(),
        names in (named(), named(), named(), named()),
        counts in proptest::array::uniform9(number()),
        numbers in (number(), number(), number()),
        cost in cost(),
        (version, said) in (proptest::option::of(any::<u32>()), proptest::option::of(0..=u64::MAX)),
        budgets in proptest::collection::btree_set(any::<u32>(), 0..4),
    ) {
        let [input, cached_input, cache_write, cache_write_1h, output, reasoning, audio_input, audio_cached_input, audio_output] = counts;
        let metered = Metered {
            provider: names.0,
            model: names.1,
            usage: Usage { input, cached_input, cache_write, cache_write_1h, output, reasoning, audio_input, audio_cached_input, audio_output },
            total_ms: numbers.0,
            first_token_ms: numbers.1,
            cost,
            prompt: names.2,
            prompt_version: version,
            retrieved: numbers.2,
            said: said.map(|amount| money(u128::from(amount))),
            dimension: names.3,
            budgets: budgets.into_iter().collect(),
            ..Metered::of(Kind::ALL[kind])
        };
        let text = metered.to_text();
        prop_assert_eq!(Metered::read(text.as_bytes()), Ok(metered));
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,64}", numbers in proptest::collection::vec(any::<i64>(), 0..20)) {
        let _ = Metered::read(text.as_bytes());
        let _ = Metered::read(format!("{numbers:?}").as_bytes());
    }
}
