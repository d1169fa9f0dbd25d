//! The OpenAPI document, made of the handlers: an attribute `#[utoipa::path]` on each, and its right, which the
//! type of its first argument says.
//!
//! [`route!`] registers a handler. What all routes have in common is written here once: the security scheme, the
//! header `Trailkeep-Purpose`, the problems of a token. What problems a handler adds stands in its attribute, as
//! `x-trailkeep-problems`; schema/openapi.json is the document as checked in.

mod complete;

use std::sync::LazyLock;

use axum::handler::Handler;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::UtoipaMethodRouter;

use self::complete::complete;
use super::App;
use super::auth::Anyone;
use super::etag::tagged;
use trailkeep_core::keys::role::Right;

/// Registers a handler under the method and path of its attribute, with the right that its first argument asks for.
macro_rules! route {
    ($handler:path) => {
        $crate::document::guarded(
            utoipa_axum::routes!($handler),
            stringify!($handler),
            $crate::document::access_of(&$handler),
        )
    };
}
pub(super) use route;

/// What every route is asked for before its handler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing: it says nothing secret.
    Open,
    /// A right, of the caller's own tenant.
    Right(Right),
    /// The same, unless the tenant's setting opens it to everybody.
    UnlessPublic(Right),
}

/// The first argument of a handler: it decides who may call.
pub(super) trait Guard {
    /// What it asks for.
    const ACCESS: Access;
    /// Whether the tenant is written to or read; none: it takes no ledger.
    const WRITES: Option<bool>;
}

/// The arguments of a handler whose first is a [`Guard`].
pub(super) trait Guarded {
    /// What the first asks for.
    const ACCESS: Access;
    /// Whether it writes.
    const WRITES: Option<bool>;
}

macro_rules! guarded {
    ($($more:ident),*) => {
        impl<M, G: Guard, $($more),*> Guarded for (M, G, $($more),*) {
            const ACCESS: Access = G::ACCESS;
            const WRITES: Option<bool> = G::WRITES;
        }
    };
}
guarded!();
guarded!(A);
guarded!(A, B);
guarded!(A, B, C);

/// What a handler asks for.
pub(super) const fn access_of<H: Handler<T, App>, T: Guarded>(_: &H) -> (Access, Option<bool>) {
    (T::ACCESS, T::WRITES)
}

/// Notes in a route's description what it asks for, and gives it its name, such as `keys_create`.
pub(super) fn guarded(
    (schemas, mut paths, router): UtoipaMethodRouter<App>,
    handler: &str,
    (access, writes): (Access, Option<bool>),
) -> UtoipaMethodRouter<App> {
    let (right, is_opened) = match access {
        Access::Open => (None, false),
        Access::Right(right) => (Some(right), false),
        Access::UnlessPublic(right) => (Some(right), true),
    };
    let noted = Extensions::builder()
        .add("x-trailkeep-right", json!(right))
        .add("x-trailkeep-unless-public", json!(is_opened))
        .add("x-trailkeep-writes", json!(writes))
        .build();
    for operation in paths.paths.values_mut().flat_map(operations) {
        operation.operation_id = Some(handler.replace("::", "_").replace(' ', ""));
        match &mut operation.extensions {
            Some(extensions) => extensions.merge(noted.clone()),
            none => *none = Some(noted.clone()),
        }
    }
    (schemas, paths, router)
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let all = [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.patch,
        &mut item.head,
    ];
    all.into_iter().flatten()
}

/// Bytes of a file.
pub(super) struct Bytes;

impl PartialSchema for Bytes {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::Custom(
                "binary".to_owned(),
            )))
            .into()
    }
}

impl ToSchema for Bytes {}

/// Begins the document: what stands before the routes.
pub(super) fn begun() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Trailkeep")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Append-only, hash-chained, encrypted audit trail with retention and verifiable deletion. Errors are RFC 9457 \
             problem details with a stable `type`. `x-trailkeep-right` names the right that a route needs, \
             `x-trailkeep-roles` the roles of API keys that have it.",
        ));
    OpenApiBuilder::new().info(info.build()).build()
}

pub fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> =
        LazyLock::new(|| complete(&super::routes().split_for_parts().1));
    &DOCUMENT
}

/// The OpenAPI document of this API.
#[utoipa::path(
    get,
    path = "/openapi.json",
    responses((status = 200, description = "OpenAPI 3.1.", body = Object)),
    extensions(("x-trailkeep-tagged" = json!(true))),
)]
pub(super) async fn serve(_: Anyone, headers: HeaderMap) -> Response {
    let body = document().to_string().into_bytes();
    tagged(&headers, "application/json", "no-cache", body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trailkeep_api::problem::Kind;

    #[test]
    fn every_problem_that_a_handler_names_is_one() {
        let document = super::super::routes().split_for_parts().1;
        let document = serde_json::to_value(document).unwrap();
        let paths = document["paths"].as_object().unwrap().values();
        let operations: Vec<&Value> = paths
            .flat_map(|item| item.as_object().unwrap().values())
            .collect();
        assert!(operations.len() > 20);
        for operation in operations {
            for name in operation["x-trailkeep-problems"]
                .as_array()
                .into_iter()
                .flatten()
            {
                let name = name.as_str().unwrap();
                assert!(
                    Kind::named(name).is_some(),
                    "{}: {name}",
                    operation["operationId"]
                );
            }
        }
    }
}
