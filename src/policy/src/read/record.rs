//! What a policy says of events themselves: fields that they should have, names that none may have, their times.

use super::super::document::Record;
use super::super::fields::{ForbiddenName, RequiredField};
use super::super::file::RequiredFields;
use super::super::pattern::ActionPattern;
use super::Reader;

/// How far a producer's clock may be ahead of the server's where a policy does not say.
const SKEW_MS_DEFAULT: u64 = 5 * 60_000;
const SKEW_MS_MAX: u64 = 24 * 3_600_000;

impl Reader {
    pub(super) fn required(&mut self, record: &Record) -> Vec<RequiredFields> {
        let of_all = RequiredFields {
            actions: ActionPattern::any(),
            fields: self.fields(
                &["record", "required_event_fields"],
                &record.required_event_fields,
            ),
        };
        let mut all = vec![of_all];
        for (actions, fields) in &record.required_for {
            let path = ["record", "required_for", actions.as_str()];
            let fields = self.fields(&path, fields);
            let actions = self.pattern(&path, actions);
            all.extend(actions.map(|actions| RequiredFields { actions, fields }));
        }
        all
    }

    fn fields(&mut self, path: &[&str], texts: &[String]) -> Vec<RequiredField> {
        let mut fields = Vec::with_capacity(texts.len());
        for (place, text) in texts.iter().enumerate() {
            match RequiredField::parse(text) {
                Ok(field) => fields.push(field),
                Err(error) => {
                    let place = place.to_string();
                    let path = [path, &[place.as_str()]].concat();
                    let remedy = format!("name a field of schema/event.schema.json{}", error.hint);
                    let problem = format!("`{}` is not a field of the event schema", error.name);
                    self.fault(&path, problem, &remedy);
                }
            }
        }
        fields
    }

    pub(super) fn forbidden(&mut self, record: &Record) -> Vec<ForbiddenName> {
        let path = ["record", "forbidden_event_fields"];
        let mut names = Vec::new();
        for text in &record.forbidden_event_fields {
            match ForbiddenName::new(text) {
                Some(name) => names.push(name),
                None => self.fault(
                    &path,
                    format!("`{text}` cannot be forbidden: every event has such a member"),
                    "name members that no event may have, such as `cvv`",
                ),
            }
        }
        names
    }

    pub(super) fn skew(&mut self, record: &Record) -> u64 {
        let Some(text) = &record.max_clock_skew else {
            return SKEW_MS_DEFAULT;
        };
        let read = duration_ms(text).filter(|millis| *millis <= SKEW_MS_MAX);
        read.unwrap_or_else(|| {
            let problem = format!("`max_clock_skew`: `{text}` is not a duration of up to a day");
            let remedy = "write hours, minutes and seconds such as PT5M or PT5S";
            self.fault(&["record", "max_clock_skew"], problem, remedy);
            SKEW_MS_DEFAULT
        })
    }
}

/// Hours, minutes and seconds of ISO 8601: `PT1H30M`, `PT5S`.
fn duration_ms(text: &str) -> Option<u64> {
    let mut rest = text.strip_prefix("PT").filter(|rest| !rest.is_empty())?;
    let mut units = "HMS";
    let mut millis = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].chars().next()?;
        units = &units[units.find(unit)? + 1..];
        let of_unit = match unit {
            'H' => 3_600_000,
            'M' => 60_000,
            _ => 1_000,
        };
        millis = millis.checked_add(number.checked_mul(of_unit)?)?;
        rest = &rest[digits + 1..];
    }
    Some(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_hours_minutes_and_seconds() {
        for (text, millis) in [("PT5S", 5_000), ("PT1H30M", 5_400_000), ("PT0S", 0)] {
            assert_eq!(duration_ms(text), Some(millis));
        }
        for bad in [
            "PT",
            "P5S",
            "5S",
            "PT5",
            "PT5S5M",
            "PT-1S",
            "PT1.5S",
            "PT99999999999999999H",
        ] {
            assert_eq!(duration_ms(bad), None, "{bad}");
        }
    }
}
