//! The virtio network device, as a [`smoltcp`] device.
//!
//! Frames lie in buffers of this module, which the device reads and writes: smoltcp copies between them and its sockets'
//! buffers, and nothing else does.

use core::ops::Range;

use heapless::Vec;
use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use virtio_drivers::Error;
use virtio_drivers::device::net::VirtIONetRaw;

use crate::virtio::{Memory, Mmio};

/// Frames in each direction.
const FRAMES: usize = 32;
/// An Ethernet frame without its check sequence.
const FRAME_MAX_BYTES: usize = 1514;
/// A frame behind virtio's header, and what makes a buffer begin with a line of the cache.
const BUFFER_BYTES: usize = 1600;

#[repr(C, align(64))]
struct Buffers([[u8; BUFFER_BYTES]; FRAMES]);

static mut RECEIVED: Buffers = Buffers([[0; BUFFER_BYTES]; FRAMES]);
static mut TO_SEND: Buffers = Buffers([[0; BUFFER_BYTES]; FRAMES]);

type Driver = VirtIONetRaw<Memory, Mmio, FRAMES>;

/// A virtio network device.
pub(crate) struct Ethernet {
    receiver: Receiver,
    sender: Sender,
}

/// The driver serves both; a received frame may be answered while it is still looked at.
struct Receiver {
    buffers: &'static mut [[u8; BUFFER_BYTES]; FRAMES],
    /// Which buffer the driver's token stands for.
    buffer_of: [usize; FRAMES],
    /// The buffer of the frame that was looked at last: it goes back to the device at the next look.
    looked_at: Option<usize>,
}

struct Sender {
    driver: Driver,
    buffers: &'static mut [[u8; BUFFER_BYTES]; FRAMES],
    /// Which buffer the driver's token stands for, and how much of it the device reads.
    buffer_of: [(usize, usize); FRAMES],
    free: Vec<usize, FRAMES>,
}

impl Ethernet {
    /// Start the device behind a transport. Call it once.
    pub(crate) fn start(transport: Mmio) -> Result<Self, Error> {
        let driver = Driver::new(transport)?;
        let (received, to_send) = (&raw mut RECEIVED, &raw mut TO_SEND);
        // SAFETY: named here only, once.
        let received = unsafe { &mut *received };
        // SAFETY: as above.
        let to_send = unsafe { &mut *to_send };
        let mut ethernet = Ethernet {
            receiver: Receiver {
                buffers: &mut received.0,
                buffer_of: [0; FRAMES],
                looked_at: None,
            },
            sender: Sender {
                driver,
                buffers: &mut to_send.0,
                buffer_of: [(0, 0); FRAMES],
                free: (0..FRAMES).collect(),
            },
        };
        for index in 0..FRAMES {
            ethernet.receiver.lend(&mut ethernet.sender.driver, index)?;
        }
        Ok(ethernet)
    }

    pub(crate) fn mac(&self) -> [u8; 6] {
        self.sender.driver.mac_address()
    }
}

impl Receiver {
    /// Let the device write a frame into a buffer.
    fn lend(&mut self, driver: &mut Driver, index: usize) -> Result<(), Error> {
        let buffer = self.buffers.get_mut(index).ok_or(Error::InvalidParam)?;
        // SAFETY: it is not looked at until `take` has it back.
        let token = unsafe { driver.receive_begin(buffer)? };
        let place = self.buffer_of.get_mut(usize::from(token)).ok_or(Error::InvalidParam)?;
        *place = index;
        Ok(())
    }

    /// The next frame that has come: its buffer, and where it lies in it.
    fn take(&mut self, driver: &mut Driver) -> Option<(usize, Range<usize>)> {
        loop {
            if let Some(index) = self.looked_at.take() {
                // There is room: it came from there.
                let _ = self.lend(driver, index);
            }
            let token = driver.poll_receive()?;
            let index = *self.buffer_of.get(usize::from(token))?;
            let buffer = self.buffers.get_mut(index)?;
            // SAFETY: the buffer that this token was got for.
            let received = unsafe { driver.receive_complete(token, buffer) };
            self.looked_at = Some(index);
            match received {
                Ok((start, len)) if start + len <= BUFFER_BYTES => return Some((index, start..start + len)),
                // Thrown away.
                _ => {}
            }
        }
    }
}

impl Sender {
    /// Take back what was sent. Whether another frame can be.
    fn has_room(&mut self) -> bool {
        while let Some(token) = self.driver.poll_transmit() {
            let Some(&(index, len)) = self.buffer_of.get(usize::from(token)) else {
                break;
            };
            let Some(sent) = self.buffers.get(index).and_then(|buffer| buffer.get(..len)) else {
                break;
            };
            // SAFETY: the bytes that this token was got for.
            if unsafe { self.driver.transmit_complete(token, sent) }.is_err() {
                break;
            }
            // There is room for all.
            let _ = self.free.push(index);
        }
        !self.free.is_empty()
    }

    fn send<R>(&mut self, len: usize, fill: impl FnOnce(&mut [u8]) -> R) -> R {
        let len = len.min(FRAME_MAX_BYTES);
        // Where a frame cannot be sent, it is filled all the same, and lost as any may be.
        let mut nowhere = [0; FRAME_MAX_BYTES];
        let Some(index) = self.free.pop() else {
            return fill(nowhere.get_mut(..len).unwrap_or_default());
        };
        let Some(buffer) = self.buffers.get_mut(index) else {
            return fill(nowhere.get_mut(..len).unwrap_or_default());
        };
        let start = self.driver.fill_buffer_header(buffer).unwrap_or(0);
        let result = fill(buffer.get_mut(start..start + len).unwrap_or_default());
        let bytes = buffer.get(..start + len).unwrap_or_default();
        // SAFETY: the buffer is not touched until `has_room` has it back.
        match unsafe { self.driver.transmit_begin(bytes) } {
            Ok(token) => {
                if let Some(place) = self.buffer_of.get_mut(usize::from(token)) {
                    *place = (index, start + len);
                }
            }
            Err(_) => {
                let _ = self.free.push(index);
            }
        }
        result
    }
}

/// A received frame.
pub(crate) struct RxToken<'a>(&'a [u8]);

/// Leave to send a frame.
pub(crate) struct TxToken<'a>(&'a mut Sender);

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        take(self.0)
    }
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, fill: F) -> R {
        self.0.send(len, fill)
    }
}

impl Device for Ethernet {
    type RxToken<'a> = RxToken<'a>;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _: Instant) -> Option<(RxToken<'_>, TxToken<'_>)> {
        // What is received may be answered at once.
        if !self.sender.has_room() {
            return None;
        }
        let (index, frame) = self.receiver.take(&mut self.sender.driver)?;
        let frame = self.receiver.buffers.get(index)?.get(frame)?;
        Some((RxToken(frame), TxToken(&mut self.sender)))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken<'_>> {
        self.sender.has_room().then_some(TxToken(&mut self.sender))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_MAX_BYTES;
        capabilities.max_burst_size = Some(FRAMES);
        capabilities
    }
}
