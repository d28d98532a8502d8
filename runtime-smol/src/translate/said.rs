//! What a translator program says on its standard output.

use dubhook_core::json::{self, Value};

/// What a program has said so far that counts at its end, and what was wrong with what it said last.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Where its output is.
    pub(super) output_url: Option<String>,
    in_vain: Option<&'static str>,
}

impl Said {
    /// Takes a line. What is said in vain is logged, once for all in a row that has the same fault.
    pub(super) fn hear(&mut self, line: &str, progress: &mut impl FnMut(u8)) {
        let Err(why) = self.take(line, progress) else {
            return;
        };
        if self.in_vain.replace(why) != Some(why) {
            let shown = &line[..line.floor_char_boundary(SHOWN_BYTES_MAX)];
            // Whoever wrote the program wants to know.
            tracing::warn!(said = shown, why, "a translator said something in vain");
        }
    }

    /// Takes a line, or says what is wrong with it. Lines that are something else altogether are none of ours.
    fn take(&mut self, line: &str, progress: &mut impl FnMut(u8)) -> Result<(), &'static str> {
        if !line.starts_with('{') {
            return Ok(());
        }
        let said = json::object(line.as_bytes()).map_err(|_| "it is no JSON")?;
        let said = said.fields(["progress", "output_url"]);
        let [share, url] = said.map_err(|_| "it says the same twice")?;
        match url {
            None | Some(Value::Null) => {}
            Some(Value::String(url)) => {
                self.output_url = String::from_utf8(url.bytes().collect()).ok();
            }
            Some(_) => return Err("output_url is no text"),
        }
        match share {
            None | Some(Value::Null) => {}
            Some(share) => progress(percent(share).ok_or("progress is no share of 100")?),
        }
        Ok(())
    }
}

/// As much of a line as is logged, in bytes.
const SHOWN_BYTES_MAX: usize = 200;

/// A share of 100, however it is spelt: `42`, `42.0`, `4.2e1`. What is between two is not reached yet.
fn percent(share: Value<'_>) -> Option<u8> {
    let Value::Number(share) = share else {
        return None;
    };
    let share: f64 = share.text().parse().ok()?;
    // More than all is all.
    (share >= 0.0).then_some(share.min(100.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_taken_in_any_spelling() {
        let mut heard = Vec::new();
        for share in [
            "42", "42.0", "4.2e1", "42.9", "0", "100.0", "-1", "100.5", "1e9", "\"42\"", "null",
        ] {
            let line = format!("{{\"progress\":{share}}}");
            Said::default().hear(&line, &mut |percent| heard.push(percent));
        }
        assert_eq!(heard, [42, 42, 42, 42, 0, 100, 100, 100]);
    }

    #[test]
    fn what_is_said_in_vain_has_a_reason() {
        for (line, expect) in [
            ("working", Ok(())),
            ("42", Ok(())),
            (r#"{"level":"info"}"#, Ok(())),
            (r#"{"progress":null,"output_url":null}"#, Ok(())),
            (r#"{"progress":42"#, Err("it is no JSON")),
            ("{'progress': 42}", Err("it is no JSON")),
            (r#"{"progress":NaN}"#, Err("it is no JSON")),
            (
                r#"{"progress":1,"progress":2}"#,
                Err("it says the same twice"),
            ),
            (r#"{"progress":"42"}"#, Err("progress is no share of 100")),
            (r#"{"progress":-1}"#, Err("progress is no share of 100")),
            (r#"{"output_url":7}"#, Err("output_url is no text")),
        ] {
            assert_eq!(Said::default().take(line, &mut |_| ()), expect, "{line}");
        }
    }
}
