//! Colours where a person looks, and JSON as a person reads it.

use dubhook_core::json::{self, Value};
use std::{
    env,
    io::{self, IsTerminal, Write},
};

/// Puts colour on text, if it goes to a terminal and nobody has asked for none (`NO_COLOR`).
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    on: bool,
}

impl Paint {
    pub(super) fn stdout() -> Self {
        Self::for_output(io::stdout().is_terminal())
    }

    pub(super) fn stderr() -> Self {
        Self::for_output(io::stderr().is_terminal())
    }

    fn for_output(is_terminal: bool) -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            on: is_terminal && !unwanted,
        }
    }

    pub(super) const fn is_on(self) -> bool {
        self.on
    }

    pub(super) fn red(self, text: &str) -> String {
        self.put("31", text)
    }

    pub(super) fn green(self, text: &str) -> String {
        self.put("32", text)
    }

    pub(super) fn yellow(self, text: &str) -> String {
        self.put("33", text)
    }

    pub(super) fn cyan(self, text: &str) -> String {
        self.put("36", text)
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.put("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.put("2", text)
    }

    /// A status, or an event's name, in its colour.
    pub(super) fn status(self, text: &str) -> String {
        match text.rsplit('.').next().unwrap_or(text) {
            name if name.starts_with("completed") => self.green(text),
            name if name.starts_with("error") => self.red(text),
            name if name.starts_with("canceled") => self.dim(text),
            name if name.starts_with("pending") => self.yellow(text),
            _ => self.cyan(text),
        }
    }

    fn put(self, code: &str, text: &str) -> String {
        if self.on {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Text of somebody else's without what a terminal would obey.
pub(super) fn plain(text: &str) -> String {
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(plain).collect()
}

/// A value as text.
fn text(value: &Value<'_>) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.text().to_owned(),
        Value::String(string) => {
            let bytes: Vec<u8> = string.bytes().collect();
            plain(&String::from_utf8_lossy(&bytes))
        }
        Value::Array(array) => {
            let items: Vec<_> = array.items().map(|item| text(&item)).collect();
            items.join(", ")
        }
        Value::Object(_) => "{…}".to_owned(),
    }
}

/// Prints each member of an object that says something on a line of its own.
pub(super) fn print_members(body: &[u8]) -> io::Result<()> {
    let paint = Paint::stdout();
    let mut stdout = io::stdout().lock();
    let Ok(object) = json::object(body) else {
        return stdout.write_all(body);
    };
    for (name, value) in object.members() {
        let name = text(&Value::String(name));
        let value = text(&value);
        let shown = match name.as_str() {
            _ if value.is_empty() => continue,
            "status" => paint.status(&value),
            "id" | "secret" | "callback_secret" => paint.bold(&value),
            _ => value,
        };
        let label = format!("{:<16}", name.replace('_', " "));
        writeln!(stdout, "{} {shown}", paint.dim(&label))?;
    }
    Ok(())
}

/// Prints a table: a heading, and for each row the cells as they are. Columns are as wide as they must be.
pub(super) fn print_table(headings: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let paint = Paint::stdout();
    let mut stdout = io::stdout().lock();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(headings[column].len())
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells.zip(&widths);
        let line: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        line.join("  ")
    };
    let heading = line(&mut headings.iter().copied());
    writeln!(stdout, "{}", paint.dim(heading.trim_end()))?;
    for row in rows {
        let mut shown = line(&mut row.iter().map(String::as_str));
        for cell in row {
            let painted = paint.status(cell);
            let is_status = matches!(
                cell.as_str(),
                "pending" | "processing" | "completed" | "error" | "canceled"
            );
            if paint.is_on() && is_status {
                shown = shown.replacen(cell.as_str(), &painted, 1);
            }
        }
        writeln!(stdout, "{}", shown.trim_end())?;
    }
    Ok(())
}

/// Prints a line for whoever reads the output.
pub(super) fn print_line(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// Says something on standard error. Nobody need listen.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Prints a body as it came, on a line of its own.
pub(super) fn print_json(body: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(body)?;
    stdout.write_all(b"\n")
}
