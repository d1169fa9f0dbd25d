//! Prices and amounts as integers, and the decimals that they are written as.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Digits of a price or rate before its point.
const WHOLE_DIGITS_MAX: usize = 9;
/// Digits of a price for a million tokens after its point: a token then costs a whole number of 10^-12.
const RATE_PLACES: usize = 6;
const FX_PLACES: usize = 9;
const AMOUNT_PLACES: usize = 12;

/// Why a text is not a decimal of a form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// It has another form, such as a sign or an exponent where none may be.
    #[error("not a decimal such as `2.5`")]
    Form,
    /// It has more digits after its point than can be computed with exactly.
    #[error("has more than {0} digits after its point")]
    Fine(usize),
    /// It is too large.
    #[error("is too large: at most {WHOLE_DIGITS_MAX} digits before the point")]
    Large,
}

/// A price for a million tokens, in 10^-6 of its currency; that is 10^-12 for one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(u64);

impl Rate {
    /// Free of charge.
    pub const FREE: Self = Self(0);

    /// Reads the price of a million tokens, such as `2.5`.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        plain(text, RATE_PLACES).map(Self)
    }

    /// A price in 10^-12 of a currency for one token.
    pub fn of_trillionths(per_token: u128) -> Result<Self, DecimalError> {
        let most = 10_u64.pow(15);
        let rate = u64::try_from(per_token).map_err(|_| DecimalError::Large)?;
        (rate < most)
            .then_some(Self(rate))
            .ok_or(DecimalError::Large)
    }

    /// In 10^-12 of its currency for one token.
    pub fn per_token(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&shortest(self.0, RATE_PLACES))
    }
}

/// What one unit of a currency is worth in another, in 10^-9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FxRate(u64);

impl FxRate {
    /// Reads a rate such as `1.0875`; it is more than 0.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let rate = plain(text, FX_PLACES)?;
        (rate > 0).then_some(Self(rate)).ok_or(DecimalError::Form)
    }
}

impl fmt::Display for FxRate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&shortest(self.0, FX_PLACES))
    }
}

/// An amount of money in 10^-12 of its currency; written with twelve digits after the point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u128);

impl Amount {
    /// An amount in 10^-12 of its currency.
    pub const fn of_trillionths(amount: u128) -> Self {
        Self(amount)
    }

    /// In 10^-12 of its currency.
    pub const fn trillionths(self) -> u128 {
        self.0
    }

    /// Reads an amount such as `12.34`, with up to twelve digits after the point.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        if !is_plain(text) {
            return Err(DecimalError::Form);
        }
        scaled(text, AMOUNT_PLACES).map(Self)
    }

    /// An amount as a JSON number, to the nearest 10^-12; none where it is negative or beyond what can be stored.
    pub fn nearest(number: &str) -> Option<Self> {
        let amount = match scaled(number, AMOUNT_PLACES) {
            Ok(amount) => amount,
            // One digit more says where the rest goes: a producer's floating-point number is no exact amount anyway.
            Err(DecimalError::Fine(_)) => nearest(number, AMOUNT_PLACES)?,
            Err(DecimalError::Form | DecimalError::Large) => return None,
        };
        Self::default().checked_add(Self(amount))
    }

    /// The cost of so many tokens more; none if the sum is beyond what can be stored.
    #[must_use]
    pub fn plus(self, tokens: u64, rate: Rate) -> Option<Self> {
        let cost = u128::from(tokens).checked_mul(u128::from(rate.0))?;
        self.checked_add(Self(cost))
    }

    /// The sum; none if it is beyond what can be stored in a signed integer of 128 bits.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let sum = self.0.checked_add(other.0)?;
        i128::try_from(sum).ok().map(|_| Self(sum))
    }

    /// The amount in another currency, to the nearest 10^-12; half goes to the even one.
    #[must_use]
    pub fn converted(self, rate: FxRate) -> Option<Self> {
        let divisor = 10_u128.pow(FX_PLACES as u32);
        let product = self.0.checked_mul(u128::from(rate.0))?;
        let (whole, rest) = (product / divisor, product % divisor);
        let up = rest > divisor / 2 || rest == divisor / 2 && whole % 2 == 1;
        Self::default().checked_add(Self(whole + u128::from(up)))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u128.pow(AMOUNT_PLACES as u32);
        write!(formatter, "{}.{:012}", self.0 / unit, self.0 % unit)
    }
}

