//! Connections of the real program: TLS and its certificate, HTTP/2, and the way it stops.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that has not what it needs should panic, or say so"
)]

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Directory, Server};
use reqwest::{Client, Version};

/// How long a test waits for something that must come; no measure of anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A certificate for `localhost`, as the test makes it; in PEM.
struct Pair {
    certificate: String,
    key: String,
}

impl Pair {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        }
    }

    /// A client that trusts this certificate alone.
    fn client(&self) -> Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let trusted = reqwest::Certificate::from_pem(self.certificate.as_bytes()).unwrap();
        let builder = Client::builder().tls_certs_only([trusted]);
        builder.build().unwrap()
    }
}

struct Secured {
    directory: Directory,
    certificate: PathBuf,
    key: PathBuf,
}

impl Secured {
    fn with(pair: &Pair) -> Self {
        let directory = Directory::new();
        let made = Self {
            certificate: directory.path.with_file_name("tls.pem"),
            key: directory.path.with_file_name("tls.key"),
            directory,
        };
        made.put(&pair.certificate, &pair.key);
        made
    }

    fn put(&self, certificate: &str, key: &str) {
        std::fs::write(&self.certificate, certificate).unwrap();
        std::fs::write(&self.key, key).unwrap();
    }

    fn serve(&self) -> Server {
        self.directory.serve_with(&[
            (
                "TRAILKEEP_TLS_CERTIFICATE_FILE",
                self.certificate.to_str().unwrap(),
            ),
            ("TRAILKEEP_TLS_KEY_FILE", self.key.to_str().unwrap()),
        ])
    }
}

fn url(server: &Server, path: &str) -> String {
    let port = server.address.rsplit(':').next().unwrap();
    format!("https://localhost:{port}{path}")
}

async fn append(client: &Client, server: &Server, id: &str) -> reqwest::Result<(u16, Version)> {
    let sent = client
        .post(url(server, "/v1/events"))
        .bearer_auth(&server.token)
        .header("Content-Type", "application/json")
        .body(format!(
            r#"{{"id":"{id}","action":"a.b","actor":{{"id":"u"}}}}"#
        ));
    let answer = sent.send().await?;
    Ok((answer.status().as_u16(), answer.version()))
}

// The client answers while the server stops.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_taken_and_a_broken_one_is_not() {
    let (first, second) = (Pair::new(), Pair::new());
    let secured = Secured::with(&first);
    let server = secured.serve();
    let old = first.client();
    // HTTP/2 is chosen where both can.
    assert_eq!(
        append(&old, &server, "e-1").await.unwrap(),
        (201, Version::HTTP_2)
    );
    let kept = Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(first.certificate.as_bytes()).unwrap()]);
    let kept = kept.http1_only().build().unwrap();
    assert_eq!(
        append(&kept, &server, "e-2").await.unwrap(),
        (201, Version::HTTP_11)
    );

    // The certificate of one with the key of the other.
    secured.put(&second.certificate, &first.key);
    let token = server.token.clone();
    let ready = || async {
        let asked = old.get(url(&server, "/readyz")).bearer_auth(&token);
        let answer = asked.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let begun = Instant::now();
    while !ready().await.1.contains("\"tls: the changed certificate") {
        assert!(begun.elapsed() < PATIENCE, "the broken pair is not said");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(ready().await.0, 200);
    assert_eq!(append(&old, &server, "e-3").await.unwrap().0, 201);

    secured.put(&second.certificate, &second.key);
    let new = second.client();
    let begun = Instant::now();
    while append(&new, &server, "e-4").await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "the new pair is not taken");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Who trusts the old one alone can't connect any more.
    append(&first.client(), &server, "e-5").await.unwrap_err();
    // A connection from before goes on.
    assert_eq!(append(&kept, &server, "e-6").await.unwrap().0, 201);
    let log = server.stop();
    assert!(log.contains("the previous one stays in use"), "{log}");
    assert!(log.contains("the new certificate is in use"), "{log}");
}

#[test]
fn a_pair_that_does_not_belong_together_is_refused_at_the_start() {
    let secured = Secured::with(&Pair::new());
    let other = Pair::new();
    std::fs::write(&secured.key, &other.key).unwrap();
    let output = crate::support::trailkeep()
        .args(["serve", "--dir"])
        .arg(&secured.directory.path)
        .arg("--tls-certificate-file")
        .arg(&secured.certificate)
        .arg("--tls-key-file")
        .arg(&secured.key)
        .output()
        .unwrap();
    let said = crate::support::said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("does not match the certificate"), "{said}");
}

