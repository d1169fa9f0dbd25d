//! The people and machines of the invented company Meridale: nobody here exists.

/// A customer of the company, about whom events are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    /// The id in the company's own registers.
    pub(super) id: &'static str,
    /// The register that the id belongs to, one per line of business.
    pub(super) namespace: &'static str,
    pub(super) name: &'static str,
}

/// Somebody, or something, of the company itself that calls models.
#[derive(Clone, Copy, Debug)]
pub(super) struct Staff {
    /// The id in the company's directory.
    pub(super) id: &'static str,
    /// The name in the directory.
    pub(super) name: &'static str,
    /// What they do.
    pub(super) role: &'static str,
}

const fn person(id: &'static str, namespace: &'static str, name: &'static str) -> Person {
    Person {
        id,
        namespace,
        name,
    }
}

const fn staff(id: &'static str, name: &'static str, role: &'static str) -> Staff {
    Staff { id, name, role }
}

/// Four persons of each line of business. Neighbours in the list know each other: they travel
/// together, share an account, or one books for the other.
pub(super) const PERSONS: [Person; 12] = [
    person("cust-1042", "travel", "Marisol Okereke"),
    person("cust-1077", "travel", "Łukasz Brandvold"),
    person("cust-1130", "travel", "Henrike Talvitie"),
    person("cust-1265", "travel", "Bao Ellingsworth"),
    person("pat-20418", "clinic", "Þórdís Vanterpool"),
    person("pat-20533", "clinic", "Anselm Quarrie"),
    person("pat-20971", "clinic", "Zeynep Holmgaard"),
    person("pat-21306", "clinic", "Corentin Adeyinka"),
    person("acct-5509", "bank", "Ottoline Ferreira-Nkemelu"),
    person("acct-5514", "bank", "Davit Sørhaug"),
    person("acct-5862", "bank", "Priyanka Wolstenholme"),
    person("acct-6027", "bank", "Emeric Kalnins"),
];

/// Employees who work with the assistant.
pub(super) const EMPLOYEES: [Staff; 5] = [
    staff("emp-031", "Ilse Marchetti", "travel adviser"),
    staff("emp-047", "Rufus Abernethy-Diallo", "clinic receptionist"),
    staff("emp-058", "Noor Hallström", "disputes analyst"),
    staff("emp-064", "Jolanta Pembridge", "case handler"),
    staff("emp-072", "Tobiah Renquist", "quality reviewer"),
];

/// Jobs that call models without a person at the keyboard.
pub(super) const SERVICES: [Staff; 3] = [
    staff("svc-help-indexer", "Help page indexer", "indexer"),
    staff("svc-ticket-router", "Ticket router", "classifier"),
    staff("svc-nightly-digest", "Nightly digest", "summariser"),
];
