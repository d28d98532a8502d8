//! A service as text: what two services that must be the same are compared by.

use dubhook_core::{
    id::{Id, Ix},
    out::Out,
    service::Service,
};

/// The places of all jobs, newest first.
pub fn jobs<'s>(service: &'s Service<'_>) -> impl Iterator<Item = Ix> + 's {
    std::iter::successors(service.newest_job(), |ix| service.older_job(*ix))
}

/// The places of all endpoints, newest first.
pub fn endpoints<'s>(service: &'s Service<'_>) -> impl Iterator<Item = Ix> + 's {
    std::iter::successors(service.newest_endpoint(), |ix| service.older_endpoint(*ix))
}

/// All jobs and endpoints, newest first.
#[must_use]
pub fn listed(service: &Service<'_>) -> Vec<Id> {
    let jobs = jobs(service).filter_map(|ix| Some(service.job(ix)?.id()));
    let hooks = endpoints(service).filter_map(|ix| Some(service.endpoint(ix)?.id));
    jobs.chain(hooks).collect()
}

/// Everything that a caller can read, in the order in which it is listed, and how much is owed.
///
/// # Panics
///
/// If the service writes what is no text.
#[must_use]
pub fn dump(service: &Service<'_>) -> Vec<String> {
    let jobs = jobs(service).map(|ix| written(|out| service.write_job(ix, out)));
    let hooks = endpoints(service);
    let hooks = hooks.map(|ix| written(|out| service.write_endpoint(None, ix, None, true, out)));
    let owed = service.owed();
    let owed = format!(
        "{} live, {} dead, {} events",
        owed.streams, owed.dead_letters, owed.events
    );
    jobs.chain(hooks).chain([owed]).collect()
}

fn written(write: impl FnOnce(&mut Out<'_>)) -> String {
    let mut memory = [0; 4_096];
    let mut out = Out::new(&mut memory);
    write(&mut out);
    String::from_utf8(out.written().to_vec()).expect("text")
}