/// Reads a decimal, also with an exponent as JSON has it, times 10^`places`: a whole number, or an error. Nothing is rounded.
pub fn scaled(text: &str, places: usize) -> Result<u128, DecimalError> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            exponent.parse::<i32>().map_err(|_| DecimalError::Form)?,
        ),
        None => (text, 0),
    };
    if !is_plain(mantissa) {
        return Err(DecimalError::Form);
    }
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{}", fraction.trim_end_matches('0'));
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Ok(0);
    }
    let fraction = fraction.trim_end_matches('0').len();
    // The value is digits * 10^shift.
    let added = i64::try_from(places).map_err(|_| DecimalError::Large)?;
    let taken = i64::try_from(fraction).map_err(|_| DecimalError::Large)?;
    let shift = i64::from(exponent) + added - taken;
    let (digits, shift) = match usize::try_from(-shift) {
        // What is cut off must be zeros.
        Ok(cut) if cut > 0 => {
            let kept = digits.len().checked_sub(cut);
            let kept = kept.ok_or(DecimalError::Fine(places))?;
            let (kept, rest) = digits.split_at(kept);
            if rest.bytes().any(|digit| digit != b'0') {
                return Err(DecimalError::Fine(places));
            }
            (kept, 0)
        }
        _ => (digits, shift),
    };
    let number: u128 = digits.parse().map_err(|_| DecimalError::Large)?;
    let power = u32::try_from(shift).map_err(|_| DecimalError::Large)?;
    10_u128
        .checked_pow(power)
        .and_then(|power| number.checked_mul(power))
        .ok_or(DecimalError::Large)
}

/// A decimal that is too fine, times 10^`places`, to the nearest whole number; half goes up.
fn nearest(text: &str, places: usize) -> Option<u128> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    // Digits of the number that stand before the place at which it is cut.
    let kept = i64::try_from(whole.len()).ok()? + exponent + i64::try_from(places).ok()?;
    let Ok(kept) = usize::try_from(kept) else {
        return Some(0);
    };
    let number = match digits.get(..kept)? {
        "" => 0,
        digits => digits.parse::<u128>().ok()?,
    };
    let is_up = digits
        .as_bytes()
        .get(kept)
        .is_some_and(|digit| *digit >= b'5');
    number.checked_add(u128::from(is_up))
}

/// Digits, and perhaps a point with digits after it; no sign, no exponent, no needless zero before.
fn is_plain(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction) && (whole == "0" || !whole.starts_with('0'))
}

fn plain(text: &str, places: usize) -> Result<u64, DecimalError> {
    if !is_plain(text) {
        return Err(DecimalError::Form);
    }
    let whole = text.split('.').next().unwrap_or_default();
    if whole.len() > WHOLE_DIGITS_MAX {
        return Err(DecimalError::Large);
    }
    let number = scaled(text, places)?;
    u64::try_from(number).map_err(|_| DecimalError::Large)
}

/// The shortest decimal of so many 10^-places.
fn shortest(number: u64, places: usize) -> String {
    let unit = 10_u64.pow(places as u32);
    let fraction = format!("{:0places$}", number % unit);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{point}{fraction}", number / unit)
}

