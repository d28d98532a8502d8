//! What a start makes of a journal that a loss of power tore, or that was damaged later.

use crate::{folder, open};
use dubhook_core::{
    random::Random,
    record::{Key, Table},
};
use dubhook_smol::store::{Batch, Disk, Store, StoreError};
use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

type State = BTreeMap<Key, Vec<u8>>;

/// Copies a directory as it is at this moment, as a crash would leave it. Of the journal, which has megabytes of zeros
/// at its end, only what is read in these tests.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::write(to, read_start(&entry.path())).unwrap();
        }
    }
}

fn read_start(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).unwrap();
    file.take(64 * 1024).read_to_end(&mut bytes).unwrap();
    bytes
}

/// Where the zeros at the end begin.
fn end(bytes: &[u8]) -> usize {
    bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count()
}

fn journal(data: &Path) -> PathBuf {
    let entries = fs::read_dir(data.join("store")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut journals = paths.filter(|path| path.extension().is_some_and(|name| name == "jnl"));
    journals.next().expect("a journal")
}

/// What comes back from a directory.
fn load(data: &Path) -> Result<State, StoreError> {
    let mut state = State::new();
    Disk::open(data)?.load(&mut |key, value| {
        state.insert(key, value.to_vec());
        Ok(())
    })?;
    Ok(state)
}

/// Three batches on a disk: the directory as it was after the second and the third, and what they hold.
struct Journaled {
    folder: TempDir,
    states: [State; 2],
    /// Where each of the three ends in the journal.
    ends: [usize; 3],
}

impl Journaled {
    /// Batches of so many records of so many bytes.
    fn new(records: u32, len: usize) -> Self {
        let folder = folder();
        let data = folder.path().join("data");
        let disk = open(&data);
        let mut state = State::new();
        let mut states = [State::new(), State::new()];
        let mut ends = [0; 3];
        for number in 0..3u8 {
            let mut batch = Batch::default();
            for slot in 1..=records {
                let key = Key {
                    table: Table::Event,
                    slot: slot + u32::from(number) / 2,
                };
                batch.add(key, Some(&vec![number + 1; len]));
                state.insert(key, vec![number + 1; len]);
            }
            disk.write(&batch).unwrap();
            ends[usize::from(number)] = end(&read_start(&journal(&data)));
            if number > 0 {
                copy(&data, &folder.path().join(number.to_string()));
                states[usize::from(number) - 1].clone_from(&state);
            }
        }
        Self {
            folder,
            states,
            ends,
        }
    }

    /// What comes back after the third batch with a journal that was changed. `acknowledged` says whether the third
    /// batch was known to be durable.
    fn with_journal(
        &self,
        acknowledged: bool,
        change: impl FnOnce(&mut [u8]),
    ) -> Result<State, StoreError> {
        let path = |name: &str| self.folder.path().join(name);
        let data = path("changed");
        copy(&path("2"), &data);
        if !acknowledged {
            fs::copy(path("1").join("last-batch"), data.join("last-batch")).unwrap();
        }
        let mut bytes = read_start(&journal(&data));
        change(&mut bytes);
        fs::write(journal(&data), bytes).unwrap();
        let loaded = load(&data);
        fs::remove_dir_all(&data).unwrap();
        loaded
    }
}

#[test]
fn a_batch_that_is_torn_at_any_byte_is_wholly_there_or_not_at_all() {
    let journaled = Journaled::new(1, 3);
    let [_, second, third] = journaled.ends;
    assert!(third - second > 40, "{:?}", journaled.ends);
    for cut in second..=third {
        // The power failed before anybody was told of the third batch.
        let state = journaled.with_journal(false, |bytes| bytes[cut..].fill(0));
        let state = state.unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        let whole = usize::from(cut == third);
        assert_eq!(state, journaled.states[whole], "cut at {cut} of {third}");
    }
}

#[test]
fn a_batch_of_which_any_sectors_are_missing_is_wholly_there_or_not_at_all() {
    let journaled = Journaled::new(8, 1_500);
    let [_, second, third] = journaled.ends;
    let mut random = Random::new([5; 32]);
    for sector in [512, 4_096] {
        for round in 0..60 {
            let mut missing = 0;
            let state = journaled.with_journal(false, |bytes| {
                for start in (second / sector * sector..third).step_by(sector) {
                    if random.below(if round % 2 == 0 { 2 } else { 8 }) == 0 {
                        bytes[start.max(second)..(start + sector).min(third)].fill(0);
                        missing += 1;
                    }
                }
            });
            let state = state.unwrap_or_else(|error| panic!("{missing} missing: {error}"));
            let whole = usize::from(missing == 0);
            assert_eq!(state, journaled.states[whole], "{missing} missing");
        }
    }
}

#[test]
fn a_journal_with_any_bit_flipped_is_refused() {
    let journaled = Journaled::new(1, 3);
    let [.., end] = journaled.ends;
    for at in 0..end {
        let bit = 1 << (at % 8);
        match journaled.with_journal(true, |bytes| bytes[at] ^= bit) {
            Err(_) => {}
            Ok(state) => assert_eq!(state, journaled.states[1], "bit {bit} of byte {at}"),
        }
    }
}

#[test]
fn a_journal_that_lost_batches_is_refused() {
    let journaled = Journaled::new(1, 3);
    let [first, ..] = journaled.ends;
    let lost = journaled.with_journal(true, |bytes| bytes[first..].fill(0));
    let lost = lost.unwrap_err().to_string();
    assert!(
        lost.starts_with("of 3 batches of records that were written the last 2 are gone"),
        "{lost}"
    );
}
