//! Long work that answers while it runs: its progress on the terminal, and its result.

use anyhow::{Context, bail};
use serde_json::Value;

use super::TargetArgs;
use super::client::Client;
use super::output::progress_bar;

/// Sends a POST, shows the progress of the work, and gives its result.
pub(super) async fn follow(
    target: &TargetArgs,
    path: &str,
    body: Option<&Value>,
    what: &'static str,
) -> anyhow::Result<Value> {
    let client = Client::to(target)?;
    let bar = progress_bar(0, what);
    let mut result = None;
    let asked = async {
        let kind = body.map(|_| "application/json");
        let bytes = body.map(serde_json::to_vec).transpose()?;
        let answer = client.send("POST", path, kind, bytes.unwrap_or_default());
        let watch = |line: &str| {
            let line: Value = serde_json::from_str(line)?;
            if let Some(error) = line.get("error").and_then(Value::as_str) {
                bail!("{error}");
            }
            let number = |name: &str| line.get(name).and_then(Value::as_u64);
            if let (Some(done), Some(total)) = (number("done"), number("total")) {
                bar.set_length(total);
                bar.set_position(done);
            }
            if let Some(found) = line.get("result") {
                result = Some(found.clone());
            }
            Ok(())
        };
        answer.await?.lines(watch).await
    };
    let outcome = asked.await;
    bar.finish_and_clear();
    client.close().await?;
    outcome?;
    result.context("the server stopped before the work was complete; run the command again")
}
