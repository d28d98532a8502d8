//! What the library notes, as lines on standard error.

use super::show::Paint;
use std::io;
use tracing::Level;

/// Shows what is noted, down to `level`.
pub(super) fn show(level: Level) {
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(Paint::stderr().is_on())
        .with_writer(io::stderr)
        // A line that nobody takes is lost. To say so where nobody listens would end the server.
        .log_internal_errors(false)
        .init();
}