// The client answers while the server stops.
#[tokio::test(flavor = "multi_thread")]
async fn http_2_without_tls() {
    let directory = Directory::new();
    let server = directory.serve();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().http2_prior_knowledge().build().unwrap();
    let asked = client.get(format!("http://{}/healthz", server.address));
    let answer = asked.send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.version()),
        (200, Version::HTTP_2)
    );
    drop(client);
    server.stop();
}

/// Appends until the server ends; the ids that were acknowledged.
fn write_until_it_ends(
    mut client: crate::support::Client,
    writer: usize,
    going: &AtomicBool,
) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let id = format!("w{writer}-{number}");
        let event = format!(r#"{{"id":"{id}","action":"a.b","actor":{{"id":"u"}}}}"#);
        match client.post("application/json", event.as_bytes()) {
            Ok(answer) if answer.status == 201 => acknowledged.push(id),
            Ok(answer) => panic!("{}: {}", answer.status, answer.text()),
            Err(_) => break,
        }
        going.store(true, Ordering::SeqCst);
    }
    acknowledged
}

#[test]
fn a_stop_under_load_loses_nothing_acknowledged() {
    let directory = Directory::new();
    let server = directory.serve();
    let going = Arc::new(AtomicBool::new(false));
    let writers = (0..8).map(|writer| {
        let (client, going) = (server.client(), Arc::clone(&going));
        std::thread::spawn(move || write_until_it_ends(client, writer, &going))
    });
    let writers: Vec<_> = writers.collect();
    while !going.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    std::thread::sleep(Duration::from_millis(300));
    server.stop();
    let acknowledged: Vec<String> = writers
        .into_iter()
        .flat_map(|writer| writer.join().unwrap())
        .collect();
    assert!(acknowledged.len() > 8, "{}", acknowledged.len());
    let report = directory.assert_clean();
    // Genesis and the statements of a new ledger come first; whoever was not answered may be recorded, too.
    assert!(
        report["size"].as_u64().unwrap() >= acknowledged.len() as u64,
        "{report}"
    );
    let server = directory.serve();
    let mut client = server.client();
    for id in &acknowledged {
        assert_eq!(
            client.get(&format!("/v1/events/{id}")).unwrap().status,
            200,
            "{id}"
        );
    }
    server.stop();
}

#[test]
fn a_client_that_never_ends_its_request_is_cut_off() {
    let directory = Directory::new();
    let server = directory.serve_as(&["--stop-wait-s", "1"], &[]);
    let mut slow = std::net::TcpStream::connect(&server.address).unwrap();
    slow.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n",
        server.token
    );
    slow.write_all(head.as_bytes()).unwrap();
    // The server reads the body: the request is under way.
    let mut said = [0; 25];
    slow.read_exact(&mut said).unwrap();
    assert!(said.starts_with(b"HTTP/1.1 100"), "{said:?}");
    let log = server.stop();
    assert!(log.contains("were aborted"), "{log}");
    directory.assert_clean();
}

/// A connection with the head of an append, which says that it has so many bytes.
fn begun_append(server: &Server, bytes: usize, more: &str) -> std::net::TcpStream {
    let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {bytes}\r\n{more}\r\n",
        server.token
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// Memory of the server in mebibytes: `VmRSS` at the moment, `VmHWM` at most.
fn memory_mib(server: &Server, figure: &str) -> u64 {
    let path = format!("/proc/{}/status", server.child.id());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(figure));
    let number = line
        .unwrap()
        .trim_start_matches(':')
        .trim()
        .split(' ')
        .next()
        .unwrap();
    number.parse::<u64>().unwrap() >> 10
}

/// What glibc is told in the unit and the image, so that it gives back what is free.
const ALLOCATOR: [(&str, &str); 2] = [
    ("MALLOC_ARENA_MAX", "2"),
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
];

/// What a storm is made of, and what the server is to stay below.
struct Storm {
    silent: usize,
    unfinished: usize,
    unfinished_mib: usize,
    bombs: usize,
    memory_mib: u64,
}

