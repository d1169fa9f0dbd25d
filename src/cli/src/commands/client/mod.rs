//! One way to reach a ledger: the routes of the API, in this process, through the server's socket, or
//! over the network.

use std::sync::Arc;
mod follow;
mod received;
mod routes;

use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::http::HeaderMap;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tower::ServiceExt;

pub(super) use self::received::Received;
pub(super) use self::routes::{Copy, EventName, KnownLabel};
use super::TargetArgs;
use super::failure::Failure;
use super::output::note;
use super::settings::start_options;
use trailkeep_api::{LEDGER_HEADER, PURPOSE_HEADER, TENANT_HEADER};
use trailkeep_core::Engine;
use trailkeep_core::govern::replica;
use trailkeep_core::ops::open::{Files, OpenError, StartOptions};
use trailkeep_files::FileError;
use trailkeep_ports::StoreError;
use trailkeep_server::{Entrance, router};
use trailkeep_store_sqlite::Sqlite;

/// What a path segment may hold unescaped (RFC 3986 section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A way to the routes.
pub(in crate::commands) enum Client {
    /// This process has the directory's lock.
    Here {
        router: Router,
        engine: std::sync::Arc<Engine>,
        headers: HeaderMap,
    },
    /// Another process has it, or it is another machine.
    Remote {
        client: reqwest::Client,
        base: String,
        token: Option<String>,
    },
}

/// An answer, read to its end or line by line.
pub(in crate::commands) struct Answer {
    status: u16,
    body: BoxStream<'static, anyhow::Result<Bytes>>,
}

impl Client {
    /// The way to what the arguments name: a server's URL, else the directory; if a server has that, its socket.
    pub(in crate::commands) fn to(target: &TargetArgs) -> anyhow::Result<Self> {
        Self::to_confirming(target, false)
    }

    /// The same; where this process opens the directory, it may say that the clock is right.
    pub(in crate::commands) fn to_confirming(
        target: &TargetArgs,
        confirm_clock: bool,
    ) -> anyhow::Result<Self> {
        Self::to_opening(target, || Ok(start_options(confirm_clock)?))
    }

