//! From a file's text to a price table: what is wrong is said all at once, each with its line and what to do.

use serde::Serialize;
use toml::value::Datetime;
use trailkeep_proof::near::{suggestion, suggestion_for_field};
use trailkeep_proof::prices::{
    Fx, FxRate, ModelPattern, Place, Price, PriceTable, Rate, Rates, TableFault, Tier, TierBy,
    Unit, Verified,
};
use trailkeep_proof::privacy::Day;

use crate::document::{Document, FxKeys, Models, PriceKeys, TierKeys, rates_of};

/// Largest price file, in bytes.
pub const FILE_BYTES_MAX: usize = 2 << 20;
const KEYS: &str =
    "docs/prices.md has the keys and their forms; decimals are texts such as \"2.5\"";

/// Something that a price file may not say, or that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Line in the file, from 1.
    pub line: usize,
    /// The rule's name.
    pub rule: &'static str,
    /// What is wrong.
    pub problem: String,
    /// How to fix it.
    pub remedy: String,
}

/// A file that was read.
#[derive(Clone, Debug)]
pub struct PriceFile {
    /// What it says.
    pub table: PriceTable,
    /// The prices as they stand in the file, with their lines: the table has them in its own order.
    pub lines: Vec<(usize, Price)>,
}

/// Reads a price file.
pub fn read(text: &str) -> Result<PriceFile, Vec<Finding>> {
    let finding = |line, problem: String, remedy: &str| Finding {
        line,
        rule: "form",
        problem,
        remedy: remedy.to_owned(),
    };
    if text.len() > FILE_BYTES_MAX {
        let problem = format!("the file has {} bytes", text.len());
        return Err(vec![finding(1, problem, "write at most 2 MiB")]);
    }
    let document: Document = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        let problem = error.message().trim_end();
        let meant = suggestion_for_field(problem);
        // Where one key is meant, the list of all of them says nothing more.
        let short = problem
            .split_once(", expected")
            .filter(|_| !meant.is_empty());
        let problem = short.map_or(problem, |(short, _)| short);
        vec![finding(line, format!("{problem}{meant}"), KEYS)]
    })?;
    let mut reader = Reader {
        text,
        line: 1,
        findings: Vec::new(),
    };
    let made = reader.file(document);
    let mut findings = reader.findings;
    findings.sort_by_key(|finding| finding.line);
    match made {
        Some(file) if findings.is_empty() => Ok(file),
        _ => Err(findings),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    before.matches('\n').count() + 1
}

struct Reader<'a> {
    text: &'a str,
    /// Of what is read now.
    line: usize,
    findings: Vec<Finding>,
}

/// What prices take from the top of the file where they say nothing themselves.
struct Defaults {
    currency: Option<String>,
    unit: Option<String>,
    package: Option<String>,
    package_version: Option<String>,
}

