//! Locks that a panic does not break.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whoever holds a lock here only moves values, so a panic leaves nothing half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
