//! Clients: keep-alive HTTP/1.1 written by hand, cheap enough not to be what is measured.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use super::events::{Events, id, scatter};

/// Latencies of requests, in microseconds, ascending.
pub(crate) struct Latencies(Vec<u64>);

impl Latencies {
    pub(crate) fn of(mut micros: Vec<u64>) -> Self {
        micros.sort_unstable();
        Self(micros)
    }

    /// The latency in milliseconds that `share` of the requests did not exceed.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        let at = (self.0.len() as f64 * share) as usize;
        let micros = self.0.get(at.min(self.0.len().saturating_sub(1)));
        micros.map_or(f64::NAN, |micros| *micros as f64 / 1_000.0)
    }

    /// These and others.
    pub(crate) fn with(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        Self::of(self.0)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

/// How events are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Connections at the same time; each waits for its answer before it sends again.
    pub(crate) connections: usize,
    /// Events of one request: 1 as a JSON object, more as NDJSON.
    pub(crate) batch: u64,
    /// How long it is measured.
    pub(crate) duration: Duration,
    /// How long it runs before.
    pub(crate) warm_up: Duration,
}

/// What a load came to.
pub(crate) struct Loaded {
    pub(crate) events: u64,
    /// Bytes of JSON of all events sent, the warm-up's included.
    pub(crate) sent_bytes: u64,
    pub(crate) sent_events: u64,
    pub(crate) seconds: f64,
    pub(crate) latencies: Latencies,
}

/// Where the server is, and what opens it.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
}

/// Sends events of a shape for its time.
pub(crate) async fn append(
    client: &Handle,
    target: &Target,
    events: &Events,
    shape: Shape,
) -> anyhow::Result<Loaded> {
    let begin = Instant::now() + shape.warm_up;
    let tasks: Vec<_> = (0..shape.connections)
        .map(|_| client.spawn(send(target.clone(), events.clone(), shape, begin)))
        .collect();
    let (mut micros, mut sent_bytes, mut sent_events) = (Vec::new(), 0, 0);
    let mut end = begin;
    for task in tasks {
        let sent = task.await??;
        micros.extend(sent.micros);
        sent_bytes += sent.bytes;
        sent_events += sent.events;
        end = end.max(sent.end);
    }
    Ok(Loaded {
        events: micros.len() as u64 * shape.batch,
        sent_bytes,
        sent_events,
        seconds: (end - begin).as_secs_f64(),
        latencies: Latencies::of(micros),
    })
}

/// What one connection sent.
struct Sent {
    micros: Vec<u64>,
    bytes: u64,
    events: u64,
    end: Instant,
}

/// One connection. A request counts when it is answered within the measured time or began in it.
async fn send(
    target: Target,
    events: Events,
    shape: Shape,
    begin: Instant,
) -> anyhow::Result<Sent> {
    let mut connection = Connection::open(&target).await?;
    let kind = if shape.batch == 1 {
        "application/json"
    } else {
        "application/x-ndjson"
    };
    let mut sent = Sent {
        micros: Vec::new(),
        bytes: 0,
        events: 0,
        end: begin,
    };
    while sent.end < begin + shape.duration {
        let body = events.ndjson(shape.batch);
        sent.bytes += body.len() as u64 - shape.batch; // without the line ends
        sent.events += shape.batch;
        let from = Instant::now();
        let status = connection.post("/v1/events", kind, &body).await?;
        ensure!(
            status == 201,
            "the server answered {status}: {}",
            connection.text()
        );
        sent.end = Instant::now().max(begin);
        if sent.end > begin {
            sent.micros.push(from.elapsed().as_micros() as u64);
        }
    }
    Ok(sent)
}

