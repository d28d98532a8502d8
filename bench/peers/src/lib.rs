//! What the peers share: their arguments, and the events that the senders send.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::time::{SystemTime, UNIX_EPOCH};

/// The port in the first argument.
pub fn port() -> u16 {
    argument(1).expect("a port")
}

/// The number in argument `place`.
pub fn argument<T: std::str::FromStr>(place: usize) -> Option<T> {
    std::env::args().nth(place)?.parse().ok()
}

/// Says that connections are accepted.
pub fn ready() {
    println!("ready");
}

/// Makes events and signs them, as Standard Webhooks says.
pub struct Events {
    key: Hmac<Sha256>,
    sequence: u64,
}

/// An event, ready to send.
pub struct Event {
    pub id: String,
    pub timestamp: String,
    pub signature: String,
    pub body: Vec<u8>,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            key: Hmac::new_from_slice(&[9; 32]).expect("a key"),
            sequence: 0,
        }
    }
}

impl Events {
    /// The next event.
    pub fn next_event(&mut self) -> Event {
        self.sequence += 1;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock");
        let id = format!("evt_01kas4ve3qes2rvb{:010}", self.sequence);
        let timestamp = now.as_secs().to_string();
        let sequence = self.sequence;
        let body = format!(
            "{{\"type\":\"translation.completed\",\"timestamp\":\"2026-11-24T09:00:00.123Z\",\"data\":{{\
             \"id\":\"job_01kas4ve3qes2rvb{sequence:010}\",\"sequence\":3,\"status\":\"completed\",\"progress\":100,\
             \"video_url\":\"https://videos.example.test/library/2026/november/the-long-way-home-part-1.mp4\",\
             \"source_language\":\"en\",\"target_language\":\"es\",\
             \"output_url\":\"https://videos.example.test/library/2026/november/the-long-way-home-es.mp4\",\
             \"error\":null,\"reference\":\"order-17\",\
             \"created_at\":\"2026-11-24T08:59:00.000Z\",\"updated_at\":\"2026-11-24T09:00:00.123Z\"}}}}"
        )
        .into_bytes();
        let mut mac = self.key.clone();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", &body] {
            mac.update(part);
        }
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        Event {
            id,
            timestamp,
            signature,
            body,
        }
    }
}
