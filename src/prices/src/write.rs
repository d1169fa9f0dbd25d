//! A price table as a file.

use std::fmt::Write as _;

use trailkeep_proof::prices::{Fx, Price, PriceTable, Rates, Verified};

/// Writes a table as a file that reads back as the same table. `title` is for people, a line of plain text.
pub fn to_toml(table: &PriceTable, title: &str) -> String {
    let mut text = String::from("schema = 1\n");
    let head = Head::of(table);
    let plain: String = title.chars().filter(|c| !c.is_control()).collect();
    line(&mut text, "title", &plain);
    let _ = writeln!(text, "dated = {}", table.dated());
    text += "unit = \"mtok\"\n";
    for (key, value) in [
        ("currency", head.currency),
        ("package", head.package),
        ("package_version", head.package_version),
    ] {
        if let Some(value) = value {
            line(&mut text, key, value);
        }
    }
    if !table.aliases().is_empty() {
        text += "\n[aliases]\n";
        for (name, meant) in table.aliases() {
            let _ = writeln!(text, "{} = {}", quoted(name), quoted(meant));
        }
    }
    for price in table.prices() {
        write_price(&mut text, price, &head);
    }
    for fx in table.fx() {
        write_fx(&mut text, fx);
    }
    text
}

/// What all prices share stands once, at the top.
struct Head<'a> {
    currency: Option<&'a str>,
    package: Option<&'a str>,
    package_version: Option<&'a str>,
}

impl<'a> Head<'a> {
    fn of(table: &'a PriceTable) -> Self {
        let secondary = |price: &&Price| price.verified == Verified::Secondary;
        Self {
            currency: shared(
                table
                    .prices()
                    .iter()
                    .map(|price| Some(price.currency.as_str())),
            ),
            package: shared(
                table
                    .prices()
                    .iter()
                    .filter(secondary)
                    .map(|price| price.package.as_deref()),
            ),
            package_version: shared(
                table
                    .prices()
                    .iter()
                    .filter(secondary)
                    .map(|price| price.package_version.as_deref()),
            ),
        }
    }
}

/// The one value that all have.
fn shared<'a>(mut values: impl Iterator<Item = Option<&'a str>>) -> Option<&'a str> {
    let first = values.next()??;
    values.all(|value| value == Some(first)).then_some(first)
}

fn write_price(text: &mut String, price: &Price, head: &Head<'_>) {
    text.push_str("\n[[price]]\n");
    line(text, "provider", &price.provider);
    let models: Vec<String> = price
        .model
        .iter()
        .map(|model| quoted(model.as_str()))
        .collect();
    match models.as_slice() {
        [model] => {
            let _ = writeln!(text, "model = {model}");
        }
        _ => {
            let _ = writeln!(text, "model = [{}]", models.join(", "));
        }
    }
    let differing = |value: &'_ Option<String>, shared: Option<&str>| {
        value.clone().filter(|value| shared != Some(value.as_str()))
    };
    for (key, value) in [
        ("region", price.region.clone()),
        ("service_tier", price.service_tier.clone()),
        (
            "currency",
            differing(&Some(price.currency.clone()), head.currency),
        ),
    ] {
        if let Some(value) = value {
            line(text, key, &value);
        }
    }
    for (key, day) in [("from", price.from), ("until", price.until)] {
        if let Some(day) = day {
            let _ = writeln!(text, "{key} = {day}");
        }
    }
    for (component, rate) in price.rates.each() {
        let _ = writeln!(text, "{component} = \"{rate}\"");
    }
    let tiers = price.tiers.iter();
    let tiers: Vec<String> = tiers
        .map(|tier| {
            format!(
                "{{ above = {}, by = \"prompt\"{} }}",
                tier.above,
                inline(&tier.rates)
            )
        })
        .collect();
    if !tiers.is_empty() {
        let _ = writeln!(text, "tiers = [{}]", tiers.join(", "));
    }
    if let Some(citation) = &price.citation {
        line(text, "citation", citation);
    }
    let verified = match price.verified {
        Verified::Page => "page",
        Verified::Secondary => "secondary",
        Verified::Unchecked => "unchecked",
    };
    line(text, "verified", verified);
    if let Some(day) = price.verified_on {
        let _ = writeln!(text, "verified_on = {day}");
    }
    for (key, value) in [
        ("package", differing(&price.package, head.package)),
        (
            "package_version",
            differing(&price.package_version, head.package_version),
        ),
    ] {
        if let Some(value) = value {
            line(text, key, &value);
        }
    }
}

fn inline(rates: &Rates) -> String {
    let mut text = String::new();
    for (component, rate) in rates.each() {
        let _ = write!(text, ", {component} = \"{rate}\"");
    }
    text
}

fn write_fx(text: &mut String, fx: &Fx) {
    text.push_str("\n[[fx]]\n");
    line(text, "from", &fx.from);
    line(text, "to", &fx.to);
    let _ = writeln!(text, "day = {}\nrate = \"{}\"", fx.day, fx.rate);
    line(text, "citation", &fx.citation);
}

fn line(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key} = {}", quoted(value));
}

/// A TOML text: nothing in a checked table needs an escape but these two.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}