impl Storm {
    /// Begins all of it, asks as an honest client, and gives the slowest answer and the mebibytes that the server grew by
    /// at most, and that are left of them after it.
    fn rage(&self) -> (Duration, u64, u64) {
        let directory = Directory::new();
        let memory = (self.memory_mib << 20).to_string();
        let server = directory.serve_as(&["--limits-body-memory-bytes", &memory], &ALLOCATOR);
        let before = memory_mib(&server, "VmRSS");
        let silent: Vec<_> = (0..self.silent)
            .map(|_| std::net::TcpStream::connect(&server.address).unwrap())
            .collect();
        let piece = vec![b' '; 1 << 20];
        // Each sends all but the last mebibyte; those that must make room are told so, and closed.
        let unfinished: Vec<_> = (0..self.unfinished)
            .map(|_| {
                let mut stream = begun_append(&server, self.unfinished_mib << 20, "");
                let _ = (1..self.unfinished_mib).try_for_each(|_| stream.write_all(&piece));
                stream
            })
            .collect();
        let bomb = zstd::encode_all(&*vec![b' '; 40 << 20], 3).unwrap();
        let bombs: Vec<_> = (0..self.bombs)
            .map(|_| {
                let mut stream = begun_append(&server, bomb.len(), "Content-Encoding: zstd\r\n");
                stream.write_all(&bomb).unwrap();
                stream
            })
            .collect();
        let mut slowest = Duration::ZERO;
        for number in 0..20 {
            let event =
                format!(r#"{{"id":"honest-{number}","action":"a.b","actor":{{"id":"u"}}}}"#);
            let begun = Instant::now();
            let answer = server
                .client()
                .post("application/json", event.as_bytes())
                .unwrap();
            slowest = slowest.max(begun.elapsed());
            assert_eq!(answer.status, 201, "{}", answer.text());
        }
        for mut stream in bombs {
            // The connection stays open behind the answer.
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).unwrap_or(0);
            let answer = String::from_utf8_lossy(&bytes[..read]);
            let refused = answer.starts_with("HTTP/1.1 413") || answer.starts_with("HTTP/1.1 503");
            assert!(refused || answer.is_empty(), "{answer}");
        }
        drop((silent, unfinished));
        std::thread::sleep(Duration::from_secs(1));
        let grown = |figure| memory_mib(&server, figure).saturating_sub(before);
        let (most, after) = (grown("VmHWM"), grown("VmRSS"));
        server.kill();
        directory.assert_clean();
        (slowest, most, after)
    }
}

#[test]
fn silent_connections_unfinished_bodies_and_bombs_keep_nobody_out() {
    let storm = Storm {
        silent: 300,
        unfinished: 12,
        unfinished_mib: 15,
        bombs: 20,
        memory_mib: 64,
    };
    let (slowest, most, _) = storm.rage();
    // Far above what it takes on a machine with nothing else to do.
    assert!(slowest < PATIENCE, "{slowest:?}");
    // The bound, and what the program needs besides for so many requests.
    assert!(most < 64 + 64, "{most} MiB more than before");
}

#[test]
fn a_whole_storm_keeps_nobody_out() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = Rlimit {
        current: Some(12_000),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, wanted) {
        eprintln!("skipped: the limit of open files can't be raised to 12,000: {error}");
        return;
    }
    let storm = Storm {
        silent: 10_000,
        unfinished: 40,
        unfinished_mib: 31,
        bombs: 200,
        memory_mib: 256,
    };
    let (slowest, most, after) = storm.rage();
    eprintln!(
        "the slowest honest append took {slowest:?}; the server grew by {most} MiB, and {after} MiB were left of them"
    );
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    assert!(most < 256 + 128, "{most} MiB more than before");
}

