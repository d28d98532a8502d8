//! The text format of Prometheus.

use crate::out::Out;

/// The text as it is written, a family of metrics at a time. Nothing that is said here needs an escape.
pub(super) struct Text<'o, 'm> {
    out: &'o mut Out<'m>,
}

/// What is written of one family.
pub(super) struct Family<'o, 'm> {
    out: &'o mut Out<'m>,
    name: &'static str,
}

impl<'o, 'm> Text<'o, 'm> {
    pub(super) const fn new(out: &'o mut Out<'m>) -> Self {
        Self { out }
    }

    pub(super) fn counter(&mut self, name: &'static str, help: &str) -> Family<'_, 'm> {
        self.family(name, "counter", help)
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_, 'm> {
        self.family(name, "gauge", help)
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_, 'm> {
        for (comment, text) in [("# HELP ", help), ("# TYPE ", kind)] {
            self.out.put(comment.as_bytes());
            write_name(name, self.out);
            self.out.put_byte(b' ');
            self.out.put(text.as_bytes());
            self.out.put_byte(b'\n');
        }
        Family {
            out: self.out,
            name,
        }
    }
}

impl Family<'_, '_> {
    pub(super) fn value(self, value: u64) {
        write_name(self.name, self.out);
        self.out.put_byte(b' ');
        self.out.put_u64(value);
        self.out.put_byte(b'\n');
    }

    /// A time, in seconds.
    pub(super) fn seconds(self, ms: u64) {
        write_name(self.name, self.out);
        self.out.put_byte(b' ');
        self.out.put_u64(ms / 1_000);
        self.out.put_byte(b'.');
        // Divisors that are known while it is built: others could be zero, as far as the compiler sees.
        for digit in [ms / 100 % 10, ms / 10 % 10, ms % 10] {
            self.out.put_byte(b'0' | digit as u8);
        }
        self.out.put_byte(b'\n');
    }

    /// One value for each value of `label`.
    pub(super) fn each(self, label: &str, values: &[(&str, u64)]) {
        for (of, value) in values {
            write_name(self.name, self.out);
            for piece in ["{", label, "=\"", of, "\"} "] {
                self.out.put(piece.as_bytes());
            }
            self.out.put_u64(*value);
            self.out.put_byte(b'\n');
        }
    }
}

fn write_name(name: &str, out: &mut Out<'_>) {
    out.put(b"dubhook_");
    out.put(name.as_bytes());
}
