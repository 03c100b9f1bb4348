//! What outlives a reset: why there was one.
//!
//! It lies in memory that nothing initialises. A board writes it when it gives up, and reads it when it starts.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use crate::board::Board;
use crate::console::Lines;

const MAGIC: u32 = 0x0b00_7ec0;
const TEXT_BYTES: usize = 160;

/// The last words of the boot before this one. A board keeps it in memory that is not initialised.
#[derive(Debug)]
#[repr(C)]
pub struct BootRecord {
    magic: AtomicU32,
    /// So that noise at power-up is not taken for words: the sum of what follows.
    sum: AtomicU32,
    len: AtomicU32,
    text: [AtomicU8; TEXT_BYTES],
}

impl BootRecord {
    /// Nothing was said.
    #[must_use]
    pub const fn new() -> Self {
        BootRecord {
            magic: AtomicU32::new(0),
            sum: AtomicU32::new(0),
            len: AtomicU32::new(0),
            text: [const { AtomicU8::new(0) }; TEXT_BYTES],
        }
    }

    /// Note why the board is about to be reset. Only the first note of a boot counts: what follows from it is not the cause.
    pub fn note(&self, why: fmt::Arguments<'_>) {
        if self.magic.load(Ordering::Relaxed) == MAGIC {
            return;
        }
        self.len.store(0, Ordering::Relaxed);
        // What does not fit is cut off.
        let _ = Writer(self).write_fmt(why);
        self.sum.store(self.checksum(), Ordering::Relaxed);
        self.magic.store(MAGIC, Ordering::Relaxed);
    }

    /// Note why, tell it, and reset the board.
    pub fn give_up(&self, board: &'static dyn Board, why: fmt::Arguments<'_>) -> ! {
        self.note(why);
        // The console takes everything.
        let _ = writeln!(Lines(board), "\n{why}\nreset");
        board.reset()
    }

    /// What the boot before this one has noted; the next call finds nothing.
    pub fn take(&self) -> Option<heapless::String<TEXT_BYTES>> {
        let is_noted = self.magic.swap(0, Ordering::Relaxed) == MAGIC;
        if !is_noted || self.sum.load(Ordering::Relaxed) != self.checksum() {
            return None;
        }
        let bytes: heapless::Vec<u8, TEXT_BYTES> = self.noted().collect();
        heapless::String::from_utf8(bytes).ok()
    }

    fn noted(&self) -> impl Iterator<Item = u8> {
        let len = self.len.load(Ordering::Relaxed) as usize;
        self.text.iter().take(len).map(|byte| byte.load(Ordering::Relaxed))
    }

    fn checksum(&self) -> u32 {
        let seed = self.len.load(Ordering::Relaxed) ^ 0x811c_9dc5;
        self.noted()
            .fold(seed, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }
}

impl Default for BootRecord {
    fn default() -> Self {
        Self::new()
    }
}

struct Writer<'r>(&'r BootRecord);

impl Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Whole characters only, so that what is cut off stays text.
        for character in text.chars() {
            let mut bytes = [0; 4];
            let start = self.0.len.load(Ordering::Relaxed) as usize;
            let encoded = character.encode_utf8(&mut bytes).as_bytes();
            let room = self.0.text.get(start..start + encoded.len()).ok_or(fmt::Error)?;
            for (place, byte) in room.iter().zip(encoded) {
                place.store(*byte, Ordering::Relaxed);
            }
            let end = u32::try_from(start + encoded.len()).unwrap_or(0);
            self.0.len.store(end, Ordering::Relaxed);
        }
        Ok(())
    }
}
