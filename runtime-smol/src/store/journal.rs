//! Cutting a torn batch off the end of the store's journal.
//!
//! When the power fails while a batch is being written, any of its sectors may be missing. The store drops such a batch
//! by itself where its entries can no longer be read, but where the gap lies inside a value it finds that the checksum is
//! wrong and refuses to open, as it must for damage anywhere else. Here the two are told apart: a batch with a wrong
//! checksum that is the very last thing in the journal is cut off. Had it been acknowledged, the number of the last batch
//! shows that it is gone, and the data is refused after all.
//!
//! The journal's form (version 3) is a row of batches, numbers little-endian, and zeros behind them:
//!
//! | entry | bytes |
//! | --- | --- |
//! | start | 1, number of items (4), sequence number (8) |
//! | item | 2, type (1), compression (1), keyspace (8), lengths of key (2), value (4) and stored value (4), key, value |
//! | clear | 4, keyspace (8) |
//! | end | 3, checksum (8): XXH3 of all items; `FJL`, 3 |

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};
use xxhash_rust::xxh3::xxh3_64;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const END_MAGIC: &[u8] = b"FJL\x03";

/// Cuts the last batch off the journal in this directory if its checksum is wrong. Whether it did.
pub(super) fn cut_torn(store: &Path) -> io::Result<bool> {
    let Some(path) = newest(store)? else {
        return Ok(false);
    };
    let bytes = fs::read(&path)?;
    let Some(start) = torn(&bytes) else {
        return Ok(false);
    };
    let file = File::options().write(true).open(&path)?;
    file.set_len(start as u64)?;
    file.sync_all()?;
    tracing::warn!(bytes = start, "cut a torn batch off the journal");
    Ok(true)
}

/// The journal that is being written: the one with the highest number.
fn newest(store: &Path) -> io::Result<Option<PathBuf>> {
    let mut newest = None;
    for entry in fs::read_dir(store)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_suffix(".jnl")?.parse::<u64>().ok());
        newest = newest.max(number.map(|number| (number, path)));
    }
    Ok(newest.map(|(_, path)| path))
}

/// Where the last batch starts, if its checksum is wrong and every one before it is right.
fn torn(journal: &[u8]) -> Option<usize> {
    let mut rest = journal;
    loop {
        let start = journal.len() - rest.len();
        let right = batch(&mut rest)?;
        if !right {
            return rest.iter().all(|byte| *byte == 0).then_some(start);
        }
    }
}

/// Reads a batch: whether its checksum is right. `None` where there is none, or it has no end.
fn batch(rest: &mut &[u8]) -> Option<bool> {
    if take(rest, 1)? != [START] {
        return None;
    }
    take(rest, 12)?;
    let items = *rest;
    loop {
        let len = items.len() - rest.len();
        match *take(rest, 1)? {
            [ITEM] => {
                take(rest, 10)?;
                let key = u16::from_le_bytes(*take(rest, 2)?.first_chunk()?);
                take(rest, 4)?;
                let value = u32::from_le_bytes(*take(rest, 4)?.first_chunk()?);
                take(rest, key.into())?;
                take(rest, usize::try_from(value).ok()?)?;
            }
            [CLEAR] => _ = take(rest, 8)?,
            [END] => {
                let checksum = u64::from_le_bytes(*take(rest, 8)?.first_chunk()?);
                let ended = take(rest, END_MAGIC.len())? == END_MAGIC;
                return ended.then(|| checksum == xxh3_64(&items[..len]));
            }
            _ => return None,
        }
    }
}

fn take<'b>(rest: &mut &'b [u8], len: usize) -> Option<&'b [u8]> {
    let (taken, left) = rest.split_at_checked(len)?;
    *rest = left;
    Some(taken)
}
