//! Which uploads a directory has.

use super::Folder;
use crate::media::{
    contract::Kept,
    names::{self, NOTE},
    note::Note,
    room::refusal,
};
use dubhook_core::{
    id::{Id, Prefix},
    server::MediaRefusal,
};
use std::{fs, io};

/// How many notes are read for one page: a page that ends there has a successor all the same.
const LOOKED_AT_MAX: usize = 1_000;

impl Folder {
    /// As [`Media::list`](crate::media::Media::list).
    pub(super) fn page(
        &self,
        after: Option<Id>,
        limit: usize,
        sha256: Option<&str>,
    ) -> Result<(Vec<Kept>, Option<Id>), MediaRefusal> {
        let mut ids = self.ids().map_err(|error| refusal(&error))?;
        ids.retain(|id| after.is_none_or(|after| *id < after));
        // An id begins with the time at which it was made.
        ids.sort_unstable_by(|one, other| other.cmp(one));
        let mut kept = Vec::new();
        for (count, id) in ids.iter().enumerate() {
            // One that goes meanwhile, or whose note nobody can read, is none.
            let Ok(note) = Note::read(&self.upload(*id, NOTE)) else {
                continue;
            };
            let has = |told: &String| sha256.is_some_and(|asked| told.eq_ignore_ascii_case(asked));
            if sha256.is_none() || note.sha256.as_ref().is_some_and(has) {
                kept.extend(self.find_noted(*id, note).ok());
            }
            if kept.len() >= limit || count + 1 >= LOOKED_AT_MAX {
                let is_last = count + 1 == ids.len();
                return Ok((kept, (!is_last).then_some(*id)));
            }
        }
        Ok((kept, None))
    }

    fn ids(&self) -> io::Result<Vec<Id>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.uploads)? {
            ids.extend(names::id(&entry?.path(), Prefix::Media, NOTE));
        }
        Ok(ids)
    }
}
