//! What went wrong with a request of a person, as callers see it.

use crate::problem::Problem;
use trailkeep_core::export::jobs::StartError;
use trailkeep_core::requests::PrivacyError;

impl From<PrivacyError> for Problem {
    fn from(error: PrivacyError) -> Self {
        let detail = error.to_string();
        match error {
            PrivacyError::NotFound | PrivacyError::NoCertificate | PrivacyError::Forgotten { .. } => {
                Self::not_found(detail)
            }
            PrivacyError::NearMatches { .. } => Self::refused(detail),
            PrivacyError::Malformed(_)
            | PrivacyError::Future
            | PrivacyError::NoGround
            | PrivacyError::GroundOfNothing
            | PrivacyError::NoToken => Self::unprocessable(detail),
            PrivacyError::Stage(_)
            | PrivacyError::Extend(_)
            | PrivacyError::NoCopy
            | PrivacyError::NothingToCarryOut
            | PrivacyError::NotFetched
            | PrivacyError::NotAnswered
            | PrivacyError::NotRestricted
            | PrivacyError::NotDecided
            // The route that orders answers it with the new preview.
            | PrivacyError::StaleToken(_) => Self::request_state(detail),
            PrivacyError::PurgePending | PrivacyError::Rotation(_) => {
                tracing::warn!(%error, "erasure incomplete");
                Self::unavailable(detail, 60)
            }
            PrivacyError::Hold(error) => (*error).into(),
            PrivacyError::Telemetry(error) => (*error).into(),
            PrivacyError::Record(error) => (*error).into(),
            PrivacyError::Key(error) => error.into(),
            PrivacyError::Start(error) => error.into(),
            PrivacyError::Export(error) => StartError::from(*error).into(),
            PrivacyError::Read(error) => error.into(),
            PrivacyError::Retention(error) => error.into(),
            PrivacyError::Random(_) => {
                tracing::error!(%error, "a data subject request failed");
                Self::damaged(detail)
            }
        }
    }
}
