//! `verify`: whether a webhook that somebody received is what it claims to be.

use super::{
    fail::Fail,
    show::{self, Paint},
};
use clap::Args;
use dubhook_core::{
    signature::{Headers, Secret, TOLERANCE_S, verify},
    time::Timestamp,
};
use dubhook_smol::clock::Clock;
use std::io::{self, Read};

/// The largest body that is read, in bytes.
const BODY_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The secret; more than one while it is being rotated
    #[arg(
        long,
        value_name = "whsec_…",
        required = true,
        env = "DUBHOOK_SECRET",
        hide_env_values = true
    )]
    secret: Vec<String>,
    /// The field webhook-id
    #[arg(long)]
    id: String,
    /// The field webhook-timestamp
    #[arg(long)]
    timestamp: String,
    /// The field webhook-signature
    #[arg(long)]
    signature: String,
    /// Whatever its age; otherwise it must not be older than five minutes
    #[arg(long)]
    any_age: bool,
}

impl Verify {
    pub(super) fn run(&self) -> Result<(), Fail> {
        let keys: Result<Vec<_>, _> = self.secret.iter().map(|text| Secret::parse(text)).collect();
        let keys = keys.map_err(|error| Fail::Usage(format!("--secret: {}", error.as_str())))?;
        let keys: Vec<_> = keys.iter().map(Secret::signing_key).collect();
        let mut body = Vec::new();
        io::stdin()
            .lock()
            .take(BODY_BYTES_MAX)
            .read_to_end(&mut body)?;
        let fields: [(&[u8], &[u8]); 3] = [
            (b"webhook-id", self.id.as_bytes()),
            (b"webhook-timestamp", self.timestamp.as_bytes()),
            (b"webhook-signature", self.signature.as_bytes()),
        ];
        let refused = |error: dubhook_core::signature::VerifyError| {
            Fail::NotDone(format!("not verified: {}", error.as_str()))
        };
        let now = match self.timestamp.parse::<u64>() {
            Ok(seconds) if self.any_age => Timestamp::from_unix_ms(seconds.saturating_mul(1_000)),
            _ => Clock::start().now().timestamp,
        };
        let headers = Headers::from_fields(fields).map_err(refused)?;
        verify(&headers, &body, &keys, now, TOLERANCE_S).map_err(refused)?;
        Ok(show::print_line(&Paint::stdout().green("verified"))?)
    }
}
