//! The table of ratios, and what is required of them.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::ensure;

/// What a row compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Against {
    /// 0.1.0.
    Old,
    /// PostgreSQL by hand.
    Postgres,
    /// Another figure of this build.
    Itself,
    /// A fixed limit.
    Limit,
}

/// Measured figures by row and contender.
#[derive(Default)]
pub(crate) struct Table {
    rows: BTreeMap<String, Row>,
}

#[derive(Default)]
struct Row {
    unit: &'static str,
    new: Vec<f64>,
    others: BTreeMap<Against, (Vec<f64>, Option<Requirement>)>,
}

/// What is required of the ratio of this build's figure to the other one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Requirement {
    AtLeast(f64),
    AtMost(f64),
}

impl Table {
    /// A figure of this build.
    pub(crate) fn new_is(&mut self, row: &str, unit: &'static str, figure: f64) {
        let row = self.rows.entry(row.to_owned()).or_default();
        row.unit = unit;
        row.new.push(figure);
    }

    /// The figure that it is compared with.
    pub(crate) fn other_is(
        &mut self,
        row: &str,
        against: Against,
        figure: f64,
        requirement: Option<Requirement>,
    ) {
        let row = self.rows.entry(row.to_owned()).or_default();
        let other = row.others.entry(against).or_default();
        other.0.push(figure);
        other.1 = requirement;
    }

    /// Fails where a ratio misses what is required of it.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let mut missed = Vec::new();
        for (name, row) in &self.rows {
            for (against, (figures, requirement)) in &row.others {
                let ratio = median(&row.new) / median(figures);
                if requirement.is_some_and(|requirement| !requirement.holds(ratio)) {
                    missed.push(format!("{name} against {against}: {ratio:.2}"));
                }
            }
        }
        ensure!(
            missed.is_empty(),
            "ratios that miss what is required: {}",
            missed.join("; ")
        );
        Ok(())
    }
}

impl Requirement {
    fn holds(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(least) => ratio >= least,
            Self::AtMost(most) => ratio <= most,
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "at least {least:.2}"),
            Self::AtMost(most) => write!(f, "at most {most:.2}"),
        }
    }
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Old => "0.1.0",
            Self::Postgres => "PostgreSQL by hand",
            Self::Itself => "this build otherwise",
            Self::Limit => "the limit",
        })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| measurement | unit | this build | against | figure | ratio (of each round) | required |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for (name, row) in &self.rows {
            let new = median(&row.new);
            for (against, (figures, requirement)) in &row.others {
                let other = median(figures);
                let rounds: Vec<String> = row
                    .new
                    .iter()
                    .zip(figures)
                    .map(|(new, other)| format!("{:.2}", new / other))
                    .collect();
                let required = requirement.map_or(String::new(), |required| required.to_string());
                writeln!(
                    f,
                    "| {name} | {} | {new:.2} | {against} | {other:.2} | {:.2} ({}) | {required} |",
                    row.unit,
                    new / other,
                    rounds.join(" ")
                )?;
            }
            if row.others.is_empty() {
                writeln!(f, "| {name} | {} | {new:.2} | | | | |", row.unit)?;
            }
        }
        Ok(())
    }
}

/// The figure in the middle.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
