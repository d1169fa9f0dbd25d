//! The client's methods: one for each route, with the types of its request and answer.

mod privacy;
mod prompts;

use std::fmt;

use serde::Serialize;
use serde_json::Value;

pub(in crate::commands) use self::privacy::Copy;
pub(in crate::commands) use self::prompts::KnownLabel;
use super::{Answer, Client, Received, segment};
use trailkeep_api::access::{AccessPage, AccessQuestion};
use trailkeep_api::anchors::{
    AnchorHistory, AnchorRun, AnchorStatus, CheckpointQuestion, HistoryReviewed, LedgerResumed,
};
use trailkeep_api::backup::{BackupDone, NewBackup};
use trailkeep_api::events::{Appended, RecordedEvent};
use trailkeep_api::exports::{Export, ExportQuestion};
use trailkeep_api::figures::{
    FiguresAnswer, FiguresNames, FiguresQuestion, ListedFiguresName, NewFiguresName,
};
use trailkeep_api::holds::{HoldLift, HoldList, ListedHold, NewHold, PlacedHold};
use trailkeep_api::keys::{KeyList, MadeKey, NewKey};
use trailkeep_api::log::PublicKey;
use trailkeep_api::operate::Readiness;
use trailkeep_api::policies::GapList;
use trailkeep_api::prices::{ListedPrices, NewPrices, PricesList, ShownPrices};
use trailkeep_api::progress::Line;
use trailkeep_api::query::{EventPage, EventQuestion};
use trailkeep_api::retention::{
    AtTime, Explanation, Resumed, RetentionPreview, RetentionRun, Reviewed,
};
use trailkeep_api::sources::SourceList;
use trailkeep_api::tenants::{
    ClosedTenant, ListedTenant, MadeTenant, NewTenant, SettingsChange, TenantList,
};
use trailkeep_api::triggers::{ListedTrigger, NewTrigger, TriggerList};
use trailkeep_api::vault::{
    BoundRows, NewTarget, Removed, RotationStatus, TargetList, TargetStatus,
};
use trailkeep_api::verify::{VerifyLine, VerifyReport};

type Answered<T> = anyhow::Result<Received<T>>;

/// An entry by its place, or an event by its id.
#[derive(Clone, Copy)]
pub(in crate::commands) enum EventName<'a> {
    Seq(&'a str),
    Id(&'a str),
}

impl<'a> EventName<'a> {
    /// A number is a seq; anything else is an id.
    pub(in crate::commands) fn of(text: &'a str) -> Self {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            Self::Seq(text)
        } else {
            Self::Id(text)
        }
    }
}

impl fmt::Display for EventName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seq(seq) => write!(f, "/v1/entries/{}", segment(seq)),
            Self::Id(id) => write!(f, "/v1/events/{}", segment(id)),
        }
    }
}

/// A path with what is asked behind it; members without a value are left out.
fn asking(path: &str, question: &impl Serialize) -> anyhow::Result<String> {
    let members = serde_json::to_value(question)?;
    let members = members.as_object().into_iter().flatten();
    let given = members.filter(|(_, value)| !value.is_null());
    let given = given.map(|(name, value)| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        format!("{name}={}", segment(&text))
    });
    let given: Vec<String> = given.collect();
    Ok(if given.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", given.join("&"))
    })
}

impl Client {
    async fn get<T>(&self, path: &str) -> Answered<T> {
        let answer = self.send("GET", path, None, Vec::new()).await?;
        answer.received().await
    }

    async fn get_text(&self, path: &str) -> anyhow::Result<String> {
        let answer = self.send("GET", path, None, Vec::new()).await?;
        answer.text().await
    }

    async fn post<T>(&self, path: &str, asked: &impl Serialize) -> Answered<T> {
        self.ask_with("POST", path, asked).await
    }

    /// A POST without a body.
    async fn run<T>(&self, path: &str) -> Answered<T> {
        let answer = self.send("POST", path, None, Vec::new()).await?;
        answer.received().await
    }

    async fn ask_with<T>(&self, method: &str, path: &str, asked: &impl Serialize) -> Answered<T> {
        let (kind, body) = json(asked)?;
        let answer = self.send(method, path, kind, body).await?;
        answer.received().await
    }

    async fn delete(&self, path: &str) -> anyhow::Result<String> {
        let answer = self.send("DELETE", path, None, Vec::new()).await?;
        answer.text().await
    }
}

/// A body of JSON.
fn json(asked: &impl Serialize) -> anyhow::Result<(Option<&'static str>, Vec<u8>)> {
    Ok((Some("application/json"), serde_json::to_vec(asked)?))
}

