//! What happens when the impossible does: one line that says where, and the end.

use core::panic::PanicInfo;

use cortex_m_rt::{ExceptionFrame, exception};

use crate::host;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    host::line(|out| {
        out.put(b"panic at ");
        // The message is left out: formatting it would cost more flash than it is worth here.
        if let Some(place) = info.location() {
            out.put(place.file().as_bytes());
            out.put_byte(b':');
            out.put_u64(place.line().into());
        }
    });
    host::exit(false)
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    host::line(|out| {
        out.put(b"hard fault at address ");
        out.put_u64(frame.pc().into());
    });
    host::exit(false)
}
