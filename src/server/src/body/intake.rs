//! The way in of every body, whatever the route: counted, timed, decoded. A handler gets the decoded bytes and no
//! others, since this stands between the connection and all routes.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::coding::{Coding, Decoder, coding_of};
use super::grpc::{GRPC_ENCODING, is_grpc, unframe};
use super::memory::{BodyMemory, Share};
use super::pieces::Pieces;
use super::rest::{Rest, waits_to_go_on};
use super::{BODY_BYTES_MAX, BodyFault};
use crate::App;

/// A body that pauses for longer than this is given up; and for so long it may come slowly.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Bytes that are decoded before others have their turn.
const SLICE_BYTES: usize = 64 << 10;

/// What all bodies of a server share.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) memory: Arc<BodyMemory>,
    /// Bytes a second that a body comes with at least.
    least_rate: u64,
    /// How long a body may pause, and come more slowly at its begin.
    pause: Duration,
    /// Who decodes at the moment. It is fair: with each slice everybody else has their turn.
    decoding: Semaphore,
}

impl Intake {
    pub(crate) fn new(memory_bytes: u64, least_rate: u64) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            memory: BodyMemory::new(memory_bytes),
            least_rate: least_rate.max(1),
            pause: PAUSE_MAX,
            // One is left for everything else.
            decoding: Semaphore::new(threads.saturating_sub(1).max(1)),
        }
    }
}

