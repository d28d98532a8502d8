//! Cases as data: files of JSON lines in `tests/data`, one case each.

use std::{fs, path::Path};

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error};

/// Reads all cases of the file `name`.
///
/// # Panics
///
/// If the file cannot be read, a line is no `T`, or there is no line at all.
#[must_use]
pub fn read<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data")
        .join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let cases: Vec<T> = text
        .lines()
        .enumerate()
        .map(|(n, line)| {
            serde_json::from_str(line).unwrap_or_else(|e| panic!("{name}:{}: {e}", n + 1))
        })
        .collect();
    assert!(!cases.is_empty(), "{name} holds no case");
    cases
}

/// Bytes that stand as Base64 in a case: `#[serde(deserialize_with = "cases::base64")]`.
///
/// # Errors
///
/// If the field is not Base64.
pub fn base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut bytes = vec![0; text.len()];
    let len = Base64::decode(text.as_bytes(), &mut bytes)
        .map_err(D::Error::custom)?
        .len();
    bytes.truncate(len);
    Ok(bytes)
}
