//! What a store that several servers share has to say of itself among the metrics.

use super::text::Text;
use crate::{out::Out, server::Server};

/// The figures of a store that several servers share, of which one at a time owns the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreFigures {
    /// Whether this server owns the records.
    pub is_owner: bool,
    /// Whether the store has answered when it was asked last.
    pub answers: bool,
    /// How many owners there were, this one included.
    pub epoch: u64,
    /// How often this server has taken the records over.
    pub taken: u64,
    /// How long it may still speak, in milliseconds.
    pub lease_left_ms: u64,
    /// For how long nothing could be written, in milliseconds; 0 where that is no matter yet. Such a server is not ready.
    pub stuck_ms: u64,
    /// Batches that were written.
    pub commits: u64,
    /// How long that took in all, in milliseconds.
    pub commit_ms: u64,
}

impl StoreFigures {
    /// Writes them in the text format of Prometheus: for a server that stands by, which has no others.
    pub fn write(&self, out: &mut Out<'_>) {
        self.write_to(&mut Text::new(out));
    }

    pub(super) fn write_to(&self, text: &mut Text<'_, '_>) {
        text.gauge("store_owner", "Whether this server owns the records.")
            .value(self.is_owner.into());
        text.gauge("store_up", "Whether the store answers.")
            .value(self.answers.into());
        text.gauge("store_epoch", "Owners that there were, this one included.")
            .value(self.epoch);
        text.counter("store_takeovers_total", "Times that this server took over.")
            .value(self.taken);
        text.gauge("store_lease_left_seconds", "How long it may still speak.")
            .seconds(self.lease_left_ms);
        text.gauge(
            "store_stuck_seconds",
            "For how long nothing could be written.",
        )
        .seconds(self.stuck_ms);
        text.counter("store_commits_total", "Batches written.")
            .value(self.commits);
        text.counter("store_commit_seconds_total", "How long that took in all.")
            .seconds(self.commit_ms);
    }
}

impl Server<'_> {
    /// Says what the store has to say of itself: from then on it stands among the metrics.
    pub const fn note_store(&mut self, figures: StoreFigures) {
        self.store = Some(figures);
    }

    /// Whether nothing can be written, as was [noted](Self::note_store) last.
    pub(in crate::server) const fn is_stuck(&self) -> bool {
        matches!(self.store, Some(figures) if figures.stuck_ms > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_seconds() {
        let mut memory = [0; 2_048];
        let mut out = Out::new(&mut memory);
        let figures = StoreFigures {
            is_owner: true,
            lease_left_ms: 2_045,
            commit_ms: 7,
            ..StoreFigures::default()
        };
        figures.write(&mut out);
        let text = core::str::from_utf8(out.written()).unwrap();
        for line in [
            "dubhook_store_owner 1\n",
            "dubhook_store_lease_left_seconds 2.045\n",
            "dubhook_store_commit_seconds_total 0.007\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
