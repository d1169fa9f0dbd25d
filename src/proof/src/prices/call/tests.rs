use super::*;
use crate::prices::table::tests::{rates, table, three_models};
use proptest::prelude::*;

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

fn call<'a>(provider: &'a str, model: &'a str, basis: Basis, usage: Usage) -> Call<'a> {
    Call {
        provider,
        model,
        day: day("2026-11-30"),
        service_tier: None,
        region: None,
        usage,
        basis,
    }
}

fn usage(input: u64, output: u64) -> Usage {
    Usage {
        input: Some(input),
        output: Some(output),
        ..Usage::default()
    }
}

fn cost(call: &Call<'_>) -> Result<String, Unpriced> {
    price(&three_models(), call).map(|priced| priced.amount.to_string())
}

/// https://github.com/BerriAI/litellm/issues/9812: cache writes were counted as input too, which made 0.091311.
#[test]
fn cache_writes_are_counted_once() {
    let reported = Usage {
        cache_write: Some(12_304),
        cached_input: Some(0),
        ..usage(3, 550)
    };
    let exclusive = call("anthropic", "claude-x", Basis::Exclusive, reported);
    assert_eq!(cost(&exclusive).unwrap(), "0.054399000000");
    let whole = Usage {
        input: Some(12_307),
        ..reported
    };
    let inclusive = call("anthropic", "claude-x", Basis::Inclusive, whole);
    assert_eq!(cost(&inclusive).unwrap(), "0.054399000000");
}

/// https://github.com/langfuse/langfuse/issues/10592: 17,903 input tokens of which 17,817 were cached, counted as 35,720.
#[test]
fn cached_tokens_are_a_part_of_an_inclusive_input() {
    let reported = Usage {
        cached_input: Some(17_817),
        ..usage(17_903, 0)
    };
    let inclusive = call("openai", "gpt-x", Basis::Inclusive, reported);
    // 86 at 2.5 and 17,817 at 1.25 for a million.
    assert_eq!(cost(&inclusive).unwrap(), "0.022486250000");
    let exclusive = call("openai", "gpt-x", Basis::Exclusive, reported);
    assert_eq!(cost(&exclusive).unwrap(), "0.067028750000");
}

/// https://github.com/langchain-ai/langsmith-sdk/issues/1858: a cost below 0.
#[test]
fn parts_that_are_more_than_their_whole_have_no_cost() {
    let reported = Usage {
        cached_input: Some(9_000),
        ..usage(100, 10)
    };
    let inclusive = call("openai", "gpt-x", Basis::Inclusive, reported);
    let error = cost(&inclusive).unwrap_err();
    assert_eq!(error.code(), "inconsistent-usage");
    let unknown = call("openai", "gpt-x", Basis::Unknown, reported);
    assert_eq!(cost(&unknown), Err(Unpriced::Basis));
    let exclusive = call("openai", "gpt-x", Basis::Exclusive, reported);
    assert_eq!(cost(&exclusive).unwrap(), "0.011600000000");
    // Without a cache both are the same.
    let plain = call("openai", "gpt-x", Basis::Unknown, usage(100, 10));
    assert_eq!(cost(&plain).unwrap(), "0.000350000000");

    for (part, whole) in [
        (
            Usage {
                reasoning: Some(11),
                ..usage(1, 10)
            },
            "output_tokens",
        ),
        (
            Usage {
                audio_output: Some(11),
                ..usage(1, 10)
            },
            "output_tokens",
        ),
        (
            Usage {
                audio_input: Some(2),
                ..usage(1, 10)
            },
            "input_tokens",
        ),
        (
            Usage {
                cache_write: Some(1),
                cache_write_1h: Some(2),
                ..usage(9, 10)
            },
            "cache_write_input_tokens",
        ),
        (
            Usage {
                cached_input: Some(1),
                audio_input: Some(2),
                audio_cached_input: Some(2),
                ..usage(9, 10)
            },
            "cached_input_tokens",
        ),
    ] {
        let error = cost(&call("openai", "gpt-x", Basis::Inclusive, part)).unwrap_err();
        assert!(
            matches!(error, Unpriced::Inconsistent { whole: of, .. } if of == whole),
            "{error}"
        );
    }
}

#[test]
fn cache_writes_of_an_hour_have_their_own_price() {
    let written = |one_hour| Usage {
        cache_write: Some(100_000),
        cache_write_1h: one_hour,
        ..usage(100_000, 0)
    };
    let of = |usage| cost(&call("anthropic", "claude-x", Basis::Inclusive, usage)).unwrap();
    assert_eq!(of(written(None)), "0.375000000000");
    // The factor is 1.6.
    assert_eq!(of(written(Some(100_000))), "0.600000000000");
    assert_eq!(of(written(Some(40_000))), "0.465000000000");
    // Without the sum of all writes those of an hour are all that is known.
    let alone = Usage {
        cache_write_1h: Some(100_000),
        ..usage(100_000, 0)
    };
    assert_eq!(of(alone), "0.600000000000");
    // A model without such a price is not priced at another.
    let error = cost(&call("openai", "gpt-x", Basis::Inclusive, alone)).unwrap_err();
    assert_eq!(error, Unpriced::Component(Component::CacheWrite1h));
}

