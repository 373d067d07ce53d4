//! A value of the operator's as JSON: what TOML and JSON both have.

use serde_json::value::RawValue;
use toml::Spanned;
use toml::de::DeValue;

use super::error::Invalid;
use super::raw::Section;
use crate::json::quoted;

/// The value of a key as JSON text, the variables in its strings filled in. What JSON does not have is reported.
pub(super) fn json(section: &Section<'_, '_>, key: &'static str) -> Option<Box<RawValue>> {
    let mut out = String::new();
    write(section, key, section.value(key)?, &mut out)?;
    RawValue::from_string(out).ok()
}

fn write(section: &Section<'_, '_>, key: &str, value: &Spanned<DeValue<'_>>, out: &mut String) -> Option<()> {
    let invalid = |why: &str| {
        section.reader.invalid(value.span(), key, Invalid::new(why.to_owned()).hint("write it as a string"));
        None
    };
    match value.get_ref() {
        DeValue::String(text) => {
            *out += &quoted(section.reader.expanded(key, text, value.span())?.get_ref());
        }
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => *out += &number.to_string(),
            Err(_) => return invalid("the number is too large"),
        },
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => *out += &serde_json::Value::from(number).to_string(),
            _ => return invalid("JSON has no such number"),
        },
        DeValue::Boolean(flag) => *out += if *flag { "true" } else { "false" },
        DeValue::Datetime(_) => return invalid("JSON has no dates"),
        DeValue::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                *out += if index > 0 { "," } else { "" };
                write(section, key, value, out)?;
            }
            out.push(']');
        }
        DeValue::Table(table) => {
            out.push('{');
            for (index, (name, value)) in table.iter().enumerate() {
                *out += if index > 0 { "," } else { "" };
                *out += &format!("{}:", quoted(name.get_ref()));
                write(section, key, value, out)?;
            }
            out.push('}');
        }
    }
    Some(())
}
