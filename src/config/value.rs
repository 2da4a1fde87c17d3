//! One configuration's value: parsed from what a user wrote, checked, and printed as Kafka prints it.

use super::definition::{Check, ConfigType, Definition};
use super::error::ConfigError;
use std::fmt;

/// A parsed value. Strings, classes and passwords are [`Value::Text`].
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Boolean(bool),
    Integer(i64),
    Double(f64),
    Text(String),
    List(Vec<String>),
}

impl Value {
    /// Parses and checks `text` as a value of `definition`.
    pub fn parse(definition: &Definition, text: &str) -> Result<Value, ConfigError> {
        let value = parse_type(definition, text)?;
        check(definition, &value)?;
        Ok(value)
    }
}

/// As Kafka shows it: lists joined by commas, doubles as Java prints them.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Boolean(value) => value.fmt(f),
            Value::Integer(value) => value.fmt(f),
            Value::Double(value) => format_double(*value, f),
            Value::Text(value) => f.write_str(value),
            Value::List(values) => f.write_str(&values.join(",")),
        }
    }
}

fn parse_type(definition: &Definition, text: &str) -> Result<Value, ConfigError> {
    let trimmed = text.trim();
    let invalid = |reason: &str| ConfigError::invalid(definition.name, text, reason);
    let not_a_number = || invalid(&format!("Not a number of type {}", definition.config_type.name()));
    match definition.config_type {
        ConfigType::Boolean if trimmed.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
        ConfigType::Boolean if trimmed.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
        ConfigType::Boolean => Err(invalid("Expected value to be either true or false")),
        ConfigType::Short => trimmed.parse::<i16>().map(|n| Value::Integer(n.into())).map_err(|_| not_a_number()),
        ConfigType::Int => trimmed.parse::<i32>().map(|n| Value::Integer(n.into())).map_err(|_| not_a_number()),
        ConfigType::Long => trimmed.parse::<i64>().map(Value::Integer).map_err(|_| not_a_number()),
        ConfigType::Double => parse_double(trimmed).map(Value::Double).ok_or_else(not_a_number),
        ConfigType::List => Ok(Value::List(split_list(trimmed))),
        ConfigType::String | ConfigType::Class | ConfigType::Password | ConfigType::Unknown => Ok(Value::Text(trimmed.to_string())),
    }
}

/// Java takes a type suffix (`0.5f`, `1d`) and spells the special values its own way.
fn parse_double(text: &str) -> Option<f64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    match digits {
        "NaN" => return Some(f64::NAN),
        "Infinity" => return Some(sign * f64::INFINITY),
        _ => {}
    }
    let digits = digits.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(digits);
    // What is left must be digits: Rust would also take "inf" or a second sign.
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    digits.parse::<f64>().ok().map(|number| sign * number)
}

/// Elements without the blanks around commas, each once; the empty text is the empty list.
fn split_list(trimmed: &str) -> Vec<String> {
    let mut elements: Vec<String> = Vec::new();
    if trimmed.is_empty() {
        return elements;
    }
    for element in trimmed.split(',').map(str::trim) {
        if !elements.iter().any(|known| known == element) {
            elements.push(element.to_string());
        }
    }
    elements
}

fn check(definition: &Definition, value: &Value) -> Result<(), ConfigError> {
    let name = definition.name;
    match (value, definition.check) {
        (Value::Integer(number), check) => check_integer(name, *number, check),
        (Value::Double(number), Check::Between(min, max)) => check_double(name, *number, min, max),
        (Value::Text(text), Check::OneOf(allowed)) => check_one_of(name, text, allowed),
        (Value::Text(text), Check::OneOfIgnoringCase(allowed)) => check_ignoring_case(name, text, allowed),
        (Value::Text(text), Check::NonEmpty) if text.is_empty() => Err(ConfigError::invalid(name, text, "String must be non-empty")),
        (Value::List(elements), check) => check_list(name, elements, check),
        _ => Ok(()),
    }
}

fn check_integer(name: &str, number: i64, check: Check) -> Result<(), ConfigError> {
    let reason = match check {
        Check::AtLeast(min) | Check::Between(min, _) if number < min => format!("Value must be at least {min}"),
        Check::Between(_, max) if number > max => format!("Value must be no more than {max}"),
        Check::GzipLevel if number != -1 && !(1..=9).contains(&number) => "Value must be between 1 and 9 or equal to -1".to_string(),
        Check::PositiveOrUnlimited if number != -1 && number < 1 => "Value must be -1 (unlimited) or at least 1".to_string(),
        _ => return Ok(()),
    };
    Err(ConfigError::invalid(name, number, reason))
}

fn check_double(name: &str, number: f64, min: i64, max: i64) -> Result<(), ConfigError> {
    // NaN passes, as it does in Kafka.
    let reason = if number < min as f64 {
        format!("Value must be at least {min}")
    } else if number > max as f64 {
        format!("Value must be no more than {max}")
    } else {
        return Ok(());
    };
    Err(ConfigError::invalid(name, Value::Double(number), reason))
}

fn check_one_of(name: &str, text: &str, allowed: &[&str]) -> Result<(), ConfigError> {
    if allowed.contains(&text) {
        return Ok(());
    }
    Err(ConfigError::invalid(name, text, format!("String must be one of: {}", allowed.join(", "))))
}

fn check_ignoring_case(name: &str, text: &str, allowed: &[&str]) -> Result<(), ConfigError> {
    if allowed.iter().any(|known| known.eq_ignore_ascii_case(text)) {
        return Ok(());
    }
    Err(ConfigError::invalid(name, text, format!("String must be one of (case insensitive): {}", allowed.join(", "))))
}

fn check_list(name: &str, elements: &[String], check: Check) -> Result<(), ConfigError> {
    if check == Check::ThrottledReplicas {
        return check_throttled_replicas(name, elements);
    }
    let allowed: &[&str] = match check {
        Check::OneOf(allowed) | Check::NonEmptyList(allowed) => allowed,
        _ => &[],
    };
    if elements.is_empty() && matches!(check, Check::NonEmptyList(_)) {
        let shown = if allowed.is_empty() { "any non-empty value".to_string() } else { format!("[{}]", allowed.join(", ")) };
        return Err(ConfigError::EmptyList { name: name.to_string(), allowed: shown });
    }
    for element in elements {
        if element.is_empty() {
            return Err(ConfigError::EmptyElement { name: name.to_string() });
        }
        if !allowed.is_empty() {
            check_one_of(name, element, allowed)?;
        }
    }
    Ok(())
}

fn check_throttled_replicas(name: &str, elements: &[String]) -> Result<(), ConfigError> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_pair = |element: &String| matches!(element.split_once(':'), Some((a, b)) if is_number(a) && is_number(b));
    if elements.iter().all(is_pair) || matches!(elements, [only] if only == "*") {
        return Ok(());
    }
    let reason = format!(
        "{name} must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."
    );
    Err(ConfigError::invalid(name, format_args!("[{}]", elements.join(", ")), reason))
}

/// Java's `Double.toString`: always a decimal point, and a power of ten outside 10^-3 to 10^7.
fn format_double(value: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if value.is_nan() {
        return f.write_str("NaN");
    }
    if value.is_infinite() {
        return f.write_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    }
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return write!(f, "{value:?}");
    }
    let scientific = format!("{value:e}");
    match scientific.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => write!(f, "{digits}E{exponent}"),
        Some((digits, exponent)) => write!(f, "{digits}.0E{exponent}"),
        None => f.write_str(&scientific),
    }
}
