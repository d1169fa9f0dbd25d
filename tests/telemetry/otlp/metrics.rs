//! Metrics: none is recorded, and their sender is told so without a flood.

use prost::Message;
use serde_json::{Value, json};

use super::grpc::{METRICS, Partial, call, framed, plain_client};
use super::send::{events, send, send_json};
use crate::support::{Directory, Server};

/// A request of metrics with so many data points: `ExportMetricsServiceRequest` has the outer form of traces.
fn metrics(points: usize) -> (Value, Vec<u8>) {
    let json = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "gen_ai.client.token.usage", "histogram": {"dataPoints": vec![json!({"count": "1"}); points]}},
    ]}]}]});
    let list: Vec<u8> = [0x0a, 0x00].repeat(points);
    let message = |tag: u8, inside: &[u8]| {
        let length = u8::try_from(inside.len()).unwrap();
        assert!(length < 128);
        [&[tag << 3 | 2, length], inside].concat()
    };
    let metric = message(9, &list);
    let request = message(1, &message(2, &message(2, &metric)));
    (json, request)
}

fn post(server: &Server, token: &str, body: &[u8]) -> Partial {
    let headers = [
        ("Host", "x".to_owned()),
        ("Connection", "close".to_owned()),
        ("Content-Type", "application/x-protobuf".to_owned()),
        ("Content-Length", body.len().to_string()),
        ("Authorization", format!("Bearer {token}")),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    let answer = send(&server.address, "/v1/metrics", &headers, body);
    assert_eq!(answer.status, 200, "{}", answer.head);
    Partial::decode(&*answer.body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_data_point_is_rejected_and_counted_and_each_key_is_told_once() {
    let directory = Directory::new();
    let server = directory.serve();
    let made = directory.run(&["key", "create", "--role", "writer", "--json"]);
    let writer: Value = serde_json::from_slice(&made.stdout).unwrap();
    let writer = writer["token"].as_str().unwrap();
    let (json, protobuf) = metrics(3);
    let answer = send_json(&server.address, &server.token, "/v1/metrics", &json);
    let said: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (answer.status, &said["partialSuccess"]["rejectedDataPoints"]),
        (200, &json!("3"))
    );
    let why = said["partialSuccess"]["errorMessage"].as_str().unwrap();
    assert!(why.contains("OTEL_METRICS_EXPORTER=none"), "{why}");
    // The same key again, in each way: the number, and no words.
    let base = format!("http://{}", server.address);
    for _ in 0..2 {
        let told = post(&server, &server.token, &protobuf).told.unwrap();
        assert_eq!((told.rejected, &*told.message), (3, ""));
        let to = (&*base, &*server.token);
        let called = call(&plain_client(), to, METRICS, None, framed(0, &protobuf)).await;
        let told = Partial::decode(&*called.message).unwrap().told.unwrap();
        assert_eq!((called.code, told.rejected, &*told.message), (0, 3, ""));
    }
    // Another key is told, too.
    let told = post(&server, writer, &protobuf).told.unwrap();
    assert_eq!((told.rejected, &*told.message), (3, why));
    // Nothing at all is rejected of nothing.
    assert_eq!(post(&server, writer, b""), Partial { told: None });
    assert_eq!(
        send_json(&server.address, writer, "/v1/metrics", &json!({})).body,
        b"{}"
    );
    let wrong = send_json(
        &server.address,
        writer,
        "/v1/metrics",
        &json!({"resourceMetrics": 1}),
    );
    assert_eq!(wrong.status, 400);
    let figures = server.client().get("/metrics").unwrap().text();
    assert!(
        figures.contains("trailkeep_telemetry_data_points_rejected_total 18"),
        "{figures}"
    );
    assert!(events(&mut server.client()).is_empty());
    let log = server.stop();
    let lines = log.matches("metrics are not recorded").count();
    assert_eq!(lines, 2, "{log}");
    directory.assert_clean();
}