    /// The same; where this process opens the directory, it runs so.
    pub(in crate::commands) fn to_opening(
        target: &TargetArgs,
        options: impl FnOnce() -> anyhow::Result<StartOptions>,
    ) -> anyhow::Result<Self> {
        if let Some(url) = &target.url {
            let base = url.trim_end_matches('/').to_owned();
            return Ok(Self::Remote {
                client: builder().default_headers(headers_of(target)?).build()?,
                base,
                token: target.token.clone(),
            });
        }
        let socket = target.directory.directory().socket();
        // Opening may record something, and waits until it is on disk.
        let options = options()?;
        match tokio::task::block_in_place(|| open_here(target, options)) {
            Ok(engine) => {
                let engine = std::sync::Arc::new(engine);
                Ok(Self::Here {
                    router: router(std::sync::Arc::clone(&engine), Entrance::Local),
                    engine,
                    headers: headers_of(target)?,
                })
            }
            Err(OpenError::Store(error @ StoreError::File(FileError::Locked(_)))) => {
                if !socket.exists() {
                    return Err(error.into());
                }
                let client = builder()
                    .unix_socket(socket)
                    .default_headers(headers_of(target)?)
                    .build()?;
                Ok(Self::Remote {
                    client,
                    base: "http://localhost".to_owned(),
                    token: None,
                })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a request and waits for the answer's head.
    async fn send(
        &self,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        self.send_with(None, (method, path), content_type, body)
            .await
    }

    /// The same with one more header, in the place of that of all requests.
    async fn send_with(
        &self,
        more: Option<(&'static str, &str)>,
        (method, path): (&str, &str),
        content_type: Option<&str>,
        body: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        match self {
            Self::Here {
                router, headers, ..
            } => {
                let mut request = axum::http::Request::builder().method(method).uri(path);
                for (name, value) in headers {
                    if more.is_none_or(|(more, _)| *name != more) {
                        request = request.header(name, value);
                    }
                }
                if let Some((name, value)) = more {
                    request = request.header(name, value);
                }
                if let Some(content_type) = content_type {
                    request = request.header("content-type", content_type);
                }
                let response = router
                    .clone()
                    .oneshot(request.body(Body::from(body))?)
                    .await?;
                let status = response.status().as_u16();
                let body = response
                    .into_body()
                    .into_data_stream()
                    .map(|part| part.map_err(anyhow::Error::from));
                Ok(Answer {
                    status,
                    body: body.boxed(),
                })
            }
            Self::Remote {
                client,
                base,
                token,
            } => {
                let mut request = client
                    .request(method.parse()?, format!("{base}{path}"))
                    .body(body);
                if let Some(content_type) = content_type {
                    request = request.header("content-type", content_type);
                }
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                if let Some((name, value)) = more {
                    request = request.header(name, value);
                }
                let response = request
                    .send()
                    .await
                    .with_context(|| format!("no answer from {base}"))?;
                let status = response.status().as_u16();
                let body = response
                    .bytes_stream()
                    .map(|part| part.map_err(anyhow::Error::from));
                Ok(Answer {
                    status,
                    body: body.boxed(),
                })
            }
        }
    }

    /// Asks, and ends however that went.
    pub(in crate::commands) async fn closing<T>(
        self,
        asked: impl AsyncFnOnce(&Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let answer = asked(&self).await;
        self.close().await?;
        answer
    }

    /// Ends: where this process has the directory, writes what waits and closes the files.
    pub(in crate::commands) async fn close(self) -> anyhow::Result<()> {
        if let Self::Here { router, engine, .. } = self {
            drop(router);
            let ended = trailkeep_core::blocking(move || {
                // A server copies new keys within a minute; a single command does it now.
                let behind = replica::keep_up(&engine.custody);
                engine.close().map(|()| behind)
            });
            match ended.await? {
                Ok(targets) => targets.iter().for_each(|target| {
                    let (id, error) = (&target.id, target.error.as_deref().unwrap_or_default());
                    note(&format!("vault replica {id} is behind: {error}"));
                }),
                Err(error) => note(&format!("the vault was not replicated: {error}")),
            }
        }
        Ok(())
    }
}

/// Asks what the arguments name, and closes it: a command that asks once.
pub(in crate::commands) async fn ask<T>(
    target: &TargetArgs,
    asked: impl AsyncFnOnce(&Client) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    Client::to(target)?.closing(asked).await
}

impl Answer {
    /// The whole answer as text, whatever its status.
    async fn any_text(mut self) -> anyhow::Result<String> {
        let mut bytes = Vec::new();
        while let Some(part) = self.body.next().await {
            bytes.extend_from_slice(&part?);
        }
        String::from_utf8(bytes).context("the answer is not UTF-8")
    }

    /// The whole answer as text; a problem becomes an error.
    async fn text(self) -> anyhow::Result<String> {
        let status = self.status;
        let text = self.any_text().await?;
        if status >= 400 {
            return Err(Failure::answered(status, &text).into());
        }
        Ok(text)
    }

    /// The whole answer as JSON; a problem becomes an error.
    async fn received<T>(self) -> anyhow::Result<Received<T>> {
        Ok(Received::of(self.text().await?))
    }

    /// Writes the whole answer as it comes; a problem becomes an error. Gives the number of bytes.
    pub(in crate::commands) async fn write_to(
        mut self,
        out: &mut impl std::io::Write,
    ) -> anyhow::Result<u64> {
        if self.status >= 400 {
            self.text().await?;
            return Ok(0);
        }
        let mut bytes = 0;
        while let Some(part) = self.body.next().await {
            let part = part?;
            out.write_all(&part)?;
            bytes += part.len() as u64;
        }
        Ok(bytes)
    }

    /// The answer line by line, as it comes.
    async fn lines(
        mut self,
        mut each: impl FnMut(&str) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        if self.status >= 400 {
            self.text().await?;
            return Ok(());
        }
        let mut waiting = Vec::new();
        while let Some(part) = self.body.next().await {
            waiting.extend_from_slice(&part?);
            while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = waiting.drain(..=end).collect();
                each(std::str::from_utf8(&line)?.trim_end())?;
            }
        }
        Ok(())
    }
}

/// A path segment with what must be escaped, escaped. `query` is a route beside the ids of events, so an id of this
/// name is written in another way.
fn segment(text: &str) -> String {
    if text == "query" {
        return "%71uery".to_owned();
    }
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// What goes with every request: for whom, and why. Over the network the token says for whom.
fn headers_of(target: &TargetArgs) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    if target.url.is_none() {
        headers.insert(TENANT_HEADER, target.tenant.parse()?);
    }
    if let Some(name) = &target.ledger {
        headers.insert(LEDGER_HEADER, name.parse()?);
    }
    if let Some(purpose) = &target.purpose {
        let purpose = purpose
            .parse()
            .context("--purpose must be printable ASCII")?;
        headers.insert(PURPOSE_HEADER, purpose);
    }
    Ok(headers)
}

/// Opens the directory in this process.
fn open_here(target: &TargetArgs, options: StartOptions) -> Result<Engine, OpenError> {
    let files = Files::open(
        Arc::new(Sqlite),
        target.directory.directory(),
        &target.directory.root_key(),
    )?;
    files.start(options)
}

fn builder() -> reqwest::ClientBuilder {
    // The provider may be there already; then this one is not needed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().connect_timeout(Duration::from_secs(10))
}
