//! The program `dubhook`.
fn main() {}
