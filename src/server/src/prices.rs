//! `/v1/prices`: price tables of the caller's tenant.

use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::auth::{Caller, may};
use super::body::read_json;
use super::extract::Path;
use super::problem::Problem;
use trailkeep_api::prices::{ListedPrices, NewPrices, PricesList, ShownPrices};
use trailkeep_core::blocking;
use trailkeep_core::govern::prices::{self as govern, PricesError};
use trailkeep_core::tenant::prices::{self, PriceBook, SetPrices};
use trailkeep_core::tenant::{ReadScope, Tenant};
use trailkeep_proof::prices::PriceTable;
use trailkeep_proof::time::UnixMillis;

/// Sets a price table; the tenant's ledger records it. The same table set again changes nothing.
#[utoipa::path(
    post,
    path = "/v1/prices",
    request_body(content = NewPrices, example = json!({"table": {"dated": "2026-11-30", "format": "trailkeep/prices/v1", "prices": [{"currency": "USD", "model": ["gpt-4o"], "provider": "openai", "rates": {"input": "2.5", "output": "10"}, "unit": "mtok", "verified": "unchecked"}]}})),
    responses((status = 201, description = "The table.", body = ListedPrices)),
    extensions(("x-trailkeep-problems" = json!(["too-large", "unprocessable"]))),
)]
pub(super) async fn set(
    caller: Caller<may::SetPrices, Tenant>,
    body: Body,
) -> Result<Response, Problem> {
    let form = "{\"table\":{\"dated\":\"2026-11-30\",\"format\":\"trailkeep/prices/v1\",\"prices\":[...]},\"imported\":false}; only table is required";
    let asked: NewPrices = read_json(body, form).await?;
    let caller = caller.identified();
    let answer = blocking(move || {
        let table = PriceTable::from_value(&asked.table).map_err(|error| {
            Problem::unprocessable(format!(
                "{error}; `trailkeep prices check FILE` shows what is wrong with a file"
            ))
        })?;
        let journal = &caller.engine.journal;
        let set = govern::set(journal, &caller.on, &table, asked.imported, &caller.key_id)?;
        Ok::<_, Problem>(listed(&set, true))
    })
    .await?;
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// Lists the price tables that were set.
#[utoipa::path(
    get,
    path = "/v1/prices",
    responses((status = 200, description = "The tables, oldest first.", body = PricesList)),
)]
pub(super) async fn list(
    caller: Caller<may::SeePrices, ReadScope>,
) -> Result<Json<PricesList>, Problem> {
    let book = book_of(caller).await?;
    let tables = book
        .set
        .iter()
        .map(|set| listed(set, is_in_force(&book, set)));
    Ok(Json(PricesList {
        tables: tables.collect(),
    }))
}

/// Shows a price table by its number.
#[utoipa::path(
    get,
    path = "/v1/prices/{number}",
    params(("number" = u32, Path, description = "Its number.", example = 1)),
    responses((status = 200, description = "The table.", body = ShownPrices)),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(super) async fn show(
    caller: Caller<may::SeePrices, ReadScope>,
    Path(number): Path<u32>,
) -> Result<Json<ShownPrices>, Problem> {
    let book = book_of(caller).await?;
    let found = book.set.iter().find(|set| set.number == number);
    let set = found.ok_or_else(|| {
        Problem::not_found("price table not found: `trailkeep prices list` shows the tables")
    })?;
    let table = set.table.as_deref().map(serde_json::from_str).transpose();
    let table = table.map_err(|error| {
        tracing::error!(%error, "a price table cannot be read");
        Problem::damaged("the price table cannot be read: run `trailkeep verify`".to_owned())
    })?;
    Ok(Json(ShownPrices {
        listed: listed(set, is_in_force(&book, set)),
        table,
    }))
}

async fn book_of(caller: Caller<may::SeePrices, ReadScope>) -> Result<PriceBook, Problem> {
    let found = blocking(move || {
        let keyring = &caller.engine.journal.keyring;
        prices::list(keyring, caller.on.tenant())
    });
    Ok(found.await?)
}

fn is_in_force(book: &PriceBook, set: &SetPrices) -> bool {
    let newest = book.newest(set.layer);
    newest.is_some_and(|newest| newest.number == set.number)
}

fn listed(set: &SetPrices, in_force: bool) -> ListedPrices {
    ListedPrices {
        number: set.number,
        layer: set.layer.name().to_owned(),
        dated: set.dated.clone(),
        sha256: set.sha256.clone(),
        prices: set.prices as u64,
        set_at: UnixMillis::new(set.set_at_ms).to_string(),
        by: set.by.clone(),
        seq: set.seq,
        ledger: set.ledger.clone(),
        in_force,
    }
}

impl From<PricesError> for Problem {
    fn from(error: PricesError) -> Self {
        match error {
            PricesError::TooMany => Self::unprocessable(error.to_string()),
            PricesError::Record(error) => (*error).into(),
            PricesError::Key(error) => error.into(),
        }
    }
}
