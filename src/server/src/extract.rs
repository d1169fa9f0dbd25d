//! What handlers take from an address. A refusal is a problem, as every other one is; axum's own would be plain text.

use axum::extract::{FromRequestParts, Path as AxumPath, Query as AxumQuery};
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use super::App;
use super::problem::Problem;

/// The parameters of a path.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let read = AxumPath::<T>::from_request_parts(parts, app).await;
        read.map(|AxumPath(read)| Self(read)).map_err(|_| {
            Problem::bad_request("a path segment is not valid: write it in UTF-8, percent-encoded")
        })
    }
}

/// The parameters behind the `?`. The error names no value: handlers say which parameters there are.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let unreadable = || {
            Problem::bad_request(
                "the query parameters are not valid: /openapi.json lists those of the route; write them in UTF-8, percent-encoded",
            )
        };
        // Axum would put U+FFFD for such bytes, and the answer would be about a value that nobody asked for.
        let asked = parts.uri.query().unwrap_or_default();
        if percent_decode_str(asked).decode_utf8().is_err() {
            return Err(unreadable());
        }
        let read = AxumQuery::<T>::from_request_parts(parts, app).await;
        read.map(|AxumQuery(read)| Self(read))
            .map_err(|_| unreadable())
    }
}
