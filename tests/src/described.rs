//! The description itself, and as much of JSON Schema as it uses.

use dubhook_smol::pages;
use serde_json::Value;
use std::collections::BTreeSet;

/// `openapi.json`, as the server shows it.
///
/// # Panics
///
/// Where it is no JSON.
#[must_use]
pub fn description() -> Value {
    let page = pages::ALL
        .iter()
        .find(|page| page.path() == "/openapi.json");
    serde_json::from_slice(page.expect("a page").body()).expect("JSON")
}

/// What `value` stands for: itself, or what it refers to.
///
/// # Panics
///
/// Where it refers to nothing.
#[must_use]
pub fn resolve<'d>(doc: &'d Value, value: &'d Value) -> &'d Value {
    match value.get("$ref") {
        None => value,
        Some(target) => {
            let target = target.as_str().and_then(|target| target.strip_prefix('#'));
            doc.pointer(target.expect("a place in here"))
                .expect("something to refer to")
        }
    }
}

/// The schema of that name.
#[must_use]
pub fn schema<'d>(doc: &'d Value, name: &str) -> &'d Value {
    &doc["components"]["schemas"][name]
}

/// The strings of a list, or the names of an object's members.
///
/// # Panics
///
/// Where the list has something else.
#[must_use]
pub fn names(value: &Value) -> BTreeSet<&str> {
    match value {
        Value::Object(members) => members.keys().map(String::as_str).collect(),
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().expect("a name"))
            .collect(),
        _ => BTreeSet::new(),
    }
}

/// The members that an object of this schema may have and must have.
#[must_use]
pub fn members(of: &Value) -> (Vec<(&str, &Value)>, BTreeSet<&str>) {
    let own = of["properties"].as_object().into_iter().flatten();
    let may = own.map(|(name, schema)| (name.as_str(), schema)).collect();
    (may, names(&of["required"]))
}

/// Whether `value` is what its schema says, with no member more.
///
/// # Errors
///
/// Where it is not, and how.
pub fn fits(doc: &Value, of: &Value, value: &Value) -> Result<(), String> {
    let of = resolve(doc, of);
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_one = match &of["type"] {
        Value::String(only) => only == kind,
        Value::Array(kinds) => kinds.iter().any(|known| known == kind),
        _ => true,
    };
    let in_enum = of["enum"]
        .as_array()
        .is_none_or(|known| known.contains(value));
    let is_const = of.get("const").is_none_or(|only| only == value);
    let number = value.as_i64();
    let least = of["minimum"]
        .as_i64()
        .is_none_or(|least| number >= Some(least));
    let most = of["maximum"]
        .as_i64()
        .is_none_or(|most| number <= Some(most));
    if !(is_one && in_enum && is_const && least && most) {
        return Err(format!("{value} is not {of}"));
    }
    if let Value::Array(items) = value {
        return items
            .iter()
            .try_for_each(|item| fits(doc, &of["items"], item));
    }
    let Value::Object(found) = value else {
        return Ok(());
    };
    let (may, must) = members(of);
    if let Some(missing) = must.iter().find(|name| !found.contains_key(**name)) {
        return Err(format!("{missing} is missing in {value}"));
    }
    found.iter().try_for_each(|(name, value)| {
        let known = may.iter().find(|(known, _)| known == name);
        let (_, schema) = known.ok_or(format!("{name} is not described"))?;
        fits(doc, schema, value).map_err(|why| format!("{name}: {why}"))
    })
}