/// Whether the server closes a connection within some seconds; what it sends first is read.
fn is_closed_within(stream: &mut std::net::TcpStream, seconds: u64) -> bool {
    let begun = Instant::now();
    stream
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let mut bytes = [0; 4096];
    while begun.elapsed() < Duration::from_secs(seconds) {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) => {}
            Err(_) => return true,
        }
    }
    false
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A preface whose settings close the window of each stream, then `GET /healthz` without a token.
const CLOSED_WINDOW: &[u8] =
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0\
    \0\0\x0f\x01\x05\0\0\0\x01\x82\x86\x04\x08/healthz\x01\x01x";

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let directory = Directory::new();
    let server = directory.serve_as(&["--head-s", "1", "--idle-s", "3"], &[]);
    for (name, first) in [
        ("nothing", &b""[..]),
        ("the first byte of a preface", b"P"),
        ("a part of a preface", &PREFACE[..23]),
        ("half a head", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: b"),
        ("HTTP/2 without a request", PREFACE),
        ("HTTP/2 that takes nothing of its answer", CLOSED_WINDOW),
    ] {
        let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
        stream.write_all(first).unwrap();
        assert!(is_closed_within(&mut stream, 20), "{name}");
    }
    // A head that comes byte by byte has no longer than one that stops.
    let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ")
        .unwrap();
    let begun = Instant::now();
    while stream.write_all(b"a").is_ok() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "a head byte by byte"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    // Between requests it is `idle_s`, not `head_s`.
    let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    for _ in 0..2 {
        stream.write_all(request).unwrap();
        assert!(!is_closed_within(&mut stream, 2), "closed before its time");
    }
    assert!(is_closed_within(&mut stream, 20), "at rest");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_that_only_answers_pings_is_idle_and_a_long_answer_is_not() {
    let directory = Directory::new();
    let server = directory.serve_as(&["--head-s", "1", "--idle-s", "1"], &[]);
    let client = Client::builder()
        .http2_prior_knowledge()
        .http2_keep_alive_interval(Duration::from_millis(200))
        .http2_keep_alive_while_idle(true)
        .build()
        .unwrap();
    let url = format!("http://{}/metrics", server.address);
    let connections = || {
        let (client, url, token) = (client.clone(), url.clone(), server.token.clone());
        async move {
            let page = client
                .get(url)
                .bearer_auth(token)
                .send()
                .await
                .unwrap()
                .text()
                .await
                .unwrap();
            page.lines()
                .find_map(|line| line.strip_prefix("trailkeep_connections "))
                .unwrap()
                .to_owned()
        }
    };
    assert_eq!(connections().await, "1");
    tokio::time::sleep(Duration::from_secs(4)).await;
    // A connection of its own: the pings did not keep the other.
    assert_eq!(connections().await, "1");
    server.kill();
}

#[test]
fn silent_connections_make_room_for_one_that_asks() {
    let directory = Directory::new();
    let server = directory.serve_as(
        &[
            "--limits-connections",
            "40",
            "--limits-unauthenticated-connections",
            "20",
        ],
        &[],
    );
    let mut kept = server.client();
    let event = br#"{"action":"a.b","actor":{"id":"u"}}"#;
    assert_eq!(kept.post("application/json", event).unwrap().status, 201);
    let mut silent: Vec<_> = (0..200)
        .map(|_| std::net::TcpStream::connect(&server.address).unwrap())
        .collect();
    for _ in 0..5 {
        let mut honest = server.client();
        assert_eq!(honest.post("application/json", event).unwrap().status, 201);
    }
    // Who was authenticated stays, and the first silent ones went.
    assert_eq!(kept.post("application/json", event).unwrap().status, 201);
    assert!(is_closed_within(&mut silent[0], 10));
    let page = kept.get("/metrics").unwrap().text();
    let value = |name: &str| -> u64 {
        let line = page.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().parse().unwrap()
    };
    assert!(
        value("trailkeep_connections_unauthenticated ") <= 20,
        "{page}"
    );
    assert!(
        value("trailkeep_connections_closed_total ") >= 180,
        "{page}"
    );
    drop(silent);
    server.stop();
}

#[test]
fn limits_for_an_address_and_for_a_key_are_there_where_they_are_set() {
    let directory = Directory::new();
    let server = directory.serve_as(
        &[
            "--limits-connections-per-address",
            "2",
            "--limits-requests-per-key-s",
            "1",
        ],
        &[],
    );
    let (mut first, mut second) = (server.client(), server.client());
    assert_eq!(first.get("/v1/checkpoint").unwrap().status, 200);
    assert_eq!(second.get("/healthz").unwrap().status, 200);
    assert!(
        server.client().get("/healthz").is_err(),
        "a third connection"
    );
    let mut refused = None;
    for _ in 0..50 {
        let answer = first.get("/v1/checkpoint").unwrap();
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a key may ask without end");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.json()["type"], "urn:trailkeep:problem:too-many");
    server.stop();
}
