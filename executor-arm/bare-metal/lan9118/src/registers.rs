//! The chip's registers: those on the bus [5.3], and those of its MAC [5.4] and its transceiver [5.5] behind them.

use core::ptr;

use crate::{ATTEMPTS, StartError};

/// Offsets on the bus.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Register {
    RxData = 0x00,
    TxData = 0x20,
    RxStatusFifo = 0x40,
    TxStatusFifo = 0x48,
    IrqCfg = 0x54,
    IntSts = 0x58,
    IntEn = 0x5c,
    ByteTest = 0x64,
    FifoInt = 0x68,
    TxCfg = 0x70,
    HwCfg = 0x74,
    RxFifoInf = 0x7c,
    TxFifoInf = 0x80,
    MacCommand = 0xa4,
    MacData = 0xa8,
    AfcCfg = 0xac,
}

/// Indexes behind `MacCommand`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mac {
    Control = 1,
    AddressHigh = 2,
    AddressLow = 3,
    MiiAccess = 6,
    MiiData = 7,
}

const BUSY: u32 = 1 << 31;
const READ: u32 = 1 << 30;

#[derive(Debug)]
pub(crate) struct Registers(usize);

impl Registers {
    /// # Safety
    /// The registers of a LAN9118 lie there, mapped as device memory, and nobody else uses them.
    pub(crate) unsafe fn new(base: usize) -> Self {
        Registers(base)
    }

    fn place(&self, register: Register) -> *mut u32 {
        ptr::with_exposed_provenance_mut(self.0 + register as usize)
    }

    pub(crate) fn read(&self, register: Register) -> u32 {
        // SAFETY: the promise of `new`.
        unsafe { self.place(register).read_volatile() }
    }

    pub(crate) fn write(&self, register: Register, value: u32) {
        // SAFETY: the promise of `new`.
        unsafe { self.place(register).write_volatile(value) }
    }

    /// Read until it is as wanted.
    pub(crate) fn wait(&self, register: Register, is_wanted: impl Fn(u32) -> bool) -> Result<(), StartError> {
        (0..ATTEMPTS)
            .any(|_| is_wanted(self.read(register)))
            .then_some(())
            .ok_or(StartError::Stuck)
    }

    /// [5.3.20]: a command, and the wait for its end.
    fn command_mac(&self, command: u32) -> Result<(), StartError> {
        self.write(Register::MacCommand, BUSY | command);
        self.wait(Register::MacCommand, |value| value & BUSY == 0)
    }

    pub(crate) fn read_mac(&self, register: Mac) -> Result<u32, StartError> {
        self.command_mac(READ | register as u32)?;
        Ok(self.read(Register::MacData))
    }

    pub(crate) fn write_mac(&self, register: Mac, value: u32) -> Result<(), StartError> {
        self.write(Register::MacData, value);
        self.command_mac(register as u32)
    }

    /// [5.4.7]: write a register of the transceiver, whose address is 1.
    fn write_transceiver(&self, register: u32, value: u32) -> Result<(), StartError> {
        self.write_mac(Mac::MiiData, value)?;
        self.write_mac(Mac::MiiAccess, (1 << 11) | (register << 6) | (1 << 1) | 1)?;
        for _ in 0..ATTEMPTS {
            if self.read_mac(Mac::MiiAccess)? & 1 == 0 {
                return Ok(());
            }
        }
        Err(StartError::Stuck)
    }

    /// [5.5.1]: reset, then negotiate the speed. The link comes up by itself, later.
    pub(crate) fn start_transceiver(&self) -> Result<(), StartError> {
        self.write_transceiver(0, 1 << 15)?;
        // [5.5.5]: all speeds, full and half duplex.
        self.write_transceiver(4, 0x01e1)?;
        self.write_transceiver(0, (1 << 12) | (1 << 9))
    }

    /// [5.4.2]: the address that the chip has taken from its memory, or else this one, which it is given.
    pub(crate) fn take_mac(&self, mac: [u8; 6]) -> Result<[u8; 6], StartError> {
        let low = self.read_mac(Mac::AddressLow)?.to_le_bytes();
        let high = self.read_mac(Mac::AddressHigh)?.to_le_bytes();
        let own = [low[0], low[1], low[2], low[3], high[0], high[1]];
        if own[0] & 1 == 0 && own != [0; 6] {
            return Ok(own);
        }
        let [a, b, c, d, e, f] = mac;
        self.write_mac(Mac::AddressLow, u32::from_le_bytes([a, b, c, d]))?;
        self.write_mac(Mac::AddressHigh, u32::from_le_bytes([e, f, 0, 0]))?;
        Ok(mac)
    }
}
