//! What a plain scalar means: the core schema of YAML 1.2 (§10.3.2).

use serde_json::{Number, Value};

/// Why a plain scalar is no JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidScalar {
    /// `.nan`, `.inf` and their like.
    #[error("this is no number that can be used here; quote it if it is text")]
    NotFinite,
    /// More than 64 bits.
    #[error("the number is out of range; quote it if it is text")]
    OutOfRange,
}

/// Resolves a scalar that is not quoted.
pub(super) fn resolve(text: &str) -> Result<Value, InvalidScalar> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return Err(InvalidScalar::NotFinite),
        _ => {}
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Err(InvalidScalar::NotFinite);
    }
    if let Some((digits, radix)) = other_radix(text) {
        let number = u64::from_str_radix(digits, radix).map_err(|_| InvalidScalar::OutOfRange)?;
        return Ok(number.into());
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return integer(text).ok_or(InvalidScalar::OutOfRange);
    }
    if is_float(unsigned) {
        let number = text.parse().ok().and_then(Number::from_f64);
        return number.map(Value::Number).ok_or(InvalidScalar::OutOfRange);
    }
    Ok(Value::String(text.to_owned()))
}

fn integer(text: &str) -> Option<Value> {
    let text = text.strip_prefix('+').unwrap_or(text);
    text.parse::<u64>().map(Value::from).or_else(|_| text.parse::<i64>().map(Value::from)).ok()
}

fn other_radix(text: &str) -> Option<(&str, u32)> {
    let (digits, radix) = match (text.strip_prefix("0x"), text.strip_prefix("0o")) {
        (Some(digits), _) => (digits, 16),
        (_, Some(digits)) => (digits, 8),
        _ => return None,
    };
    let all_digits = !digits.is_empty() && digits.chars().all(|char| char.is_digit(radix));
    all_digits.then_some((digits, radix))
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(unsigned: &str) -> bool {
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let some_digits = !whole.is_empty() || !fraction.is_empty();
    some_digits
        && all_digits(whole)
        && all_digits(fraction)
        && exponent.is_none_or(|exponent| !exponent.is_empty() && all_digits(exponent))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{InvalidScalar, resolve};

    #[test]
    fn plain_scalars_mean_what_the_core_schema_says() {
        for (text, value) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("True", json!(true)),
            ("yes", json!("yes")),
            ("no", json!("no")),
            ("12", json!(12)),
            ("+12", json!(12)),
            ("-0", json!(0)),
            ("0o17", json!(15)),
            ("0xfF", json!(255)),
            ("017", json!(17)),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("1.5", json!(1.5)),
            ("1.", json!(1.0)),
            (".5", json!(0.5)),
            ("1e3", json!(1000.0)),
            ("1e", json!("1e")),
            (".", json!(".")),
            ("-", json!("-")),
            ("+-5", json!("+-5")),
            ("0x", json!("0x")),
            ("0x-1", json!("0x-1")),
            ("1_000", json!("1_000")),
            ("12:30", json!("12:30")),
            ("inf", json!("inf")),
            ("NaN", json!("NaN")),
        ] {
            assert_eq!(resolve(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_json_has_no_number_for_is_refused() {
        for (text, error) in [
            (".nan", InvalidScalar::NotFinite),
            ("-.INF", InvalidScalar::NotFinite),
            ("18446744073709551616", InvalidScalar::OutOfRange),
            ("1e999", InvalidScalar::OutOfRange),
            ("0xfffffffffffffffff", InvalidScalar::OutOfRange),
        ] {
            assert_eq!(resolve(text), Err::<Value, _>(error), "{text}");
        }
    }
}
