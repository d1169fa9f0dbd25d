//! Prices and names of a tenant in memory: what the section `metered` of each event is made from.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};

use crate::keys::keyring::{KeyError, Keyring};
use crate::tenant::names::{self, NameBook, Numbers};
use crate::tenant::prices::{self, PriceBook};
use trailkeep_ports::LedgerRecord;
use trailkeep_prices::{Layer, Layers};
use trailkeep_proof::metered::{Named, Reason};
use trailkeep_proof::prices::{Basis, Call, PriceTable, Usage};
use trailkeep_proof::privacy::Day;
use trailkeep_proof::system::NameKind;

/// Price tables that were read, each once, and how often one was set.
#[derive(Default)]
pub(crate) struct PriceTables {
    changes: AtomicU64,
    /// By SHA-256.
    read: Mutex<HashMap<String, Weak<PriceTable>>>,
}

impl PriceTables {
    /// A table was set: all tenants may have other prices.
    pub(crate) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// How often a table was set since the start.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    fn table(&self, sha256: &str, canonical: &str) -> Result<Arc<PriceTable>, KeyError> {
        let mut read = self.read.lock();
        if let Some(known) = read.get(sha256).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let table = PriceTable::read(canonical.as_bytes()).map_err(|error| {
            tracing::error!(%error, "a price table of the vault cannot be read: run `trailkeep verify`");
            KeyError::DoesNotOpen("a price table")
        })?;
        let table = Arc::new(table);
        read.retain(|_, table| table.strong_count() > 0);
        read.insert(sha256.to_owned(), Arc::downgrade(&table));
        Ok(table)
    }
}

/// Prices and names that hold for a tenant.
pub(crate) struct Metering {
    /// The tables, above each other.
    pub(crate) layers: Layers,
    /// Their numbers in the tenant's ledger; one that is not here yet is stated before it is used.
    stated: Vec<(Layer, u32)>,
    /// Names that have a number.
    pub(crate) names: NameBook,
    /// The same, to look them up.
    pub(crate) numbers: Numbers,
    /// [`PriceTables::changes`] when they were read.
    pub(crate) as_of: u64,
    /// What was asked for lately: most calls of a tenant are of a few models.
    served: ServedMemo,
}

/// Who served a call, as its event names them, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Asked<'a> {
    pub(crate) provider: Option<&'a str>,
    /// The one that answered, and the one that was asked for.
    pub(crate) models: [Option<&'a str>; 2],
    pub(crate) service_tier: Option<&'a str>,
    /// The day whose price holds.
    pub(crate) day: Day,
}

/// Who served a call, by what is registered, and its price.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) provider: Named,
    pub(crate) model: Named,
    /// Whether the event names a model at all.
    pub(crate) names_model: bool,
    /// The layer of the table, and the place of the price in it.
    pub(crate) price: Result<(Layer, usize), Reason>,
    /// Names that a price table knows and that have no number yet.
    pub(crate) wanted: Vec<(NameKind, String)>,
}

impl Metering {
    /// Reads them. Tables of the layers that are not the tenant's own are the operator's, or the program's.
    pub(crate) fn load(
        keyring: &Keyring,
        tables: &PriceTables,
        own: &LedgerRecord,
        operator: Option<&LedgerRecord>,
    ) -> Result<Self, KeyError> {
        let as_of = tables.changes();
        let book = prices::load(keyring, own)?;
        let of_operator = match operator.filter(|operator| operator.number != own.number) {
            Some(operator) => prices::load(keyring, operator)?,
            None => PriceBook::default(),
        };
        let mut layers =
            Layers::default().with(Layer::Shipped, Arc::clone(trailkeep_prices::shipped()));
        for layer in [Layer::Imported, Layer::Operator, Layer::Tenant] {
            let set = book.in_force(layer).or_else(|| of_operator.in_force(layer));
            let text = set.and_then(|set| Some((set, set.table.as_deref()?)));
            if let Some((set, canonical)) = text {
                layers = layers.with(layer, tables.table(&set.sha256, canonical)?);
            }
        }
        let mut stated = Vec::new();
        for layer in Layer::ALL {
            let newest = book.newest(layer);
            let in_force = layers.table(layer).map(|table| table.sha256());
            let is_stated = newest.filter(|newest| Some(&newest.sha256) == in_force.as_ref());
            stated.extend(is_stated.map(|set| (layer, set.number)));
        }
        let names = names::load(keyring, own)?;
        Ok(Self {
            layers,
            stated,
            numbers: Numbers::of(&names),
            names,
            as_of,
            served: ServedMemo::default(),
        })
    }

