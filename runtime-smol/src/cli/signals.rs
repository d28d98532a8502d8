//! The signals that ask a command to end.

use async_signal::{Signal, Signals};
use std::{fs, io};

/// Hears whatever asks to end: SIGTERM, SIGINT, SIGQUIT, and SIGHUP, which a terminal sends that is closed.
///
/// Whoever started the program so that it outlives its terminal (`nohup`) has SIGHUP passed over, and so it stays.
pub(super) fn endings() -> io::Result<Signals> {
    let all = [Signal::Term, Signal::Int, Signal::Quit, Signal::Hup];
    let heard = if ignores_hang_up(&fs::read_to_string("/proc/self/status").unwrap_or_default()) {
        &all[..3]
    } else {
        &all[..]
    };
    Signals::new(heard.iter().copied())
}

/// Whether the system's account of this process says that it was started with SIGHUP ignored.
fn ignores_hang_up(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // A signal's bit is its number less one; SIGHUP is 1.
    ignored.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_ignores_a_hang_up_from_the_start_goes_on_to() {
        assert!(ignores_hang_up(
            "Name:\tdubhook\nSigIgn:\t0000000000001001\n"
        ));
        assert!(!ignores_hang_up("SigIgn:\t0000000000001006\n"));
        assert!(!ignores_hang_up(""));
    }
}
