//! A driver for SMSC's LAN9118 (and LAN9115 to 9118, LAN9215 to 9221) Ethernet controllers, as a [`smoltcp`] device.
//!
//! Programmed I/O only: every frame is copied word by word between the chip's FIFOs and a buffer of the driver. So it needs no
//! memory that a DMA engine could reach, and no care for caches.
//!
//! Source: SMSC, *LAN9118 High-Performance Single-Chip 10/100 Non-PCI Ethernet Controller*, revision 1.5; the numbers in
//! brackets are its sections.
#![no_std]
#![allow(unsafe_code)] // registers
#![warn(missing_docs)]

mod registers;

use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

use registers::{Mac, Register, Registers};

/// An Ethernet frame without its check sequence.
const FRAME_MAX_BYTES: usize = 1514;
/// Of a received frame, the chip also gives the check sequence.
const CHECK_BYTES: usize = 4;
const BUFFER_WORDS: usize = (FRAME_MAX_BYTES + CHECK_BYTES).div_ceil(4);

/// How often a register is read until it says what it must. The slowest is the reset of the transceiver: 100 µs of time.
const ATTEMPTS: u32 = 1_000_000;

/// A LAN9118.
#[derive(Debug)]
pub struct Lan9118 {
    registers: Registers,
    received: [u32; BUFFER_WORDS],
    to_send: [u32; BUFFER_WORDS],
}

/// Why the chip does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// There is no such chip, or its bus is not set up.
    NoChip,
    /// It does not end its reset.
    Stuck,
}

impl core::fmt::Display for StartError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            StartError::NoChip => "there is no LAN9118 at its address",
            StartError::Stuck => "the LAN9118 does not come out of its reset",
        })
    }
}

impl core::error::Error for StartError {}

impl Lan9118 {
    /// Reset the chip at this address and start it, with interrupts for received frames. `mac` is used if its memory holds no
    /// address.
    ///
    /// # Safety
    /// The registers of a LAN9118 lie there, mapped as device memory, and nobody else uses them.
    ///
    /// # Errors
    /// [`StartError`]
    pub unsafe fn start(base: usize, mac: [u8; 6]) -> Result<(Self, [u8; 6]), StartError> {
        // SAFETY: the caller's promise.
        let registers = unsafe { Registers::new(base) };
        // [5.3.10]: a test pattern; the first read may wake the chip.
        let is_there = (0..16).any(|_| registers.read(Register::ByteTest) == 0x8765_4321);
        if !is_there {
            return Err(StartError::NoChip);
        }
        // [5.3.9]: software reset.
        registers.write(Register::HwCfg, 1);
        registers.wait(Register::HwCfg, |value| value & 1 == 0)?;
        // [5.3.23], the values of its table for 100 Mbit/s and 10 Mbit/s.
        registers.write(Register::AfcCfg, 0x006e_3740);
        // [5.3.9]: store and forward; 5 KiB for sending, the rest for receiving.
        registers.write(Register::HwCfg, (1 << 20) | (5 << 16));
        registers.start_transceiver()?;
        let mac = registers.take_mac(mac)?;
        // [5.3.4]: an interrupt for each received frame (status FIFO above 0), through a push-pull, active-high pin.
        registers.write(Register::FifoInt, 0);
        registers.write(Register::IntSts, u32::MAX);
        registers.write(Register::IntEn, 1 << 3);
        registers.write(Register::IrqCfg, (1 << 8) | (1 << 4) | 1);
        // [5.4.1]: full duplex, send, receive.
        registers.write_mac(Mac::Control, (1 << 20) | (1 << 3) | (1 << 2))?;
        // [5.3.8]: send.
        registers.write(Register::TxCfg, 1 << 1);
        let chip = Lan9118 {
            registers,
            received: [0; BUFFER_WORDS],
            to_send: [0; BUFFER_WORDS],
        };
        Ok((chip, mac))
    }

