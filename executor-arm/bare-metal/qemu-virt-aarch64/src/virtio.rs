//! virtio: which devices there are, and those that are not the network.

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};

use executor_bare_metal::one_core::Mutex;
use virtio_drivers::device::common::Feature;
use virtio_drivers::device::rng::VirtIORng;
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, Transport};
use virtio_drivers::{BufferDirection, Error, Hal, PAGE_SIZE, PhysAddr};

use crate::ethernet::Ethernet;
use crate::interrupts;
use crate::registers::Device;

/// `virt`: so many transports, this far apart, whether a device is behind them or not.
const TRANSPORTS: u32 = 32;
const FIRST: usize = 0x0a00_0000;
const STEP: usize = 0x200;

/// virtio 1.2, 4.2.2.
const INTERRUPT_STATUS: usize = 0x60;
const INTERRUPT_ACKNOWLEDGE: usize = 0x64;

/// The queues' memory: two pages each.
const QUEUE_PAGES: usize = 16;

#[repr(C, align(4096))]
struct Pages([[u8; PAGE_SIZE]; QUEUE_PAGES]);

static mut PAGES: Pages = Pages([[0; PAGE_SIZE]; QUEUE_PAGES]);
static PAGES_TAKEN: AtomicUsize = AtomicUsize::new(0);

/// Memory as devices see it: at the same addresses, and through the caches (`dma-coherent`).
pub(crate) struct Memory;

// SAFETY: pages of `PAGES` are handed out once, and zero; devices see every address as the program does.
unsafe impl Hal for Memory {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let first = PAGES_TAKEN.fetch_add(pages, Ordering::Relaxed);
        if first + pages > QUEUE_PAGES {
            // The crate's sign of failure.
            return (0, NonNull::dangling());
        }
        let start = (&raw mut PAGES).cast::<u8>().wrapping_add(first * PAGE_SIZE);
        match NonNull::new(start) {
            Some(start) => (address(start), start),
            None => (0, NonNull::dangling()),
        }
    }

    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        // Devices are never given up, but where one does not start: its pages are lost.
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _: usize) -> NonNull<u8> {
        // For PCI, which is not used.
        let address = usize::try_from(address).unwrap_or_default();
        NonNull::new(ptr::with_exposed_provenance_mut(address)).unwrap_or(NonNull::dangling())
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        address(buffer.cast())
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}

fn address(start: NonNull<u8>) -> PhysAddr {
    start.as_ptr().expose_provenance() as PhysAddr
}

pub(crate) type Mmio = MmioTransport<'static>;

/// What was found that others use.
pub(crate) struct Devices {
    pub(crate) ethernet: Option<Ethernet>,
    /// Its interrupt.
    pub(crate) ethernet_interrupt: u32,
}

static RANDOM: Mutex<Option<VirtIORng<Memory, Mmio>>> = Mutex::new(None);
static OUTPUT: Mutex<Option<Output>> = Mutex::new(None);

/// Start the devices that are there: the first of each kind. Call it once.
pub(crate) fn find() -> Devices {
    let mut devices = Devices {
        ethernet: None,
        ethernet_interrupt: 0,
    };
    for number in 0..TRANSPORTS {
        let header: *mut VirtIOHeader = ptr::with_exposed_provenance_mut(FIRST + number as usize * STEP);
        let Some(header) = NonNull::new(header) else { continue };
        // SAFETY: a transport lies there for ever, and is looked at once.
        let Ok(transport) = (unsafe { MmioTransport::new(header, STEP) }) else {
            continue;
        };
        // A device that does not start is as one that is not there.
        match transport.device_type() {
            DeviceType::Network if devices.ethernet.is_none() => {
                devices.ethernet = Ethernet::start(transport).ok();
                devices.ethernet_interrupt = interrupts::VIRTIO + number;
            }
            DeviceType::EntropySource => *RANDOM.lock() = VirtIORng::new(transport).ok(),
            DeviceType::Console => *OUTPUT.lock() = Output::start(transport).ok(),
            _ => {}
        }
    }
    devices
}

/// The interrupt of a transport was seen.
pub(crate) fn acknowledge(interrupt: u32) {
    let number = interrupt.saturating_sub(interrupts::VIRTIO) as usize;
    // SAFETY: the device of this interrupt; the driver uses neither register.
    let device = unsafe { Device::at(FIRST + number * STEP) };
    device.write(INTERRUPT_ACKNOWLEDGE, device.read(INTERRUPT_STATUS));
}

/// Random numbers, if there is a device that has them.
pub(crate) fn random(bytes: &mut [u8]) -> bool {
    let Some(mut device) = RANDOM.try_lock() else {
        return false;
    };
    let Some(device) = &mut *device else { return false };
    let mut have = 0;
    while let Some(rest) = bytes.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match device.request_entropy(rest) {
            Ok(len @ 1..) => have += len.min(rest.len()),
            _ => return false,
        }
    }
    true
}

/// Write to the console of output, if there is one.
pub(crate) fn write_output(bytes: &[u8]) -> bool {
    let Some(mut output) = OUTPUT.try_lock() else {
        return false;
    };
    let Some(output) = &mut *output else { return false };
    bytes.is_empty() || output.write(bytes).is_ok()
}

/// A console that is written to only: the crate's own asks for an allocator, to read.
struct Output {
    transport: Mmio,
    queue: VirtQueue<Memory, 2>,
}

impl Output {
    fn start(mut transport: Mmio) -> Result<Self, Error> {
        /// virtio 1.2, 5.3.2: what the first port sends.
        const TRANSMIT: u16 = 1;

        let features = transport.begin_init(Feature::VERSION_1 | Feature::RING_EVENT_IDX);
        let queue = VirtQueue::new(
            &mut transport,
            TRANSMIT,
            false,
            features.contains(Feature::RING_EVENT_IDX),
        )?;
        transport.finish_init();
        Ok(Output { transport, queue })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.queue.add_notify_wait_pop(&[bytes], &mut [], &mut self.transport)?;
        Ok(())
    }
}
