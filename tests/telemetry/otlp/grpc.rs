//! OTLP over gRPC, on the port of HTTP: the same events, limits and refusals, told as gRPC tells them.

use std::io::Write;

use axum::http::HeaderMap;
use http_body_util::BodyExt;
use prost::Message;
use reqwest::{Client, Version};

use super::items::{raw_request, raw_span};
use super::send::{send, wait_for_events};
use crate::support::{Directory, Server};

pub const TRACES: &str = "opentelemetry.proto.collector.trace.v1.TraceService/Export";
const LOGS: &str = "opentelemetry.proto.collector.logs.v1.LogsService/Export";
pub const METRICS: &str = "opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

// Codes of gRPC.
const OK: i32 = 0;
const INVALID_ARGUMENT: i32 = 3;
const PERMISSION_DENIED: i32 = 7;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNIMPLEMENTED: i32 = 12;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

/// What a call was answered with.
#[derive(Debug)]
pub struct Called {
    pub code: i32,
    said: String,
    /// Seconds after which to try again.
    retry: Option<u64>,
    accepts: String,
    pub message: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Detail>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Detail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(message, optional, tag = "2")]
    retry: Option<Retry>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Retry {
    #[prost(message, optional, tag = "1")]
    delay: Option<Delay>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Delay {
    #[prost(uint64, tag = "1")]
    seconds: u64,
}

/// `ExportTracePartialSuccess` and its kin.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Partial {
    #[prost(message, optional, tag = "1")]
    pub told: Option<Told>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct Told {
    #[prost(int64, tag = "1")]
    pub rejected: i64,
    #[prost(string, tag = "2")]
    pub message: String,
}

pub fn plain_client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().http2_prior_knowledge().build().unwrap()
}

pub fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flag], &length[..], message].concat()
}

/// Calls a method. The status stands behind the message, or in its place.
pub async fn call(
    client: &Client,
    (base, token): (&str, &str),
    method: &str,
    encoding: Option<&str>,
    body: Vec<u8>,
) -> Called {
    let mut request = client
        .post(format!("{base}/{method}"))
        .bearer_auth(token)
        .header("Content-Type", "application/grpc")
        .header("TE", "trailers");
    if let Some(encoding) = encoding {
        request = request.header("grpc-encoding", encoding);
    }
    let answer = request.body(body).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.version()),
        (200, Version::HTTP_2)
    );
    let (head, body) = axum::http::Response::from(answer).into_parts();
    assert_eq!(head.headers["content-type"], "application/grpc");
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    let text = |name| {
        let named = |headers: &HeaderMap| Some(headers.get(name)?.to_str().unwrap().to_owned());
        named(&trailers).or_else(|| named(&head.headers))
    };
    let retry = text("grpc-status-details-bin").map(|details| {
        use base64::engine::general_purpose::STANDARD_NO_PAD;
        let details = base64::Engine::decode(&STANDARD_NO_PAD, details.trim_end_matches('='));
        let status = Status::decode(&*details.unwrap()).unwrap();
        let detail = &status.details[0];
        assert_eq!(detail.type_url, "type.googleapis.com/google.rpc.RetryInfo");
        detail
            .retry
            .as_ref()
            .unwrap()
            .delay
            .as_ref()
            .unwrap()
            .seconds
    });
    let message = body.to_bytes();
    Called {
        code: text("grpc-status").unwrap().parse().unwrap(),
        said: percent_encoding::percent_decode_str(&text("grpc-message").unwrap_or_default())
            .decode_utf8_lossy()
            .into_owned(),
        retry,
        accepts: text("grpc-accept-encoding").unwrap_or_default(),
        message: message.get(5..).unwrap_or_default().to_vec(),
    }
}

