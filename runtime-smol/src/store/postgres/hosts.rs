//! Of several hosts the one that takes writes.
//!
//! They are asked in their order, each a little after the one before it, or at once where that has refused. So a host whose
//! machine is gone, which answers nothing at all, costs that little and not the time that an answer may take; and the first one
//! of those that take writes is found as long as it is quick. Each is asked on a thread of its own, since looking a name up has no time limit.

use super::{
    fault::Fault,
    sql,
    url::{Address, Host},
    wire::Connection,
};
use crate::tls::Trust;
use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Which part of the time that a host has it is ahead of the next one.
const AHEAD: u32 = 8;
/// How many more connections are made through a pooler to find out how it pools.
const LOOKS: usize = 3;

/// Where sessions lead, and how they are made.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) address: Address,
    pub(super) schema: String,
    pub(super) trust: Trust,
    /// How long an answer may take.
    pub(super) time: Duration,
    /// How long a lock is waited for: whoever holds it longer is looked at.
    pub(super) lock_time: Duration,
}

impl Place {
    /// Connects to the first host that takes writes.
    pub(super) fn connect(&self) -> Result<Connection, Fault> {
        let (tell, told) = mpsc::channel();
        let mut hosts = self.address.hosts.iter();
        let (mut asked, mut faults) = (0_usize, Vec::new());
        loop {
            if let Some(host) = hosts.next() {
                let (place, host, tell) = (self.clone(), host.clone(), tell.clone());
                let thread = thread::Builder::new().name("dubhook-connect".to_owned());
                // Nobody need be there any more to take it.
                let asks = thread.spawn(move || drop(tell.send(writable(&place, &host))));
                asks.map_err(Fault::from)?;
                asked += 1;
            }
            let patience = match hosts.len() {
                0 => self.time,
                _ => self.time / AHEAD,
            };
            let until = Instant::now() + patience;
            while asked > 0 {
                match told.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(Ok(connection)) => return Ok(connection),
                    Ok(Err(fault)) => {
                        asked -= 1;
                        faults.push(fault);
                        if hosts.len() > 0 {
                            break;
                        }
                    }
                    Err(_) if hosts.len() > 0 => break,
                    // Its name is still being looked up, most likely.
                    Err(_) => {
                        faults.push(Fault::Silent);
                        asked = 0;
                    }
                }
            }
            if asked == 0 && hosts.len() == 0 {
                return Err(none_of(faults));
            }
        }
    }
}

/// Why no host is the one.
fn none_of(mut faults: Vec<Fault>) -> Fault {
    // Why one does not answer says more than that another is a standby.
    faults.retain(|fault| !matches!(fault, Fault::ReadOnly));
    match faults.len() {
        0 => Fault::ReadOnly,
        1 => faults.swap_remove(0),
        _ => Fault::Several(faults),
    }
}

/// A connection to this host, if it takes writes.
fn writable(place: &Place, host: &Host) -> Result<Connection, Fault> {
    let time = place.time;
    let mut connection = Connection::open(&place.address, host, &place.trust, time)?;
    let set = format!("{}; {}", sql::AS_WRITTEN, sql::WITHOUT_LIMITS);
    connection.simple(time, &set, &mut |_| Ok(()))?;
    let (mut read_only, mut process) = (true, None);
    connection.simple(time, sql::WHO_ANSWERS, &mut |row| {
        read_only = row.text(0) != Some("f");
        process = number(row.text(1));
        Ok(())
    })?;
    if read_only {
        return Err(Fault::ReadOnly);
    }
    if process != connection.process && is_given_away(place, host, process) {
        return Err(Fault::Pooled);
    }
    Ok(connection)
}

/// Whether a pooler, which stands before the database where somebody else than it answers, gives the same session to several
/// connections in turn: then what one of them has set, or prepared, is another one's.
fn is_given_away(place: &Place, host: &Host, process: Option<i32>) -> bool {
    let other = || {
        let mut other = Connection::open(&place.address, host, &place.trust, place.time)?;
        let mut found = None;
        other.simple(place.time, sql::WHO_ANSWERS, &mut |row| {
            found = number(row.text(1));
            Ok(())
        })?;
        Ok::<_, Fault>(found)
    };
    // One that has no session left gives none away.
    let mut others = (0..LOOKS).map_while(|_| other().ok());
    others.any(|other| other == process)
}

fn number(text: Option<&str>) -> Option<i32> {
    text?.parse().ok()
}
