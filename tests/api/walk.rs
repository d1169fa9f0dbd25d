//! Who may do what, walked: every route of the OpenAPI document and every command, with every role, and with keys
//! that are none, wrong, revoked, expired or another tenant's; over the network and through the socket.
//!
//! What right a route needs stands in the document, put there by the type of the handler's first argument. So a
//! new route is walked by being there, with the examples of its parameters and body.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Output;

use crate::support::commands::{SECRET, commands, event};
use crate::support::document::{Route, routes};
use crate::support::{Answer, Directory, Server, said, succeeded, trailkeep};
use serde_json::Value;
use trailkeep_core::keys::role::{Right, Role};

/// Routes that say nothing of any tenant.
const OPEN: &[&str] = &["/healthz", "/openapi.json", "/readyz"];

/// Answers to examples for whoever may ask: fine, or there is no such thing, or it was done already.
const HEARD: &[u16] = &[200, 201, 202, 204, 404, 409];

fn make_key(directory: &Directory, role: Role, more: &[&str]) -> (String, String) {
    let arguments = [&["key", "create", "--json", "--role", role.as_str()], more].concat();
    let made: Value =
        serde_json::from_slice(&succeeded(&directory.run(&arguments)).stdout).unwrap();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("token"))
}

fn make_tenant(directory: &Directory, name: &str) -> String {
    let made = directory.run(&["tenant", "create", name, "--json"]);
    let made: Value = serde_json::from_slice(&succeeded(&made).stdout).unwrap();
    made["token"].as_str().unwrap().to_owned()
}

fn ask(server: &Server, route: &Route, authorization: &str) -> Answer {
    let headers = [
        ("Content-Type", route.content_type.as_str()),
        ("Authorization", authorization),
    ];
    let mut client = server.client();
    client
        .request(
            &route.method,
            &route.example,
            &headers,
            route.body.as_bytes(),
        )
        .unwrap()
}

fn assert_heard(route: &Route, answer: &Answer, who: &str) {
    let (method, path) = (&route.method, &route.path);
    assert!(
        HEARD.contains(&answer.status),
        "{who}: {method} {path}: {} {}",
        answer.status,
        answer.text()
    );
    route.assert_describes(answer);
}

#[test]
fn only_what_says_nothing_is_open() {
    let open: Vec<String> = routes()
        .into_iter()
        .filter(|route| route.right.is_none())
        .map(|route| route.path)
        .collect();
    assert_eq!(open, OPEN);
}

#[test]
fn every_route_with_every_role() {
    let directory = Directory::new();
    directory.append(&event());
    let keys = Role::ALL.map(|role| (role, make_key(&directory, role, &[]).1));
    let server = directory.serve();
    let routes = routes();
    assert!(routes.len() > 20);
    for (role, token) in &keys {
        for route in &routes {
            let answer = ask(&server, route, &format!("Bearer {token}"));
            if route.right.is_none_or(|right| role.may(right)) {
                assert_heard(route, &answer, role.as_str());
            } else {
                assert_eq!(
                    answer.status, 403,
                    "{role}: {} {}",
                    route.method, route.path
                );
                route.assert_describes(&answer);
            }
        }
    }
    server.stop();
    directory.assert_clean();
}

#[test]
fn every_route_with_keys_that_open_nothing() {
    let directory = Directory::new();
    let (id, revoked) = make_key(&directory, Role::Admin, &[]);
    let (_, expired) = make_key(&directory, Role::Admin, &["--expires", "P0D"]);
    let (_, lasting) = make_key(&directory, Role::Admin, &["--expires", "P1D"]);
    let (_, writer) = make_key(&directory, Role::Writer, &[]);
    let server = directory.serve();
    let keys = routes()
        .into_iter()
        .find(|route| route.path == "/v1/keys")
        .unwrap();
    for token in [&revoked, &lasting] {
        assert_eq!(ask(&server, &keys, &format!("Bearer {token}")).status, 200);
    }
    // Through the socket of the running server; it works at once.
    succeeded(&directory.run(&["key", "revoke", &id]));
    // Another role's name in front of the same secret opens nothing.
    let forged = writer.replacen("_writer_", "_admin_", 1);
    let unknown = "trailkeep_admin_0000000000000000_AAAA".to_owned();
    let tokens = [
        revoked,
        expired,
        forged,
        unknown,
        "x".to_owned(),
        String::new(),
    ];
    let wrong = tokens.iter().map(|token| format!("Bearer {token}"));
    let wrong: Vec<String> = wrong
        .chain([String::new(), "Basic eDp5".to_owned()])
        .collect();
    std::thread::scope(|scope| {
        for route in routes() {
            let (wrong, server) = (&wrong, &server);
            scope.spawn(move || {
                for authorization in wrong {
                    let answer = ask(server, &route, authorization);
                    let expected = if route.right.is_none() { 200 } else { 401 };
                    assert_eq!(answer.status, expected, "{} {}", route.method, route.path);
                    route.assert_describes(&answer);
                }
            });
        }
    });
    // A restart forgets nothing.
    server.stop();
    let server = directory.serve();
    assert_eq!(ask(&server, &keys, &wrong[0]).status, 401);
    server.stop();
    directory.assert_clean();
}

