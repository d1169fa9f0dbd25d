//! Bad input gets a clear error, and nothing of it is recorded.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::net::TcpStream;

use crate::support::{Directory, Server, files_of, said, succeeded};
use serde_json::Value;

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
/// Stands in every bad value: no answer and no log may repeat it.
const MARK: &str = "zanzibar-4711";

fn event_with(member: &str) -> Vec<u8> {
    format!(r#"{{"action":"test.append","actor":{{"id":"tester"}},{member}}}"#).into_bytes()
}

fn nested(depth: usize) -> Vec<u8> {
    event_with(&format!(
        r#""input":{}{}"#,
        "[".repeat(depth),
        "]".repeat(depth)
    ))
}

#[test]
fn refused_and_nothing_recorded() {
    let directory = Directory::new();
    let before = directory.assert_clean()["size"].clone();
    let server = directory.serve();
    let mut client = server.client();
    let mut with_nul = event_with(&format!(r#""input":"{MARK}""#));
    with_nul.push(0);
    let mut not_utf8 = event_with(&format!(r#""input":"{MARK}"#));
    not_utf8.extend(b"\xff\"}");
    let many = (0..10_001)
        .map(|_| r#"{"action":"a","actor":{"id":"t"}}"#)
        .collect::<Vec<_>>()
        .join("\n");
    let bad_line = (1..=100)
        .map(|line| {
            if line == 57 {
                format!(r#"{{"action":"{MARK} !","actor":{{"id":"t"}}}}"#)
            } else {
                r#"{"action":"a","actor":{"id":"t"}}"#.to_owned()
            }
        })
        .collect::<Vec<_>>()
        .join("\n");
    let bomb = zstd::encode_all(&*vec![b' '; 40 << 20], 3).unwrap();
    let cases: Vec<(&str, u16, &str, Vec<u8>)> = vec![
        (
            "broken JSON",
            422,
            JSON,
            format!(r#"{{"action":"{MARK}"#).into_bytes(),
        ),
        ("nothing", 422, JSON, Vec::new()),
        ("no events", 422, NDJSON, b"\n\n".to_vec()),
        ("an empty array", 422, JSON, b"[]".to_vec()),
        ("a number", 422, JSON, b"17".to_vec()),
        ("no actor", 422, JSON, br#"{"action":"a"}"#.to_vec()),
        (
            "duplicate names",
            422,
            JSON,
            event_with(&format!(r#""input":{{"{MARK}":1,"{MARK}":2}}"#)),
        ),
        (
            "escaped duplicate names",
            422,
            JSON,
            event_with(r#""input":{"a":1,"\u0061":2}"#),
        ),
        (
            "an unknown section",
            422,
            JSON,
            event_with(&format!(r#""{MARK}":1"#)),
        ),
        (
            "the server's section",
            422,
            JSON,
            event_with(r#""received":{}"#),
        ),
        (
            "a lone surrogate",
            422,
            JSON,
            event_with(&format!(r#""input":"{MARK}\ud800""#)),
        ),
        ("a raw NUL", 422, JSON, with_nul),
        ("not UTF-8", 422, JSON, not_utf8),
        ("depth 10,000", 422, JSON, nested(10_000)),
        ("depth 400,000", 422, JSON, nested(400_000)),
        (
            "10^400 tokens",
            422,
            JSON,
            event_with(&format!(
                r#""llm":{{"usage":{{"input_tokens":1{}}}}}"#,
                "0".repeat(400)
            )),
        ),
        ("1e400", 422, JSON, event_with(r#""input":1e400"#)),
        (
            "a long id",
            422,
            JSON,
            event_with(&format!(r#""id":"{}""#, "x".repeat(10_000))),
        ),
        (
            "1 MiB and more",
            413,
            JSON,
            event_with(&format!(r#""input":"{}""#, "x".repeat(1 << 20))),
        ),
        (
            "a bad line among good ones",
            422,
            NDJSON,
            bad_line.into_bytes(),
        ),
        ("10,001 events", 413, NDJSON, many.into_bytes()),
        ("33 MiB", 413, NDJSON, vec![b' '; 33 << 20]),
        (
            "another type",
            415,
            "text/plain",
            event_with(r#""input":1"#),
        ),
    ];
    for (name, status, content_type, body) in cases {
        let answer = client.post(content_type, &body).unwrap();
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        assert!(
            answer.headers.contains("application/problem+json"),
            "{name}: {}",
            answer.headers
        );
        assert!(
            !answer.text().contains(MARK),
            "{name} repeats the text: {}",
            answer.text()
        );
        if name.starts_with("a bad line") {
            assert_eq!(answer.json()["errors"][0]["line"], 57);
            assert_eq!(answer.json()["errors"][0]["pointer"], "/action");
        }
    }
    let encoded = |encoding, body: &[u8]| {
        let headers = [("Content-Type", NDJSON), ("Content-Encoding", encoding)];
        server
            .client()
            .request("POST", "/v1/events", &headers, body)
            .unwrap()
            .status
    };
    assert_eq!(encoded("zstd", &bomb), 413, "a small body that inflates");
    assert_eq!(encoded("zstd", b"no frame"), 400);
    assert_eq!(encoded("gzip", b"no stream"), 400);
    assert_eq!(encoded("br", b"x"), 415);

    // Without a valid token nothing is read or written.
    for token in [
        "",
        "Bearer",
        "Bearer x",
        "Basic x",
        "Bearer trailkeep_admin_x_y",
    ] {
        let good = event_with(r#""input":1"#);
        let answer = client.request(
            "POST",
            "/v1/events",
            &[("Content-Type", JSON), ("Authorization", token)],
            &good,
        );
        assert_eq!(answer.unwrap().status, 401, "{token}");
        let answer = client
            .request("GET", "/v1/checkpoint", &[("Authorization", token)], b"")
            .unwrap();
        assert!(answer.status == 401 && answer.headers.to_lowercase().contains("www-authenticate"));
    }
    half_a_request(&server.address, &server.token);
    for (method, path, status) in [
        ("GET", "/nowhere", 404),
        ("DELETE", "/v1/events", 405),
        ("GET", "/v1/events?limit=0", 400),
        ("GET", "/v1/events?from=x", 400),
        ("GET", "/v1/events?who=x", 400),
        ("GET", "/v1/entries/x", 400),
        ("GET", "/v1/entries/99", 404),
        ("GET", "/v1/log/other/checkpoint", 404),
        ("GET", "/v1/log/default/tile/0/001", 404),
        ("GET", "/v1/log/default/tile/0/1", 404),
    ] {
        assert_eq!(
            client.request(method, path, &[], b"").unwrap().status,
            status,
            "{method} {path}"
        );
    }
    let log = server.stop();
    assert!(!log.contains(MARK), "{log}");
    assert_eq!(
        directory.assert_clean()["size"],
        before,
        "something was recorded"
    );
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zstd_frame(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 3).unwrap()
}

/// A post to a route with some headers.
fn posted(server: &Server, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
    let answer = server
        .client()
        .request("POST", path, headers, body)
        .unwrap();
    (answer.status, answer.text())
}

#[test]
fn a_compressed_body_is_decoded_to_its_end_or_refused() {
    let directory = Directory::new();
    let server = directory.serve();
    let before = server.client().get("/v1/checkpoint").unwrap().text();
    for (coding, encode) in [
        ("gzip", gzip as fn(&str) -> Vec<u8>),
        ("zstd", zstd_frame as fn(&str) -> Vec<u8>),
    ] {
        let line = |name: &str| {
            format!(
                "{{\"id\":\"{coding}-{name}\",\"action\":\"a.b\",\"actor\":{{\"id\":\"t\"}}}}\n"
            )
        };
        let whole = [
            encode(&line("1")),
            encode(""),
            encode(&(line("2") + &line("3"))),
        ]
        .concat();
        let tail = [&whole[..], b"garbage here"].concat();
        let cut = &whole[..whole.len() - 3];
        let mut wrong = whole.clone();
        let at = wrong.len() - 6;
        wrong[at] ^= 0x10;
        let headers = [("Content-Type", NDJSON), ("Content-Encoding", coding)];
        for body in [&tail[..], cut, &wrong, b""] {
            let (status, text) = posted(&server, "/v1/events", &headers, body);
            assert_eq!(status, 400, "{coding}: {text}");
            assert!(text.contains("nothing was recorded"), "{text}");
        }
        if coding == "gzip" {
            let now = server.client().get("/v1/checkpoint").unwrap().text();
            assert_eq!(now, before, "something was recorded");
        }
        let (status, text) = posted(&server, "/v1/events", &headers, &whole);
        assert!(
            status == 201 && text.contains("\"accepted\":3"),
            "{status} {text}"
        );
        for name in ["1", "2", "3"] {
            let path = format!("/v1/events/{coding}-{name}");
            assert_eq!(server.client().get(&path).unwrap().status, 200, "{path}");
        }
        // The same on the other routes that take a body.
        for path in ["/v1/traces", "/v1/logs", "/v1/events/query"] {
            let headers = [("Content-Type", JSON), ("Content-Encoding", coding)];
            let two = [encode("{"), encode("}")].concat();
            assert_eq!(posted(&server, path, &headers, &two).0, 200, "{path}");
            let tail = [&two[..], b"garbage here"].concat();
            let (status, text) = posted(&server, path, &headers, &tail);
            assert!(
                status == 400 && text.contains("after gzip member") || coding == "zstd",
                "{path}: {text}"
            );
            assert_eq!(status, 400, "{path}: {text}");
            assert_eq!(
                posted(&server, path, &headers, &two[..two.len() - 1]).0,
                400,
                "{path}"
            );
        }
    }
    server.stop();
    directory.assert_clean();
}

#[test]
fn the_names_of_codings_form_one_list_and_nothing_stands_behind_a_value() {
    let directory = Directory::new();
    let server = directory.serve();
    let event = r#"{"action":"a.b","actor":{"id":"t"}}"#;
    let send = |codings: &[&str], body: &[u8]| {
        let mut headers = vec![("Content-Type", JSON)];
        headers.extend(codings.iter().map(|coding| ("Content-Encoding", *coding)));
        posted(&server, "/v1/events", &headers, body).0
    };
    for codings in [
        &["gzip, identity"][..],
        &["identity", "x-gzip"],
        &["identity,gzip", ""],
    ] {
        assert_eq!(send(codings, &gzip(event)), 201, "{codings:?}");
    }
    for codings in [
        &["gzip, gzip"][..],
        &["gzip", "zstd"],
        &["identity", "br"],
        &["deflate"],
        &["gz\u{e9}"],
    ] {
        assert_eq!(send(codings, &gzip(event)), 415, "{codings:?}");
    }
    for body in [
        format!("{event} {event}"),
        format!("{event},"),
        format!("{event}\0"),
        format!("[{event}] x"),
        format!("[{event}]]"),
    ] {
        assert_eq!(send(&[], body.as_bytes()), 422, "{body}");
    }
    for path in ["/v1/events/query", "/v1/keys", "/v1/holds"] {
        let (status, text) = posted(&server, path, &[("Content-Type", JSON)], b"{} {}");
        assert_eq!(status, 400, "{path}: {text}");
    }
    for path in ["/v1/traces", "/v1/logs"] {
        let (status, text) = posted(&server, path, &[("Content-Type", JSON)], b"{} {}");
        assert_eq!(status, 400, "{path}: {text}");
    }
    server.stop();
}

/// What the server says to bytes that no client library would send.
fn raw(server: &Server, request: &str) -> String {
    use std::io::Read;
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream
        .write_all(request.replace('\n', "\r\n").as_bytes())
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_request_names_one_host_and_every_refusal_is_a_problem() {
    let directory = Directory::new();
    let server = directory.serve();
    for head in [
        "GET /healthz HTTP/1.1\nHost: a\n",
        "GET /healthz HTTP/1.0\n",
        "GET http://a/healthz HTTP/1.1\nHost: a\n",
    ] {
        let answer = raw(&server, &format!("{head}Connection: close\n\n"));
        assert!(
            answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.0 200"),
            "{answer}"
        );
    }
    for head in [
        "GET /healthz HTTP/1.1\n",
        "GET /healthz HTTP/1.1\nHost: a\nHost: a\n",
        "GET /healthz HTTP/1.1\nHost: \n",
        "GET /healthz HTTP/1.1\nHost: u@a\n",
        "GET http://a/healthz HTTP/1.1\n",
    ] {
        let answer = raw(&server, &format!("{head}Connection: close\n\n"));
        assert!(answer.starts_with("HTTP/1.1 400"), "{head}: {answer}");
        assert!(
            answer.contains("application/problem+json"),
            "{head}: {answer}"
        );
    }
    let schema = include_str!("../../schema/openapi.json");
    let document: serde_json::Value = serde_json::from_str(schema).unwrap();
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let parts = path
            .split('/')
            .map(|part| if part.starts_with('{') { "%ff" } else { part });
        let spoilt = parts.collect::<Vec<_>>().join("/");
        for method in item.as_object().unwrap().keys() {
            let asked = if spoilt == *path {
                format!("{path}?x=%ff&%ff")
            } else {
                spoilt.clone()
            };
            if path.starts_with("/v1/verify") || path.starts_with("/v1/backup") {
                continue;
            }
            let headers = [("Content-Type", JSON)];
            let answer = server
                .client()
                .request(&method.to_uppercase(), &asked, &headers, b"x")
                .unwrap();
            let kind = answer.header("content-type").unwrap_or_default().to_owned();
            let is_otlp = path == "/v1/traces" || path == "/v1/logs" || path == "/v1/metrics";
            assert!(
                answer.status < 400 || kind == "application/problem+json" || is_otlp,
                "{method} {asked}: {} {kind} {}",
                answer.status,
                answer.text()
            );
            assert!(answer.status < 500, "{method} {asked}: {}", answer.text());
            seen += usize::from(answer.status >= 400);
        }
    }
    assert!(seen > 20, "{seen}");
    server.stop();
}

#[test]
fn an_unknown_path_is_answered_with_the_one_that_was_meant() {
    let directory = Directory::new();
    let server = directory.serve();
    for path in [
        "//v1/traces",
        "/v1/traces/",
        "/v1/traces/v1/traces",
        "/otlp/v1/traces",
        "/",
    ] {
        for kind in ["application/x-protobuf", JSON] {
            let answer = server
                .client()
                .request("POST", path, &[("Content-Type", kind)], b"{}")
                .unwrap();
            assert_eq!(answer.status, 404, "{path}");
            assert!(
                answer.text().contains("/v1/traces"),
                "{path}: {}",
                answer.text()
            );
            // Exporters read a message of their own form, everybody else a problem.
            let form = if kind == JSON {
                "application/problem+json"
            } else {
                kind
            };
            assert_eq!(answer.header("content-type"), Some(form), "{path}");
        }
    }
    let answer = server
        .client()
        .get(&format!("/v1//events/{MARK}/"))
        .unwrap();
    assert!(
        answer.text().contains("/v1/events/{id}"),
        "{}",
        answer.text()
    );
    assert!(!answer.text().contains(MARK), "{}", answer.text());
    server.stop();
}

#[test]
fn a_refusal_says_whether_the_next_request_may_follow() {
    let directory = Directory::new();
    let server = directory.serve();
    let refused = |length| {
        format!(
            "POST /v1/events HTTP/1.1\nHost: a\nAuthorization: Bearer no\nContent-Length: {length}\n\n"
        )
    };
    let next = "GET /healthz HTTP/1.1\nHost: a\nConnection: close\n\n";
    let answers = raw(&server, &format!("{}{{}}{next}", refused(2)));
    assert!(answers.starts_with("HTTP/1.1 401"), "{answers}");
    assert!(answers.contains("HTTP/1.1 200"), "{answers}");
    // The rest of the body does not come: what follows would be taken for it.
    let answer = raw(&server, &format!("{}{{}}", refused(3)));
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    server.stop();
}

/// A client that goes away in the middle of its body.
fn half_a_request(address: &str, token: &str) {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: {JSON}\r\nContent-Length: 500\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(br#"{"action":"a","#).unwrap();
}

#[test]
fn odd_but_good_input_is_kept_to_the_byte() {
    let directory = Directory::new();
    let server = directory.serve();
    let mut client = server.client();
    let input = r#"  {"b" : 1.0e2,   "a":"\u0000\u00e9 é \/", "n": 12345678901234567890 }"#;
    for id in [
        "plain",
        "a/b",
        "a b",
        "100%",
        "ünïcode",
        "17",
        "?x=1&y",
        "\\\"quoted\\\"",
    ] {
        let event = event_with(&format!(r#""id":"{id}","input":{input}"#));
        let answer = client.post(JSON, &event).unwrap();
        assert_eq!(answer.status, 201, "{id}: {}", answer.text());
        let name = answer.json()["id"].as_str().unwrap().to_owned();
        let path = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC)
            .to_string();
        let shown = client.get(&format!("/v1/events/{path}")).unwrap();
        assert_eq!(shown.status, 200, "{id}");
        assert!(
            shown
                .text()
                .contains(&format!("\"input\":{}", input.trim())),
            "{}",
            shown.text()
        );
        let by_command = directory.run(&["show", &name, "--id", "--json"]);
        crate::support::succeeded(&by_command);
    }
    server.stop();
    directory.assert_clean();
}

#[test]
fn faulty_files_are_named_and_left_alone() {
    let directory = Directory::new();
    directory.append(r#"{"action":"test.append","actor":{"id":"tester"}}"#);
    let other = Directory::new();
    let original = files_of(&directory.path);
    let put_back = || {
        for (path, bytes) in &original {
            std::fs::write(path, bytes).unwrap();
        }
    };
    let check = |what: &str, file: &str| {
        for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["verify"]] {
            let before = files_of(&directory.path);
            let output = directory.run(command);
            assert_eq!(
                output.status.code(),
                Some(1),
                "{what}: {command:?} {}",
                said(&output)
            );
            let text = said(&output);
            assert!(
                text.contains(file)
                    || text.contains("root key")
                    || (file == "vault.db" && text.contains("this vault")),
                "{what}: {text}"
            );
            assert!(!text.contains("panicked"), "{what}: {text}");
            let after = files_of(&directory.path);
            let kept =
                |files: &[(std::path::PathBuf, Vec<u8>)]| -> Vec<(std::path::PathBuf, Vec<u8>)> {
                    files
                        .iter()
                        .filter(|(path, _)| {
                            !path.to_string_lossy().ends_with("-shm")
                                && !path.to_string_lossy().ends_with("-wal")
                        })
                        .cloned()
                        .collect()
                };
            assert!(
                kept(&before) == kept(&after),
                "{what}: {command:?} changed a file"
            );
        }
        put_back();
    };
    for file in ["ledger.db", "index.db", "vault.db", "epoch.key", "root.key"] {
        let path = directory.path.join(file);
        let whole = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        check("missing", file);
        std::fs::write(&path, &whole).unwrap();
        if file == "root.key" {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        for length in [0, 20, 50, whole.len().saturating_sub(1).min(9000)] {
            std::fs::write(&path, &whole[..length.min(whole.len() - 2)]).unwrap();
            check("cut off", file);
        }
        std::fs::write(&path, std::fs::read(other.path.join(file)).unwrap()).unwrap();
        check("another directory's", file);
        std::fs::write(&path, vec![0x5a; whole.len()]).unwrap();
        check("no such thing", file);
    }
    std::fs::write(
        directory.path.join("ledger.db"),
        std::fs::read(directory.path.join("vault.db")).unwrap(),
    )
    .unwrap();
    check("swapped", "ledger.db");
    directory.assert_clean();

    std::fs::remove_file(directory.path.join("index.db")).unwrap();
    crate::support::succeeded(&directory.run(&["index", "rebuild"]));
    directory.assert_clean();

    let elsewhere = std::fs::read_to_string(directory.path.join("root.key")).unwrap();
    std::fs::remove_file(directory.path.join("root.key")).unwrap();
    let verify = |name: &str, value: &str| {
        let output = crate::support::trailkeep()
            .args(["verify", "--dir"])
            .arg(&directory.path)
            .env(name, value)
            .output();
        output.unwrap().status.code()
    };
    assert_eq!(verify("TRAILKEEP_ROOT_KEY", elsewhere.trim()), Some(0));
    assert_eq!(
        verify(
            "TRAILKEEP_ROOT_KEY_COMMAND",
            &format!("echo {}", elsewhere.trim())
        ),
        Some(0)
    );
    assert_eq!(verify("TRAILKEEP_ROOT_KEY_COMMAND", "exit 1"), Some(1));
    assert_eq!(verify("TRAILKEEP_ROOT_KEY", "x"), Some(1));
}

/// What stands at `--out` is evidence or a device until somebody says otherwise.
#[test]
fn an_output_file_replaces_nothing_by_itself() {
    use std::os::unix::fs::{FileTypeExt, symlink};
    let directory = Directory::new();
    directory.append(r#"{"id":"a","action":"a.b","actor":{"id":"x"},"subjects":[{"id":"p"}]}"#);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("there"), "evidence").unwrap();
    symlink(at("there"), at("link")).unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    std::fs::create_dir(at("folder")).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), mode).unwrap();
    let all = || std::fs::read_dir(folder.path()).unwrap().count();
    let before = all();

    let commands: [&[&str]; 4] = [
        &["export", "--out"],
        &["privacy", "access", "--subject", "p", "--out"],
        &[
            "privacy",
            "access",
            "--subject",
            "p",
            "--out",
            &at("fresh"),
            "--certificate",
        ],
        &["privacy", "erase", "--yes", "--subject", "nobody", "--out"],
    ];
    for command in commands {
        for (name, said_so) in [
            ("there", "--force"),
            ("link", "symbolic link"),
            ("dangling", "symbolic link"),
            ("folder", "a directory"),
            ("pipe", "a named pipe"),
            ("../no/such/folder", "can't write"),
        ] {
            for force in [&[][..], &["--force"]] {
                if name == "there" && !force.is_empty() {
                    continue;
                }
                let output = directory.run(&[command, &[&at(name)], force].concat());
                assert_eq!(
                    output.status.code(),
                    Some(1),
                    "{command:?} {name}: {output:?}"
                );
                assert!(
                    said(&output).contains(said_so),
                    "{command:?} {name}: {output:?}"
                );
            }
        }
    }
    let closing = directory.run(&["tenant", "close", "default", "--out", &at("there")]);
    assert!(said(&closing).contains("--force"), "{closing:?}");
    assert_eq!(std::fs::read_to_string(at("there")).unwrap(), "evidence");
    assert_eq!(all(), before, "nothing is left behind");
    // Nothing was filed and no tenant closed.
    let listed = directory.run(&["privacy", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["requests"], serde_json::json!([]));
    directory.append(r#"{"id":"b","action":"a.b","actor":{"id":"x"}}"#);

    if rustix::process::geteuid().is_root() {
        let device = rustix::fs::makedev(1, 3);
        let kind = rustix::fs::FileType::CharacterDevice;
        // A container may be forbidden to make one.
        if rustix::fs::mknodat(rustix::fs::CWD, at("null"), kind, mode, device).is_ok() {
            let output = directory.run(&["export", "--force", "--out", &at("null")]);
            assert!(said(&output).contains("a device"), "{output:?}");
            let kind = std::fs::symlink_metadata(at("null")).unwrap().file_type();
            assert!(kind.is_char_device());
        }
    }

    succeeded(&directory.run(&["export", "--force", "--out", &at("there")]));
    assert!(std::fs::read(at("there")).unwrap().starts_with(b"PK"));
    let certificate = at("certificate.json");
    let erase = [
        "privacy",
        "erase",
        "--yes",
        "--subject",
        "nobody",
        "--out",
        &certificate,
    ];
    succeeded(&directory.run(&erase));
    std::fs::remove_file(&certificate).unwrap();
    // The signature alone is in the way, too.
    assert!(said(&directory.run(&erase)).contains("certificate.json.sig already exists"));
    succeeded(&directory.run(&[&erase[..], &["--force"]].concat()));
}

#[test]
fn a_dash_is_standard_output() {
    let directory = Directory::new();
    directory.append(r#"{"id":"a","action":"a.b","actor":{"id":"x"},"subjects":[{"id":"p"}]}"#);
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = crate::support::trailkeep();
        let command = command.args(arguments).current_dir(folder.path());
        command.arg("--dir").arg(&directory.path).output().unwrap()
    };
    let exported = run(&["export", "--out", "-"]);
    let bundle = folder.path().join("bundle.zip");
    std::fs::write(&bundle, &succeeded(&exported).stdout).unwrap();
    assert!(said(&exported).contains("counts"), "{}", said(&exported));
    let key = directory.public_key.to_str().unwrap();
    let verified = crate::support::trailkeep()
        .args(["bundle", "verify", bundle.to_str().unwrap(), "--key", key])
        .output();
    succeeded(&verified.unwrap());
    let copy = run(&[
        "privacy",
        "access",
        "--subject",
        "p",
        "--portable",
        "--out",
        "-",
    ]);
    let portable: Value = serde_json::from_slice(&succeeded(&copy).stdout).unwrap();
    assert!(portable.is_object());

    for two_files in [
        &[
            "privacy",
            "erase",
            "--yes",
            "--subject",
            "nobody",
            "--out",
            "-",
        ][..],
        &[
            "privacy",
            "access",
            "--subject",
            "p",
            "--out",
            "x",
            "--certificate",
            "-",
        ],
        &["privacy", "certificate", "x", "--out", "-"],
        &["tenant", "close", "default", "--out", "-"],
        &["export", "--json", "--out", "-"],
        &["backup", "--out", "-"],
    ] {
        let refused = run(two_files);
        assert_eq!(refused.status.code(), Some(2), "{two_files:?}: {refused:?}");
        assert!(
            said(&refused).contains("`-` is standard output"),
            "{refused:?}"
        );
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
