//! Two types call each other for each byte, each through a trait object.

use core::hint::black_box;

trait Step {
    fn step(&self, other: &dyn Step, bytes: &[u8]);
}

struct Left(u8);
struct Right(u8);

impl Step for Left {
    fn step(&self, other: &dyn Step, bytes: &[u8]) {
        if let [first, rest @ ..] = bytes {
            other.step(self, rest);
            black_box(first.wrapping_add(self.0));
        }
    }
}

impl Step for Right {
    fn step(&self, other: &dyn Step, bytes: &[u8]) {
        if let [first, rest @ ..] = bytes {
            other.step(self, rest);
            black_box(first.wrapping_mul(self.0));
        }
    }
}

pub(crate) fn plant(bytes: &[u8]) {
    let (left, right) = (Left(black_box(1)), Right(black_box(2)));
    let steps: [&dyn Step; 2] = black_box([&left, &right]);
    steps[0].step(steps[1], bytes);
}
