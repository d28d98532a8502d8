//! What a dispatcher must know of that which is told, and what it asks whoever tells it.

use crate::{delivery::Message, id::Id, out::Out, record::Stored, slab::Ix, text::Pool};

/// An event: a [`Message`] that, with its filter, can be written down. Whatever is both is one.
pub trait Event: Message<Filter: Stored> + Stored {}

impl<E: Message<Filter: Stored> + Stored> Event for E {}

/// The subjects of which events are told (a job, a door), as whoever uses a dispatcher knows them. A subject is a slot, from
/// 1 on, and an [`Id`].
pub trait Subjects<E> {
    /// The id of the subject in a slot, from which those of its events are made; none where there is no subject.
    fn id(&self, subject: Ix) -> Option<Id>;

    /// Writes the body of an event: the same bytes each time for the same event. `text` is the dispatcher's pool, in which
    /// a subject may have strings.
    fn write_body(&self, subject: Ix, event: &E, text: &Pool<'_>, out: &mut Out<'_>);

    /// Writes the body of an event that was sent to one endpoint and is of no subject: a test.
    fn write_test(&self, _endpoint: Id, _event: &E, out: &mut Out<'_>) {
        out.put(b"{}");
    }

    /// The URL of a subject's own callback, in the pieces in which it lies, whether it still wants to be told or not; none
    /// where it has none. It was checked by [`Url::parse`](crate::url::Url::parse).
    fn callback_url<'t>(
        &'t self,
        _subject: Ix,
        _text: &'t Pool<'_>,
    ) -> Option<impl Iterator<Item = &'t [u8]>> {
        None::<core::iter::Empty<&'t [u8]>>
    }
}