    /// Take the next good frame into the buffer, and throw bad ones away. Its length.
    fn take_frame(&mut self) -> Option<usize> {
        loop {
            // [5.3.15]: how many frames wait.
            let waiting = (self.registers.read(Register::RxFifoInf) >> 16) & 0xff;
            if waiting == 0 {
                // [5.3.2]: the interrupt was seen. A frame that comes after the first look raises it again, or is seen here.
                self.registers.write(Register::IntSts, 1 << 3);
                if (self.registers.read(Register::RxFifoInf) >> 16) & 0xff == 0 {
                    return None;
                }
                continue;
            }
            // [3.13.3]: the status of the first.
            let status = self.registers.read(Register::RxStatusFifo);
            let len = ((status >> 16) & 0x3fff) as usize;
            let is_good = status & (1 << 15) == 0 && (14 + CHECK_BYTES..=BUFFER_WORDS * 4).contains(&len);
            for index in 0..len.div_ceil(4) {
                let word = self.registers.read(Register::RxData);
                if let Some(place) = self.received.get_mut(index) {
                    *place = word.to_le();
                }
            }
            if is_good {
                return Some(len - CHECK_BYTES);
            }
        }
    }

    /// Whether a frame of the longest kind can be sent now.
    fn has_room(&mut self) -> bool {
        // [5.3.16]: the status of each sent frame has to be taken, or no more are sent.
        let mut info = self.registers.read(Register::TxFifoInf);
        while (info >> 16) & 0xff > 0 {
            let _ = self.registers.read(Register::TxStatusFifo);
            info = self.registers.read(Register::TxFifoInf);
        }
        // Two commands and the frame.
        (info & 0xffff) as usize >= FRAME_MAX_BYTES + 12
    }
}

/// A received frame.
#[derive(Debug)]
pub struct RxToken<'a>(&'a [u8]);

/// Leave to send a frame.
#[derive(Debug)]
pub struct TxToken<'a> {
    registers: &'a Registers,
    buffer: &'a mut [u32; BUFFER_WORDS],
}

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        take(self.0)
    }
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, fill: F) -> R {
        let len = len.min(FRAME_MAX_BYTES);
        let result = fill(bytes_mut(self.buffer, len));
        let bytes = u32::try_from(len).unwrap_or(0);
        // [3.12.2]: command A: first and last segment of a frame, its length; command B: its length again.
        self.registers.write(Register::TxData, (1 << 13) | (1 << 12) | bytes);
        self.registers.write(Register::TxData, bytes);
        for word in self.buffer.iter().take(len.div_ceil(4)) {
            self.registers.write(Register::TxData, u32::from_le(*word));
        }
        result
    }
}

impl Device for Lan9118 {
    type RxToken<'a> = RxToken<'a>;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _: Instant) -> Option<(RxToken<'_>, TxToken<'_>)> {
        // What is received may be answered at once.
        if !self.has_room() {
            return None;
        }
        let len = self.take_frame()?;
        Some((
            RxToken(bytes(&self.received, len)),
            TxToken {
                registers: &self.registers,
                buffer: &mut self.to_send,
            },
        ))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken<'_>> {
        self.has_room().then_some(TxToken {
            registers: &self.registers,
            buffer: &mut self.to_send,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_MAX_BYTES;
        // What the chip's memory for received frames holds of the longest kind.
        capabilities.max_burst_size = Some(6);
        capabilities
    }
}

fn bytes(words: &[u32; BUFFER_WORDS], len: usize) -> &[u8] {
    let len = len.min(BUFFER_WORDS * 4);
    // SAFETY: so many bytes lie there; each is a valid `u8`.
    unsafe { core::slice::from_raw_parts(words.as_ptr().cast(), len) }
}

fn bytes_mut(words: &mut [u32; BUFFER_WORDS], len: usize) -> &mut [u8] {
    let len = len.min(BUFFER_WORDS * 4);
    // SAFETY: so many bytes lie there, each is a valid `u8`, and any four make a `u32`.
    unsafe { core::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), len) }
}
