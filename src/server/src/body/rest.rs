//! What is left of a body after its request is answered. Over HTTP/1 the next request follows on the same connection
//! only where the body was read to its end (RFC 9112 section 9.3); where it was not, the answer says that the
//! connection closes, so that nobody sends another request into it.

use std::time::Duration;

use axum::body::{BodyDataStream, HttpBody};
use axum::http::{HeaderMap, HeaderValue, Version, header};
use axum::response::Response;
use futures_util::StreamExt;
use parking_lot::Mutex;

/// A refused body of a few bytes is often still on its way: this much of it is read, for this long.
const REST_BYTES_MAX: usize = 64 << 10;
const REST_WAIT_MAX: Duration = Duration::from_millis(50);

/// The place where a body's reader leaves what it did not read.
#[derive(Debug, Default)]
pub(super) struct Rest(Mutex<Option<BodyDataStream>>);

impl Rest {
    pub(super) fn leave(&self, sent: BodyDataStream) {
        if !sent.is_end_stream() {
            *self.0.lock() = Some(sent);
        }
    }

    /// Reads what is left, or says in the answer that the connection closes.
    pub(super) async fn finish(&self, version: Version, waits: bool, response: &mut Response) {
        let left = self.0.lock().take();
        let Some(mut sent) = left.filter(|_| version < Version::HTTP_2) else {
            return;
        };
        let all = async {
            let mut bytes = 0;
            while let Some(piece) = sent.next().await {
                bytes += piece.map_or(REST_BYTES_MAX, |piece| piece.len());
                if bytes >= REST_BYTES_MAX {
                    return false;
                }
            }
            true
        };
        if waits
            || !tokio::time::timeout(REST_WAIT_MAX, all)
                .await
                .unwrap_or(false)
        {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
    }
}

/// Whether a client sends its body only after it is told to go on (RFC 9110 section 10.1.1).
pub(super) fn waits_to_go_on(headers: &HeaderMap) -> bool {
    headers.contains_key(header::EXPECT)
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, Bytes};
    use futures_util::stream;

    use super::*;

    async fn closes(version: Version, waits: bool, body: Body) -> bool {
        let (rest, mut response) = (Rest::default(), Response::new(Body::empty()));
        rest.leave(body.into_data_stream());
        rest.finish(version, waits, &mut response).await;
        response.headers().get(header::CONNECTION).is_some()
    }

    #[tokio::test]
    async fn an_answer_says_that_the_connection_closes_where_a_body_was_not_read() {
        let small = || Body::from("{}");
        let large = || Body::from(vec![0; REST_BYTES_MAX]);
        let silent = || Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let one = Version::HTTP_11;
        assert!(!closes(one, false, Body::empty()).await);
        assert!(!closes(one, false, small()).await);
        assert!(closes(one, true, small()).await);
        assert!(closes(one, false, large()).await);
        assert!(closes(one, false, silent()).await);
        // A stream of HTTP/2 ends by itself, without its connection.
        assert!(!closes(Version::HTTP_2, false, large()).await);
    }
}
