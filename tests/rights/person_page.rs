//! person.html of a copy: complete, in words, and in order in a real browser.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::support::Directory;
use crate::support::browser::{assert_fits, browser, measured};
use serde_json::{Value, json};
use trailkeep_proof::bundle::archive::Archive;

pub(crate) fn member(bundle: &Path, name: &str) -> String {
    let bytes = std::fs::read(bundle).unwrap();
    let mut text = String::new();
    let archive = Archive::open(&bytes).unwrap();
    std::io::Read::read_to_string(&mut archive.reader(name).unwrap(), &mut text).unwrap();
    text
}

/// The copy of `ada` from a ledger with these events.
fn copy_of(events: &[Value]) -> (Directory, PathBuf) {
    let directory = Directory::new();
    let mut lines = String::new();
    for event in events {
        writeln!(lines, "{event}").unwrap();
    }
    directory.append(&lines);
    let file = directory.public_key.with_file_name("person.zip");
    directory.copy_for("ada", &file);
    (directory, file)
}

fn chat(id: &str, input: &Value, output: &str) -> Value {
    json!({
        "id": id, "action": "chat.completion", "outcome": "success",
        "actor": {"id": "ada", "type": "end_user"}, "subjects": [{"id": "ada"}],
        "context": {"purpose": "order_status", "ip": "192.0.2.17", "user_agent": "Browser 9"},
        "llm": {"provider": "acme", "request_model": "m-1", "usage": {"input_tokens": 4711}},
        "attributes": {"risk": {"score": 0.875}}, "input": input, "output": output,
    })
}

fn turn(role: &str, text: &str) -> Value {
    json!({"role": role, "content": text})
}

#[test]
fn the_page_has_all_turns_all_sections_and_says_who_acted() {
    let call = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function",
        "function": {"name": "refund_order", "arguments": "{\"order\":4711,\"amount\":12.50}"}}]});
    let talk = json!([
        turn("system", "Be kind."),
        turn("user", "My first question"),
        turn("assistant", "A first answer"),
        turn("user", "My second question"),
        call,
        {"role": "tool", "tool_call_id": "c1", "content": "refunded"},
    ]);
    let tool = json!({
        "id": "tool", "action": "gen_ai.execute_tool", "actor": {"id": "ada"}, "subjects": [{"id": "ada"}],
        "llm": {"operation": "execute_tool"}, "targets": [{"type": "tool", "id": "find_order"}],
        "input": {"arguments": {"order": 4711}}, "output": {"result": {"found": true}},
    });
    let bot = json!({
        "id": "bot", "action": "message.send", "actor": {"id": "notifier", "type": "bot"},
        "subjects": [{"id": "ada"}], "input": "Hello",
    });
    let long = chat("long", &json!("ä".repeat(30_000)), "short");
    let mut shared = chat(
        "shared",
        &json!([turn("user", "Send mine to him")]),
        "sent it",
    );
    shared["subjects"] = json!([{"id": "ada"}, {"id": "bob-4"}]);
    let (directory, file) = copy_of(&[chat("talk", &talk, "Done."), tool, bot, long, shared]);
    let page = member(&file, "person.html");
    for text in [
        "Be kind.",
        "My first question",
        "A first answer",
        "My second question",
        "The assistant called &quot;refund_order&quot; with order 4711, amount 12.50.",
        "The tool &quot;refund_order&quot;",
        "refunded",
        "192.0.2.17",
        "Browser 9",
        "risk \u{203a} score",
        "0.875",
        "4711",
        "The tool &quot;find_order&quot;",
        "The assistant called &quot;find_order&quot; with order 4711.",
        "answered: found yes",
        "The bot &quot;notifier&quot;",
        "Cut here: 20,000 of 30,000 characters are shown.",
        "Send mine to him",
        "your own words",
    ] {
        assert!(page.contains(text), "{text} is not in the page: {page}");
    }
    let seq = page.split("{&quot;seq&quot;:").nth(1).unwrap();
    let seq: u64 = seq.split(',').next().unwrap().parse().unwrap();
    let lines = member(&file, "events.jsonl");
    let begin = format!("{{\"seq\":{seq},");
    let whole = lines.lines().find(|line| line.starts_with(&begin)).unwrap();
    assert!(
        whole.contains(&"ä".repeat(30_000)),
        "the line that the page names has the whole"
    );
    assert!(
        !page.contains("sent it") && !page.contains("bob-4"),
        "{page}"
    );
    let readme = member(&file, "README.txt");
    assert!(
        readme.starts_with("YOUR COPY") && readme.contains("person.html"),
        "{readme}"
    );
    directory.assert_clean();
}

/// 300 events in three scripts, on a wide screen, a phone and paper.
#[test]
fn a_browser_shows_300_events_without_scrolling_sideways() {
    let texts = [
        ("Where is order 4711?", "It is on its way."),
        ("أين طلبي رقم 4711؟", "طلبك في الطريق."),
        ("注文番号4711はどこですか？", "ご注文は発送済みです。"),
    ];
    let events: Vec<Value> = (0..300)
        .map(|n| {
            let (asked, answered) = texts[n % 3];
            chat(&format!("e{n}"), &json!([turn("user", asked)]), answered)
        })
        .collect();
    let (_directory, file) = copy_of(&events);
    let page = member(&file, "person.html");
    assert_eq!(page.matches("<article id=").count(), 300);
    assert_eq!(
        page.matches("<a href=\"#e").count(),
        6,
        "one link for 50 events of a day"
    );
    assert!(page.contains("<span dir=\"auto\" lang=\"\">أين طلبي"));
    let Some(browser) = browser() else {
        return;
    };
    for width in [1280, 500] {
        let started = std::time::Instant::now();
        assert_fits(browser, &page, width);
        let count = "document.querySelectorAll('article').length";
        let direction = "getComputedStyle(document.querySelectorAll('.talk span')[2]).direction";
        let found = measured(browser, &page, width, &[count, direction]);
        assert_eq!(found, ["300", "rtl"]);
        assert!(
            started.elapsed().as_secs() < 60,
            "slow: {:?}",
            started.elapsed()
        );
    }
}