#[test]
fn every_route_with_another_tenant_s_key() {
    let directory = Directory::new();
    directory.append(&event());
    let other = make_tenant(&directory, "other");
    let server = directory.serve();
    for route in routes() {
        let answer = ask(&server, &route, &format!("Bearer {other}"));
        route.assert_describes(&answer);
        let place = format!("{} {}: {}", route.method, route.path, answer.status);
        match route.right {
            Some(right) if right.is_the_operator_s() => assert_eq!(answer.status, 403, "{place}"),
            // The examples name the log of `default`.
            _ if route.path.contains("{tenant}") => assert_eq!(answer.status, 404, "{place}"),
            _ => assert!(HEARD.contains(&answer.status), "{place}"),
        }
        for theirs in [SECRET, "audit.example.com/default"] {
            assert!(
                !answer.text().contains(theirs),
                "{place}: {}",
                answer.text()
            );
        }
    }
    server.stop();
}

/// Asks through the socket in the data directory, for a tenant.
fn ask_locally(directory: &Directory, route: &Route, tenant: &str) -> Answer {
    let mut socket = UnixStream::connect(directory.path.join("serve.sock")).unwrap();
    let (method, path, kind, body) = (
        &route.method,
        &route.example,
        &route.content_type,
        &route.body,
    );
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\n\
         Trailkeep-Tenant: {tenant}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap()
        + 4;
    let headers = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut body = answer.split_off(end);
    if headers
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        body = unchunked(&body);
    }
    let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        headers,
        body,
    }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest
            .windows(2)
            .position(|window| window == b"\r\n")
            .unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 4 + length..];
    }
}

#[test]
fn every_route_through_the_socket() {
    let directory = Directory::new();
    directory.append(&event());
    make_tenant(&directory, "other");
    let server = directory.serve();
    let mode = std::fs::metadata(directory.path.join("serve.sock"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    for route in routes() {
        assert_heard(&route, &ask_locally(&directory, &route, "default"), "local");
        let answer = ask_locally(&directory, &route, "other");
        route.assert_describes(&answer);
        let place = format!("{} {}: {}", route.method, route.path, answer.status);
        if route.right.is_some_and(Right::is_the_operator_s) {
            assert_eq!(answer.status, 403, "{place}");
        }
        assert!(!answer.text().contains(SECRET), "{place}");
        let nobody = ask_locally(&directory, &route, "nobody").status;
        assert!(
            [403, 404].contains(&nobody) || OPEN.contains(&route.path.as_str()),
            "{place}: {nobody}"
        );
    }
    // Over the network the header says nothing: the token does.
    let bearer = format!("Bearer {}", directory.token);
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Trailkeep-Tenant", "other"),
    ];
    let key = server
        .client()
        .request("GET", "/v1/key", &headers, b"")
        .unwrap();
    assert_eq!(key.json()["origin"], "audit.example.com/default");
    server.stop();
    directory.assert_clean();
}

/// Commands that ask no ledger: they need the files themselves, or nothing.
const ALONE: &[&str] = &[
    "init",
    "serve",
    "config check",
    "config show",
    // It is `vault-replica list`.
    "vault-replica",
    "backup",
    "restore",
    "receipt verify",
    "bundle verify",
    "bundle show",
    "certificate verify",
    "index rebuild",
    "policy check",
    "policy list",
    "policy show",
    "policy explain",
    "prices check",
    "prices diff",
    "prices import",
    "demo",
    "doctor",
    "completions",
    "man",
    "help",
];

/// The names of all commands, as `--help` lists them.
fn names_of_commands(above: &[&str]) -> BTreeSet<String> {
    let help = trailkeep().args(above).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let Some((_, listed)) = help.split_once("\nCommands:\n") else {
        return BTreeSet::from([above.join(" ")]);
    };
    let lines = listed.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| {
        line.strip_prefix("  ")?
            .split(' ')
            .next()
            .filter(|name| !name.is_empty())
    });
    let names = names.filter(|name| above.is_empty() || *name != "help");
    // Some with commands below do something by themselves, too.
    let by_itself = help.contains(&format!("Usage: trailkeep {} [OPTIONS]\n", above.join(" ")));
    let by_itself = by_itself.then(|| above.join(" "));
    let below = names.flat_map(|name| {
        if name == "help" {
            BTreeSet::from(["help".to_owned()])
        } else {
            names_of_commands(&[above, &[name]].concat())
        }
    });
    below.chain(by_itself).collect()
}

