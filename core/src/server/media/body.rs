//! An upload's bytes on their way through, and an output's.

use super::ask::{Asked, What};
use crate::{
    api::Problem,
    http::RecvBuf,
    id::Id,
    server::{Drive, Server, conn::Waiting, reply::Reply},
    slab::Ix,
    time::Now,
};

/// How long who uploads may be silent, however fast it was before, in milliseconds.
///
/// A body of some kilobytes may save up the time that it earns. One of gigabytes would earn days in which it holds its slot
/// and sends nothing; who was cut off goes on where he was.
const SILENT_MS_MAX: u64 = 30_000;

/// An upload whose bytes are coming.
#[derive(Debug, Clone, Copy)]
pub(in crate::server) struct Receiving {
    /// Which one.
    pub(super) upload: Id,
    /// How many are still to be stored.
    pub(super) left: u64,
    /// How long the next ones could still have taken when these came, in milliseconds.
    pub(super) spare_ms: u32,
    /// Whether they are not all of it.
    pub(super) of_patch: bool,
}

impl Server<'_> {
    /// What a connection waits for whose upload or output is on its way, or that waits for the driver; none for others.
    pub(in crate::server) fn go_on_with_media(
        &mut self,
        now: Now,
        ix: Ix,
        input: &RecvBuf<'_>,
    ) -> Option<Drive> {
        let conn = self.conns.get_mut(ix)?;
        let receiving = match conn.reply {
            Reply::Media(_) => return Some(Drive::Media),
            Reply::Sending { at, left } => return Some(Drive::Send { at, bytes: left }),
            Reply::Receiving(receiving) => receiving,
            _ => return None,
        };
        if receiving.left == 0 {
            let of_patch = receiving.of_patch;
            conn.waiting = Waiting::Answer;
            conn.reply = Reply::Media(Asked {
                what: What::End { of_patch },
                id: receiving.upload,
            });
            return Some(Drive::Media);
        }
        if !input.is_empty() {
            let left = usize::try_from(receiving.left).unwrap_or(usize::MAX);
            if conn.waiting == Waiting::Body {
                let spare_ms = conn.deadline.ms_since(now.instant).min(SILENT_MS_MAX) as u32;
                conn.reply = Reply::Receiving(Receiving {
                    spare_ms,
                    ..receiving
                });
                conn.waiting = Waiting::Answer;
            }
            let bytes = input.len().min(left);
            return Some(Drive::Store { bytes });
        }
        if conn.waiting != Waiting::Body {
            conn.waiting = Waiting::Body;
            conn.deadline = now.instant.after_ms(receiving.spare_ms.into());
        }
        let deadline = conn.deadline;
        if deadline <= now.instant {
            conn.refuse(Problem::Slow);
            return None;
        }
        if conn.timer.get().is_none_or(|timer| timer > deadline) {
            self.timers.set(&mut self.conns, ix, deadline);
        }
        Some(Drive::Input { bytes_min: 1 })
    }

    /// How long an upload may be silent that had `spare_ms` and has sent `bytes` since, in milliseconds.
    pub(super) fn spare_ms(&self, spare_ms: u32, bytes: usize) -> u32 {
        let pace = self.config.body_bytes_per_second_min.max(1);
        let earned_ms = (bytes as u64).saturating_mul(1_000) / pace;
        let spare_ms = u64::from(spare_ms).saturating_add(earned_ms);
        spare_ms.min(SILENT_MS_MAX) as u32
    }
}
