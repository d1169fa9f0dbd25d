//! A call counts once, however many reports tell of it and in whatever order.

use serde_json::{Value, json};

use super::engine::Running;
use super::send::{span, traces_of};
use trailkeep_core::ingest::StagingSettings;
use trailkeep_core::metering::{KeptFigures, MS_AN_HOUR, Question, Step, figures};
use trailkeep_proof::metered::Totals;
use trailkeep_proof::time::{Clock, UnixMillis};

fn call(scope: &str, number: u32, usage: Option<(u64, u64)>) -> Value {
    let mut attributes = json!({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.id": "r-1",
    });
    if let Some((input, output)) = usage {
        attributes["gen_ai.usage.input_tokens"] = input.into();
        attributes["gen_ai.usage.output_tokens"] = output.into();
    }
    traces_of(scope, &json!({}), &[span(number, 2, 0, &attributes)])
}

fn settle(running: &Running) -> Vec<Value> {
    running.pass(600_000);
    running.assemble();
    running.events()
}

fn sums(running: &Running) -> Totals {
    sums_of(running, &running.engine.kept_figures)
}

fn sums_of(running: &Running, kept: &KeptFigures) -> Totals {
    let mut rows = rows_of(running, kept, Step::Whole).into_iter();
    rows.next().map(|(_, totals)| totals).unwrap_or_default()
}

fn rows_of(running: &Running, kept: &KeptFigures, step: Step) -> Vec<(UnixMillis, Totals)> {
    let now = running.clock.wall().get();
    let hour = now - now % MS_AN_HOUR;
    let question = Question {
        from: UnixMillis::new(hour - 24 * MS_AN_HOUR),
        to: UnixMillis::new(hour + MS_AN_HOUR),
        step,
        by: Vec::new(),
        least_calls: 0,
    };
    let published = running.ledger.published();
    let engine = &running.engine;
    let ledger = (&*running.ledger, &*published);
    let answer = figures(&engine.journal, kept, ledger, &question).unwrap();
    let rows = answer.rows.into_iter();
    rows.map(|row| (row.start, row.totals)).collect()
}

fn cost(totals: &Totals) -> Vec<u128> {
    totals
        .cost
        .values()
        .map(|amount| amount.trillionths())
        .collect()
}

#[test]
fn a_later_report_adds_what_is_not_counted_yet() {
    let running = Running::new();
    // Without tokens the call has no price.
    running.traces(&call("one", 1, None));
    assert_eq!(settle(&running).len(), 1);
    let first = sums(&running);
    assert_eq!(
        (first.calls, first.unpriced_calls(), cost(&first)),
        (1, 1, vec![])
    );
    // The tokens of the same span come later.
    running.traces(&call("one", 1, Some((812, 145))));
    let events = settle(&running);
    assert_eq!(events.len(), 2);
    assert_eq!(
        events[1]["metered"],
        json!([
            1,
            2,
            1,
            1,
            1,
            null,
            null,
            [812, 145],
            0,
            null,
            null,
            ["3480000000", "USD", 2, 1, 397]
        ])
    );
    let second = sums(&running);
    assert_eq!((second.calls, cost(&second)), (1, vec![3_480_000_000]));
    // Another library reports the call, and saw more of it.
    running.traces(&call("two", 3, Some((1_812, 145))));
    let events = settle(&running);
    assert_eq!(events.len(), 3);
    assert_eq!(
        events[2]["metered"],
        json!([
            1,
            3,
            1,
            1,
            1,
            null,
            null,
            [1000],
            0,
            null,
            null,
            ["2500000000", "USD", 4]
        ])
    );
    let third = sums(&running);
    assert_eq!(
        (third.calls, third.tokens.input, third.tokens.output),
        (1, 1_812, 145)
    );
    assert_eq!(cost(&third), [5_980_000_000]);
    // What says nothing more adds nothing.
    running.traces(&call("three", 4, Some((1_000, 100))));
    let events = settle(&running);
    assert_eq!(events[3]["metered"], json!([1, 3, 1, 1, 1]));
    assert_eq!(
        (sums(&running).calls, cost(&sums(&running))),
        (1, vec![5_980_000_000])
    );
    running.engine.close().unwrap();
}

#[test]
fn reports_in_whatever_order_count_as_much() {
    let reports = [
        ("one", 1, None),
        ("two", 3, Some((812, 145))),
        ("three", 4, Some((812, 145))),
    ];
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for order in orders {
        let running = Running::new();
        for at in order {
            let (scope, number, usage) = reports[at];
            running.traces(&call(scope, number, usage));
            settle(&running);
        }
        let totals = sums(&running);
        assert_eq!(
            (totals.calls, totals.tokens.input, totals.tokens.output),
            (1, 812, 145),
            "{order:?}"
        );
        assert_eq!(cost(&totals), [3_480_000_000], "{order:?}");
        running.engine.close().unwrap();
    }
}

#[test]
fn a_client_does_not_hide_a_call_behind_a_report_of_its_own() {
    let running = Running::new();
    running.engine.close().unwrap();
    // An event of an application says that it is the answer, and is no call.
    let event = json!({"id": "mine", "action": "order.view", "actor": {"id": "bot"}, "targets": [{"type": "gen_ai.response", "id": "r-1"}]});
    let Running {
        directory,
        engine,
        clock,
        ..
    } = running;
    drop(engine);
    directory.append(&event.to_string());
    let running = Running::over(directory, clock, StagingSettings::default());
    running.traces(&call("one", 1, Some((812, 145))));
    settle(&running);
    let totals = sums(&running);
    assert_eq!((totals.calls, cost(&totals)), (1, vec![3_480_000_000]));
    running.engine.close().unwrap();
}

#[test]
fn hours_that_are_kept_are_those_that_are_read_anew() {
    let running = Running::new();
    let hour = MS_AN_HOUR;
    // Calls of one hour, of hours in a row, and with hours between without any.
    for (number, wait) in [0, hour / 3, hour, hour, 5 * hour, hour / 2, 2 * hour]
        .into_iter()
        .enumerate()
    {
        running.pass(wait);
        let number = u32::try_from(number).unwrap() + 1;
        let mut attributes = json!({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"});
        attributes["gen_ai.usage.input_tokens"] = number.into();
        running.traces(&traces_of(
            "one",
            &json!({}),
            &[span(number, 2, 0, &attributes)],
        ));
        settle(&running);
        let kept = sums(&running);
        assert_eq!(kept.calls, u64::from(number));
        let known = rows_of(&running, &running.engine.kept_figures, Step::Hour);
        let anew = rows_of(&running, &KeptFigures::default(), Step::Hour);
        assert_eq!(known, anew, "{number}");
    }
    running.engine.close().unwrap();
}