#[test]
fn no_command_escapes_the_walk() {
    let directory = Directory::new();
    let mut walked: BTreeSet<String> = ALONE.iter().map(|name| (*name).to_owned()).collect();
    let all = names_of_commands(&[]);
    for (command, _) in commands(&directory) {
        let line = command.join(" ");
        let name = all
            .iter()
            .filter(|name| line == **name || line.starts_with(&format!("{name} ")))
            .max();
        walked.insert(
            name.unwrap_or_else(|| panic!("{line} is no command"))
                .clone(),
        );
    }
    assert_eq!(walked, all);
}

fn over_the_network(server: &Server, command: &[String], token: Option<&str>) -> Output {
    let mut network = trailkeep();
    network
        .args(command)
        .args(["--url", &format!("http://{}", server.address)]);
    if let Some(token) = token {
        network.env("TRAILKEEP_TOKEN", token);
    }
    network.output().unwrap()
}

/// A command did what it was told, or was heard and told that there is nothing to do it to.
fn was_heard(output: &Output) -> bool {
    let text = said(output);
    let told = [
        "not found",
        "Name already in use",
        "nothing is paused",
        "Unprocessable request",
        "Not found",
        "Refused",
    ];
    output.status.success() || told.iter().any(|told| text.contains(told))
}

#[test]
fn every_command_with_every_role() {
    let directory = Directory::new();
    directory.append(&event());
    let (id, revoked) = make_key(&directory, Role::Admin, &[]);
    let (_, expired) = make_key(&directory, Role::Admin, &["--expires", "P0D"]);
    let tokens = Role::ALL.map(|role| (role, make_key(&directory, role, &[]).1));
    let commands = commands(&directory);
    // On the files, as the directory's owner.
    for (command, _) in &commands {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let ended = directory.run(&words);
        assert!(was_heard(&ended), "{command:?}: {}", said(&ended));
    }
    let server = directory.serve();
    succeeded(&directory.run(&["key", "revoke", &id]));
    for (command, right) in &commands {
        // Through the socket, as the same.
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let ended = directory.run(&words);
        assert!(was_heard(&ended), "{command:?}: {}", said(&ended));
        // Over the network, as their token.
        for (role, token) in &tokens {
            let ended = over_the_network(&server, command, Some(token));
            let may = role.may(*right);
            assert_eq!(
                was_heard(&ended),
                may,
                "{role} {command:?}: {}",
                said(&ended)
            );
            assert_eq!(
                said(&ended).contains("may not"),
                !may,
                "{role} {command:?}: {}",
                said(&ended)
            );
        }
    }
    std::thread::scope(|scope| {
        for (command, _) in &commands {
            let (server, revoked, expired) = (&server, &revoked, &expired);
            scope.spawn(move || {
                let wrong = [
                    None,
                    Some(revoked.as_str()),
                    Some(expired),
                    Some("trailkeep_admin_00_x"),
                ];
                for token in wrong {
                    let ended = over_the_network(server, command, token);
                    assert_eq!(ended.status.code(), Some(6), "{command:?}");
                    assert!(
                        said(&ended).contains("valid API token"),
                        "{command:?}: {}",
                        said(&ended)
                    );
                }
            });
        }
    });
    server.stop();
    directory.assert_clean();
}
