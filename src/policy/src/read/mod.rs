//! From a file's text to a policy: every value is read, and all that is wrong with the form is said at once.

mod record;

use std::fmt;

use chrono::NaiveDate;
use sha2::{Digest, Sha256};
use toml::value::Datetime;

use super::clock::ClockRule;
use super::document::{Document, Hold, Retention, SpecialCase as CaseKeys};
use super::file::{Figures, Force, Policy, SpecialCase, is_regime_name};
use super::pattern::ActionPattern;
use trailkeep_proof::ids::hex;
use trailkeep_proof::near::suggestion_for_field;
use trailkeep_proof::period::CalendarPeriod;

/// Largest policy file, in bytes: its text goes into every ledger that uses it.
pub const POLICY_BYTES_MAX: usize = 64 << 10;

/// Why a policy file was refused: at least one fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError(pub Vec<FormFault>);

/// A value that has not the form of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormFault {
    /// Its key, from the top of the file.
    pub path: Vec<String>,
    /// Where in the text, if it is no TOML or no policy at all.
    pub offset: Option<usize>,
    pub problem: String,
    /// How to fix it.
    pub remedy: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said: Vec<String> = self
            .0
            .iter()
            .map(|fault| format!("{}; {}", fault.problem, fault.remedy))
            .collect();
        write!(formatter, "not a policy file: {}", said.join(". "))
    }
}

impl std::error::Error for PolicyError {}

impl Policy {
    /// Reads a policy file.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > POLICY_BYTES_MAX {
            let problem = format!("the file has {} bytes", text.len());
            return Err(whole(None, problem, "write at most 64 KiB"));
        }
        let document: Document = toml::from_str(text).map_err(|error| {
            let offset = error.span().map(|span| span.start);
            let remedy = "schema/policy.schema.json has the keys and their forms";
            let problem = error.message().trim_end();
            let meant = suggestion_for_field(problem);
            whole(offset, format!("{problem}{meant}"), remedy)
        })?;
        let mut reader = Reader::default();
        let policy = reader.policy(document, text);
        if reader.faults.is_empty() {
            Ok(policy)
        } else {
            Err(PolicyError(reader.faults))
        }
    }
}

fn whole(offset: Option<usize>, problem: String, remedy: &str) -> PolicyError {
    PolicyError(vec![FormFault {
        path: Vec::new(),
        offset,
        problem,
        remedy: remedy.to_owned(),
    }])
}

/// Reads values and notes what is wrong.
#[derive(Default)]
struct Reader {
    faults: Vec<FormFault>,
}

const PERIOD: &str =
    "write years, months, weeks and days such as P90D, P6M or P6Y3M; no times of day";
const CLOCK: &str = "write received, occurred, trigger:NAME, trigger:NAME? or later_of:A,B";
const PATTERN: &str = "write an action such as `chat.completion`; `*` matches any characters";

impl Reader {
    fn policy(&mut self, document: Document, text: &str) -> Policy {
        self.check_head(&document);
        let retention = &document.retention;
        let base = self.figures(retention);
        let special_cases = retention.class.iter();
        let special_cases = special_cases.map(|(name, keys)| self.special_case(name, keys, &base));
        let special_cases = special_cases.collect();
        self.check_forces(retention);
        let any = [String::from("*")];
        let actions = document.applies_to.event_types.as_deref();
        let actions = self.patterns(&["applies_to", "event_types"], actions.unwrap_or(&any));
        let margin = retention.min_margin.as_deref().unwrap_or("P1D");
        let purge = retention.purge_within.as_deref().unwrap_or("P7D");
        Policy {
            min_margin: self.period(&["retention", "min_margin"], margin),
            purge_within: self.period(&["retention", "purge_within"], purge),
            immediately_available: retention
                .immediately_available
                .as_deref()
                .map(|period| self.period(&["retention", "immediately_available"], period)),
            hold_review_every: self.hold(&document.hold),
            required_fields: self.required(&document.record),
            forbidden_names: self.forbidden(&document.record),
            max_clock_skew_ms: self.skew(&document.record),
            law_applies_from: self.day("law_applies_from", document.law_applies_from),
            review_by: self.day("review_by", document.review_by),
            jurisdiction: document.jurisdiction,
            regimes: document.applies_to.regimes,
            actions,
            keep_force: retention.keep_force,
            delete_force: retention.delete_force.unwrap_or(Force::Custom),
            follows_record: retention.follows_record,
            keep_law: document.retention.keep_law,
            figures: base,
            special_cases,
            erasure: document.erasure,
            authority: document.authority,
            title: document.title,
            id: document.id,
            version: document.version,
            sha256: hex(&Sha256::digest(text.as_bytes())),
            text: text.to_owned(),
        }
    }