    /// Who served a call. It is remembered once all names have their numbers.
    pub(crate) fn served(&self, asked: &Asked<'_>) -> Served {
        if let Some(known) = self.served.get(asked) {
            return known;
        }
        let served = self.look_up(asked);
        if served.wanted.is_empty() {
            self.served.put(asked, &served);
        }
        served
    }

    fn look_up(&self, asked: &Asked<'_>) -> Served {
        let mut wanted = Vec::new();
        let mut number = |kind, name: &str| {
            let number = self.numbers.get(kind, name);
            if number.is_none() && !self.numbers.is_full(kind) {
                wanted.push((kind, name.to_owned()));
            }
            number.map_or(Named::Other, Named::Number)
        };
        let layers = &self.layers;
        let provider = asked.provider.and_then(|named| layers.provider(named));
        let of_provider = match (&provider, asked.provider) {
            (Some(provider), _) => number(NameKind::Provider, provider),
            (None, Some(named)) => self
                .allowed(NameKind::Provider, named)
                .unwrap_or(Named::Other),
            (None, None) => Named::Absent,
        };
        let mut models = asked.models.into_iter().flatten();
        let first = models.clone().next();
        // The first name that somebody knows.
        let known = models.find_map(|name| {
            let pattern = provider
                .as_ref()
                .and_then(|provider| layers.model(provider, name));
            let of_pattern = || pattern.map(|pattern| number(NameKind::Model, pattern));
            let registered = self.allowed(NameKind::Model, name).or_else(of_pattern);
            registered.map(|registered| (name, registered))
        });
        let unknown = first.map_or(Named::Absent, |_| Named::Other);
        let model = known.map_or(unknown, |(_, registered)| registered);
        let price = match (&provider, known.map(|(name, _)| name).or(first)) {
            (None, _) => Err(Reason::Provider),
            (Some(_), None) => Err(Reason::Model),
            (Some(provider), Some(model)) => {
                let call = Call {
                    provider,
                    model,
                    day: asked.day,
                    service_tier: asked.service_tier,
                    region: None,
                    usage: Usage::default(),
                    basis: Basis::Inclusive,
                };
                layers.find(&call).map_err(|why| Reason::from(&why))
            }
        };
        Served {
            provider: of_provider,
            model,
            names_model: first.is_some(),
            price,
            wanted,
        }
    }

    /// The number of a name that is registered as an event has it.
    fn allowed(&self, kind: NameKind, name: &str) -> Option<Named> {
        let small = name.to_ascii_lowercase();
        self.numbers.get(kind, &small).map(Named::Number)
    }

    /// The number of a layer's table in the tenant's ledger; none where it is not stated there.
    pub(crate) fn table_number(&self, layer: Layer) -> Option<u32> {
        let mut all = self.stated.iter();
        all.find_map(|(of, number)| (*of == layer).then_some(*number))
    }
}

/// Answers that are remembered.
const SERVED_MAX: usize = 64;

/// Answers by a hash of the question; the question stands beside, so that no other one gets them.
#[derive(Default)]
struct ServedMemo {
    hasher: RandomState,
    known: RwLock<HashMap<u64, (OwnedAsked, Served)>>,
}

struct OwnedAsked {
    provider: Option<String>,
    models: [Option<String>; 2],
    service_tier: Option<String>,
    day: Day,
}

impl OwnedAsked {
    fn is(&self, asked: &Asked<'_>) -> bool {
        let [answered, requested] = &self.models;
        self.provider.as_deref() == asked.provider
            && [answered.as_deref(), requested.as_deref()] == asked.models
            && self.service_tier.as_deref() == asked.service_tier
            && self.day == asked.day
    }
}

impl ServedMemo {
    fn get(&self, asked: &Asked<'_>) -> Option<Served> {
        let known = self.known.read();
        let (question, served) = known.get(&self.hasher.hash_one(asked))?;
        question.is(asked).then(|| served.clone())
    }

    fn put(&self, asked: &Asked<'_>, served: &Served) {
        let mut known = self.known.write();
        if known.len() >= SERVED_MAX {
            known.clear();
        }
        let question = OwnedAsked {
            provider: asked.provider.map(str::to_owned),
            models: asked.models.map(|model| model.map(str::to_owned)),
            service_tier: asked.service_tier.map(str::to_owned),
            day: asked.day,
        };
        known.insert(self.hasher.hash_one(asked), (question, served.clone()));
    }
}