/// Stands before all routes. What a body holds counts until its request is answered.
pub(crate) async fn take_in(State(app): State<App>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let is_empty = body.is_end_stream() && !is_grpc(&parts.headers);
    if is_empty && !parts.headers.contains_key(header::CONTENT_ENCODING) {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let share = Arc::new(app.intake.memory.share());
    let (version, waits) = (parts.version, waits_to_go_on(&parts.headers));
    let rest = Arc::new(Rest::default());
    let mut coming = Coming::new(
        &parts.headers,
        body,
        Arc::clone(&share),
        Arc::clone(&app.intake),
    );
    coming.rest = Arc::clone(&rest);
    let body = Body::from_stream(stream::unfold(coming, |mut coming| async move {
        let next = coming.next().await.transpose()?;
        Some((next, coming))
    }));
    let mut response = next.run(Request::from_parts(parts, body)).await;
    drop(share);
    rest.finish(version, waits, &mut response).await;
    response
}

/// A body that comes.
struct Coming {
    /// Whether the body is a message of gRPC.
    is_grpc: bool,
    coding: Result<Option<Coding>, BodyFault>,
    declared: Option<u64>,
    sent: BodyDataStream,
    received: u64,
    begun: Option<Instant>,
    decoder: Option<Decoder>,
    /// What is left of a message that is not compressed.
    message: Option<Pieces>,
    decoded: u64,
    /// Bytes that are counted for the decoder.
    decoder_bytes: u64,
    share: Arc<Share>,
    intake: Arc<Intake>,
    is_over: bool,
    rest: Arc<Rest>,
}

impl Drop for Coming {
    fn drop(&mut self) {
        let sent = std::mem::replace(&mut self.sent, Body::empty().into_data_stream());
        self.rest.leave(sent);
    }
}

impl Coming {
    fn new(headers: &HeaderMap, body: Body, share: Arc<Share>, intake: Arc<Intake>) -> Self {
        let declared = headers.get(header::CONTENT_LENGTH);
        let is_grpc = is_grpc(headers);
        let named_by = if is_grpc {
            GRPC_ENCODING
        } else {
            header::CONTENT_ENCODING.as_str()
        };
        Self {
            is_grpc,
            coding: coding_of(headers, named_by),
            declared: declared.and_then(|value| value.to_str().ok()?.parse().ok()),
            sent: body.into_data_stream(),
            received: 0,
            begun: None,
            decoder: None,
            message: None,
            decoded: 0,
            decoder_bytes: 0,
            share,
            intake,
            is_over: false,
            rest: Arc::default(),
        }
    }

    /// The next decoded bytes; after an error or the end there are none.
    async fn next(&mut self) -> Result<Option<Bytes>, BodyFault> {
        if self.is_over {
            return Ok(None);
        }
        let refused = Arc::clone(&self.share.refused);
        let next = tokio::select! {
            biased;
            () = refused.notified() => Err(BodyFault::NoRoom),
            next = self.proceed() => next,
        };
        self.is_over = !matches!(next, Ok(Some(_)));
        if matches!(next, Ok(None)) {
            self.share.finish()?;
        }
        next
    }

    async fn proceed(&mut self) -> Result<Option<Bytes>, BodyFault> {
        if self.declared.is_some_and(|length| length > BODY_BYTES_MAX) {
            return Err(BodyFault::TooLarge);
        }
        let coding = self.coding.clone()?;
        if coding.is_none() && !self.is_grpc {
            return self.receive().await;
        }
        if self.decoder.is_none() && self.message.is_none() {
            let mut body = self.receive_all().await?;
            let is_coded = !self.is_grpc || unframe(&mut body)?;
            if is_coded {
                let coding = coding.ok_or(BodyFault::UnnamedCoding)?;
                self.decoder = Some(Decoder::new(coding, body)?);
                self.count(0).await?;
            } else {
                self.message = Some(body);
            }
        }
        match &mut self.message {
            None => self.decode().await,
            Some(message) => Ok(message.pop().map(Bytes::from)),
        }
    }

    /// The next bytes as sent.
    async fn receive(&mut self) -> Result<Option<Bytes>, BodyFault> {
        let now = Instant::now();
        let begun = *self.begun.get_or_insert(now);
        let earned = Duration::from_secs(self.received / self.intake.least_rate);
        let pause = self.intake.pause;
        let deadline = (now + pause).min(begun + pause + earned);
        let next = tokio::time::timeout_at(deadline, self.sent.next()).await;
        match next.map_err(|_| BodyFault::TooSlow(self.intake.least_rate))? {
            None => Ok(None),
            Some(Err(_)) => Err(BodyFault::BrokenOff),
            Some(Ok(bytes)) => {
                self.received += bytes.len() as u64;
                // As sent it may be no longer than as decoded: nobody sends more to get less.
                if self.received > BODY_BYTES_MAX {
                    return Err(BodyFault::TooLarge);
                }
                self.share.grow(bytes.len() as u64).await?;
                Ok(Some(bytes))
            }
        }
    }

    async fn receive_all(&mut self) -> Result<Pieces, BodyFault> {
        let mut all = Pieces::default();
        while let Some(bytes) = self.receive().await? {
            all.push(&bytes);
        }
        Ok(all)
    }

    /// Counts decoded bytes, and what the decoder took with them.
    async fn count(&mut self, decoded: u64) -> Result<(), BodyFault> {
        let decoder = self.decoder.as_ref().map_or(0, Decoder::memory);
        let more = decoder.saturating_sub(self.decoder_bytes);
        self.share.grow(decoded + more).await?;
        self.decoder_bytes += more;
        Ok(())
    }

    /// One slice. Whoever decodes little does not wait for one who decodes much.
    async fn decode(&mut self) -> Result<Option<Bytes>, BodyFault> {
        let turn = self.intake.decoding.acquire().await;
        let turn = turn.map_err(|_| BodyFault::BrokenOff)?;
        let Some(decoder) = &mut self.decoder else {
            return Ok(None);
        };
        let mut slice = vec![0; SLICE_BYTES];
        let Some(read) = decoder.read(&mut slice)? else {
            self.decoder = None;
            self.share.shrink(self.received + self.decoder_bytes);
            return Ok(None);
        };
        slice.truncate(read);
        self.decoded += read as u64;
        if self.decoded > BODY_BYTES_MAX {
            return Err(BodyFault::TooLarge);
        }
        // Whoever waits for room is in nobody's way.
        drop(turn);
        self.count(read as u64).await?;
        tokio::task::yield_now().await;
        Ok(Some(slice.into()))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn intake(pause: Duration, least_rate: u64) -> Arc<Intake> {
        let mut intake = Intake::new(64 << 20, least_rate);
        intake.pause = pause;
        Arc::new(intake)
    }

    /// A body that sends `piece` after each pause, for ever.
    fn drip(piece: &'static [u8], pause: Duration) -> Body {
        Body::from_stream(stream::unfold((), move |()| async move {
            tokio::time::sleep(pause).await;
            Some((
                Ok::<_, std::convert::Infallible>(Bytes::from_static(piece)),
                (),
            ))
        }))
    }

    async fn read_all(
        intake: &Arc<Intake>,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<u64, BodyFault> {
        let share = Arc::new(intake.memory.share());
        let mut coming = Coming::new(headers, body, share, Arc::clone(intake));
        let mut bytes = 0;
        while let Some(piece) = coming.next().await? {
            bytes += piece.len() as u64;
        }
        Ok(bytes)
    }

    #[tokio::test]
    async fn a_body_that_pauses_or_drips_is_given_up() {
        let pause = Duration::from_millis(200);
        let none = HeaderMap::new();
        for (piece, every) in [
            (&b"x"[..], Duration::from_secs(60)),
            (b"x", Duration::from_millis(20)),
        ] {
            let intake = intake(pause, 1_000);
            let read = read_all(&intake, &none, drip(piece, every)).await;
            assert!(matches!(read, Err(BodyFault::TooSlow(1_000))), "{read:?}");
            assert_eq!(intake.memory.used(), 0);
        }
        // Faster than the least rate it goes on, here to the limit of a body.
        let piece: &'static [u8] = Box::leak(vec![0; 4 << 20].into_boxed_slice());
        let read = read_all(
            &intake(pause, 1_000),
            &none,
            drip(piece, Duration::from_millis(30)),
        )
        .await;
        assert!(matches!(read, Err(BodyFault::TooLarge)), "{read:?}");
    }

    #[tokio::test]
    async fn who_decodes_little_does_not_wait_for_who_decodes_much() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("zstd"));
        let bomb = Bytes::from(zstd::encode_all(&*vec![0; 40 << 20], 1).unwrap());
        let small = Bytes::from(zstd::encode_all(&b"small"[..], 1).unwrap());
        let intake = intake(PAUSE_MAX, 1);
        let bombs = (0..20).map(|_| {
            let (intake, headers, bomb) = (Arc::clone(&intake), headers.clone(), bomb.clone());
            tokio::spawn(async move { read_all(&intake, &headers, Body::from(bomb)).await })
        });
        let bombs: Vec<_> = bombs.collect();
        tokio::task::yield_now().await;
        let read = read_all(&intake, &headers, Body::from(small)).await;
        assert!(matches!(read, Ok(5)), "{read:?}");
        let done = bombs.iter().filter(|bomb| bomb.is_finished()).count();
        assert!(done < 20, "the small body came last");
        for bomb in bombs {
            assert!(matches!(
                bomb.await.unwrap(),
                Err(BodyFault::TooLarge | BodyFault::NoRoom)
            ));
        }
        assert_eq!(intake.memory.used(), 0);
    }
}
