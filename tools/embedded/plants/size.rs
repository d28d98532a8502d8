//! Brings a table of constants, which is more than a program may grow by.

static TABLE: [u32; 1_024] = {
    let mut table = [0; 1_024];
    let mut at = 0;
    while at < table.len() {
        table[at] = (at as u32).wrapping_mul(0x9e37_79b9);
        at += 1;
    }
    table
};

pub(crate) fn plant(bytes: &[u8]) {
    core::hint::black_box(TABLE.get(bytes.len()));
}