fn base(server: &Server) -> String {
    format!("http://{}", server.address)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// A span that has bytes which are not UTF-8, and a span without an id.
fn request() -> Vec<u8> {
    let mut no_id = raw_span(2, &[(b"user.id", b"u-2")]);
    let at = no_id
        .windows(8)
        .position(|window| window == [0, 0, 0, 0, 0, 0, 0, 2]);
    let at = at.unwrap();
    no_id[at..at + 8].fill(0);
    raw_request(&[raw_span(1, &[(b"user.id", b"u-\xff")]), no_id])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_over_grpc_is_what_comes_over_http() {
    let mut outcomes = Vec::new();
    for way in ["http", "grpc", "grpc gzip", "grpc zstd"] {
        let directory = Directory::new();
        let server = directory.serve_with(&[("TRAILKEEP_OTLP_QUIET_MS", "50")]);
        let body = request();
        let length = body.len().to_string();
        let told = if way == "http" {
            let bearer = format!("Bearer {}", server.token);
            let headers = [
                ("Host", "x"),
                ("Connection", "close"),
                ("Content-Type", "application/x-protobuf"),
                ("Content-Length", length.as_str()),
                ("Authorization", bearer.as_str()),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
            send(&server.address, "/v1/traces", &headers, &body).body
        } else {
            let (encoding, frame) = match way {
                "grpc gzip" => (Some("gzip"), framed(1, &gzip(&body))),
                "grpc zstd" => (
                    Some("zstd"),
                    framed(1, &zstd::encode_all(&*body, 1).unwrap()),
                ),
                _ => (None, framed(0, &body)),
            };
            let to = (&*base(&server), &*server.token);
            let called = call(&plain_client(), to, TRACES, encoding, frame).await;
            assert_eq!(called.code, OK, "{called:?}");
            called.message
        };
        let partial = Partial::decode(&*told).unwrap().told.unwrap();
        assert_eq!(partial.rejected, 1, "{way}");
        assert!(
            partial.message.contains("span 2 has no valid trace_id"),
            "{way}: {}",
            partial.message
        );
        outcomes.push((partial, wait_for_events(&mut server.client(), 1)));
        server.stop();
        directory.assert_clean();
    }
    assert_eq!(outcomes[0].1[0]["subjects"][0]["id"], "u-\\xff");
    assert!(
        outcomes.windows(2).all(|pair| pair[0] == pair[1]),
        "{outcomes:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_has_the_limits_of_a_body() {
    let directory = Directory::new();
    let server = directory.serve();
    let client = plain_client();
    let whole = framed(0, b"");
    let bomb = gzip(&vec![b' '; 33 << 20]);
    assert!(bomb.len() < 1 << 20);
    let zstd_bomb = zstd::encode_all(&*vec![b' '; 33 << 20], 1).unwrap();
    let cases: [(i32, Option<&str>, Vec<u8>, &str); 11] = [
        (OK, None, whole.clone(), ""),
        (OK, Some("gzip"), whole.clone(), ""),
        (OK, Some("gzip"), framed(1, &gzip(b"")), ""),
        (
            INVALID_ARGUMENT,
            Some("gzip"),
            framed(1, &bomb),
            "larger than 33554432 bytes",
        ),
        (
            INVALID_ARGUMENT,
            Some("zstd"),
            framed(1, &zstd_bomb),
            "larger than 33554432 bytes",
        ),
        (
            INVALID_ARGUMENT,
            None,
            framed(0, &vec![0; 33 << 20]),
            "larger than 33554432 bytes",
        ),
        (
            INVALID_ARGUMENT,
            Some("gzip"),
            framed(1, &bomb[..100]),
            "ends inside its gzip member",
        ),
        (INVALID_ARGUMENT, None, framed(1, b"x"), "does not say how"),
        (
            INVALID_ARGUMENT,
            None,
            [&whole[..], &whole].concat(),
            "not one gRPC message",
        ),
        (INVALID_ARGUMENT, None, Vec::new(), "not one gRPC message"),
        (
            UNIMPLEMENTED,
            Some("deflate"),
            framed(1, b"x"),
            "gzip, zstd or identity",
        ),
    ];
    for (code, encoding, body, words) in cases {
        for method in [TRACES, LOGS, METRICS] {
            let to = (&*base(&server), &*server.token);
            let called = call(&client, to, method, encoding, body.clone()).await;
            assert_eq!(called.code, code, "{words}: {called:?}");
            assert!(called.said.contains(words), "{words}: {called:?}");
            assert_eq!(
                (called.retry, &*called.accepts),
                (None, "identity,gzip,zstd")
            );
        }
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_whether_to_come_again() {
    let directory = Directory::new();
    let server = directory.serve();
    let client = plain_client();
    let made = server.client().request(
        "POST",
        "/v1/keys",
        &[("Content-Type", "application/json")],
        br#"{"role": "reader"}"#,
    );
    let reader = made.unwrap().json()["token"].as_str().unwrap().to_owned();
    let (base, writer) = (base(&server), server.token.clone());
    for method in [TRACES, LOGS, METRICS] {
        let called = call(&client, (&base, "wrong"), method, None, framed(0, b"")).await;
        assert_eq!((called.code, called.retry), (UNAUTHENTICATED, None));
        let called = call(&client, (&base, &reader), method, None, framed(0, b"")).await;
        assert_eq!((called.code, called.retry), (PERMISSION_DENIED, None));
        let called = call(
            &client,
            (&base, &writer),
            method,
            None,
            framed(0, b"\xff\xff\xff"),
        )
        .await;
        assert_eq!((called.code, called.retry), (INVALID_ARGUMENT, None));
    }
    let profiles = "opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export";
    let called = call(&client, (&base, &writer), profiles, None, framed(0, b"")).await;
    assert_eq!((called.code, called.retry), (UNIMPLEMENTED, None));
    // They count as those of HTTP do.
    let metrics = server.client().get("/metrics").unwrap().text();
    for line in [
        "trailkeep_problems_total{type=\"unauthorized\"} 3",
        "trailkeep_problems_total{type=\"forbidden\"} 3",
        "trailkeep_problems_total{type=\"bad-request\"} 3",
        "trailkeep_problems_total{type=\"not-found\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    // Without HTTP/2 a call has no trailers.
    let mut old = server.client();
    let answer = old
        .request(
            "POST",
            &format!("/{TRACES}"),
            &[("Content-Type", "application/grpc")],
            &framed(0, b""),
        )
        .unwrap();
    assert_eq!(
        (answer.status, answer.header("grpc-status")),
        (200, Some("3"))
    );
    let answer = old
        .request(
            "POST",
            &format!("/{TRACES}"),
            &[("Content-Type", "application/json")],
            b"{}",
        )
        .unwrap();
    assert_eq!(answer.status, 415);
    server.stop();

    let server = directory.serve_with(&[("TRAILKEEP_MIN_FREE_BYTES", "18000000000000000000")]);
    let called = call(
        &client,
        (&self::base(&server), &server.token),
        TRACES,
        None,
        framed(0, &request()),
    )
    .await;
    assert_eq!(
        (called.code, called.retry),
        (UNAVAILABLE, Some(30)),
        "{called:?}"
    );
    server.stop();

    let server = directory.serve_with(&[("TRAILKEEP_LIMITS_REQUESTS_PER_KEY_S", "1")]);
    let mut codes = Vec::new();
    while codes.last() != Some(&RESOURCE_EXHAUSTED) {
        let called = call(
            &client,
            (&self::base(&server), &server.token),
            LOGS,
            None,
            framed(0, b""),
        )
        .await;
        assert_eq!(
            called.retry,
            (called.code == RESOURCE_EXHAUSTED).then_some(1)
        );
        codes.push(called.code);
        assert!(codes.len() < 50, "{codes:?}");
    }
    assert_eq!(codes[0], OK);
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_served_over_tls() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let directory = Directory::new();
    let file = |name, text: &str| {
        let path = directory.path.with_file_name(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let server = directory.serve_with(&[
        (
            "TRAILKEEP_TLS_CERTIFICATE_FILE",
            &file("tls.pem", &made.cert.pem()),
        ),
        (
            "TRAILKEEP_TLS_KEY_FILE",
            &file("tls.key", &made.signing_key.serialize_pem()),
        ),
    ]);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let trusted = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let client = Client::builder().tls_certs_only([trusted]).build().unwrap();
    let port = server.address.rsplit(':').next().unwrap();
    let base = format!("https://localhost:{port}");
    let called = call(
        &client,
        (&base, &server.token),
        TRACES,
        None,
        framed(0, &request()),
    )
    .await;
    assert_eq!(called.code, OK, "{called:?}");
    server.stop();
}
