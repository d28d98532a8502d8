//! How far a file is, for whoever looks.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for so many bytes: how many, how fast, how long yet. Nothing where nobody looks.
pub(super) fn bytes(what: &'static str, total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{msg:<11} {bar:30.cyan/dim} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left",
    );
    // The template is a constant that indicatif accepts.
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(total).with_style(style.progress_chars("━━─"));
    bar.set_message(what);
    bar
}