/// Both ways as text: a JSON number would be read as a float by most programs.
macro_rules! as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
                writer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(reader)?;
                Self::parse(&text).map_err(|error| de::Error::custom(format!("`{text}` {error}")))
            }
        }
    };
}
as_text!(Rate);
as_text!(FxRate);
as_text!(Amount);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_read_exactly_and_written_shortest() {
        for (text, per_token, shown) in [
            ("2.5", 2_500_000, "2.5"),
            ("2.50", 2_500_000, "2.5"),
            ("0", 0, "0"),
            ("0.000001", 1, "0.000001"),
            ("75", 75_000_000, "75"),
            ("100", 100_000_000, "100"),
            ("999999999.999999", 999_999_999_999_999, "999999999.999999"),
        ] {
            let rate = Rate::parse(text).unwrap();
            assert_eq!(rate.per_token(), per_token, "{text}");
            assert_eq!(rate.to_string(), shown);
        }
        for bad in [
            "", "-1", "+1", "1e-6", ".5", "5.", "01", "1,5", "1 ", "٣", "0x1", "NaN", "inf",
        ] {
            assert_eq!(Rate::parse(bad), Err(DecimalError::Form), "{bad}");
        }
        assert_eq!(Rate::parse("0.0000001"), Err(DecimalError::Fine(6)));
        assert_eq!(Rate::parse("1000000000"), Err(DecimalError::Large));
        let long = "9".repeat(5_000);
        assert_eq!(Rate::parse(&long), Err(DecimalError::Large));
    }

    #[test]
    fn a_number_with_an_exponent_is_scaled_without_rounding() {
        for (text, places, value) in [
            ("1.25e-06", 12, 1_250_000),
            ("3e-7", 12, 300_000),
            ("0.0000025", 12, 2_500_000),
            ("2.5", 6, 2_500_000),
            ("1E2", 0, 100),
            ("100e-2", 0, 1),
            ("0e99999", 12, 0),
            ("0.000", 12, 0),
        ] {
            assert_eq!(scaled(text, places), Ok(value), "{text}");
        }
        assert_eq!(scaled("1.5e-12", 12), Err(DecimalError::Fine(12)));
        assert_eq!(scaled("1e-999999999", 12), Err(DecimalError::Fine(12)));
        assert_eq!(scaled("1e999999999", 12), Err(DecimalError::Large));
        assert_eq!(scaled("1e2147483648", 12), Err(DecimalError::Form));
        assert_eq!(scaled("-1", 12), Err(DecimalError::Form));
        assert_eq!(scaled("NaN", 12), Err(DecimalError::Form));
    }

    #[test]
    fn a_number_of_a_producer_goes_to_the_nearest_trillionth() {
        for (text, trillionths) in [
            ("0.03", 30_000_000_000),
            ("3e-2", 30_000_000_000),
            ("0.0000000000014", 1),
            ("0.0000000000015", 2),
            ("1.5e-12", 2),
            ("4.9e-13", 0),
            ("5e-13", 1),
            ("1e-13", 0),
            ("1e-400", 0),
            ("0.12345678901234567", 123_456_789_012),
            ("2", 2_000_000_000_000),
        ] {
            let amount = Amount::nearest(text).unwrap();
            assert_eq!(amount.trillionths(), trillionths, "{text}");
        }
        for bad in ["-1", "1e400", "-1e-20", "1e27", ""] {
            assert_eq!(Amount::nearest(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_amount_has_twelve_digits_and_does_not_overflow() {
        assert_eq!(
            Amount::parse("12.34").unwrap().to_string(),
            "12.340000000000"
        );
        assert_eq!(Amount::of_trillionths(1).to_string(), "0.000000000001");
        let rate = Rate::parse("999999999.999999").unwrap();
        let most = Amount::default().plus(u64::MAX, rate).unwrap();
        assert_eq!(
            most.trillionths(),
            u128::from(u64::MAX) * 999_999_999_999_999
        );
        let limit = Amount::of_trillionths(i128::MAX as u128);
        assert_eq!(limit.plus(1, rate), None);
        assert_eq!(limit.converted(FxRate::parse("2").unwrap()), None);
    }

    #[test]
    fn a_conversion_goes_to_the_nearest_trillionth() {
        let rate = FxRate::parse("1.5").unwrap();
        for (amount, converted) in [(2, 3), (1, 2), (3, 4), (5, 8)] {
            let got = Amount::of_trillionths(amount).converted(rate).unwrap();
            assert_eq!(got.trillionths(), converted, "{amount}");
        }
        assert_eq!(FxRate::parse("0"), Err(DecimalError::Form));
    }
}
