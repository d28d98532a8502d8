//! The records of a server in a NOR flash, a whole batch or nothing of it.
//!
//! A map holds the newest value of each record. It can write one record so that a power cut leaves the old
//! value or the new one, but a batch has several, and half of a batch is a lie. So a batch first goes into
//! a journal, with a mark at its end:
//!
//! ```text
//! records ──► journal … mark ──► committed: answers and webhooks may leave
//!                      └──► map, one record after the other, each then taken out of the journal
//! ```
//!
//! At a start, a journal with its mark is carried over to the map from where that stopped (a record that
//! is written twice is none the worse), and one without is dropped: nobody was told of it.
//!
//! Map and journal are `sequential-storage`'s, which spreads the wear. Its functions are futures; here they
//! never wait, for the processor does not go on before the chip has answered.

use core::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use dubhook_core::{
    record::Key,
    server::{Config, Input, Output, Ready, Server},
    service::RestoreError,
    time::Now,
};
use heapless::Vec;
use sequential_storage::{
    cache::{
        Cache, Uncached, key_pointers::ArrayKeyPointers, page_pointers::ArrayPagePointers,
        page_states::ArrayPageStates,
    },
    map::{MapConfig, MapStorage},
    queue::{QueueConfig, QueueStorage},
};

use crate::flash::{FLASH_BYTES, Flash, FlashError, SECTOR_BYTES};

/// Bytes of the longest record.
const RECORD_BYTES_MAX: usize = Config::DEVICE.record_bytes_max();
/// A key as it lies in flash.
const KEY_BYTES: usize = 5;
/// A record in the journal: its key, and its value; none deletes the record.
const ITEM_BYTES_MAX: usize = KEY_BYTES + RECORD_BYTES_MAX;
/// Room for an item in whole words.
const BUFFER_BYTES: usize = ITEM_BYTES_MAX.next_multiple_of(4);
/// What stands at the end of a whole batch: shorter than any key.
const MARK: &[u8] = &[0];

const MAP_SECTORS: usize = 16;
const JOURNAL_SECTORS: usize = 8;
const MAP_END: u32 = MAP_SECTORS as u32 * SECTOR_BYTES;
const JOURNAL_END: u32 = MAP_END + JOURNAL_SECTORS as u32 * SECTOR_BYTES;
const _: () = assert!(JOURNAL_END <= FLASH_BYTES);

type Pages<const SECTORS: usize> = ArrayPageStates<SECTORS>;
type MapCache<const KEYS: usize> = Cache<
    Pages<MAP_SECTORS>,
    ArrayPagePointers<MAP_SECTORS>,
    ArrayKeyPointers<[u8; KEY_BYTES], KEYS>,
    [u8; KEY_BYTES],
>;
type JournalCache = Cache<Pages<JOURNAL_SECTORS>, ArrayPagePointers<JOURNAL_SECTORS>, Uncached>;

/// Why the store cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreError {
    /// The chip refuses.
    Flash(FlashError),
    /// What is in the chip is no store, or there is no room in it.
    Storage,
    /// A record is longer than there is room for, or there are more than there can be.
    TooLarge,
    /// The records are there, but the service cannot take them back.
    Restore(RestoreError),
}

impl StoreError {
    /// The error as a short sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flash(_) => "the flash does not do what it should",
            Self::Storage => "the flash is full, or holds something else",
            Self::TooLarge => "there are more or longer records than expected",
            Self::Restore(error) => error.as_str(),
        }
    }
}

impl From<sequential_storage::Error<FlashError>> for StoreError {
    fn from(error: sequential_storage::Error<FlashError>) -> Self {
        match error {
            sequential_storage::Error::Storage { value, .. } => Self::Flash(value),
            _ => Self::Storage,
        }
    }
}

/// Up to `KEYS` records.
#[expect(
    missing_debug_implementations,
    reason = "the storage in it cannot be shown"
)]
pub struct Store<const KEYS: usize> {
    map: MapStorage<[u8; KEY_BYTES], Flash, MapCache<KEYS>>,
    journal: QueueStorage<Flash, JournalCache>,
    item: [u8; BUFFER_BYTES],
    /// For the map to work in.
    memory: [u8; BUFFER_BYTES],
}

