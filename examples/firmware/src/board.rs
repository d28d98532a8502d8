//! The processor's clock, the time since start, the lamp, and sleep.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::{NVIC, SYST, syst::SystClkSource};
use cortex_m_rt::exception;
use dubhook_core::{
    random::Random,
    time::{Instant, Now, Timestamp},
};

use crate::{
    host::{self, Settings},
    mmio::Register,
    stellaris::Ethernet,
};

/// The processor's clock after [`Board::take`]: the 200 MHz of the PLL's output, divided by 4.
const CLOCK_HZ: u32 = 50_000_000;

// SAFETY: system control and GPIO registers of the LM3S6965; none of them starts DMA.
const RAW_INTERRUPTS: Register = unsafe { Register::at(0x400F_E050) };
// SAFETY: as above.
const RUN_CLOCK: Register = unsafe { Register::at(0x400F_E060) };
// SAFETY: as above.
const CLOCK_GATES: Register = unsafe { Register::at(0x400F_E108) };
/// The port's data register, of whose address bits 2 to 9 select the pins that a write reaches: here pin 0.
// SAFETY: as above.
const PORT_F_PIN_0: Register = unsafe { Register::at(0x4002_5000 + (1 << 2)) };
// SAFETY: as above.
const PORT_F_DIRECTION: Register = unsafe { Register::at(0x4002_5400) };
// SAFETY: as above.
const PORT_F_DIGITAL: Register = unsafe { Register::at(0x4002_551C) };

/// Milliseconds since start: a counter of 64 bits in two halves, since the processor has no wider atomics.
static MS_LOW: AtomicU32 = AtomicU32::new(0);
static MS_HIGH: AtomicU32 = AtomicU32::new(0);

/// The board, set up and running. There is one.
#[derive(Debug)]
pub struct Board {
    started: Timestamp,
}

impl Board {
    /// Starts the clock, the millisecond tick, the lamp's pin and the Ethernet controller.
    ///
    /// Returns `None` when called a second time.
    #[must_use]
    pub fn take() -> Option<(Self, Ethernet)> {
        let mut core = cortex_m::Peripherals::take()?;
        core.SYST.set_clock_source(SystClkSource::Core);
        core.SYST.set_reload(CLOCK_HZ / 1_000 - 1);
        start_clock();
        start_tick(&mut core.SYST);
        open_gates();
        start_lamp();
        let board = Self {
            started: host::calendar_time(),
        };
        let ethernet = Ethernet::start()?;
        enable_ethernet_interrupt();
        Some((board, ethernet))
    }

    /// The present moment: milliseconds since start, and calendar time.
    ///
    /// The board has no clock that keeps running without power, so the calendar is the host's at start.
    #[must_use]
    pub fn now(&self) -> Now {
        let ms = uptime_ms();
        Now {
            instant: Instant::from_ms(ms),
            timestamp: self.started.after_ms(ms),
        }
    }

    /// Turns the lamp (the board's status LED, port F pin 0) on or off.
    pub fn set_lamp(&mut self, on: bool) {
        PORT_F_PIN_0.write(u32::from(on));
    }

    /// Whether the lamp is on, as the pin says.
    #[must_use]
    pub fn lamp(&self) -> bool {
        PORT_F_PIN_0.read() & 1 != 0
    }

    /// Sleeps until a frame is there or the next millisecond begins, whichever is first.
    pub fn sleep(&self) {
        // With interrupts held back none can slip in between the look and the sleep; one that is pending
        // ends the sleep all the same, and is served right after.
        cortex_m::interrupt::free(|_| {
            if !Ethernet::has_frame() {
                cortex_m::asm::wfi();
            }
        });
    }
}

/// The most bytes of stack in use at once since start, found by the paint that is left.
#[must_use]
pub fn stack_bytes_max() -> usize {
    let (end, start) = stack_bounds();
    let mut word = end;
    // SAFETY: the range is the stack's memory from `memory.x`, painted before `main`. It is only read,
    // and volatile reads do not mind that the live part changes meanwhile.
    while word < start && unsafe { word.read_volatile() } == cortex_m_rt::STACK_PAINT_VALUE {
        word = word.wrapping_add(1);
    }
    start.addr() - word.addr()
}

/// Says how deep the stack has been, whenever it was deeper than before.
#[derive(Debug)]
pub struct StackWatch {
    /// The program's name.
    who: &'static str,
    bytes_max: usize,
}

impl StackWatch {
    /// For the program of that name.
    #[must_use]
    pub const fn new(who: &'static str) -> Self {
        Self { who, bytes_max: 0 }
    }

