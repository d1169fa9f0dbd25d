//! Why prompts are refused, as problems.

use crate::problem::Problem;
use trailkeep_core::govern::prompts::PromptError;
use trailkeep_core::tenant::prompts::FetchError;

impl From<PromptError> for Problem {
    fn from(error: PromptError) -> Self {
        let detail = error.to_string();
        match error {
            PromptError::Wrong(_)
            | PromptError::Name(_)
            | PromptError::Variants(_)
            | PromptError::TooMany(_) => Self::unprocessable(detail),
            PromptError::NoPrompt | PromptError::NoVersion(_) | PromptError::NoLabel => {
                Self::not_found(detail)
            }
            PromptError::NotServed { .. }
            | PromptError::InForce { .. }
            | PromptError::Over { .. }
            | PromptError::NothingBefore
            | PromptError::NeverInForce(_) => Self::conflict_state(detail),
            PromptError::Changed => Self::precondition_failed(detail),
            PromptError::Record(error) => (*error).into(),
            PromptError::Key(error) => error.into(),
        }
    }
}

impl From<FetchError> for Problem {
    fn from(error: FetchError) -> Self {
        let detail = error.to_string();
        match error {
            FetchError::NoPrompt | FetchError::NoVersion(_) | FetchError::NoLabel => {
                Self::not_found(detail)
            }
            FetchError::NotServed { .. } => Self::gone(detail),
            FetchError::Key(error) => error.into(),
        }
    }
}