impl<const KEYS: usize> Store<KEYS> {
    /// The store in `flash`, which is to be [restored](Self::restore) from first.
    #[must_use]
    pub fn new(flash: Flash) -> Self {
        let states = ArrayPageStates::new();
        let cache = Cache::new(states, ArrayPagePointers::new(), ArrayKeyPointers::new());
        let map = MapStorage::new(flash, const { MapConfig::new(0..MAP_END) }, cache);
        let states = ArrayPageStates::new();
        let cache = Cache::new(states, ArrayPagePointers::new(), Uncached);
        let config = const { QueueConfig::new(MAP_END..JOURNAL_END) };
        Self {
            map,
            journal: QueueStorage::new(flash, config, cache),
            item: [0; BUFFER_BYTES],
            memory: [0; BUFFER_BYTES],
        }
    }

    /// Carries over or drops what a reset interrupted, puts all records back into a new service and starts
    /// it. Returns how many there were.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn restore(&mut self, now: Now, server: &mut Server<'_>) -> Result<usize, StoreError> {
        if self.is_marked()? {
            self.carry_over()?;
        } else {
            while now_or_never(self.journal.pop(&mut self.item))?.is_some() {}
        }
        let keys = self.keys()?;
        let mut count = 0;
        for bytes in &keys {
            let value: Option<&[u8]> = now_or_never(self.map.fetch_item(&mut self.memory, bytes))?;
            let key = Key::from_bytes(*bytes).ok_or(StoreError::Storage)?;
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                let restored = server.restore(now, key, value);
                restored.map_err(StoreError::Restore)?;
                count += 1;
            }
        }
        server.start(now).map_err(StoreError::Restore)?;
        Ok(count)
    }

    /// Makes everything durable that has changed, and tells the server so.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: then nothing of it may leave, and the server must be started anew.
    pub fn commit(&mut self, now: Now, server: &mut Server<'_>) -> Result<(), StoreError> {
        loop {
            let (key, value) = self
                .item
                .split_first_chunk_mut()
                .ok_or(StoreError::TooLarge)?;
            let value = value.get_mut(..RECORD_BYTES_MAX).unwrap_or_default();
            let output = server.poll(now, Ready::RECORDS, value);
            match output.map_err(|_| StoreError::TooLarge)? {
                Output::Save { key: record, value } => {
                    let len = KEY_BYTES + value.map_or(0, |value| value.len());
                    *key = record.to_bytes();
                    let item = self.item.get(..len).unwrap_or_default();
                    now_or_never(self.journal.push(item, false))?;
                }
                Output::Commit(batch) => {
                    now_or_never(self.journal.push(MARK, false))?;
                    // It is the server's own.
                    let _ = server.handle(now, Input::Durable(batch));
                    return self.carry_over();
                }
                _ => return Ok(()),
            }
        }
    }

    /// Whether the journal holds a whole batch.
    fn is_marked(&mut self) -> Result<bool, StoreError> {
        let mut items = now_or_never(self.journal.iter())?;
        let mut marked = false;
        while let Some(entry) = now_or_never(items.next(&mut self.item))? {
            marked = entry.len() == MARK.len();
        }
        Ok(marked)
    }

    /// Moves a whole batch from the journal into the map.
    fn carry_over(&mut self) -> Result<(), StoreError> {
        while let Some(bytes) = now_or_never(self.journal.peek(&mut self.item))? {
            if let Some((key, value)) = bytes.split_first_chunk::<KEY_BYTES>() {
                // No value stands for no record: there are few keys, so none need ever go.
                let value: &[u8] = value;
                now_or_never(self.map.store_item(&mut self.memory, key, &value))?;
            }
            now_or_never(self.journal.pop(&mut self.item))?;
        }
        Ok(())
    }

    /// The keys in the map, in the order in which they are to be restored.
    fn keys(&mut self) -> Result<Vec<[u8; KEY_BYTES], KEYS>, StoreError> {
        let mut keys = Vec::new();
        let mut items = now_or_never(self.map.fetch_all_items(&mut self.memory))?;
        while let Some((key, _)) = now_or_never(items.next::<&[u8]>(&mut self.memory))? {
            // Older values come before the newer ones.
            if !keys.contains(&key) {
                keys.push(key).map_err(|_| StoreError::TooLarge)?;
            }
        }
        keys.sort_unstable();
        Ok(keys)
    }
}

/// The result of a future that does not wait.
fn now_or_never<T, E>(future: impl Future<Output = Result<T, E>>) -> Result<T, StoreError>
where
    StoreError: From<E>,
{
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(result) => Ok(result?),
        Poll::Pending => Err(StoreError::Storage),
    }
}