    /// Looks, and says a line if there is news.
    pub fn look(&mut self) {
        let bytes = stack_bytes_max();
        if bytes > self.bytes_max {
            self.bytes_max = bytes;
            host::line(|out| {
                out.put(self.who.as_bytes());
                out.put(b": stack bytes ");
                out.put_u64(bytes as u64);
            });
        }
    }
}

/// This start's source of chance; with the setting `loss=PERCENT` the cable loses so many frames by chance, too.
#[must_use]
pub fn chance(settings: &Settings, ethernet: &mut Ethernet) -> Random {
    let mut random = Random::new(settings.seed());
    if let Some(percent) = settings.get("loss").and_then(|text| text.parse().ok()) {
        ethernet.lose(percent, Random::new(random.bytes()));
    }
    random
}

/// The lowest address of the stack, and the one past its highest.
fn stack_bounds() -> (*const u32, *const u32) {
    unsafe extern "C" {
        static _stack_end: u32;
        static _stack_start: u32;
    }
    (&raw const _stack_end, &raw const _stack_start)
}

/// Runs the processor from the PLL, fed by the board's 8 MHz crystal.
fn start_clock() {
    const BYPASS_PLL: u32 = 1 << 11;
    const PLL_OFF: u32 = 1 << 13;
    const USE_DIVISOR: u32 = 1 << 22;
    const DIVISOR: u32 = 0xF << 23;
    const CRYSTAL: u32 = 0xF << 6;
    const SOURCE: u32 = 0x3 << 4;
    const MAIN_OSCILLATOR_OFF: u32 = 1;
    const CRYSTAL_8_MHZ: u32 = 0xE << 6;
    const DIVIDE_BY_4: u32 = 3 << 23;
    const PLL_LOCKED: u32 = 1 << 6;

    // The order of the data sheet's "initialization and configuration": run without the PLL, start it,
    // choose the divisor, wait for the lock, and only then run from it.
    let mut clock = (RUN_CLOCK.read() | BYPASS_PLL) & !USE_DIVISOR;
    RUN_CLOCK.write(clock);
    clock &= !(CRYSTAL | SOURCE | PLL_OFF | MAIN_OSCILLATOR_OFF);
    clock |= CRYSTAL_8_MHZ;
    RUN_CLOCK.write(clock);
    clock = (clock & !DIVISOR) | DIVIDE_BY_4 | USE_DIVISOR;
    RUN_CLOCK.write(clock);
    while RAW_INTERRUPTS.read() & PLL_LOCKED == 0 {}
    RUN_CLOCK.write(clock & !BYPASS_PLL);
}

fn start_tick(tick: &mut SYST) {
    tick.clear_current();
    tick.enable_counter();
    tick.enable_interrupt();
}

/// Lets the clock through to the blocks in use.
fn open_gates() {
    const ETHERNET_PHY: u32 = 1 << 30;
    const ETHERNET_MAC: u32 = 1 << 28;
    const PORT_F: u32 = 1 << 5;
    CLOCK_GATES.set(ETHERNET_PHY | ETHERNET_MAC | PORT_F);
    // A gated block needs a few cycles before its registers answer; reading back takes them.
    let _ = CLOCK_GATES.read();
}

fn start_lamp() {
    PORT_F_DIRECTION.set(1);
    PORT_F_DIGITAL.set(1);
}

fn uptime_ms() -> u64 {
    loop {
        let high = MS_HIGH.load(Ordering::Relaxed);
        let low = MS_LOW.load(Ordering::Relaxed);
        // The tick may have carried over in between: then both halves are read again.
        if MS_HIGH.load(Ordering::Relaxed) == high {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

#[exception]
fn SysTick() {
    // Nothing else writes the counter, so load and store need not be one step.
    let low = MS_LOW.load(Ordering::Relaxed).wrapping_add(1);
    if low == 0 {
        MS_HIGH.store(
            MS_HIGH.load(Ordering::Relaxed).wrapping_add(1),
            Ordering::Relaxed,
        );
    }
    MS_LOW.store(low, Ordering::Relaxed);
}

/// Lets the controller's interrupt end a sleep.
fn enable_ethernet_interrupt() {
    // SAFETY: its handler, below, only touches the controller's interrupt register.
    unsafe { NVIC::unmask(EthernetInterrupt) }
}

#[derive(Clone, Copy)]
struct EthernetInterrupt;

/// The controller's line to the interrupt controller.
const ETHERNET_LINE: u16 = 42;

// SAFETY: the number is a constant, and that of the data sheet's vector table.
unsafe impl cortex_m::interrupt::InterruptNumber for EthernetInterrupt {
    fn number(self) -> u16 {
        ETHERNET_LINE
    }
}

/// Serves the only interrupt that is enabled: the frame stays in the controller until the loop asks for it.
#[exception]
unsafe fn DefaultHandler(_line: i16) {
    Ethernet::acknowledge();
}
