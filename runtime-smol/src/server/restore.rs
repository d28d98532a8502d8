//! Putting back what the store holds, before the server answers.

use crate::{
    memory::Capacity,
    store::{Store, StoreError, is_unfinished},
};
use dubhook_core::{server::Server, service::RestoreError, time::Now};

/// Puts back what the store holds.
pub(super) fn restore(
    now: Now,
    server: &mut Server<'_>,
    store: &dyn Store,
    capacity: Capacity,
) -> Result<(), StoreError> {
    let started = std::time::Instant::now();
    let mut records = 0_u64;
    let mut unfinished = false;
    let restored = store.load(&mut |key, value| {
        records += 1;
        unfinished |= is_unfinished(key, value);
        server.restore(now, key, value)
    });
    if unfinished {
        return Err(StoreError::Unfinished);
    }
    let begin = |()| {
        let begun = server.start(now);
        begun.map_err(|error| StoreError::Restore { key: None, error })
    };
    match restored.and_then(begin) {
        Err(StoreError::Restore {
            error: RestoreError::Capacity,
            ..
        }) => Err(too_small(store, capacity)?),
        Err(error) => Err(error),
        Ok(()) => {
            let jobs = server.service().jobs_len();
            tracing::info!(records, jobs, took = ?started.elapsed(), "restored");
            Ok(())
        }
    }
}

/// How many jobs the capacity must be for.
fn too_small(store: &dyn Store, capacity: Capacity) -> Result<StoreError, StoreError> {
    // Where every slot is there, it is the room for text or for what may still happen that is short.
    let mut jobs_min = capacity.jobs + 1;
    store.load(&mut |key, _| {
        jobs_min = jobs_min.max(Capacity::jobs_for(key));
        Ok(())
    })?;
    Ok(StoreError::Capacity { jobs_min })
}
