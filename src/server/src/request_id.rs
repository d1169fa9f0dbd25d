//! Request ids: what a client sends as `X-Request-Id`, else a random one, stands in the answer and with every line that
//! the request logs.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use super::App;
use super::problem::Answered;
use trailkeep_crypto::secret::random_bytes;
use trailkeep_proof::ids::hex;

/// The header, in and out.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const ID_BYTES_MAX: usize = 64;

/// Names a request, and keeps its answer out of caches unless it says otherwise: it may hold texts.
pub(super) async fn name(State(app): State<App>, request: Request, next: Next) -> Response {
    let sent = request.headers().get(REQUEST_ID);
    let sent = sent
        .and_then(|value| value.to_str().ok())
        .filter(|text| is_plain(text));
    let id = sent.map_or_else(
        || random_bytes::<8>().map_or_else(|_| "none".to_owned(), |bytes| hex(&bytes)),
        str::to_owned,
    );
    let span = tracing::info_span!("request", %id);
    // The route's pattern, not its path: that may name an event.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let (method, begun) = (request.method().clone(), Instant::now());
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Some(Answered(problem)) = response.extensions().get::<Answered>() {
        app.engine.journal.figures.count_problem(problem);
    }
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let (status, milliseconds) = (response.status().as_u16(), begun.elapsed().as_millis());
    span.in_scope(|| tracing::debug!(%method, route, status, milliseconds, "answered"));
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    let no_store = HeaderValue::from_static("no-store");
    headers.entry(header::CACHE_CONTROL).or_insert(no_store);
    response
}

/// What programs make: it stands in logs, which hold no name of a person.
fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}
