//! Carrying out what was asked for, as soon as it is known who asks.

use std::time::Duration;

use crate::http::auth::Identified;
use crate::http::problem::Problem;
use crate::service::blocking;
use crate::service::privacy::{self, ShownRequest};

/// How long an answer waits for the end of an erasure: what takes longer goes on behind it.
const WAITED_FOR: Duration = Duration::from_secs(10);

/// Carries out a request for erasure or restriction that is open. Gives the request as it is then.
pub(super) async fn carry_out(
    caller: Identified,
    request: ShownRequest,
    rotates: bool,
) -> Result<ShownRequest, Problem> {
    if !request.can_be_carried_out() {
        return Ok(request);
    }
    let (id, to) = (request.id.clone(), request.id.clone());
    let work = blocking(move || {
        let (engine, ledger, by) = (&caller.engine, &caller.ledger, &caller.key_id);
        privacy::carry_out_now(engine, ledger, by, rotates)?;
        privacy::one(engine, ledger, &to)
    });
    let work = tokio::spawn(work);
    match tokio::time::timeout(WAITED_FOR, work).await {
        Ok(Ok(Ok(request))) => Ok(request),
        Ok(Ok(Err(error))) => {
            Err(Problem::from(error).after(&format!("the request {id} is filed; ")))
        }
        Ok(Err(_panicked)) => Err(Problem::internal()),
        // It is under way; the list of requests says when it is over.
        Err(_elapsed) => Ok(request),
    }
}