/// https://github.com/Helicone/helicone/pull/5730: the whole prompt picks the tier, and the tier's price is that of every token.
#[test]
fn the_whole_prompt_picks_the_tier() {
    let priced = |usage, basis| {
        let table = three_models();
        let call = call("gcp.gemini", "gemini-x", basis, usage);
        let priced = price(&table, &call).unwrap();
        (priced.amount.to_string(), priced.above)
    };
    let at = |input| priced(usage(input, 1_000), Basis::Inclusive);
    assert_eq!(at(200_000), ("0.260000000000".into(), None));
    assert_eq!(at(200_001), ("0.515002500000".into(), Some(200_000)));
    // 10,000 new tokens beside 190,001 from the cache.
    let cached = Usage {
        cached_input: Some(190_001),
        ..usage(10_000, 1_000)
    };
    let long = ("0.087500250000".into(), Some(200_000));
    assert_eq!(priced(cached, Basis::Exclusive), long);
    let whole = Usage {
        input: Some(200_001),
        ..cached
    };
    assert_eq!(priced(whole, Basis::Inclusive), long);
}

#[test]
fn what_is_unknown_has_no_cost_and_what_is_free_costs_0() {
    let of = |provider, model| cost(&call(provider, model, Basis::Inclusive, usage(10, 10)));
    assert_eq!(of("nobody", "gpt-x"), Err(Unpriced::Provider));
    assert_eq!(of("openai", "gpt-y"), Err(Unpriced::Model));
    assert_eq!(of("openai", ""), Err(Unpriced::Model));
    assert_eq!(of("self-hosted", "llama").unwrap(), "0.000000000000");
    // What is free costs 0 also where nobody counted.
    let uncounted = Usage::default();
    let free = cost(&call("self-hosted", "llama", Basis::Unknown, uncounted));
    assert_eq!(free.unwrap(), "0.000000000000");
    let not_reported = cost(&call("openai", "gpt-x", Basis::Inclusive, uncounted));
    assert_eq!(not_reported, Err(Unpriced::NotReported("input_tokens")));
    let no_output = Usage {
        input: Some(1),
        ..uncounted
    };
    let not_reported = cost(&call("openai", "gpt-x", Basis::Inclusive, no_output));
    assert_eq!(not_reported, Err(Unpriced::NotReported("output_tokens")));
    // An embedding has no output.
    let embedding = cost(&call("openai", "embed", Basis::Inclusive, no_output));
    assert_eq!(embedding.unwrap(), "0.000000020000");
    let audio = Usage {
        audio_input: Some(5),
        ..usage(10, 10)
    };
    let audio = cost(&call("openai", "gpt-x", Basis::Inclusive, audio));
    assert_eq!(audio, Err(Unpriced::Component(Component::AudioInput)));
}

#[test]
fn audio_and_reasoning_have_their_own_prices() {
    let reported = Usage {
        cached_input: Some(400),
        audio_input: Some(300),
        audio_cached_input: Some(100),
        reasoning: Some(50),
        audio_output: Some(30),
        ..usage(1_000, 200)
    };
    let of = |usage| cost(&call("openai", "voice", Basis::Inclusive, usage));
    // 400 at 4, 300 at 0.4, 200 at 32, 100 at 0.5; 120 at 16, 50 at 20, 30 at 64.
    assert_eq!(of(reported).unwrap(), "0.013010000000");
    // How much of the cached tokens was audio must be known.
    let unknown = Usage {
        audio_cached_input: None,
        ..reported
    };
    let error = of(unknown).unwrap_err();
    assert_eq!(error, Unpriced::NotReported("audio_cached_input_tokens"));
    // Reasoning without a price of its own is output.
    let thinking = Usage {
        reasoning: Some(7),
        ..usage(0, 10)
    };
    let of_output = cost(&call("openai", "gpt-x", Basis::Inclusive, thinking));
    assert_eq!(of_output.unwrap(), "0.000100000000");
}

