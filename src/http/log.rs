//! The ledger for the tools of the transparency-log world: checkpoint, tiles (C2SP tlog-tiles), key.

use axum::Json;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::auth::{Caller, Identified, may};
use super::problem::Problem;
use crate::ledger::note::public_key_pem;
use crate::ledger::tile::{
    TILE_WIDTH, TileCoordinate, TilePath, TileSource, encode_entry_bundle, hashes_to_bytes,
    tile_width,
};
use crate::service::blocking;
use crate::service::ledger::StoredTiles;
use crate::service::read::ReadError;

/// `GET /v1/checkpoint`: the signed head.
pub(super) async fn own_checkpoint(caller: Caller<may::Prove>) -> Response {
    let note = caller.ledger.published().head.note.clone();
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, note).into_response()
}

/// `GET /v1/log/{tenant}/checkpoint`.
pub(super) async fn checkpoint(
    caller: Caller<may::Prove>,
    Path(tenant): Path<String>,
) -> Result<Response, Problem> {
    caller.require_tenant(&tenant)?;
    Ok(own_checkpoint(caller).await)
}

/// `GET /v1/log/{tenant}/tile/…`: hashes or entries. What a tree of the published size does not have is 404.
pub(super) async fn tile(
    caller: Caller<may::Prove>,
    Path((tenant, path)): Path<(String, String)>,
) -> Result<Response, Problem> {
    caller.require_tenant(&tenant)?;
    let path = TilePath::parse(&path)
        .ok_or_else(|| Problem::not_found("there is no such tile path; see C2SP tlog-tiles"))?;
    let bytes = blocking(move || read_tile(&caller, path)).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (
            header::CACHE_CONTROL,
            "private, max-age=31536000, immutable",
        ),
    ];
    Ok((headers, bytes).into_response())
}

fn read_tile(caller: &Identified, path: TilePath) -> Result<Vec<u8>, Problem> {
    let published = caller.ledger.published();
    let beyond = || Problem::not_found("the ledger is smaller than this tile");
    let has = |tile, width| width <= tile_width(tile, published.head.size);
    let number = caller.ledger.record.number;
    match path {
        TilePath::Hashes { tile, width } => {
            if !has(tile, width) {
                return Err(beyond());
            }
            let tiles = StoredTiles {
                ledgers: &caller.engine.ledgers,
                ledger: number,
                published: &published,
            };
            let hashes = tiles.tile(tile, width).map_err(ReadError::from)?;
            Ok(hashes_to_bytes(
                &hashes[..usize::from(width).min(hashes.len())],
            ))
        }
        TilePath::Entries { index, width } => {
            if !has(TileCoordinate { level: 0, index }, width) {
                return Err(beyond());
            }
            let first = index * TILE_WIDTH as u64;
            let entries = caller
                .engine
                .ledgers
                .entries(number, first..first + u64::from(width));
            Ok(encode_entry_bundle(&entries.map_err(ReadError::from)?))
        }
    }
}

/// `GET /v1/key`: the ledger's public key in both forms.
pub(super) async fn key(caller: Caller<may::Prove>) -> Response {
    let verifier = &caller.ledger.verifier;
    let pem = public_key_pem(verifier.public());
    Json(json!({"origin": verifier.name(), "pem": pem, "vkey": verifier.to_string()}))
        .into_response()
}
