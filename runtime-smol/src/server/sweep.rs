//! Media that nobody wants any more: uploads that no job names, and outputs of jobs that are forgotten.

use super::engine::Engine;
use crate::media::Media;
use async_io::Timer;
use dubhook_core::{
    id::{Id, Prefix},
    job::Status,
    out::Out,
    server::MediaRefusal,
    service::Service,
};
use smol::unblock;
use std::{collections::HashSet, sync::Arc, time::Duration};

/// How often they are looked for, and how long after the start first.
const EVERY: Duration = Duration::from_secs(3_600);
const FIRST: Duration = Duration::from_secs(60);

/// Removes them, for ever.
pub(super) async fn sweep(engine: &Engine<'_>) {
    let Some(media) = &engine.media else {
        return;
    };
    Timer::after(FIRST).await;
    loop {
        if let Err(why) = once(engine, media).await {
            tracing::warn!(?why, "old media stay");
        }
        Timer::after(EVERY).await;
    }
}

async fn once(engine: &Engine<'_>, media: &Arc<dyn Media>) -> Result<(), MediaRefusal> {
    let now = engine.clock.now().timestamp;
    let listed = Arc::clone(media);
    let (uploads, outputs) = unblock(move || listed.kept(now)).await?;
    // A look at all jobs, which is worth its time only where something is to go.
    let named = match uploads.is_empty() {
        true => HashSet::new(),
        false => named(engine.server.borrow().service()),
    };
    for upload in uploads.into_iter().filter(|upload| !named.contains(upload)) {
        let media = Arc::clone(media);
        match unblock(move || media.remove(upload)).await {
            // Somebody is filling it even now.
            Err(MediaRefusal::Busy) => {}
            removed => removed?,
        }
    }
    for job in outputs {
        let is_here = engine.server.borrow().service().find_job(job).is_some();
        if !is_here && !engine.storage.may_have(job).await {
            let media = Arc::clone(media);
            unblock(move || media.remove_output(job)).await?;
        }
    }
    Ok(())
}

/// The uploads that jobs name which have not ended.
fn named(service: &Service<'_>) -> HashSet<Id> {
    let mut named = HashSet::new();
    let mut at = service.newest_job();
    while let Some(ix) = at {
        at = service.older_job(ix);
        let has_ended =
            |status| matches!(status, Status::Completed | Status::Error | Status::Canceled);
        if service.job(ix).is_some_and(|job| !has_ended(job.status())) {
            let mut memory = [0; 64];
            let mut out = Out::new(&mut memory);
            service.write_video_url(ix, &mut out);
            named.extend(upload_of(out.written()));
        }
    }
    named
}

/// The upload that a video's URL names.
pub(super) fn upload_of(url: &[u8]) -> Option<Id> {
    let name = std::str::from_utf8(url).ok()?.strip_prefix("dubhook:")?;
    Id::parse(Prefix::Media, name)
}
