//! What the clients of both comparisons ask for.

use dubhook_core::{
    json::{self, WriteError},
    model::{NewTranslation, NewWebhook},
};

/// The body of a request for a translation.
pub(crate) fn translation() -> String {
    let new = NewTranslation::new("https://v.test/1.mp4", "es");
    body(|memory| json::to_slice(&new, memory))
}

/// The body of a request to be told at `url` how translations end.
pub(crate) fn webhook(url: &str) -> String {
    let new = NewWebhook {
        events: Some(["translation.completed", "translation.error"]),
        ..NewWebhook::new(url)
    };
    body(|memory| json::to_slice(&new, memory))
}

fn body(write: impl FnOnce(&mut [u8]) -> Result<usize, WriteError>) -> String {
    let mut memory = vec![0; 512];
    let len = write(&mut memory).expect("a short body");
    memory.truncate(len);
    String::from_utf8(memory).expect("JSON is UTF-8")
}
