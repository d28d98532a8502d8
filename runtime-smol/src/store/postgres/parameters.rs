//! What a statement is given, in the database's binary form.

use bytes::{BufMut, BytesMut};
use std::fmt;

/// The types of what arrays hold, by their numbers.
const BYTEA: u32 = 17;
const INT8: u32 = 20;
const UUID: u32 = 2950;

/// Hands over what an array holds, one by one, so that it is written from where it lies.
pub(super) type Each<'p, T> = dyn Fn(&mut dyn FnMut(T)) + 'p;
pub(super) type EachValue<'p> = dyn Fn(&mut dyn FnMut(&[u8])) + 'p;

/// One parameter.
pub(super) enum Parameter<'p> {
    /// `int4`.
    Small(i32),
    /// `int8`.
    Number(i64),
    Text(&'p str),
    /// `bytea`.
    Bytes(&'p dyn Fn(&mut BytesMut)),
    /// `uuid`.
    Id(u128),
    /// `int8[]`, so many and these.
    Numbers(usize, &'p Each<'p, i64>),
    /// `bytea[]`.
    Values(usize, &'p EachValue<'p>),
    /// `uuid[]`.
    Ids(usize, &'p Each<'p, u128>),
}

impl fmt::Debug for Parameter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a parameter")
    }
}

impl Parameter<'_> {
    /// Writes it, without its length.
    pub(super) fn write(&self, buffer: &mut BytesMut) {
        match self {
            Self::Small(number) => buffer.put_i32(*number),
            Self::Number(number) => buffer.put_i64(*number),
            Self::Text(text) => buffer.put_slice(text.as_bytes()),
            Self::Bytes(write) => write(buffer),
            Self::Id(id) => buffer.put_u128(*id),
            Self::Numbers(len, all) => {
                start(buffer, INT8, *len);
                all(&mut |number| element(buffer, &number.to_be_bytes()));
            }
            Self::Values(len, all) => {
                start(buffer, BYTEA, *len);
                all(&mut |value| element(buffer, value));
            }
            Self::Ids(len, all) => {
                start(buffer, UUID, *len);
                all(&mut |id| element(buffer, &id.to_be_bytes()));
            }
        }
    }
}

/// An array's dimensions, that it has no nulls, its type, its length and where it counts from.
fn start(buffer: &mut BytesMut, of: u32, len: usize) {
    buffer.put_i32(i32::from(len > 0));
    buffer.put_i32(0);
    buffer.put_u32(of);
    if len > 0 {
        buffer.put_i32(len as i32);
        buffer.put_i32(1);
    }
}

fn element(buffer: &mut BytesMut, bytes: &[u8]) {
    buffer.put_i32(bytes.len() as i32);
    buffer.put_slice(bytes);
}
