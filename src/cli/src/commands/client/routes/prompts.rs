//! Prompts.

use super::{Answered, asking, json};
use crate::commands::client::{Client, segment};
use trailkeep_api::prompts::{
    FetchedPrompt, NewLabel, NewPromptVersion, PromptEnd, PromptHistory, PromptList,
    PromptQuestion, Rollback, ShownLabel, ShownPromptVersion,
};

/// A label as the caller knows it: the last move, or that there is none.
pub(in crate::commands) enum KnownLabel {
    MovedBy(String),
    Absent,
}

fn path(name: &str) -> String {
    format!("/v1/prompts/{}", segment(name))
}

impl Client {
    pub(in crate::commands) async fn prompts(&self) -> Answered<PromptList> {
        self.get("/v1/prompts").await
    }

    pub(in crate::commands) async fn fetch_prompt(
        &self,
        name: &str,
        question: &PromptQuestion,
    ) -> Answered<FetchedPrompt> {
        self.get(&asking(&path(name), question)?).await
    }

    pub(in crate::commands) async fn prompt_version(
        &self,
        name: &str,
        version: u32,
    ) -> Answered<ShownPromptVersion> {
        self.get(&format!("{}/versions/{version}", path(name)))
            .await
    }

    pub(in crate::commands) async fn register_prompt(
        &self,
        name: &str,
        new: &NewPromptVersion,
    ) -> Answered<ShownPromptVersion> {
        self.post(&format!("{}/versions", path(name)), new).await
    }

    pub(in crate::commands) async fn prompt_label(
        &self,
        name: &str,
        label: &str,
    ) -> Answered<ShownLabel> {
        self.get(&format!("{}/labels/{}", path(name), segment(label)))
            .await
    }

    /// Moves a label. It is refused if another request has moved the label since.
    pub(in crate::commands) async fn move_label(
        &self,
        (name, label): (&str, &str),
        known: &KnownLabel,
        new: &NewLabel,
    ) -> Answered<ShownLabel> {
        let path = format!("{}/labels/{}", path(name), segment(label));
        let tag;
        let condition = match known {
            KnownLabel::MovedBy(id) => {
                tag = format!("\"{id}\"");
                ("if-match", tag.as_str())
            }
            KnownLabel::Absent => ("if-none-match", "*"),
        };
        let (kind, body) = json(new)?;
        let answer = self
            .send_with(Some(condition), ("PUT", &path), kind, body)
            .await?;
        answer.received().await
    }

    pub(in crate::commands) async fn roll_back_prompt(
        &self,
        name: &str,
        back: &Rollback,
    ) -> Answered<ShownLabel> {
        self.post(&format!("{}/rollback", path(name)), back).await
    }

    pub(in crate::commands) async fn prompt_history(&self, name: &str) -> Answered<PromptHistory> {
        self.get(&format!("{}/history", path(name))).await
    }

    /// Withdraws or erases a version.
    pub(in crate::commands) async fn end_prompt_version(
        &self,
        (name, version): (&str, u32),
        verb: &str,
        end: &PromptEnd,
    ) -> Answered<ShownPromptVersion> {
        self.post(&format!("{}/versions/{version}/{verb}", path(name)), end)
            .await
    }
}
