//! Where the keys of a TOML text stand.

use toml::de::{DeTable, DeValue};

/// The lines of a text's keys.
pub(super) struct Lines<'a> {
    text: &'a str,
    table: Option<DeTable<'a>>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let table = DeTable::parse(text).ok().map(toml::Spanned::into_inner);
        Self { text, table }
    }

    /// The line of a byte, from 1.
    pub(super) fn of_offset(&self, offset: usize) -> usize {
        let before = self.text.get(..offset).unwrap_or(self.text);
        before.matches('\n').count() + 1
    }

    /// The line of a key, or of an element of a list by its number; else of what would hold it, else 1.
    pub(super) fn of_key<S: AsRef<str>>(&self, path: &[S]) -> usize {
        let mut offset = 0;
        let Some((first, rest)) = path.split_first() else {
            return 1;
        };
        let Some((key, value)) = self
            .table
            .as_ref()
            .and_then(|table| find(table, first.as_ref()))
        else {
            return 1;
        };
        offset = offset.max(key);
        let mut value = value;
        for step in rest {
            let (at, next) = match value {
                DeValue::Table(inner) => match find(inner, step.as_ref()) {
                    Some(found) => found,
                    None => break,
                },
                DeValue::Array(elements) => {
                    let place = step.as_ref().parse().ok();
                    match place.and_then(|place: usize| elements.get(place)) {
                        Some(element) => (element.span().start, element.get_ref()),
                        None => break,
                    }
                }
                _ => break,
            };
            (offset, value) = (at, next);
        }
        self.of_offset(offset)
    }
}

fn find<'t, 'a>(table: &'t DeTable<'a>, name: &str) -> Option<(usize, &'t DeValue<'a>)> {
    let mut members = table.iter();
    let found = members.find(|(key, _)| key.get_ref().as_ref() == name);
    found.map(|(key, value)| (key.span().start, value.get_ref()))
}
