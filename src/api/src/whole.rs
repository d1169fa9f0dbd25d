//! Whole numbers of requests: `7.0` is an integer in JSON Schema.

use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error};

/// A number that may be left out.
pub(crate) fn optional<'de, D: Deserializer<'de>, T: FromStr>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let number = Option::<f64>::deserialize(deserializer)?;
    number.map(read).transpose()
}

/// A number that must be there.
pub(crate) fn required<'de, D: Deserializer<'de>, T: FromStr>(
    deserializer: D,
) -> Result<T, D::Error> {
    read(f64::deserialize(deserializer)?)
}

fn read<T: FromStr, E: Error>(number: f64) -> Result<T, E> {
    let wrong = |_| Error::custom("it must be an integer");
    // A whole number is written without a point.
    number.to_string().parse().map_err(wrong)
}
