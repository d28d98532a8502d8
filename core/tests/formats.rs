//! That every public enum of the core can be formatted by `defmt`.
#![allow(
    clippy::unwrap_used,
    reason = "what a test calls may fail as the test itself may"
)]

use std::{fs, path::Path};

const DERIVE: &str = r#"#[cfg_attr(feature = "defmt", derive(defmt::Format))]"#;

/// The public enums below `folder`, each with whether the derive stands among its attributes.
fn enums(folder: &Path, found: &mut Vec<(String, bool)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            enums(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let mut derives = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("pub enum ") {
                found.push((format!("{}: {line}", path.display()), derives));
            }
            derives = line == DERIVE || (derives && line.starts_with("#["));
        }
    }
}

#[test]
fn every_public_enum_derives_format() {
    let mut found = Vec::new();
    enums(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    assert!(found.len() > 50, "only {} enums were found", found.len());
    let without: Vec<_> = found.iter().filter(|(_, derives)| !derives).collect();
    assert!(without.is_empty(), "{without:#?}");
}
