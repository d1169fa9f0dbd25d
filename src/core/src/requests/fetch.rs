//! The record of who looked at whom a request is about: each route that names the data subject, or hands out what is about them,
//! is a read like any other (invariant 7).

use crate::export::PersonsEvents;
use crate::journal::Journal;
use crate::journal::access_log::{AccessRecord, record_read};
use crate::requests::PrivacyError;
use crate::requests::filed::About;
use crate::tenant::Tenant;

/// A document of a request that can be downloaded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fetch {
    /// The request, with its data subject.
    Request,
    /// The answer letter.
    Letter,
    /// The certificate, whose salt tells whom the request is about.
    Certificate,
    /// The copy, with so many events.
    Copy(u64),
}

impl Fetch {
    const fn route(self) -> &'static str {
        match self {
            Self::Request => "/v1/privacy/requests/{id}",
            Self::Letter => "/v1/privacy/requests/{id}/answer",
            Self::Certificate => "/v1/privacy/requests/{id}/certificate",
            Self::Copy(_) => "/v1/privacy/requests/{id}/bundle",
        }
    }

    /// Records it, before it is handed out.
    pub(super) fn record(
        self,
        journal: &Journal,
        tenant: &Tenant,
        (id, about): (&str, &About),
        (by, purpose): (&str, Option<&str>),
    ) -> Result<(), PrivacyError> {
        let active = tenant.active();
        let size = active.published().head.size;
        let found = PersonsEvents::find(journal, active, &about.person(), size)?;
        let events = match self {
            Self::Copy(events) => events,
            Self::Request | Self::Letter | Self::Certificate => 0,
        };
        record_read(
            journal,
            active,
            &AccessRecord {
                by,
                verb: "GET",
                route: self.route(),
                question: id,
                filters: Vec::new(),
                purpose,
                events,
                restricted: 0,
                seq: None,
                persons: found.reference.into_iter().collect(),
            },
        )?;
        Ok(())
    }
}