/// Sends exactly so many events as fast as they are taken, in requests of `batch` over some connections. Gives the bytes of their JSON.
pub(crate) async fn fill(
    client: &Handle,
    target: &Target,
    events: &Events,
    (count, batch, connections): (u64, u64, u64),
) -> anyhow::Result<u64> {
    let requests = count.div_ceil(batch);
    let tasks: Vec<_> = (0..connections)
        .map(|first| {
            let (target, events) = (target.clone(), events.clone());
            client.spawn(async move {
                let mut connection = Connection::open(&target).await?;
                let mut bytes = 0;
                for request in (first..requests).step_by(connections as usize) {
                    let some = batch.min(count - request * batch);
                    let body = events.ndjson(some);
                    bytes += body.len() as u64 - some; // without the line ends
                    let kind = "application/x-ndjson";
                    let status = connection.post("/v1/events", kind, &body).await?;
                    ensure!(status == 201, "{status}: {}", connection.text());
                }
                anyhow::Ok(bytes)
            })
        })
        .collect();
    let mut bytes = 0;
    for task in tasks {
        bytes += task.await??;
    }
    Ok(bytes)
}

/// Looks up stored events by id, one after the other, in no order.
pub(crate) async fn look_up(
    client: &Handle,
    target: &Target,
    stored: u64,
    count: u64,
) -> anyhow::Result<Latencies> {
    let paths = (0..count).map(move |number| {
        format!(
            "/v1/events/{}",
            id(scatter(number.wrapping_mul(7)) % stored)
        )
    });
    get_all(client, target, paths).await
}

/// Asks for the first page of an action, again and again.
pub(crate) async fn query(
    client: &Handle,
    target: &Target,
    action: &str,
    count: usize,
) -> anyhow::Result<Latencies> {
    let path = format!("/v1/events?action={action}");
    get_all(client, target, std::iter::repeat_n(path, count)).await
}

async fn get_all(
    client: &Handle,
    target: &Target,
    paths: impl Iterator<Item = String> + Send + 'static,
) -> anyhow::Result<Latencies> {
    let target = target.clone();
    let asked = client.spawn(async move {
        let mut connection = Connection::open(&target).await?;
        let mut micros = Vec::new();
        for path in paths {
            let from = Instant::now();
            let status = connection.get(&path).await?;
            micros.push(from.elapsed().as_micros() as u64);
            ensure!(status == 200, "{path}: {status}: {}", connection.text());
        }
        Ok(Latencies::of(micros))
    });
    asked.await?
}

/// One keep-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    headers: String,
    purpose: String,
    request: Vec<u8>,
    response: Vec<u8>,
    body_at: usize,
}

impl Connection {
    pub(crate) async fn open(target: &Target) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(target.address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            headers: format!("Host: bench\r\nAuthorization: Bearer {}\r\n", target.token),
            purpose: String::new(),
            request: Vec::new(),
            response: Vec::new(),
            body_at: 0,
        })
    }

    /// Says from here on why it asks.
    pub(crate) fn set_purpose(&mut self, purpose: &str) {
        self.purpose = format!("Trailkeep-Purpose: {purpose}\r\n");
    }

    pub(crate) async fn post(
        &mut self,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> anyhow::Result<u16> {
        let head = format!(
            "POST {path} HTTP/1.1\r\n{}{}Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            self.headers,
            self.purpose,
            body.len()
        );
        self.request.clear();
        self.request.extend_from_slice(head.as_bytes());
        self.request.extend_from_slice(body);
        self.exchange().await
    }

    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<u16> {
        self.request = format!("GET {path} HTTP/1.1\r\n{}\r\n", self.headers).into_bytes();
        self.exchange().await
    }

    /// Sends the request, reads the whole answer, and gives its status.
    async fn exchange(&mut self) -> anyhow::Result<u16> {
        self.stream.write_all(&self.request).await?;
        self.response.clear();
        self.body_at = loop {
            self.read_more().await?;
            let end = self
                .response
                .windows(4)
                .position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
        };
        let head = std::str::from_utf8(&self.response[..self.body_at])?;
        let status = head.get(9..12).and_then(|digits| digits.parse().ok());
        let status = status.context("the answer has no status")?;
        let length = content_length(head).context("the answer has no Content-Length")?;
        while self.response.len() < self.body_at + length {
            self.read_more().await?;
        }
        Ok(status)
    }

    async fn read_more(&mut self) -> anyhow::Result<()> {
        self.response.reserve(16 << 10);
        if self.stream.read_buf(&mut self.response).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.response[self.body_at..]).into_owned()
    }
}

fn content_length(head: &str) -> Option<usize> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    value.trim().parse().ok()
}
