//! A disk in memory that fails on command.
//!
//! It is a log: a batch is one frame, written and then synced. A loss of power takes what was not synced, or leaves a part
//! of it; a frame that is not whole is no frame.

use dubhook_core::record::Key;
use dubhook_tests::machine::Records;

/// What becomes of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is no room: nothing of it is written, and it is said to have failed.
    Full,
    /// It is written, and the power fails before it is synced.
    Unsynced,
    /// So many thousandths of it are there when the power fails.
    Torn(usize),
    /// The sync is said to have failed, and all of it is there.
    Kept,
}

/// The records of a batch, with their new values.
pub(crate) type Changes = Vec<(Key, Option<Vec<u8>>)>;

/// The server must end: the store failed, or the power.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Crash;

#[derive(Debug, Default)]
pub(crate) struct Disk {
    log: Vec<u8>,
    synced: usize,
    /// What is durable.
    pub(crate) records: Records,
    /// How many writes there were.
    pub(crate) writes: usize,
    /// Which writes go wrong, and how.
    pub(crate) faults: Vec<(usize, Fault)>,
}

impl Disk {
    /// Writes a batch and syncs it.
    pub(crate) fn write(&mut self, changes: &Changes) -> Result<(), Crash> {
        self.writes += 1;
        let frame = frame(changes);
        let fault = self.faults.iter().find(|(write, _)| *write == self.writes);
        let kept = match fault.map(|(_, fault)| *fault) {
            Some(Fault::Full) => 0,
            Some(Fault::Torn(thousandths)) => {
                (frame.len() * thousandths / 1_000).min(frame.len() - 1)
            }
            None | Some(Fault::Unsynced | Fault::Kept) => frame.len(),
        };
        self.log.extend_from_slice(&frame[..kept]);
        match fault.map(|(_, fault)| *fault) {
            None => {
                self.synced = self.log.len();
                apply(&mut self.records, changes.clone());
                return Ok(());
            }
            Some(Fault::Full) => {}
            Some(Fault::Unsynced) => self.log.truncate(self.synced),
            Some(Fault::Torn(_) | Fault::Kept) => self.synced = self.log.len(),
        }
        Err(Crash)
    }

    /// What a start finds, after the loss of power or of the process.
    pub(crate) fn recover(&mut self) -> Records {
        self.log.truncate(self.synced);
        let mut records = Records::new();
        let mut rest = &self.log[..];
        while let Some(changes) = read_frame(&mut rest) {
            apply(&mut records, changes);
        }
        self.synced -= rest.len();
        self.log.truncate(self.synced);
        self.records.clone_from(&records);
        records
    }
}

fn apply(records: &mut Records, changes: Changes) {
    for (key, value) in changes {
        match value {
            Some(value) => records.insert(key, value),
            None => records.remove(&key),
        };
    }
}

/// Length, sum, and the changes: each its key, its length plus one, and its value.
fn frame(changes: &Changes) -> Vec<u8> {
    let mut body = Vec::new();
    for (key, value) in changes {
        body.extend_from_slice(&key.to_bytes());
        let len = value.as_ref().map_or(0, |value| value.len() as u32 + 1);
        body.extend_from_slice(&len.to_le_bytes());
        body.extend_from_slice(value.as_deref().unwrap_or_default());
    }
    let mut frame = (body.len() as u32).to_le_bytes().to_vec();
    frame.extend_from_slice(&sum(&body).to_le_bytes());
    frame.append(&mut body);
    frame
}

fn read_frame(rest: &mut &[u8]) -> Option<Changes> {
    let (len, tail) = rest.split_first_chunk()?;
    let (expected, tail) = tail.split_first_chunk()?;
    let (mut body, tail) = tail.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    if sum(body) != u64::from_le_bytes(*expected) {
        return None;
    }
    *rest = tail;
    let mut changes = Changes::new();
    while let Some((key, tail)) = body.split_first_chunk() {
        let (len, tail) = tail.split_first_chunk().expect("a length");
        let len = u32::from_le_bytes(*len) as usize;
        let (value, tail) = tail.split_at(len.saturating_sub(1));
        let key = Key::from_bytes(*key).expect("a key");
        changes.push((key, (len > 0).then(|| value.to_vec())));
        body = tail;
    }
    Some(changes)
}

/// FNV-1a.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
