//! A subject's events in a row, and how streams move along it.

use super::{
    CHANGED, Message, OF_SUBJECT, Outbox,
    slots::{EventSlot, Phase},
};
use crate::slab::{Ix, Link, List};

impl<E: Message> Outbox<'_, E> {
    /// Hangs an event behind the subject's last one, pinned. `None` where it may take no slot: progress never
    /// takes one that a change of state may need.
    pub(super) fn append(&mut self, subject: Ix, event: E) -> Link {
        let kept = !event.may_be_overtaken() && self.chains.get(subject)?.events_kept > 0;
        if kept {
            self.chains.get_mut(subject)?.events_kept -= 1;
            self.promises.use_event();
        } else if self.events.room() <= self.promises.events() {
            return None;
        }
        let ix = self.insert_event(event, Some(subject))?;
        let chain = self.chains.get_mut(subject)?;
        chain.sequence = chain.sequence.max(event.sequence());
        let before = chain.events.tail();
        chain.events.push_back(&mut self.events, ix);
        if let Some(before) = before {
            self.pass_over(subject, before);
            self.tidy(before);
        }
        Some(ix)
    }

    /// Lets the streams that have not begun to send event `ix` go on, where it is progress that was just overtaken.
    ///
    /// The batch with the newer event is also the one that says so. So a restart that knows of what is newer finds a
    /// stream before overtaken progress only if that may be on its way, and sends it first: it never arrives for the first
    /// time after what came later. Of an event from before a restart nobody knows.
    fn pass_over(&mut self, subject: Ix, ix: Ix) {
        if !self.may_be_passed_over(ix) {
            return;
        }
        let mut at = self
            .chains
            .get(subject)
            .and_then(|chain| chain.streams.head());
        while let Some(stream) = at {
            at = List::<OF_SUBJECT>::next(&self.streams, stream);
            let Some(slot) = self.streams.get(stream) else {
                return;
            };
            // What is solo was asked for by somebody.
            if slot.event != Some(ix) || slot.solo || slot.has_begun() {
                continue;
            }
            let unsaved = slot.phase == Phase::Unsaved;
            match self.next_event(stream) {
                None => self.remove_stream(stream),
                next => {
                    // Its place in its lane's queue stays its own.
                    self.point(stream, next);
                    self.streams.mark(stream, CHANGED);
                    if unsaved {
                        self.dequeue(stream);
                        self.enqueue(stream);
                    }
                }
            }
        }
    }

    /// Puts a new event into the table and pins it: it stays, though no stream has it before it yet, whatever else is
    /// forgotten to make room. Follow with [`unpin`](Self::unpin).
    pub(super) fn insert_event(&mut self, event: E, subject: Link) -> Link {
        let mut slot = EventSlot::new(event, subject, self.batch());
        slot.heads = 1;
        let ix = self.events.insert(slot)?;
        self.events.mark(ix, CHANGED);
        Some(ix)
    }

    /// Takes the pin off an event.
    pub(super) fn unpin(&mut self, ix: Ix) {
        if let Some(slot) = self.events.get_mut(ix) {
            slot.heads = slot.heads.saturating_sub(1);
        }
        self.tidy(ix);
    }

    /// Whether an event is progress that newer events have overtaken.
    pub(super) fn is_overtaken(&self, ix: Ix) -> bool {
        self.events.get(ix).is_some_and(|slot| {
            slot.event.may_be_overtaken() && List::<OF_SUBJECT>::next(&self.events, ix).is_some()
        })
    }

    /// Whether a stream that has not begun to send an event goes past it: progress that was overtaken in this run.
    pub(super) fn may_be_passed_over(&self, ix: Ix) -> bool {
        self.is_overtaken(ix) && self.events.get(ix).is_some_and(|slot| slot.batch > 0)
    }

    /// The event after `ix` that a stream must send: the next change of state it wants, or the subject's
    /// newest progress.
    pub(super) fn following(&self, ix: Ix, wanted: impl Fn(&E) -> bool) -> Link {
        let mut at = ix;
        loop {
            at = List::<OF_SUBJECT>::next(&self.events, at)?;
            let event = &self.events.get(at)?.event;
            if !self.is_overtaken(at) && wanted(event) {
                return Some(at);
            }
        }
    }

    /// Forgets what nobody needs any more, after event `ix` was left by a stream or overtaken.
    ///
    /// The events at the chain's start that no stream has before it were passed by all; progress in
    /// the middle that no stream has before it was overtaken.
    pub(super) fn tidy(&mut self, ix: Ix) {
        let Some(slot) = self.events.get(ix) else {
            return;
        };
        if slot.heads > 0 {
            return;
        }
        let Some(subject) = slot.subject else {
            self.events.remove(ix);
            self.events.mark(ix, CHANGED);
            return;
        };
        if self.is_overtaken(ix) {
            self.forget(subject, ix);
        }
        while let Some(first) = self
            .chains
            .get(subject)
            .and_then(|chain| chain.events.head())
        {
            if self.events.get(first).is_none_or(|slot| slot.heads > 0) {
                return;
            }
            self.forget(subject, first);
        }
    }

    fn forget(&mut self, subject: Ix, ix: Ix) {
        if let Some(chain) = self.chains.get_mut(subject) {
            chain.events.remove(&mut self.events, ix);
        }
        self.events.remove(ix);
        self.events.mark(ix, CHANGED);
    }

    /// Lets a stream that has settled its event, and waits in nothing, go on to the next one it must send, or end.
    ///
    /// Progress is sent only once it is durable that the stream has come to it: a restart that finds the stream before
    /// it may leave it out, when something newer comes, only because it cannot be on its way.
    pub(super) fn advance(&mut self, ix: Ix) {
        match self.next_event(ix) {
            None => self.end_stream(ix),
            Some(next) => {
                let batch = self.batch();
                if let Some(slot) = self.events.get_mut(next)
                    && slot.event.may_be_overtaken()
                {
                    slot.batch = batch;
                }
                self.point(ix, Some(next));
                if let Some(stream) = self.streams.get_mut(ix) {
                    stream.attempts = 0;
                    stream.phase = Phase::Unsaved;
                }
                self.streams.mark(ix, CHANGED);
                self.enqueue(ix);
            }
        }
    }

    /// The event that a stream must send after the one before it, if there is one.
    pub(super) fn next_event(&self, ix: Ix) -> Link {
        let stream = self.streams.get(ix)?;
        if stream.solo {
            return None;
        }
        let filter = self.lanes.get(stream.lane?)?.filter;
        self.following(stream.event?, |event| {
            stream.callback || event.passes(filter)
        })
    }

    /// Points a stream at another event, and forgets the one it leaves if it was the last to need it.
    pub(super) fn point(&mut self, ix: Ix, event: Link) {
        let Some(stream) = self.streams.get_mut(ix) else {
            return;
        };
        let before = core::mem::replace(&mut stream.event, event);
        if let Some(slot) = event.and_then(|event| self.events.get_mut(event)) {
            slot.heads += 1;
        }
        if let Some(before) = before {
            if let Some(slot) = self.events.get_mut(before) {
                slot.heads = slot.heads.saturating_sub(1);
            }
            self.tidy(before);
        }
    }
}
