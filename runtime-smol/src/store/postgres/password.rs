//! Which password goes with a host: the URL's, `PGPASSWORD`, or what a file of passwords has for it.
//!
//! The file is that of `PGPASSFILE`, else `~/.pgpass`, in libpq's form: a line `HOST:PORT:DATABASE:USER:PASSWORD` each, where
//! `*` stands for anything and `\` before a character for that character. A file that others may read is passed over, as
//! libpq does.

use super::url::{Address, Host};
use crate::hidden::Hidden;
use std::{
    env, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Rights on a file for others than its owner.
const OTHERS: u32 = 0o077;

/// The password for this host, if there is one.
pub(super) fn password(address: &Address, host: &Host) -> Option<Hidden<String>> {
    if let Some(password) = &address.password {
        return Some(password.clone());
    }
    if let Ok(password) = env::var("PGPASSWORD")
        && !password.is_empty()
    {
        return Some(Hidden(password));
    }
    let lines = read(&file()?)?;
    let (name, port) = host.names();
    let wanted = [&name, &port.to_string(), &address.database, &address.user];
    lines.lines().find_map(|line| matching(line, wanted))
}

fn file() -> Option<PathBuf> {
    if let Some(file) = env::var_os("PGPASSFILE") {
        return Some(file.into());
    }
    let home = env::var_os("HOME")?;
    Some(Path::new(&home).join(".pgpass"))
}

fn read(file: &Path) -> Option<String> {
    let mode = fs::metadata(file).ok()?.mode();
    if mode & OTHERS != 0 {
        tracing::warn!(file = %file.display(), "others may read this file of passwords, so it is passed over; chmod 600 it");
        return None;
    }
    match fs::read_to_string(file) {
        Ok(lines) => Some(lines),
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "this file of passwords cannot be read");
            None
        }
    }
}

/// The password of a line that is for what is wanted.
fn matching(line: &str, wanted: [&String; 4]) -> Option<Hidden<String>> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = fields(line).into_iter();
    for wanted in wanted {
        let field = fields.next()?;
        if field != "*" && field != *wanted {
            return None;
        }
    }
    fields.next().map(Hidden)
}

/// The fields of a line, as they are meant.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let character = match character {
            ':' => {
                fields.push(String::new());
                continue;
            }
            '\\' => characters.next().unwrap_or('\\'),
            other => other,
        };
        if let Some(field) = fields.last_mut() {
            field.push(character);
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_for_a_host_has_its_password() {
        let found = |line: &str| {
            let wanted = ["h", "5432", "d", "u"].map(str::to_owned);
            let [host, port, database, user] = &wanted;
            matching(line, [host, port, database, user]).map(|hidden| hidden.0)
        };
        assert_eq!(found("h:5432:d:u:secret").as_deref(), Some("secret"));
        assert_eq!(found(r"*:*:*:u:a\:b\\c").as_deref(), Some(r"a:b\c"));
        for other in [
            "#h:5432:d:u:x",
            "i:5432:d:u:x",
            "h:1:d:u:x",
            "h:5432:d:v:x",
            "h:5432:d:u",
            "",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
    }
}
