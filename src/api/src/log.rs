//! `/v1/key`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The public key of a ledger.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct PublicKey {
    /// The ledger's origin, which is the key's name.
    pub origin: String,
    /// SPKI in PEM.
    pub pem: String,
    /// C2SP verifier key.
    pub vkey: String,
}
