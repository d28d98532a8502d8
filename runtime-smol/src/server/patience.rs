//! What may take only so long.

use async_io::Timer;
use futures_lite::future::FutureExt;
use std::{io, time::Duration};

/// Waits for this, but not for longer.
pub(super) async fn within<T>(time: Duration, future: impl Future<Output = T>) -> io::Result<T> {
    let too_late = async {
        Timer::after(time).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    async { Ok(future.await) }.or(too_late).await
}
