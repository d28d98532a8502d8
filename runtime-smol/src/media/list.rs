//! A page of a list of uploads, wherever they are kept.

use super::contract::Kept;
use dubhook_core::id::Id;

/// Up to `limit` of the uploads with these ids, newest first, of those that come after `after`; and the last one that was looked
/// at, where older ones may follow. `find` looks at one, which may not be wanted or be gone: at `looked_at_max` of them at most.
pub(super) fn page(
    mut ids: Vec<Id>,
    after: Option<Id>,
    limit: usize,
    looked_at_max: usize,
    mut find: impl FnMut(Id) -> Option<Kept>,
) -> (Vec<Kept>, Option<Id>) {
    ids.retain(|id| after.is_none_or(|after| *id < after));
    // An id begins with the time at which it was made.
    ids.sort_unstable_by(|one, other| other.cmp(one));
    let mut kept = Vec::new();
    for (count, id) in ids.iter().enumerate() {
        kept.extend(find(*id));
        if kept.len() >= limit || count + 1 >= looked_at_max {
            let is_last = count + 1 == ids.len();
            return (kept, (!is_last).then_some(*id));
        }
    }
    (kept, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Put, contract::NewUpload};
    use dubhook_core::{id::Ix, random::Random, time::Timestamp};

    fn kept(id: Id) -> Kept {
        let upload = NewUpload {
            id,
            bytes: 1,
            filename: None,
            content_type: None,
            sha256: None,
            created_at: Timestamp::from_unix_ms(1),
        };
        Kept {
            upload,
            received: 0,
            is_checked: false,
            put: Put::Here,
        }
    }

    #[test]
    fn a_page_that_looked_in_vain_says_where_the_next_one_begins() {
        let mut random = Random::new([1; 32]);
        let mut id = |ms| Id::new(Timestamp::from_unix_ms(ms), Ix::MIN, &mut random);
        let ids: Vec<_> = [3, 1, 2, 5, 4].map(&mut id).to_vec();
        let sorted = [ids[3], ids[4], ids[0], ids[2], ids[1]];
        let all = page(ids.clone(), None, 9, 9, |id| Some(kept(id)));
        let found: Vec<_> = all.0.iter().map(|kept| kept.upload.id).collect();
        assert_eq!((found.as_slice(), all.1), (&sorted[..], None));
        // Only the oldest one is wanted.
        let find = |id: Id| (id == sorted[4]).then(|| kept(id));
        assert_eq!(
            page(ids.clone(), None, 9, 2, find),
            (vec![], Some(sorted[1]))
        );
        let after = Some(sorted[1]);
        assert_eq!(
            page(ids.clone(), after, 9, 2, find),
            (vec![], Some(sorted[3]))
        );
        let after = Some(sorted[3]);
        assert_eq!(page(ids, after, 9, 2, find), (vec![kept(sorted[4])], None));
    }
}