/// Events, the ledger, its keys.
impl Client {
    pub(in crate::commands) async fn append(
        &self,
        content_type: &str,
        events: Vec<u8>,
    ) -> Answered<Appended> {
        let answer = self.send("POST", "/v1/events", Some(content_type), events);
        answer.await?.received().await
    }

    pub(in crate::commands) async fn event(&self, name: EventName<'_>) -> Answered<RecordedEvent> {
        self.get(&name.to_string()).await
    }

    pub(in crate::commands) async fn receipt(&self, name: EventName<'_>) -> anyhow::Result<String> {
        self.get_text(&format!("{name}/proof")).await
    }

    pub(in crate::commands) async fn query(&self, question: &EventQuestion) -> Answered<EventPage> {
        self.post("/v1/events/query", question).await
    }

    pub(in crate::commands) async fn checkpoint(&self) -> anyhow::Result<String> {
        self.get_text("/v1/checkpoint").await
    }

    pub(in crate::commands) async fn public_key(&self) -> Answered<PublicKey> {
        self.get("/v1/key").await
    }

    pub(in crate::commands) async fn accesses(
        &self,
        question: &AccessQuestion,
    ) -> Answered<AccessPage> {
        self.get(&asking("/v1/access", question)?).await
    }

    pub(in crate::commands) async fn sources(&self) -> Answered<SourceList> {
        self.get("/v1/sources").await
    }

    pub(in crate::commands) async fn gaps(&self) -> Answered<GapList> {
        self.get("/v1/policies/gaps").await
    }

    pub(in crate::commands) async fn figures(
        &self,
        question: &FiguresQuestion,
    ) -> Answered<FiguresAnswer> {
        self.get(&asking("/v1/figures", question)?).await
    }

    pub(in crate::commands) async fn figures_names(&self) -> Answered<FiguresNames> {
        self.get("/v1/figures/names").await
    }

    pub(in crate::commands) async fn allow_name(
        &self,
        new: &NewFiguresName,
    ) -> Answered<ListedFiguresName> {
        self.post("/v1/figures/names", new).await
    }

    pub(in crate::commands) async fn set_prices(&self, new: &NewPrices) -> Answered<ListedPrices> {
        self.post("/v1/prices", new).await
    }

    pub(in crate::commands) async fn price_tables(&self) -> Answered<PricesList> {
        self.get("/v1/prices").await
    }

    pub(in crate::commands) async fn price_table(&self, number: u32) -> Answered<ShownPrices> {
        self.get(&format!("/v1/prices/{number}")).await
    }

    pub(in crate::commands) async fn verify(
        &self,
        witnesses: &[String],
        against: Option<String>,
    ) -> Answered<VerifyReport> {
        let named = witnesses.iter();
        let named: Vec<String> = named
            .map(|key| format!("witness={}", segment(key)))
            .collect();
        let path = format!("/v1/verify?{}", named.join("&"));
        let body = (Some("text/plain"), against.unwrap_or_default().into_bytes());
        self.follow::<_, VerifyLine<Value>>(path.trim_end_matches('?'), body, "verifying")
            .await
    }

    pub(in crate::commands) async fn keys(&self) -> Answered<KeyList> {
        self.get("/v1/keys").await
    }

    pub(in crate::commands) async fn create_key(&self, new: &NewKey) -> Answered<MadeKey> {
        self.post("/v1/keys", new).await
    }

    pub(in crate::commands) async fn revoke_key(&self, id: &str) -> anyhow::Result<()> {
        self.delete(&format!("/v1/keys/{}", segment(id)))
            .await
            .map(drop)
    }

    pub(in crate::commands) async fn tenants(&self) -> Answered<TenantList> {
        self.get("/v1/tenants").await
    }

    pub(in crate::commands) async fn create_tenant(&self, new: &NewTenant) -> Answered<MadeTenant> {
        self.post("/v1/tenants", new).await
    }

    pub(in crate::commands) async fn change_tenant(
        &self,
        name: &str,
        change: &SettingsChange,
    ) -> Answered<ListedTenant> {
        let path = format!("/v1/tenants/{}", segment(name));
        self.ask_with("PATCH", &path, change).await
    }

    pub(in crate::commands) async fn close_tenant(&self, name: &str) -> Answered<ClosedTenant> {
        self.run(&format!("/v1/tenants/{}/close", segment(name)))
            .await
    }
}

/// Exports: jobs.
impl Client {
    pub(in crate::commands) async fn start_export(
        &self,
        question: &ExportQuestion,
    ) -> Answered<Export> {
        self.post("/v1/exports", question).await
    }

    pub(in crate::commands) async fn export(&self, id: &str) -> Answered<Export> {
        self.get(&format!("/v1/exports/{id}")).await
    }

