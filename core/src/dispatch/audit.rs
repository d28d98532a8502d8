//! Whether a dispatcher's tables, lists and sums say the same.

use super::{Dispatcher, Event};
use crate::{
    delivery::{Flaw, ensure, len, used},
    endpoint,
    slab::{Ix, List},
};

impl<E: Event> Dispatcher<'_, E> {
    /// Checks that everything that is kept in step is in step: what a tool does with records it has restored, and tests do
    /// after every call. It looks at everything: not for a hot path.
    ///
    /// # Errors
    ///
    /// [`Flaw`] names the first thing that is not.
    pub fn audit(&self) -> Result<(), Flaw> {
        self.outbox.audit()?;
        let removed = used(&self.endpoints).filter(|(_, e)| e.removed).count();
        let listed = len(&self.newest_endpoints, &self.endpoints);
        let for_all = used(&self.endpoints).filter(|(_, e)| e.for_all && e.is_enabled());
        let fits = listed + removed == self.endpoints.len()
            && len(&self.for_all, &self.endpoints) == for_all.count()
            && len(&self.leaving, &self.endpoints) == removed;
        ensure(fits, Flaw::Endpoint)?;
        for subject in (1..=self.outbox.subjects_capacity() as u32).filter_map(Ix::new) {
            let mine =
                used(&self.endpoints).filter(|(_, e)| e.subject == Some(subject) && !e.removed);
            let narrowed = self.outbox.narrowed(subject);
            let narrowed = len::<{ endpoint::WANTING }, _>(&narrowed, &self.endpoints);
            ensure(mine.count() == narrowed, Flaw::Endpoint)?;
        }
        for (ix, endpoint) in used(&self.endpoints) {
            // An endpoint narrowed to a subject never outlives it, lest it hear of the next one in its slot.
            let tied = endpoint.subject.is_none_or(|of| self.hangs(of, ix));
            ensure(endpoint.removed || tied, Flaw::Endpoint)?;
            let open = self.outbox.is_open(ix);
            ensure(endpoint.is_enabled() == open, Flaw::Endpoint)?;
        }
        Ok(())
    }

    /// Whether an endpoint hangs among those narrowed to a subject.
    fn hangs(&self, subject: Ix, endpoint: Ix) -> bool {
        let head = self.outbox.narrowed(subject).head();
        core::iter::successors(head, |ix| {
            List::<{ endpoint::WANTING }>::next(&self.endpoints, *ix)
        })
        .any(|ix| ix == endpoint)
    }
}
