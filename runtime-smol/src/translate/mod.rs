//! Who does the translating.

mod input;
mod program;
mod programs;
mod said;
mod simulated;
mod workers;

pub use input::{name_input, name_url, output_file, subtitles_beside, upload_of};
pub use program::{Command, End, Task};
pub(crate) use programs::Programs;
pub(crate) use simulated::Simulated;
pub use workers::Translator;
pub(crate) use workers::{Workers, report_or_log};
