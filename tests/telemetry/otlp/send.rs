//! Sending captures as they were sent, and telemetry of our own; reading the events that come out.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, Server};

/// A moment of the tests' own clock: 2026-11-25T08:00:00Z.
pub const NOON_MS: u64 = 1_795_593_600_000;

/// One request of a capture.
pub struct Capture {
    /// Library, scenario and variant.
    pub scenario: String,
    /// File name.
    pub file: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

pub fn shared() -> PathBuf {
    std::env::var_os("TRAILKEEP_SHARED").map_or_else(
        || crate::support::root().to_owned().join("../shared"),
        PathBuf::from,
    )
}

/// All captures, by file name; none where they are not here, which is said.
pub fn captures() -> Vec<Capture> {
    let folder = shared().join("otlp");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: {} is not here", folder.display());
        return Vec::new();
    };
    let mut captures: Vec<Capture> = entries
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let stem = name.strip_suffix(".headers.json")?.to_owned();
            let head: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let ends = ["pb", "pb.gz", "json", "json.gz"];
            let body = ends
                .iter()
                .find_map(|end| std::fs::read(folder.join(format!("{stem}.{end}"))).ok());
            let headers = head["headers"].as_array().unwrap().iter().map(|pair| {
                (
                    pair[0].as_str().unwrap().to_owned(),
                    pair[1].as_str().unwrap().to_owned(),
                )
            });
            Some(Capture {
                scenario: stem.split('.').next().unwrap().to_owned(),
                file: stem.clone(),
                path: head["path"].as_str().unwrap().to_owned(),
                headers: headers.collect(),
                body: body.unwrap(),
            })
        })
        .collect();
    captures.sort_by(|one, other| one.file.cmp(&other.file));
    captures
}

/// The requests of one scenario.
pub fn scenario(name: &str) -> Vec<Capture> {
    let all = captures();
    let found: Vec<Capture> = all
        .into_iter()
        .filter(|capture| capture.scenario == name)
        .collect();
    assert!(
        !found.is_empty() || !shared().join("otlp").exists(),
        "no capture {name}"
    );
    found
}

/// An answer: status, headers in lower case, body.
pub struct Answered {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

/// Sends a capture with its own headers, to this server and with this server's token alone.
pub fn send_capture(server: &Server, capture: &Capture) -> Answered {
    let headers = capture.headers.iter().map(|(name, value)| {
        let value = match name.to_ascii_lowercase().as_str() {
            "authorization" => format!("Bearer {}", server.token),
            "host" => server.address.clone(),
            "connection" => "close".to_owned(),
            _ => value.clone(),
        };
        (name.clone(), value)
    });
    send(
        &server.address,
        &capture.path,
        &headers.collect::<Vec<_>>(),
        &capture.body,
    )
}

/// Sends a request exactly so; in chunks where the headers say so.
pub fn send(address: &str, path: &str, headers: &[(String, String)], body: &[u8]) -> Answered {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut request = format!("POST {path} HTTP/1.1\r\n").into_bytes();
    for (name, value) in headers {
        request.extend(format!("{name}: {value}\r\n").bytes());
    }
    request.extend(b"\r\n");
    let is_chunked = headers.iter().any(|(_, value)| value == "chunked");
    if is_chunked {
        for chunk in body.chunks(1000) {
            request.extend(format!("{:x}\r\n", chunk.len()).bytes());
            request.extend(chunk);
            request.extend(b"\r\n");
        }
        request.extend(b"0\r\n\r\n");
    } else {
        request.extend(body);
    }
    let _ = stream.write_all(&request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.map_or(answer.len(), |end| end + 4);
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Answered {
        status: status.unwrap_or(0),
        body: answer[end..].to_vec(),
        head,
    }
}

/// Sends OTLP/JSON.
pub fn send_json(address: &str, token: &str, path: &str, body: &Value) -> Answered {
    let body = body.to_string().into_bytes();
    let headers = [
        ("Host", address.to_owned()),
        ("Authorization", format!("Bearer {token}")),
        ("Content-Type", "application/json".to_owned()),
        ("Content-Length", body.len().to_string()),
        ("Connection", "close".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    send(address, path, &headers, &body)
}

/// All events of the tenant, oldest first.
pub fn events(client: &mut Client) -> Vec<Value> {
    let (mut events, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = client
            .get(&format!("/v1/events?limit=500{cursor}"))
            .unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let page = answer.json();
        events.extend(
            page["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|listed| listed["event"].clone()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return events,
        }
    }
}

/// Waits until so many events are there; more than that is a fault that the caller sees.
pub fn wait_for_events(client: &mut Client, count: usize) -> Vec<Value> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let found = events(client);
        if found.len() >= count {
            return found;
        }
        assert!(Instant::now() < end, "{} of {count} events", found.len());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A request of OTLP/JSON with spans of one process and library.
pub fn traces_request(resource: &Value, spans: &[Value]) -> Value {
    traces_of("test", resource, spans)
}

/// The same of a library with a name.
pub fn traces_of(scope: &str, resource: &Value, spans: &[Value]) -> Value {
    json!({"resourceSpans": [{"resource": {"attributes": attributes(resource)}, "scopeSpans": [{"scope": {"name": scope}, "spans": spans}]}]})
}

/// A request of OTLP/JSON with log records.
pub fn logs_request(records: &[Value]) -> Value {
    json!({"resourceLogs": [{"resource": {"attributes": attributes(&json!({"service.name": "shop"}))}, "scopeLogs": [{"scope": {"name": "test"}, "logRecords": records}]}]})
}

/// A span: trace and span as numbers, the parent's number or 0.
pub fn span(trace: u32, id: u32, parent: u32, attributes_of: &Value) -> Value {
    let mut span = json!({
        "traceId": format!("{trace:032x}"), "spanId": format!("{id:016x}"), "name": "x", "kind": 1, "flags": 256,
        "startTimeUnixNano": (1_795_593_000_000_000_000_u64 + u64::from(id) * 1_000_000).to_string(),
        "endTimeUnixNano": (1_795_593_000_500_000_000_u64 + u64::from(id) * 1_000_000).to_string(),
        "attributes": attributes(attributes_of),
    });
    if parent != 0 {
        span["parentSpanId"] = format!("{parent:016x}").into();
    }
    span
}

/// A model call of a usual instrumentation.
pub fn chat(answer: &str) -> Value {
    json!({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m-1", "gen_ai.response.id": answer,
        "gen_ai.input.messages": "[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"secret question\"}]}]",
        "gen_ai.output.messages": "[{\"role\":\"assistant\",\"parts\":[{\"type\":\"text\",\"content\":\"secret answer\"}]}]",
    })
}

fn attributes(plain: &Value) -> Vec<Value> {
    let pairs = plain.as_object().unwrap().iter();
    pairs
        .map(|(key, value)| json!({"key": key, "value": any(value)}))
        .collect()
}

fn any(value: &Value) -> Value {
    match value {
        Value::String(text) => json!({"stringValue": text}),
        Value::Bool(flag) => json!({"boolValue": flag}),
        Value::Array(list) => {
            json!({"arrayValue": {"values": list.iter().map(any).collect::<Vec<_>>()}})
        }
        Value::Number(number) if number.is_i64() => json!({"intValue": number}),
        other => json!({"doubleValue": other}),
    }
}
