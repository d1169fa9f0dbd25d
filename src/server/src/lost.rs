//! Requests that no route takes: of an unknown path, or for an unknown host.

use std::sync::{Arc, LazyLock};

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::body::grpc::is_grpc;
use super::connections::places::Place;
use super::document::document;
use super::otlp;
use super::problem::Problem;

/// Answers a path that is no route's: it names the route that was probably meant, in a form that exporters log.
pub(super) async fn no_route(headers: HeaderMap, uri: Uri) -> Response {
    if is_grpc(&headers) {
        return otlp::grpc::unknown_method();
    }
    let detail = match meant(uri.path()) {
        Some(route) => format!("route not found: use {route}"),
        None => {
            "route not found: OpenTelemetry goes to /v1/traces and /v1/logs, events to /v1/events; \
                 docs/api.md lists the routes"
                .to_owned()
        }
    };
    let problem = Problem::not_found(detail);
    match otlp::encoding_of(&headers) {
        Some(encoding) if encoding.is_protobuf() => otlp::refuse(encoding, problem),
        _ => problem.into_response(),
    }
}

/// The route whose path is the end of this one, empty segments left out. It is named as the documents name it: what a
/// client sent may name an event.
fn meant(path: &str) -> Option<&'static str> {
    static ROUTES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let paths = document()["paths"].as_object();
        paths
            .into_iter()
            .flatten()
            .map(|(path, _)| path.as_str())
            .collect()
    });
    let sent: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    (0..sent.len()).find_map(|start| {
        let fits = ROUTES.iter().filter(|route| is_of(route, &sent[start..]));
        // A route of literal parts stands before one with parameters.
        fits.min_by_key(|route| route.matches('{').count()).copied()
    })
}

fn is_of(route: &str, parts: &[&str]) -> bool {
    let known: Vec<&str> = route.split('/').skip(1).collect();
    known.len() == parts.len()
        && known
            .iter()
            .zip(parts)
            .all(|(known, part)| known.starts_with('{') || known == part)
}

/// Refuses a request that does not say for which host it is, or says so twice (RFC 9112 section 3.2, RFC 9113 section
/// 8.3.1). Commands in this process have no connection, and no host.
pub(super) async fn check_host(request: Request, next: Next) -> Response {
    let came_over_a_connection = request.extensions().get::<Arc<Place>>().is_some();
    if came_over_a_connection
        && let Err(detail) = host_of(request.version(), request.uri(), request.headers())
    {
        return Problem::bad_request(detail).into_response();
    }
    next.run(request).await
}

fn host_of(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<(), &'static str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err("the request has several `Host` headers: send one");
    }
    let invalid = "the `Host` header must be a host, with a port if it is not the default";
    let host = match host {
        None => None,
        Some(value) => {
            let authority = value
                .to_str()
                .ok()
                .and_then(|text| text.parse::<Authority>().ok());
            let authority = authority.filter(is_host);
            Some(authority.ok_or(invalid)?)
        }
    };
    let is_second = version == Version::HTTP_2;
    match (uri.authority(), host) {
        (Some(named), _) if !is_host(named) => Err("the address has user information: remove it"),
        (Some(named), Some(host)) if is_second && named.as_str() != host.as_str() => {
            Err("`:authority` and `Host` differ: send one of them")
        }
        (None, None) if version != Version::HTTP_10 && version != Version::HTTP_09 => {
            Err("the request has no host: send the `Host` header (`:authority` in HTTP/2)")
        }
        (Some(_), None) if version == Version::HTTP_11 => {
            Err("the request has no `Host` header: send one")
        }
        _ => Ok(()),
    }
}

fn is_host(authority: &Authority) -> bool {
    !authority.host().is_empty() && !authority.as_str().contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_route_that_was_meant_is_found() {
        for (path, route) in [
            ("//v1/traces", "/v1/traces"),
            ("/v1/traces/", "/v1/traces"),
            ("/v1/traces/v1/traces", "/v1/traces"),
            ("/otlp/v1/logs", "/v1/logs"),
            ("/v1/logs//", "/v1/logs"),
            ("/v1/events/", "/v1/events"),
            ("/v1//events/some-id/proof", "/v1/events/{id}/proof"),
            ("/api/healthz", "/healthz"),
        ] {
            assert_eq!(meant(path), Some(route), "{path}");
        }
        for path in ["/", "", "///", "/v1", "/v2/traces", "/v1/nothing"] {
            assert_eq!(meant(path), None, "{path}");
        }
    }

    #[test]
    fn a_request_names_one_host() {
        let check = |version, uri: &'static str, hosts: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, host.parse().unwrap());
            }
            host_of(version, &Uri::from_static(uri), &headers).is_ok()
        };
        let (one, two) = (Version::HTTP_11, Version::HTTP_2);
        for good in [
            "localhost",
            "audit.example.com:8443",
            "[::1]:8787",
            "10.0.0.1",
        ] {
            assert!(check(one, "/", &[good]), "{good}");
        }
        for bad in [
            &[][..],
            &["a", "a"],
            &["a", "b"],
            &[""],
            &["a b"],
            &["u@a"],
            &["a/b"],
            &["a,b c"],
        ] {
            assert!(!check(one, "/", bad), "{bad:?}");
        }
        assert!(check(one, "http://a/", &["a"]));
        assert!(!check(one, "http://a/", &[]));
        assert!(check(Version::HTTP_10, "/", &[]));
        assert!(!check(Version::HTTP_10, "/", &["a", "b"]));
        assert!(check(two, "http://a/", &[]));
        assert!(check(two, "http://a/", &["a"]));
        assert!(!check(two, "http://a/", &["b"]));
        assert!(!check(two, "http://u@a/", &[]));
        assert!(!check(two, "/", &[]));
    }
}
