//! Requests of persons (GDPR Art. 12 to 20, CCPA): their states, their due dates, and the certificate that
//! answers them. Pure: no clock and no I/O inside.

pub mod certificate;
pub mod check;
pub mod day;
pub mod due;
pub mod manner;
pub mod note;
pub mod request;
pub mod restriction;
pub mod subject;

pub use certificate::{
    Certificate, Destroyed, Events, Kept, KeptState, Outcome, Proven, Withheld, Withholding,
};
pub use day::Day;
pub use due::{Deadline, Regime};
pub use manner::{IdentityKind, Manner};
pub use request::{Closed, Decision, Ended, ExtendError, Kind, Request, StageError, State};
pub use restriction::{Ground, RestrictedUse};
pub use subject::commit_to_subject;
