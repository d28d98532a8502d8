//! Reads behind the end of an empty slice.

pub(crate) fn plant(bytes: &[u8]) {
    core::hint::black_box(bytes[bytes.len() / 2]);
}
