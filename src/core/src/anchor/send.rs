//! Sending to targets over HTTP.

use std::sync::OnceLock;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Url, redirect};

use crate::anchor::AnchorError;

/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long an answer may take, from the first byte sent.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// The HTTP client, made at its first use.
#[derive(Default)]
pub(super) struct Sender(OnceLock<Client>);

/// A status and a text.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) body: String,
}

impl Answer {
    /// Whether asking later may go better.
    pub(super) fn is_for_later(&self) -> bool {
        self.status == 429 || self.status >= 500
    }

    /// The error of an answer that is no.
    pub(super) fn refused(&self) -> AnchorError {
        let said: String = self
            .body
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect();
        let (status, said) = (self.status, said.trim().to_owned());
        if self.is_for_later() {
            let gap = if said.is_empty() { "" } else { ": " };
            return AnchorError::Unreachable(format!("it answered {status}{gap}{said}"));
        }
        AnchorError::Refused { status, said }
    }
}

impl Sender {
    /// Posts a text, and reads the answer.
    pub(super) async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: String,
    ) -> Result<Answer, AnchorError> {
        let sent = self.client()?.post(url.clone()).headers(headers).body(body);
        let answer = sent.send().await.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let kind = answer.headers().get(CONTENT_TYPE);
        let content_type = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let content_type = content_type.to_owned();
        let mut bytes = Vec::new();
        let mut stream = answer.bytes_stream();
        while let Some(part) = stream.next().await {
            bytes.extend_from_slice(&part.map_err(unreachable)?);
            if bytes.len() > ANSWER_BYTES_MAX {
                return Err(AnchorError::Unreachable(
                    "its answer does not end".to_owned(),
                ));
            }
        }
        Ok(Answer {
            status,
            content_type,
            body: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    fn client(&self) -> Result<&Client, AnchorError> {
        if let Some(client) = self.0.get() {
            return Ok(client);
        }
        // The provider may be there already; then this one is not needed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(CONNECT_MAX)
            .timeout(ANSWER_MAX)
            // A head and a token go where the settings say, nowhere else.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("trailkeep/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(unreachable)?;
        Ok(self.0.get_or_init(|| client))
    }
}

/// Without the address, which may hold a secret; with what lies below, which says what happened.
fn unreachable(error: reqwest::Error) -> AnchorError {
    let error = error.without_url();
    let mut said = error.to_string();
    let mut below: Option<&dyn std::error::Error> = std::error::Error::source(&error);
    while let Some(cause) = below {
        said = format!("{said}: {cause}");
        below = cause.source();
    }
    AnchorError::Unreachable(said)
}

/// Waits for what is sent, on a thread that may wait.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, AnchorError> {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        return Ok(runtime.block_on(work));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| AnchorError::Unreachable(error.to_string()))?;
    Ok(runtime.block_on(work))
}