impl Reader<'_> {
    fn fault(&mut self, problem: impl Into<String>, remedy: impl Into<String>) {
        self.findings.push(Finding {
            line: self.line,
            rule: "form",
            problem: problem.into(),
            remedy: remedy.into(),
        });
    }

    fn file(&mut self, document: Document) -> Option<PriceFile> {
        if document.schema != 1 {
            let problem = format!("`schema` {} is not known to this program", document.schema);
            self.fault(problem, "write `schema = 1`");
        }
        let dated = self.day("dated", Some(document.dated));
        let defaults = Defaults {
            currency: document.currency,
            unit: document.unit,
            package: document.package,
            package_version: document.package_version,
        };
        let mut lines = Vec::new();
        for keys in document.price {
            self.line = line_of(self.text, keys.span().start);
            let price = self.price(keys.into_inner(), &defaults);
            lines.extend(price.map(|price| (self.line, price)));
        }
        let mut fx = Vec::new();
        for keys in document.fx {
            self.line = line_of(self.text, keys.span().start);
            let rate = self.fx(keys.into_inner());
            fx.extend(rate.map(|rate| (self.line, rate)));
        }
        if !self.findings.is_empty() {
            return None;
        }
        let prices = lines.iter().map(|(_, price)| price.clone()).collect();
        let rates = fx.iter().map(|(_, fx)| fx.clone()).collect();
        match PriceTable::new(dated?, document.aliases, prices, rates) {
            Ok(table) => Some(PriceFile { table, lines }),
            Err(faults) => {
                self.findings = faults_with_lines(faults, &lines, &fx);
                None
            }
        }
    }

    fn price(&mut self, keys: PriceKeys, defaults: &Defaults) -> Option<Price> {
        let rates = self.rates(rates_of!(keys));
        let tiers = keys.tiers.into_iter();
        let tiers = tiers.filter_map(|tier| self.tier(tier)).collect();
        let verified = self.verified(&keys.verified);
        let is_secondary = verified == Some(Verified::Secondary);
        let of_file = |default: &Option<String>| default.clone().filter(|_| is_secondary);
        self.unit(keys.unit.as_ref().or(defaults.unit.as_ref()));
        let currency = keys.currency.or_else(|| defaults.currency.clone());
        if currency.is_none() {
            let remedy = "write `currency = \"USD\"` at the top of the file";
            self.fault("there is no `currency`", remedy);
        }
        let model = self.models(keys.model);
        Some(Price {
            provider: keys.provider,
            model,
            region: keys.region,
            service_tier: keys.service_tier,
            from: self.day("from", keys.from),
            until: self.day("until", keys.until),
            currency: currency?,
            unit: Unit::Mtok,
            rates,
            tiers,
            citation: keys.citation,
            verified: verified?,
            verified_on: self.day("verified_on", keys.verified_on),
            package: keys.package.or_else(|| of_file(&defaults.package)),
            package_version: keys
                .package_version
                .or_else(|| of_file(&defaults.package_version)),
        })
    }

    fn models(&mut self, models: Models) -> Vec<ModelPattern> {
        let names = match models {
            Models::One(name) => vec![name],
            Models::Many(names) => names,
        };
        let mut patterns = Vec::new();
        for name in names {
            match ModelPattern::new(&name) {
                Some(pattern) => patterns.push(pattern),
                None => self.fault(
                    "`model` holds what no model is named",
                    "write small letters, digits and signs; `*` is any text, `#` a digit",
                ),
            }
        }
        patterns
    }

    fn verified(&mut self, word: &str) -> Option<Verified> {
        match word {
            "page" => Some(Verified::Page),
            "secondary" => Some(Verified::Secondary),
            "unchecked" => Some(Verified::Unchecked),
            other => {
                let meant = suggestion(other, ["page", "secondary", "unchecked"]);
                let problem = format!("`verified` is another word{meant}");
                self.fault(problem, "use page, secondary or unchecked");
                None
            }
        }
    }

    /// Prices are for a million tokens. A file says so, because a price for one token in its place is off by 1,000,000.
    fn unit(&mut self, unit: Option<&String>) {
        match unit.map(String::as_str) {
            Some("mtok") => {}
            Some(_) => self.fault(
                "`unit` is not known",
                "write prices of a million tokens and `unit = \"mtok\"`; the price of one token is times 1,000,000",
            ),
            None => self.fault(
                "there is no `unit`",
                "write `unit = \"mtok\"` at the top of the file: prices are for a million tokens",
            ),
        }
    }

    fn tier(&mut self, keys: TierKeys) -> Option<Tier> {
        let rates = self.rates(rates_of!(keys));
        if keys.by != "prompt" {
            let problem = "`by` of a tier is not known";
            self.fault(
                problem,
                "write `by = \"prompt\"`: all input tokens of the call",
            );
            return None;
        }
        Some(Tier {
            above: keys.above,
            by: TierBy::Prompt,
            rates,
        })
    }

    /// The prices, in the order of [`trailkeep_proof::prices::Component::ALL`].
    fn rates(&mut self, texts: [Option<String>; 9]) -> Rates {
        let [
            input,
            cached_input,
            cache_write_5m,
            cache_write_1h,
            output,
            reasoning,
            audio_input,
            audio_cached_input,
            audio_output,
        ] = texts.map(|text| self.rate(text.as_deref()?));
        Rates {
            input,
            cached_input,
            cache_write_5m,
            cache_write_1h,
            output,
            reasoning,
            audio_input,
            audio_cached_input,
            audio_output,
        }
    }

    fn rate(&mut self, text: &str) -> Option<Rate> {
        let read = Rate::parse(text);
        read.map_err(|error| {
            let shown: String = text.chars().take(32).collect();
            let remedy =
                "write the price of a million tokens, with at most 6 digits after the point";
            self.fault(format!("a price `{shown}` {error}"), remedy);
        })
        .ok()
    }

    fn day(&mut self, key: &str, value: Option<Datetime>) -> Option<Day> {
        let value = value?;
        let is_day = value.time.is_none() && value.offset.is_none();
        let day = Day::parse(&value.to_string()).filter(|_| is_day);
        if day.is_none() {
            let problem = format!("`{key}` is not a day");
            self.fault(problem, "write a day without quotes, such as 2026-11-30");
        }
        day
    }

    fn fx(&mut self, keys: FxKeys) -> Option<Fx> {
        let rate = FxRate::parse(&keys.rate);
        if let Err(error) = &rate {
            let remedy = "write what one unit of `from` is in `to`, such as \"1.0875\"";
            self.fault(format!("`rate` {error}"), remedy);
        }
        Some(Fx {
            from: keys.from,
            to: keys.to,
            day: self.day("day", Some(keys.day))?,
            rate: rate.ok()?,
            citation: keys.citation,
        })
    }
}

fn faults_with_lines(
    faults: Vec<TableFault>,
    prices: &[(usize, Price)],
    fx: &[(usize, Fx)],
) -> Vec<Finding> {
    let line = |place: &Place| match place {
        Place::Table => None,
        Place::Price(at) => prices.get(*at).map(|(line, _)| *line),
        Place::Fx(at) => fx.get(*at).map(|(line, _)| *line),
    };
    let with_lines = faults.into_iter().map(|fault| Finding {
        line: line(&fault.place).unwrap_or(1),
        rule: fault.rule,
        problem: fault.problem,
        remedy: fault.remedy.to_owned(),
    });
    with_lines.collect()
}

#[cfg(test)]
mod tests;
