//! The chip's Ethernet, as a [`smoltcp`] device: embassy-stm32's driver, which polls as well as it wakes.
//!
//! The driver copies nothing: smoltcp reads and writes frames where the Ethernet's own engine puts and takes them, which is memory
//! past the cache.

use core::mem::MaybeUninit;
use core::task::{Context, Waker};

use embassy_net_driver::{Driver, LinkState, RxToken as _, TxToken as _};
use embassy_stm32::eth::{self, GenericPhy, PacketQueue, Sma};
use embassy_stm32::peripherals::{ETH, ETH_SMA, PA1, PA2, PA7, PB13, PC1, PC4, PC5, PG11, PG13};
use embassy_stm32::{Peri, uid};
use executor_bare_metal::Board as _;
use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

use crate::MACHINE;
use crate::description::DMA;
use crate::machine::Interrupts;

/// An Ethernet frame without its check sequence.
const FRAME_MAX_BYTES: usize = 1514;
/// So long a boot waits for the other side of the cable, if there is one: what is sent before the two have agreed is lost, and
/// DHCP asks again after ten seconds only.
const LINK_WAIT_US: u64 = 4_000_000;
const TO_SEND: usize = 6;
const RECEIVED: usize = 14;

type Frames = PacketQueue<TO_SEND, RECEIVED>;
const _: () = assert!(size_of::<Frames>() <= DMA.1);

type Chip = eth::Ethernet<'static, ETH, GenericPhy<Sma<'static, ETH_SMA>>>;

/// UM2407: what leads to the transceiver, an LAN8742A that speaks RMII.
pub(crate) struct Wires {
    pub(crate) controller: Peri<'static, ETH>,
    pub(crate) management: Peri<'static, ETH_SMA>,
    pub(crate) reference_clock: Peri<'static, PA1>,
    pub(crate) management_data: Peri<'static, PA2>,
    pub(crate) carrier: Peri<'static, PA7>,
    pub(crate) send_1: Peri<'static, PB13>,
    pub(crate) management_clock: Peri<'static, PC1>,
    pub(crate) receive_0: Peri<'static, PC4>,
    pub(crate) receive_1: Peri<'static, PC5>,
    pub(crate) send_enable: Peri<'static, PG11>,
    pub(crate) send_0: Peri<'static, PG13>,
}

/// The chip's number as an address that nobody has assigned (IEEE 802: locally administered, no group's).
pub(crate) fn address() -> [u8; 6] {
    address_of(uid::uid())
}

/// Two of the numbers differ in a few bits, of lot, wafer and place on it: FNV-1a mixes them.
const fn address_of(number: [u8; 12]) -> [u8; 6] {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut index = 0;
    while index < number.len() {
        hash = (hash ^ number[index] as u64).wrapping_mul(0x0100_0000_01b3);
        index += 1;
    }
    let [_, _, _, a, b, c, d, e] = (hash ^ (hash >> 40)).to_be_bytes();
    [0x02, a, b, c, d, e]
}

/// Neighbours on a wafer have different addresses.
const _: () = {
    let [.., one] = address_of([0; 12]);
    let [.., other] = address_of([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert!(one != other);
};

/// Start the chip and its transceiver, which then agrees with the other side on its own. Call it once.
pub(crate) fn start(wires: Wires, mac: [u8; 6]) -> Ethernet {
    let place: *mut MaybeUninit<Frames> = core::ptr::with_exposed_provenance_mut(DMA.0);
    // SAFETY: by board.toml's memory map nobody else has this memory; it is as long as is asserted above, and this runs once.
    let frames = unsafe { &mut *place };
    PacketQueue::init(frames);
    // SAFETY: `init` has made it so.
    let frames = unsafe { frames.assume_init_mut() };
    let mut chip = Chip::new(
        frames,
        wires.controller,
        Interrupts,
        wires.reference_clock,
        wires.carrier,
        wires.receive_0,
        wires.receive_1,
        wires.send_0,
        wires.send_1,
        wires.send_enable,
        mac,
        wires.management,
        wires.management_data,
        wires.management_clock,
    );
    let until_us = MACHINE.uptime_us() + LINK_WAIT_US;
    while chip.link_state(&mut nobody()) == LinkState::Down && MACHINE.uptime_us() < until_us {
        core::hint::spin_loop();
    }
    Ethernet(chip)
}

/// The chip's Ethernet.
pub(crate) struct Ethernet(Chip);

/// A received frame.
pub(crate) struct RxToken<'a>(<Chip as Driver>::RxToken<'a>);

/// Leave to send a frame.
pub(crate) struct TxToken<'a>(<Chip as Driver>::TxToken<'a>);

/// Nobody is woken: the loop that polls sleeps until an interrupt, and the device's is one.
fn nobody() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        self.0.consume(|frame| take(frame))
    }
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, fill: F) -> R {
        self.0.consume(len.min(FRAME_MAX_BYTES), fill)
    }
}

impl Device for Ethernet {
    type RxToken<'a> = RxToken<'a>;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _: Instant) -> Option<(RxToken<'_>, TxToken<'_>)> {
        let (frame, reply) = self.0.receive(&mut nobody())?;
        Some((RxToken(frame), TxToken(reply)))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken<'_>> {
        self.0.transmit(&mut nobody()).map(TxToken)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_MAX_BYTES;
        capabilities.max_burst_size = Some(TO_SEND);
        capabilities
    }
}
