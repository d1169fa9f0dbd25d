//! Long work that answers while it runs: its progress on the terminal, and its result.

use anyhow::{Context, bail};
use serde_json::Value;

use super::{Client, Received};
use crate::commands::output::progress_bar;
use trailkeep_api::progress::Line;
use trailkeep_api::verify::VerifyLine;

impl From<VerifyLine<Value>> for LineOf {
    fn from(line: VerifyLine<Value>) -> Self {
        Self(match line {
            VerifyLine::Progress { done, total } => Line::Progress { done, total },
            VerifyLine::Error { error } => Line::Error { error },
            VerifyLine::Report { report } => Line::Result { result: report },
        })
    }
}

impl From<Line<Value>> for LineOf {
    fn from(line: Line<Value>) -> Self {
        Self(line)
    }
}

/// A line of either kind of answer.
pub(super) struct LineOf(Line<Value>);

impl Client {
    /// Sends a POST, shows the progress of the work, and gives its result.
    pub(super) async fn follow<T, L>(
        &self,
        path: &str,
        (content_type, body): (Option<&str>, Vec<u8>),
        what: &'static str,
    ) -> anyhow::Result<Received<T>>
    where
        L: serde::de::DeserializeOwned + Into<LineOf>,
    {
        let bar = progress_bar(0, what);
        let mut result = None;
        let watch = |line: &str| {
            let line: L = serde_json::from_str(line)?;
            match line.into().0 {
                Line::Progress { done, total } => {
                    bar.set_length(total);
                    bar.set_position(done);
                }
                Line::Error { error } => bail!("{error}"),
                Line::Result { result: found } => result = Some(found),
            }
            Ok(())
        };
        let answer = self.send("POST", path, content_type, body).await;
        let outcome = match answer {
            Ok(answer) => answer.lines(watch).await,
            Err(error) => Err(error),
        };
        bar.finish_and_clear();
        outcome?;
        let result = result
            .context("the server stopped before the work was complete; run the command again")?;
        Received::made(&result)
    }
}
