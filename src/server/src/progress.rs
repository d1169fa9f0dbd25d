//! Long work as an answer that comes while it runs: a line of JSON for each step, and one at the end.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use tokio_stream::wrappers::ReceiverStream;

use super::problem::Problem;
use trailkeep_api::progress::Line;

/// Lines that wait for a slow reader.
const LINES_WAITING_MAX: usize = 16;

/// What becomes of lines of progress that a slow reader does not take.
#[derive(Clone, Copy)]
pub(super) enum Watched {
    /// They wait, and the work with them.
    Wholly,
    /// They are left out: the work does not wait for who watches it.
    InPassing,
}

/// Runs work off the event loop, which says how far it is and gives the last line. It goes on to its end when the client
/// goes away.
pub(super) fn lines<L: Serialize>(
    watched: Watched,
    work: impl FnOnce(&mut dyn FnMut(L)) -> L + Send + 'static,
) -> Response {
    let (lines, receiver) =
        tokio::sync::mpsc::channel::<Result<String, Infallible>>(LINES_WAITING_MAX);
    tokio::task::spawn_blocking(move || {
        let mut progress = |line: L| {
            let text = Ok(text_of(&line));
            let _ = match watched {
                Watched::Wholly => lines.blocking_send(text).is_ok(),
                Watched::InPassing => lines.try_send(text).is_ok(),
            };
        };
        let last = work(&mut progress);
        let _ = lines.blocking_send(Ok(text_of(&last)));
    });
    let body = Body::from_stream(ReceiverStream::new(receiver));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

/// Runs work that has a result, or fails.
pub(super) fn follow<T: Serialize, E: std::fmt::Display>(
    work: impl FnOnce(&mut dyn FnMut(u64, u64)) -> Result<T, E> + Send + 'static,
) -> Response {
    lines(Watched::InPassing, move |progress| {
        let mut said = |done, total| progress(Line::Progress { done, total });
        match work(&mut said) {
            Ok(result) => Line::Result { result },
            Err(error) => {
                tracing::error!(%error, "a long-running operation failed");
                Line::Error {
                    error: error.to_string(),
                }
            }
        }
    })
}

fn text_of(line: &impl Serialize) -> String {
    let line = by_name(line).unwrap_or(Value::Null);
    format!("{line}\n")
}

/// A value whose members stand by name, as those of lines and of explanations always have.
pub(super) fn by_name(value: &impl Serialize) -> Result<Value, Problem> {
    serde_json::to_value(value).map_err(|_| Problem::internal())
}
