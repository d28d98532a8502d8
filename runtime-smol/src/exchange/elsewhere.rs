//! Whether an answer says that another server is to be asked.

use dubhook_core::{json, model::Problem};

/// Whether a server has said that it stands by: another one has the records. Any other 503 is an answer of the one that has
/// them, which the others would not better.
#[must_use]
pub fn stands_by(status: u16, body: &[u8]) -> bool {
    let mut memory = vec![0; body.len()];
    status == 503
        && json::from_slice_in::<Problem<String>>(body, &mut memory)
            .is_ok_and(|problem| problem.code.as_deref() == Some("stands_by"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_says_so_stands_by() {
        let says = |status, code: &str| {
            stands_by(
                status,
                format!(r#"{{"status":{status},"code":"{code}"}}"#).as_bytes(),
            )
        };
        assert!(says(503, "stands_by"));
        assert!(!says(503, "capacity") && !says(502, "stands_by"));
        assert!(!stands_by(503, b"") && !stands_by(503, b"<html>"));
    }
}
