//! Each filter's first page and a page far behind, newest first.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::events::{Events, Persons, Size};
use crate::support::load::{Connection, Latencies, Target};
use crate::support::preload::preload;
use crate::support::questions::{LIMIT, ask, filters, middle, question};
use crate::support::say;
use crate::support::server::Site;

/// The page behind.
const FAR: u64 = 1_000;

pub(crate) async fn measure(folder: &Path, stored: u64, requests: u64) -> anyhow::Result<()> {
    let site = Site::make(folder, "pages")?;
    let server = site.serve().await?;
    let events = Events::new(Size::Compact, Persons::Known)?;
    let preloaded = preload(&server, &events, stored, stored).await?;
    say(&format!(
        "{} events stored, {LIMIT} a page, newest first, one connection; each request is recorded before its answer.\n",
        preloaded.events
    ))?;
    say("| filter | first page p50 / p99 ms | page | p50 / p99 ms |")?;
    say("|---|---|---|---|")?;
    for filter in filters(&events, stored, middle(&server.target).await?)? {
        let first = ask(&server.target, &filter.questions, None, requests).await?;
        let (page, cursor) = walk(&server.target, &filter.questions[0]).await?;
        let far = match &cursor {
            Some(cursor) => {
                let questions = &filter.questions[..1];
                quantiles(&ask(&server.target, questions, Some(cursor), requests).await?)
            }
            None => "there is no second".to_owned(),
        };
        say(&format!(
            "| {} | {} | {page} | {far} |",
            filter.name,
            quantiles(&first)
        ))?;
    }
    server.close().await?;
    site.remove()
}

fn quantiles(latencies: &Latencies) -> String {
    let [p50, p99] = [0.5, 0.99].map(|share| latencies.quantile_ms(share));
    format!("{p50:.2} / {p99:.2}")
}

/// Goes on from page to page: gives the number of the last that was reached, and the cursor that leads to it.
async fn walk(target: &Target, asked: &Value) -> anyhow::Result<(u64, Option<String>)> {
    let mut connection = Connection::open(target).await?;
    let (mut page, mut cursor): (u64, Option<String>) = (1, None);
    loop {
        let mut asked = asked.clone();
        asked["limit"] = json!(LIMIT);
        asked["order"] = json!("newest");
        if let Some(cursor) = &cursor {
            asked["cursor"] = json!(cursor);
        }
        let found = question(&mut connection, &asked, "walk").await?;
        let Some(next) = found["next_cursor"].as_str().filter(|_| page < FAR) else {
            return Ok((page, cursor));
        };
        cursor = Some(next.to_owned());
        page += 1;
    }
}
