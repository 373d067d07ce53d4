//! JSON numbers, read from their text: a detour over f64 would change large integers.

/// What a JSON number token is as an integer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Integer {
    /// An integer of at most 20 digits.
    Exact(i128),
    /// An integer with more digits, beyond every WIT type.
    Huge,
    /// Not an integer.
    Fraction,
}

/// Digits of `u64::MAX`.
const MAX_DIGITS: i64 = 20;

/// Reads a number as JSON Schema's `integer` does: by its value, so `1.0` and `1e3` are integers.
/// `token` is a valid JSON number; `None` if it is none.
pub(super) fn integer(token: &str) -> Option<Integer> {
    if token.len() < 19 && !token.contains(['.', 'e', 'E']) {
        return Some(Integer::Exact(token.parse::<i64>().ok()?.into()));
    }
    let (negative, rest) = match token.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, token),
    };
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = || whole.bytes().chain(fraction.bytes());
    let total = whole.len() + fraction.len();
    let leading = digits().take_while(|&b| b == b'0').count();
    if leading == total {
        return Some(Integer::Exact(0));
    }
    let trailing = digits().rev().take_while(|&b| b == b'0').count();
    let exponent =
        exponent_value(exponent)?.saturating_sub(fraction.len() as i64).saturating_add(trailing as i64);
    if exponent < 0 {
        return Some(Integer::Fraction);
    }
    let significant = total - leading - trailing;
    if exponent.saturating_add(significant as i64) > MAX_DIGITS {
        return Some(Integer::Huge);
    }
    let mut value = 0i128;
    for digit in digits().skip(leading).take(significant) {
        value = value * 10 + i128::from(digit - b'0');
    }
    for _ in 0..exponent {
        value *= 10;
    }
    Some(Integer::Exact(if negative { -value } else { value }))
}

/// The exponent, at most a number that no mantissa within the body's limit can make up for.
fn exponent_value(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) if text.starts_with('-') => (-1, digits),
        Some(digits) => (1, digits),
        None => (1, text),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value =
        digits.bytes().fold(0i64, |value, b| value.saturating_mul(10).saturating_add(i64::from(b - b'0')));
    Some(sign * value)
}

/// A number within f32's range, rounded to it; see the schema for the bound.
pub(super) fn f32(token: &str) -> Option<f32> {
    // Above f32::MAX there are numbers that still round to it, so the bound is compared as f64, as
    // validators of the schema do.
    let bound: f64 = 3.402_823_5e38;
    let within = f64(token)?.abs() <= bound;
    within.then(|| token.parse().ok()).flatten()
}

/// A number within f64's range, rounded to the nearest.
pub(super) fn f64(token: &str) -> Option<f64> {
    token.parse().ok().filter(|value: &f64| value.is_finite())
}