    fn fault(&mut self, path: &[&str], problem: impl Into<String>, remedy: &str) {
        self.faults.push(FormFault {
            path: path.iter().map(|key| (*key).to_owned()).collect(),
            offset: None,
            problem: problem.into(),
            remedy: remedy.to_owned(),
        });
    }

    fn check_head(&mut self, document: &Document) {
        if document.schema != 1 {
            let problem = format!("`schema` {} is not known to this program", document.schema);
            self.fault(&["schema"], problem, "write `schema = 1`");
        }
        if document.version == 0 {
            let remedy = "write `version = 1`, and raise it with every change";
            self.fault(&["version"], "versions begin with 1", remedy);
        }
        if document.title.trim().is_empty() {
            self.fault(
                &["title"],
                "the title is empty",
                "say what the policy is for",
            );
        }
        let name = "write 1 to 63 characters of a-z, 0-9 and -, such as `pci-dss`";
        if !is_regime_name(&document.id) {
            let problem = format!("`{}` is not a regime name", document.id);
            self.fault(&["id"], problem, name);
        }
        for regime in &document.applies_to.regimes {
            if !is_regime_name(regime) {
                let problem = format!("`{regime}` is not a regime name");
                self.fault(&["applies_to", "regimes"], problem, name);
            }
        }
        self.day("effective_from", document.effective_from);
        self.orders(&["jurisdiction"], &document.jurisdiction, true);
        self.orders(
            &["retention", "keep_law"],
            &document.retention.keep_law,
            false,
        );
        let blank = |authority: &super::document::Authority| authority.citation.trim().is_empty();
        if document.authority.iter().any(blank) {
            let remedy = "write the place in the text, such as 45 CFR 164.316(b)(2)(i)";
            self.fault(&["authority", "citation"], "a citation is empty", remedy);
        }
        if let Some(zone) = document
            .retention
            .timezone
            .as_deref()
            .filter(|zone| *zone != "UTC")
        {
            let problem = format!("`timezone` {zone}: only UTC is supported");
            let remedy = "leave it out: `min_margin` of a day covers every zone";
            self.fault(&["retention", "timezone"], problem, remedy);
        }
    }

