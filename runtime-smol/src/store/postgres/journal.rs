//! What a batch has changed, as one row of the journal; and what many of them come to.
//!
//! Of each record its table, its slot, a length and so many bytes; a record that was deleted has a length that none can have.
//! Numbers are big-endian.

use crate::store::{Batch, StoreError};
use bytes::{BufMut, BytesMut};
use dubhook_core::record::Key;
use std::collections::{BTreeMap, btree_map};

/// What a record has before its value, in bytes.
const HEAD_BYTES: usize = 9;
/// The length of what was deleted.
const DELETED: u32 = u32::MAX;

/// How long a batch is as a row.
pub(super) fn encoded_len(batch: &Batch) -> usize {
    let lens = batch
        .records()
        .map(|(_, value)| HEAD_BYTES + value.map_or(0, <[u8]>::len));
    lens.sum()
}

/// Writes a batch as a row.
pub(super) fn encode(batch: &Batch, out: &mut BytesMut) {
    for (key, value) in batch.records() {
        out.put_slice(&key.to_bytes());
        match value {
            Some(value) => {
                out.put_u32(value.len() as u32);
                out.put_slice(value);
            }
            None => out.put_u32(DELETED),
        }
    }
}

/// What several batches in a row come to: the last value of each record, or that it is gone.
#[derive(Debug, Default)]
pub(super) struct Changes {
    records: BTreeMap<i64, Option<Box<[u8]>>>,
    /// The first batch and the last one.
    batches: Option<(i64, i64)>,
    bytes: usize,
}

impl Changes {
    /// Adds the next batch.
    pub(super) fn add(&mut self, batch: i64, mut row: &[u8]) -> Result<(), StoreError> {
        self.batches = match self.batches {
            None => Some((batch, batch)),
            Some((first, last)) if batch == last + 1 => Some((first, batch)),
            Some((_, last)) => return Err(damaged(last + 1, "is missing")),
        };
        self.bytes += row_bytes(row.len());
        while !row.is_empty() {
            let (key, value) = next(&mut row).ok_or_else(|| damaged(batch, "cannot be read"))?;
            self.records.insert(key, value.map(Box::from));
        }
        Ok(())
    }

    /// The first batch and the last one; nothing where there is none.
    pub(super) const fn batches(&self) -> Option<(i64, i64)> {
        self.batches
    }

    /// How much room the batches take.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The records in the order of their keys.
    pub(super) fn records(&self) -> impl Iterator<Item = (i64, Option<&[u8]>)> {
        self.records
            .iter()
            .map(|(key, value)| (*key, value.as_deref()))
    }

    /// The same, to be taken one by one.
    pub(super) fn into_records(self) -> btree_map::IntoIter<i64, Option<Box<[u8]>>> {
        self.records.into_iter()
    }
}

/// How much room a row takes, with what a database adds.
pub(super) const fn row_bytes(records: usize) -> usize {
    64 + records
}

fn next<'r>(row: &mut &'r [u8]) -> Option<(i64, Option<&'r [u8]>)> {
    let (head, rest) = row.split_first_chunk::<HEAD_BYTES>()?;
    let [table, a, b, c, d, len @ ..] = *head;
    let key = i64::from_be_bytes([0, 0, 0, table, a, b, c, d]);
    let value = match u32::from_be_bytes(len) {
        DELETED => {
            *row = rest;
            None
        }
        len => {
            let (value, rest) = rest.split_at_checked(len as usize)?;
            *row = rest;
            Some(value)
        }
    };
    Some((key, value))
}

fn damaged(batch: i64, how: &str) -> StoreError {
    StoreError::Failed(format!("the data is damaged: batch {batch} of the journal {how}").into())
}

/// The key of a record.
pub(super) fn key(number: i64) -> Option<Key> {
    let number = u64::try_from(number).ok()?;
    match number.to_be_bytes() {
        [0, 0, 0, table, a, b, c, d] => Key::from_bytes([table, a, b, c, d]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dubhook_core::record::Table;

    const fn job(slot: u32) -> Key {
        Key {
            table: Table::Job,
            slot,
        }
    }

    fn row(records: &[(Key, Option<&[u8]>)]) -> Vec<u8> {
        let mut batch = Batch::default();
        for (key, value) in records {
            batch.add(*key, *value);
        }
        let mut row = BytesMut::new();
        encode(&batch, &mut row);
        assert_eq!(row.len(), encoded_len(&batch));
        row.to_vec()
    }

    #[test]
    fn the_last_value_of_each_record_is_what_batches_come_to() {
        let mut changes = Changes::default();
        let first = row(&[
            (job(7), Some(b"old")),
            (job(2), Some(b"kept")),
            (job(u32::MAX), Some(b"")),
        ]);
        changes.add(41, &first).unwrap();
        changes.add(42, &row(&[])).unwrap();
        changes
            .add(43, &row(&[(job(7), None), (job(8), None)]))
            .unwrap();
        let found: Vec<_> = changes
            .records()
            .map(|(number, value)| (key(number).unwrap(), value))
            .collect();
        let expected: [(Key, Option<&[u8]>); 4] = [
            (job(2), Some(b"kept")),
            (job(7), None),
            (job(8), None),
            (job(u32::MAX), Some(b"")),
        ];
        assert_eq!(found, expected);
        assert_eq!(changes.batches(), Some((41, 43)));
    }

    #[test]
    fn what_is_missing_or_cut_is_noticed() {
        let whole = row(&[(job(1), Some(b"one")), (job(2), None)]);
        let borders = [0, HEAD_BYTES + 3, whole.len()];
        for len in 0..=whole.len() {
            let added = Changes::default().add(1, &whole[..len]);
            assert_eq!(added.is_ok(), borders.contains(&len), "{len} bytes");
        }
        let mut changes = Changes::default();
        changes.add(1, &whole).unwrap();
        let error = changes.add(3, &whole).unwrap_err().to_string();
        assert!(
            error.contains("batch 2 of the journal is missing"),
            "{error}"
        );
    }
}
