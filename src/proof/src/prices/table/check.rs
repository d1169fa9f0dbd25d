//! What no table may say.

use super::{
    BTreeMap, BTreeSet, Component, Day, ENTRIES_MAX, Fx, NAME_MAX, PATTERNS_MAX, Place, Price,
    Rates, TIERS_MAX, TableFault, URL_MAX, Verified,
};

pub(super) fn faults(
    aliases: &BTreeMap<String, String>,
    prices: &[Price],
    fx: &[Fx],
) -> Vec<TableFault> {
    let mut found = Found::default();
    if prices.len() > ENTRIES_MAX || fx.len() > ENTRIES_MAX || aliases.len() > ENTRIES_MAX {
        found.add("size", "the table has more than 5,000 entries", "split it");
        return found.faults;
    }
    for (name, meant) in aliases {
        if !is_name(name) || !is_name(meant) || aliases.contains_key(meant) {
            let problem = format!("`{name}` = `{meant}` is not an alias of a provider");
            let remedy = "write another name of a provider, and the name that its prices have";
            found.add("alias", problem, remedy);
        }
    }
    for (place, price) in prices.iter().enumerate() {
        found.place = Place::Price(place);
        found.check_names(price);
        if aliases.contains_key(&price.provider) {
            let problem = format!("provider `{}` is an alias of another", price.provider);
            found.add("alias", problem, "use the name that the alias stands for");
        }
        found.check_rates(price);
        found.check_source(price);
    }
    found.check_overlap(prices);
    for (place, fx) in fx.iter().enumerate() {
        found.place = Place::Fx(place);
        found.check_fx(fx);
    }
    found.check_fx_twice(fx);
    found.faults
}

/// The largest prompt that a tier may begin above.
const ABOVE_MAX: u64 = 1_000_000_000_000;

/// From when a price holds, until when, and its place.
type Dates = (Option<Day>, Option<Day>, usize);

struct Found {
    place: Place,
    faults: Vec<TableFault>,
}

impl Default for Found {
    fn default() -> Self {
        Self {
            place: Place::Table,
            faults: Vec::new(),
        }
    }
}

impl Found {
    fn add(&mut self, rule: &'static str, problem: impl Into<String>, remedy: &'static str) {
        self.faults.push(TableFault {
            place: self.place.clone(),
            rule,
            problem: problem.into(),
            remedy,
        });
    }

    fn check_names(&mut self, price: &Price) {
        let names = [
            ("provider", Some(&price.provider)),
            ("service_tier", price.service_tier.as_ref()),
            ("region", price.region.as_ref()),
            ("package", price.package.as_ref()),
            ("package_version", price.package_version.as_ref()),
        ];
        for (key, name) in names {
            if name.is_some_and(|name| !is_name(name)) {
                let problem = format!("`{key}` is not a name");
                let remedy = "write 1 to 128 characters of a-z, 0-9, `.`, `_`, `/`, `+` and `-`";
                self.add("name", problem, remedy);
            }
        }
        if price
            .service_tier
            .as_deref()
            .is_some_and(super::super::call::is_standard)
        {
            let problem = "`service_tier` names the standard tier";
            self.add(
                "name",
                problem,
                "leave `service_tier` out: that is the standard",
            );
        }
        let distinct: BTreeSet<_> = price.model.iter().collect();
        if !(1..=PATTERNS_MAX).contains(&price.model.len()) || distinct.len() != price.model.len() {
            let remedy = "name 1 to 64 models, each once";
            self.add(
                "model",
                "`model` is empty, too long or names a model twice",
                remedy,
            );
        }
        if !is_currency(&price.currency) {
            let problem = format!("`{}` is not a currency", price.currency);
            self.add(
                "currency",
                problem,
                "write three capital letters, such as `USD`",
            );
        }
        if let (Some(from), Some(until)) = (price.from, price.until)
            && until <= from
        {
            let problem = format!("`until` {until} is not after `from` {from}");
            let remedy = "`until` is the first day on which the price no longer holds";
            self.add("dates", problem, remedy);
        }
    }