    /// Legal orders: `EU`, `US`, `US-CA`, `DE-BY`; of jurisdictions `*` too.
    fn orders(&mut self, path: &[&str], orders: &[String], may_be_any: bool) {
        let is_part = |part: &str, max: usize| {
            (2..=max).contains(&part.len())
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        for order in orders {
            let (country, region) = order.split_once('-').unwrap_or((order, "00"));
            let fits = is_part(country, 3) && is_part(region, 3) || may_be_any && order == "*";
            if !fits {
                let problem = format!("`{order}` is not a legal order");
                self.fault(
                    path,
                    problem,
                    "write EU, or a code of ISO 3166 such as DE or US-CA",
                );
            }
        }
    }

    fn check_forces(&mut self, retention: &Retention) {
        if retention.keep_force == Force::Guidance {
            let remedy = "write law, contract, custom, or none";
            self.fault(
                &["retention", "keep_force"],
                "guidance does not set a binding minimum",
                remedy,
            );
        }
        if let Some(force) = retention.figure_force {
            self.check_figure_force(&["retention", "figure_force"], force);
        }
    }

    fn check_figure_force(&mut self, path: &[&str], force: Force) {
        if force == Force::None {
            let remedy = "leave it out, or write law, contract, guidance or custom";
            self.fault(path, "a figure has a force", remedy);
        }
    }

    fn figures(&mut self, retention: &Retention) -> Figures {
        let delete_after = retention.delete_after.as_deref();
        let keep = &retention.keep_at_least;
        let clock = retention.clock.as_deref().unwrap_or("received");
        let max_clock = retention.max_clock.as_deref().unwrap_or("occurred");
        Figures {
            keep_at_least: self.period(&["retention", "keep_at_least"], keep),
            figure_force: retention.figure_force,
            delete_after: delete_after
                .map(|period| self.period(&["retention", "delete_after"], period)),
            clock: self.clock(&["retention", "clock"], clock),
            max_clock: self.clock(&["retention", "max_clock"], max_clock),
        }
    }

    fn special_case(&mut self, name: &str, keys: &CaseKeys, base: &Figures) -> SpecialCase {
        let at = |key| ["retention", "class", name, key];
        if !is_regime_name(name) {
            let remedy = "write 1 to 63 characters of a-z, 0-9 and -";
            self.fault(
                &["retention", "class", name],
                format!("`{name}` is not a valid name of a special case"),
                remedy,
            );
        }
        let mut figures = base.clone();
        if let Some(text) = &keys.keep_at_least {
            figures.keep_at_least = self.period(&at("keep_at_least"), text);
        }
        if let Some(force) = keys.figure_force {
            self.check_figure_force(&at("figure_force"), force);
            figures.figure_force = Some(force);
        }
        if let Some(text) = &keys.delete_after {
            figures.delete_after = Some(self.period(&at("delete_after"), text));
        }
        if let Some(text) = &keys.clock {
            figures.clock = self.clock(&at("clock"), text);
        }
        if let Some(text) = &keys.max_clock {
            figures.max_clock = self.clock(&at("max_clock"), text);
        }
        SpecialCase {
            name: name.to_owned(),
            actions: self.patterns(&at("event_types"), &keys.event_types),
            figures,
        }
    }

    fn period(&mut self, path: &[&str], text: &str) -> CalendarPeriod {
        CalendarPeriod::parse(text).unwrap_or_else(|_| {
            let key = path.last().copied().unwrap_or_default();
            self.fault(
                path,
                format!("`{key}`: `{text}` is not a calendar period"),
                PERIOD,
            );
            CalendarPeriod::NONE
        })
    }

    fn clock(&mut self, path: &[&str], text: &str) -> ClockRule {
        ClockRule::parse(text).unwrap_or_else(|_| {
            let key = path.last().copied().unwrap_or_default();
            self.fault(path, format!("`{key}`: `{text}` is not a clock"), CLOCK);
            ClockRule::Received
        })
    }

    fn day(&mut self, key: &'static str, moment: Option<Datetime>) -> Option<NaiveDate> {
        let moment = moment?;
        let day = match (moment.date, moment.time) {
            (Some(day), None) => {
                NaiveDate::from_ymd_opt(day.year.into(), day.month.into(), day.day.into())
            }
            _ => None,
        };
        if day.is_none() {
            self.fault(
                &[key],
                format!("`{key}`: `{moment}` is not a day"),
                "write YYYY-MM-DD",
            );
        }
        day
    }

    fn patterns(&mut self, path: &[&str], texts: &[String]) -> Vec<ActionPattern> {
        if texts.is_empty() {
            self.fault(
                path,
                "an empty list matches no event",
                "write [\"*\"] for all actions",
            );
        }
        let patterns = texts.iter().filter_map(|text| self.pattern(path, text));
        patterns.collect()
    }

    fn pattern(&mut self, path: &[&str], text: &str) -> Option<ActionPattern> {
        let pattern = ActionPattern::new(text);
        if pattern.is_none() {
            self.fault(path, format!("`{text}` is not an action pattern"), PATTERN);
        }
        pattern
    }

    fn hold(&mut self, hold: &Hold) -> CalendarPeriod {
        for (key, value) in [
            ("blocks_expiry", hold.blocks_expiry),
            ("blocks_erasure", hold.blocks_erasure),
            ("restrict_while_held", hold.restrict_while_held),
        ] {
            if value == Some(false) {
                let problem = format!("`{key} = false`: no policy overrides a hold");
                self.fault(&["hold", key], problem, "remove the key");
            }
        }
        if hold
            .on_release
            .as_deref()
            .is_some_and(|text| text != "resume")
        {
            let problem = "`on_release`: a released hold does not restart a clock";
            self.fault(
                &["hold", "on_release"],
                problem,
                "write `resume`, or remove the key",
            );
        }
        let every = hold.review_every.as_deref().unwrap_or("P6M");
        self.period(&["hold", "review_every"], every)
    }
}
