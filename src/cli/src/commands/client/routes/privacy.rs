//! Data subject requests.

use serde::Serialize;

use super::Answered;
use crate::commands::client::{Answer, Client, Received, segment};
use trailkeep_api::LEDGER_HEADER;
use trailkeep_api::privacy::{
    AnswerFormat, CopyCounts, CopyProgress, DryRun, Identity, NewPersonRequest, PersonRequest,
    RequestClosing, RequestExecution, RequestExtension, RequestList,
};
use trailkeep_proof::privacy::certificate::Certificate;

const REQUESTS: &str = "/v1/privacy/requests";

/// A data subject's copy: not there yet, or its bytes.
pub(in crate::commands) enum Copy {
    Running(CopyCounts),
    Ready(Answer),
}

impl Client {
    pub(in crate::commands) async fn file_request(
        &self,
        new: &NewPersonRequest,
    ) -> Answered<PersonRequest> {
        self.post(REQUESTS, new).await
    }

    /// What a request that nobody files would do.
    pub(in crate::commands) async fn dry_run(&self, new: NewPersonRequest) -> Answered<DryRun> {
        let asked = NewPersonRequest {
            dry_run: true,
            ..new
        };
        self.post(REQUESTS, &asked).await
    }

    pub(in crate::commands) async fn requests(&self) -> Answered<RequestList> {
        self.get(REQUESTS).await
    }

    pub(in crate::commands) async fn request(&self, id: &str) -> Answered<PersonRequest> {
        self.get(&format!("{REQUESTS}/{}", segment(id))).await
    }

    pub(in crate::commands) async fn preview_request(&self, id: &str) -> Answered<DryRun> {
        self.get(&format!("{REQUESTS}/{}/preview", segment(id)))
            .await
    }

    async fn step(&self, id: &str, verb: &str, said: &impl Serialize) -> Answered<PersonRequest> {
        self.post(&format!("{REQUESTS}/{}/{verb}", segment(id)), said)
            .await
    }

    pub(in crate::commands) async fn identify(
        &self,
        id: &str,
        said: &Identity,
    ) -> Answered<PersonRequest> {
        self.step(id, "identity", said).await
    }

    pub(in crate::commands) async fn extend(
        &self,
        id: &str,
        said: &RequestExtension,
    ) -> Answered<PersonRequest> {
        self.step(id, "extend", said).await
    }

    pub(in crate::commands) async fn close_request(
        &self,
        id: &str,
        said: &RequestClosing,
    ) -> Answered<PersonRequest> {
        self.step(id, "close", said).await
    }

    pub(in crate::commands) async fn execute(
        &self,
        id: &str,
        said: &RequestExecution,
    ) -> Answered<PersonRequest> {
        self.step(id, "execute", said).await
    }

    /// The copy of a request, of the active ledger or of one that a recovery superseded.
    pub(in crate::commands) async fn copy(
        &self,
        id: &str,
        ledger: Option<&str>,
    ) -> anyhow::Result<Copy> {
        let path = format!("{REQUESTS}/{}/bundle", segment(id));
        let ledger = ledger.map(|ledger| (LEDGER_HEADER, ledger));
        let answer = self
            .send_with(ledger, ("GET", &path), None, Vec::new())
            .await?;
        if answer.status != 202 {
            return Ok(Copy::Ready(answer));
        }
        let running: Received<CopyProgress> = answer.received().await?;
        Ok(Copy::Running(running.read()?.progress))
    }

    pub(in crate::commands) async fn certificate(&self, id: &str) -> Answered<Certificate> {
        self.get(&format!("{REQUESTS}/{}/certificate", segment(id)))
            .await
    }

    /// The answer letter of a request.
    pub(in crate::commands) async fn letter(
        &self,
        id: &str,
        format: AnswerFormat,
    ) -> anyhow::Result<Answer> {
        let format = match format {
            AnswerFormat::Html => "html",
            AnswerFormat::Text => "text",
        };
        let path = format!("{REQUESTS}/{}/answer?format={format}", segment(id));
        self.send("GET", &path, None, Vec::new()).await
    }

    pub(in crate::commands) async fn certificate_signature(
        &self,
        id: &str,
    ) -> anyhow::Result<Answer> {
        let path = format!("{REQUESTS}/{}/certificate/signature", segment(id));
        self.send("GET", &path, None, Vec::new()).await
    }
}