#[test]
fn day_service_tier_region_and_name_choose_the_price() {
    let table = table(|price| {
        let of = |model: &str, input: &str| price("openai", model, rates(input));
        let mut first = of("gpt-*", "1");
        first.until = Some(day("2026-06-01"));
        let mut second = of("gpt-*", "2");
        second.from = Some(day("2026-06-01"));
        let mut batch = of("gpt-*", "3");
        batch.service_tier = Some("batch".into());
        let mut europe = of("gpt-*", "4");
        europe.region = Some("eu".into());
        let dated = of("gpt-4-####", "5");
        let exact = of("gpt-4-2025", "6");
        let ended = {
            let mut ended = of("gpt-old", "7");
            ended.until = Some(day("2026-01-01"));
            ended
        };
        vec![first, second, batch, europe, dated, exact, ended]
    });
    let cost = |model, on, tier, region| {
        let call = Call {
            day: day(on),
            service_tier: tier,
            region,
            ..call("OpenAI", model, Basis::Inclusive, usage(1_000_000, 0))
        };
        price(&table, &call).map(|priced| {
            priced
                .amount
                .to_string()
                .split('.')
                .next()
                .unwrap()
                .to_owned()
        })
    };
    let now = "2026-11-30";
    assert_eq!(cost("gpt-1", "2026-05-31", None, None).unwrap(), "1");
    assert_eq!(cost("gpt-1", "2026-06-01", None, None).unwrap(), "2");
    assert_eq!(
        cost("GPT-1", now, Some("default"), Some("us")).unwrap(),
        "2"
    );
    assert_eq!(cost("gpt-1", now, Some("batch"), None).unwrap(), "3");
    assert_eq!(
        cost("gpt-1", now, Some("flex"), None),
        Err(Unpriced::ServiceTier)
    );
    assert_eq!(cost("gpt-1", now, None, Some("eu")).unwrap(), "4");
    assert_eq!(cost("gpt-4-2024", now, None, None).unwrap(), "5");
    assert_eq!(cost("gpt-4-2025", now, None, None).unwrap(), "6");
    // A price of the very name has ended: the one of the wider pattern is another model's.
    assert_eq!(cost("gpt-old", now, None, None), Err(Unpriced::Day));
    assert_eq!(cost("gpt-old", "2025-12-31", None, None).unwrap(), "7");
}

#[test]
fn hostile_numbers_are_errors() {
    let most = Usage {
        cached_input: Some(u64::MAX),
        cache_write: Some(u64::MAX),
        ..usage(u64::MAX, u64::MAX)
    };
    for basis in [Basis::Inclusive, Basis::Exclusive, Basis::Unknown] {
        let error = cost(&call("openai", "gpt-x", basis, most)).unwrap_err();
        assert_eq!(error, Unpriced::TooMany);
    }
    let large = cost(&call(
        "openai",
        "gpt-x",
        Basis::Inclusive,
        usage(u64::MAX, u64::MAX),
    ));
    assert_eq!(large.unwrap(), "230584300921369.395187500000");
}

proptest! {
    /// The cost is the sum over tokens that stand in one place each, whatever the basis in which they were reported.
    #[test]
    fn both_bases_give_one_cost(
        plain in 0_u64..1 << 40, cached in 0_u64..1 << 40, write in 0_u64..1 << 40, hour in 0_u64..1 << 40,
        output in 0_u64..1 << 40,
    ) {
        let parts = Usage {
            input: Some(plain),
            cached_input: Some(cached),
            cache_write: Some(write + hour),
            cache_write_1h: Some(hour),
            output: Some(output),
            ..Usage::default()
        };
        let whole = Usage { input: Some(plain + cached + write + hour), ..parts };
        let exclusive = cost(&call("anthropic", "claude-x", Basis::Exclusive, parts)).unwrap();
        let inclusive = cost(&call("anthropic", "claude-x", Basis::Inclusive, whole)).unwrap();
        prop_assert_eq!(&exclusive, &inclusive);
        let sum = u128::from(plain) * 3_000_000 + u128::from(cached) * 300_000
            + u128::from(write) * 3_750_000 + u128::from(hour) * 6_000_000 + u128::from(output) * 15_000_000;
        prop_assert_eq!(exclusive, Amount::of_trillionths(sum).to_string());
    }

    /// Nothing that is reported makes it panic, and more of a part of the prompt never makes an inclusive call dearer by more
    /// than its own price.
    #[test]
    fn nothing_reported_panics(numbers in prop::array::uniform9(prop::option::of(any::<u64>())), basis in 0..3_u8) {
        let [input, cached_input, cache_write, cache_write_1h, output, reasoning, audio_input, audio_cached_input, audio_output] = numbers;
        let usage = Usage {
            input, cached_input, cache_write, cache_write_1h, output, reasoning, audio_input, audio_cached_input, audio_output,
        };
        let basis = [Basis::Inclusive, Basis::Exclusive, Basis::Unknown][usize::from(basis)];
        for (provider, model) in [("openai", "gpt-x"), ("openai", "voice"), ("anthropic", "claude-x"), ("self-hosted", "llama")] {
            let _ = cost(&call(provider, model, basis, usage));
        }
    }
}
