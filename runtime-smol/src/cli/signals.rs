//! The signals that ask a command to end, and the one that tells of a child.

use async_io::block_on;
use async_signal::{Signal, Signals};
use dubhook_smol::orphans;
use futures_lite::StreamExt;
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

/// Lets go of whatever orphan ends, where this is the first process of a container.
pub(super) fn look_after_orphans() -> io::Result<()> {
    if !orphans::are_ours() {
        return Ok(());
    }
    let mut ends = Signals::new([Signal::Child])?;
    let reaper = std::thread::Builder::new().name("orphans".to_owned());
    reaper.spawn(move || {
        block_on(async {
            loop {
                orphans::reap();
                ends.next().await;
            }
        });
    })?;
    Ok(())
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
