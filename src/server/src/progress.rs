//! Long work as an answer that comes while it runs: lines of JSON `{"done","total"}`, at the end `{"result"}` or
//! `{"error"}`.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use tokio_stream::wrappers::ReceiverStream;

/// Lines that wait for a slow reader. More are left out: the work does not wait for who watches it.
const LINES_WAITING_MAX: usize = 16;

/// Runs work off the event loop. It goes on to its end when the client goes away.
pub(super) fn follow<T: Serialize, E: std::fmt::Display>(
    work: impl FnOnce(&mut dyn FnMut(u64, u64)) -> Result<T, E> + Send + 'static,
) -> Response {
    let (lines, receiver) =
        tokio::sync::mpsc::channel::<Result<String, Infallible>>(LINES_WAITING_MAX);
    tokio::task::spawn_blocking(move || {
        let mut progress = |done: u64, total: u64| {
            let _ = lines.try_send(Ok(format!("{}\n", json!({"done": done, "total": total}))));
        };
        let last = match work(&mut progress) {
            Ok(result) => json!({ "result": result }),
            Err(error) => {
                tracing::error!(%error, "a long-running operation failed");
                json!({"error": error.to_string()})
            }
        };
        let _ = lines.blocking_send(Ok(format!("{last}\n")));
    });
    let body = Body::from_stream(ReceiverStream::new(receiver));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}
