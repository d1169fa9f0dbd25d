//! The ledger for the tools of the transparency-log world: checkpoint, tiles (C2SP tlog-tiles), key.

use axum::http::HeaderMap;
use axum::response::Response;

use super::auth::{Caller, OpenLog, may};
use super::document::Bytes;
use super::etag::tagged;
use super::extract::Path;
use super::problem::Problem;
use trailkeep_api::log::PublicKey;
use trailkeep_core::blocking;
use trailkeep_core::journal::read::ReadError;
use trailkeep_core::tenant::ReadScope;
use trailkeep_core::tenant::ledger::{Ledger, StoredTiles};
use trailkeep_proof::ledger::note::public_key_pem;
use trailkeep_proof::ledger::tile::{
    TILE_WIDTH, TileCoordinate, TilePath, TileSource, encode_entry_bundle, hashes_to_bytes,
    tile_width,
};

/// Returns the checkpoint of the caller's ledger.
#[utoipa::path(
    get,
    path = "/v1/checkpoint",
    responses((status = 200, description = "C2SP tlog-checkpoint.", body = String)),
    extensions(("x-trailkeep-tagged" = json!(true))),
)]
pub(super) async fn own_checkpoint(
    caller: Caller<may::Prove, ReadScope>,
    headers: HeaderMap,
) -> Response {
    checkpoint_of(caller.on.ledger(), &headers)
}

/// Returns the checkpoint of a log.
#[utoipa::path(
    get,
    path = "/v1/log/{tenant}/checkpoint",
    params(("tenant" = String, Path, description = "The tenant.", example = "default")),
    responses((status = 200, description = "C2SP tlog-checkpoint.", body = String)),
    extensions(("x-trailkeep-problems" = json!(["not-found"])), ("x-trailkeep-tagged" = json!(true))),
)]
pub(super) async fn checkpoint(log: OpenLog, headers: HeaderMap) -> Response {
    checkpoint_of(log.scope.ledger(), &headers)
}

fn checkpoint_of(ledger: &Ledger, headers: &HeaderMap) -> Response {
    let note = ledger.published().head.note.clone();
    let kind = "text/plain; charset=utf-8";
    tagged(headers, kind, "no-cache", note.into_bytes())
}

/// A tile of a log: hashes or entries (C2SP tlog-tiles). What a tree of the published size does not have is 404.
#[utoipa::path(
    get,
    path = "/v1/log/{tenant}/tile/{*path}",
    params(
        ("tenant" = String, Path, description = "The tenant.", example = "default"),
        ("path" = String, Path, description = "`<L>/<N>[.p/<W>]` or `entries/<N>[.p/<W>]`; its slashes need no escaping.", example = "0/000.p/1"),
    ),
    responses((status = 200, description = "The tile.", body = inline(Bytes), content_type = "application/octet-stream")),
    extensions(("x-trailkeep-problems" = json!(["not-found"])), ("x-trailkeep-tagged" = json!(true))),
)]
pub(super) async fn tile(
    log: OpenLog,
    Path((_, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let path = TilePath::parse(&path)
        .ok_or_else(|| Problem::not_found("tile path not found; see C2SP tlog-tiles"))?;
    let bytes = blocking(move || read_tile(&log, path)).await?;
    let cache_control = "private, max-age=31536000, immutable";
    let kind = "application/octet-stream";
    Ok(tagged(&headers, kind, cache_control, bytes))
}

fn read_tile(log: &OpenLog, path: TilePath) -> Result<Vec<u8>, Problem> {
    let ledger = log.scope.ledger();
    let published = ledger.published();
    let beyond = || Problem::not_found("the ledger is smaller than this tile");
    let has = |tile, width| width <= tile_width(tile, published.head.size);
    let number = ledger.record.number;
    match path {
        TilePath::Hashes { tile, width } => {
            if !has(tile, width) {
                return Err(beyond());
            }
            let tiles = StoredTiles {
                ledgers: &log.engine.journal.ledgers,
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
            let entries = log
                .engine
                .journal
                .ledgers
                .entries(number, first..first + u64::from(width));
            Ok(encode_entry_bundle(&entries.map_err(ReadError::from)?))
        }
    }
}

/// The public key of the caller's ledger.
#[utoipa::path(
    get,
    path = "/v1/key",
    responses((status = 200, description = "The key in both forms.", body = PublicKey)),
    extensions(("x-trailkeep-tagged" = json!(true))),
)]
pub(super) async fn key(
    caller: Caller<may::Prove, ReadScope>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let verifier = &caller.on.ledger().verifier;
    let key = PublicKey {
        origin: verifier.name().to_owned(),
        pem: public_key_pem(verifier.public()),
        vkey: verifier.to_string(),
    };
    let body = serde_json::to_vec(&key).map_err(|_| Problem::internal())?;
    Ok(tagged(&headers, "application/json", "no-cache", body))
}