    pub(in crate::commands) async fn export_file(&self, id: &str) -> anyhow::Result<Answer> {
        self.send("GET", &format!("/v1/exports/{id}/file"), None, Vec::new())
            .await
    }

    pub(in crate::commands) async fn remove_export(&self, id: &str) -> anyhow::Result<()> {
        self.delete(&format!("/v1/exports/{id}")).await.map(drop)
    }
}

/// Retention: holds, triggers, runs.
impl Client {
    pub(in crate::commands) async fn holds(&self) -> Answered<HoldList> {
        self.get("/v1/holds").await
    }

    pub(in crate::commands) async fn place_hold(&self, new: &NewHold) -> Answered<PlacedHold> {
        self.post("/v1/holds", new).await
    }

    pub(in crate::commands) async fn release_hold(
        &self,
        id: &str,
        why: &HoldLift,
    ) -> Answered<ListedHold> {
        self.post(&format!("/v1/holds/{}/lift", segment(id)), why)
            .await
    }

    pub(in crate::commands) async fn triggers(&self) -> Answered<TriggerList> {
        self.get("/v1/triggers").await
    }

    pub(in crate::commands) async fn fire(&self, new: &NewTrigger) -> Answered<ListedTrigger> {
        self.post("/v1/triggers", new).await
    }

    pub(in crate::commands) async fn retention_preview(
        &self,
        at: &AtTime,
    ) -> Answered<RetentionPreview> {
        self.get(&asking("/v1/retention/preview", at)?).await
    }

    pub(in crate::commands) async fn run_retention(&self) -> Answered<RetentionRun> {
        self.run("/v1/retention/run").await
    }

    pub(in crate::commands) async fn explain(
        &self,
        name: EventName<'_>,
        at: &AtTime,
    ) -> Answered<Explanation> {
        self.get(&asking(&format!("{name}/retention"), at)?).await
    }

    pub(in crate::commands) async fn resume_deletions(
        &self,
        reviewed: &Reviewed,
    ) -> Answered<Resumed> {
        self.post("/v1/retention/resume", reviewed).await
    }
}

/// What operators do.
impl Client {
    pub(in crate::commands) async fn vault(&self) -> Answered<RotationStatus> {
        self.get("/v1/vault").await
    }

    pub(in crate::commands) async fn rotate(&self) -> Answered<RotationStatus> {
        let path = "/v1/vault/rotate";
        self.follow::<_, Line<Value>>(path, (None, Vec::new()), "re-encrypting")
            .await
    }

    pub(in crate::commands) async fn bind(&self) -> Answered<BoundRows> {
        self.run("/v1/vault/bind").await
    }

    pub(in crate::commands) async fn replicas(&self) -> Answered<TargetList> {
        self.get("/v1/vault/copies").await
    }

    pub(in crate::commands) async fn add_replica(&self, new: &NewTarget) -> Answered<TargetStatus> {
        self.post("/v1/vault/copies", new).await
    }

    pub(in crate::commands) async fn check_replicas(&self) -> Answered<TargetList> {
        self.run("/v1/vault/copies/check").await
    }

    pub(in crate::commands) async fn remove_replica(&self, id: &str) -> Answered<Removed> {
        let path = format!("/v1/vault/copies/{}", segment(id));
        Ok(Received::of(self.delete(&path).await?))
    }

    pub(in crate::commands) async fn backup(&self, new: &NewBackup) -> Answered<BackupDone> {
        self.follow::<_, Line<Value>>("/v1/backup", json(new)?, "backing up")
            .await
    }

    pub(in crate::commands) async fn anchors(&self) -> Answered<AnchorStatus> {
        self.get("/v1/anchors").await
    }

    pub(in crate::commands) async fn anchor_history(&self) -> Answered<AnchorHistory> {
        self.get("/v1/anchors/history").await
    }

    pub(in crate::commands) async fn anchored_checkpoint(
        &self,
        question: &CheckpointQuestion,
    ) -> anyhow::Result<String> {
        self.get_text(&asking("/v1/anchors/checkpoint", question)?)
            .await
    }

    pub(in crate::commands) async fn run_anchors(&self) -> Answered<AnchorRun> {
        self.run("/v1/anchors/run").await
    }

    pub(in crate::commands) async fn resume_ledger(
        &self,
        reviewed: &HistoryReviewed,
    ) -> Answered<LedgerResumed> {
        self.post("/v1/anchors/resume", reviewed).await
    }

    /// Whether the server is ready. That it is not is an answer, too.
    pub(in crate::commands) async fn ready(&self) -> Answered<Readiness> {
        let answer = self.send("GET", "/readyz", None, Vec::new()).await?;
        Ok(Received::of(answer.any_text().await?))
    }
}