    fn check_rates(&mut self, price: &Price) {
        if price.rates.each().next().is_none() {
            let remedy = "write at least one price; what is free is an explicit \"0\"";
            self.add("no-price", "there is no price", remedy);
        }
        if price.tiers.len() > TIERS_MAX {
            self.add("tiers", "there are more than 8 tiers", "write at most 8");
        }
        let mut below: Option<u64> = None;
        for tier in &price.tiers {
            if tier.above > ABOVE_MAX {
                let problem = format!("a tier above {} is beyond any prompt", tier.above);
                self.add("tiers", problem, "write at most 1000000000000");
            }
            if tier.above == 0 || below.is_some_and(|below| tier.above <= below) {
                let problem = format!("the tier above {} is not after the one before", tier.above);
                self.add("tiers", problem, "write tiers by ascending `above`, from 1");
            }
            below = Some(tier.above);
            let missing = missing_from(&tier.rates, &price.rates);
            if !missing.is_empty() {
                let problem = format!("the tier above {} has no {missing}", tier.above);
                let remedy = "write all prices in each tier: none is taken from below";
                self.add("tiers", problem, remedy);
            }
        }
    }

    fn check_source(&mut self, price: &Price) {
        if price.citation.as_deref().is_some_and(|url| !is_url(url)) {
            let problem = "`citation` is not a URL";
            self.add("citation", problem, "write the page's https:// URL");
        }
        let has_citation = price.citation.is_some();
        let has_package = price.package.is_some() && price.package_version.is_some();
        let names_package = price.package.is_some() || price.package_version.is_some();
        let fits = match price.verified {
            Verified::Page => has_citation && price.verified_on.is_some() && !names_package,
            Verified::Secondary => has_citation && has_package && price.verified_on.is_none(),
            Verified::Unchecked => price.verified_on.is_none() && !names_package,
        };
        if !fits {
            let problem = "`verified` does not fit to the source that is given";
            let remedy = "page: `citation` and `verified_on`; secondary: `citation`, `package` and \
                          `package_version`; unchecked: at most `citation`";
            self.add("verified", problem, remedy);
        }
    }

    /// Two prices of the same models on the same day.
    fn check_overlap(&mut self, prices: &[Price]) {
        let mut of_same: BTreeMap<_, Vec<Dates>> = BTreeMap::new();
        for (place, price) in prices.iter().enumerate() {
            for model in &price.model {
                let key = (&price.provider, model, &price.service_tier, &price.region);
                let dates = (price.from, price.until, place);
                of_same.entry(key).or_default().push(dates);
            }
        }
        for ((provider, model, ..), mut dates) in of_same {
            dates.sort_unstable();
            let pairs = dates.iter().zip(dates.iter().skip(1));
            for ((_, until, _), (from, _, place)) in pairs {
                if until.is_none_or(|until| from.is_none_or(|from| from < until)) {
                    self.place = Place::Price(*place);
                    let problem = format!("{provider} {model} has two prices on the same day");
                    let remedy = "end the earlier one: `until` is the later one's `from`";
                    self.add("overlap", problem, remedy);
                }
            }
        }
    }

    fn check_fx(&mut self, fx: &Fx) {
        if !is_currency(&fx.from) || !is_currency(&fx.to) || fx.from == fx.to {
            let problem = format!("`{}` to `{}` are not two currencies", fx.from, fx.to);
            self.add(
                "currency",
                problem,
                "write three capital letters, such as `EUR`",
            );
        }
        if !is_url(&fx.citation) {
            let remedy = "write the source's https:// URL";
            self.add("citation", "`citation` is not a URL", remedy);
        }
    }

    fn check_fx_twice(&mut self, fx: &[Fx]) {
        let mut seen = BTreeSet::new();
        for (place, fx) in fx.iter().enumerate() {
            if !seen.insert((&fx.from, &fx.to, fx.day)) {
                self.place = Place::Fx(place);
                let problem = format!("{} to {} has two rates on {}", fx.from, fx.to, fx.day);
                self.add("overlap", problem, "write one rate for a day");
            }
        }
    }
}

/// The names of components that only the second has a price for.
fn missing_from(tier: &Rates, base: &Rates) -> String {
    let of_base = base.each().map(|(component, _)| component);
    let missing = of_base.filter(|component| tier.of(*component).is_none());
    missing.map(Component::name).collect::<Vec<_>>().join(", ")
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=NAME_MAX).contains(&text.len())
        && text.bytes().next().is_some_and(plain)
        && text
            .bytes()
            .all(|byte| plain(byte) || b"._/+-".contains(&byte))
}

fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// A page's address, and no room for a sentence.
fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").unwrap_or_default();
    (1..=URL_MAX).contains(&rest.len())
        && rest
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}
