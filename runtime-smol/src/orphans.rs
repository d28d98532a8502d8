//! Children of nobody: what the first process of a container has to do for all others in it.
//!
//! A process whose parent ends becomes a child of the first one, and stays as a zombie when it ends until that one has asked
//! how. Nothing else would ask where `dubhook` is that process. It must not ask after the programs that it has started
//! itself, for then whoever waits for them would learn nothing; so those are [known](spawn) for as long as they are waited
//! for.

use rustix::process::{Pid, WaitOptions, waitpid};
use smol::process::{Child, Command};
use std::{
    collections::HashSet,
    fs, io,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

/// The children that somebody waits for.
static KNOWN: LazyLock<Mutex<HashSet<u32>>> = LazyLock::new(Mutex::default);

fn known() -> MutexGuard<'static, HashSet<u32>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A child is known until this is dropped.
#[derive(Debug)]
pub struct Known(u32);

impl Drop for Known {
    fn drop(&mut self) {
        known().remove(&self.0);
    }
}

/// Starts a program that is waited for as long as it is known.
///
/// # Errors
///
/// Where it cannot be started.
pub fn spawn(command: &mut Command) -> io::Result<(Child, Known)> {
    // Held from before there is a child, so that it is known before anybody can reap it.
    let mut known = known();
    let child = command.spawn()?;
    known.insert(child.id());
    let id = Known(child.id());
    Ok((child, id))
}

/// Whether this is the first process, whose children all orphans become.
#[must_use]
pub fn are_ours() -> bool {
    std::process::id() == 1
}

/// Lets go of all orphans that have ended.
pub fn reap() {
    let known = known();
    for pid in zombies() {
        let is_known = u32::try_from(pid).is_ok_and(|pid| known.contains(&pid));
        if let Some(pid) = Pid::from_raw(pid).filter(|_| !is_known) {
            // Somebody else may have been quicker.
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
}

/// This process's children that have ended.
fn zombies() -> impl Iterator<Item = i32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        is_zombie_of(&stat, std::process::id())
    })
}

/// Whether a process's `stat` says that it has ended and whose child it was. Its name, in parentheses, can be anything.
fn is_zombie_of(stat: &str, parent: u32) -> bool {
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let mut rest = rest.split(' ');
    rest.next() == Some("Z") && rest.next().and_then(|pid| pid.parse().ok()) == Some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zombies_of_ones_own_are_told_from_others() {
        assert!(is_zombie_of("17 (sh) Z 1 17 17 0", 1));
        assert!(is_zombie_of("17 (a) S 9 (b) Z 1 17", 1));
        assert!(!is_zombie_of("17 (sh) S 1 17 17 0", 1));
        assert!(!is_zombie_of("17 (sh) Z 2 17 17 0", 1));
        assert!(!is_zombie_of("", 1));
    }
}
