//! The one loop: poll the network, serve who has sent a request, sleep.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ptr;

use action_bundle::{Policy, PublicKey, RecentlyVerified, Verified, VerifiedSignatures};
use executor_core::executor::{ContainerKey, Executor, Settings, Slot};
use executor_core::http::Inbox;
use executor_core::openwhisk::Listener;
use executor_core::serve::{Next, serve_one};
use executor_core::wamr::{self, Config, Engine};
use smoltcp::phy::Device;
use wamr_sys::bare as wamr_bare;

use crate::baked;
use crate::board::{self, Board, Configuration, Memory, Region};
use crate::boot_record::BootRecord;
use crate::host::BareHost;
use crate::network::connection::Connection;
use crate::network::{NETWORK, Network, Port, with};
use crate::node::BareNode;
use crate::one_core::{Mutex, OneCore};
use crate::watch::{self, Seat};
use crate::{allocator, console, status};

/// The executor on a board.
pub(crate) type BareExecutor = Executor<'static, Engine<BareHost, OneCore>, BareNode, OneCore>;

/// Room for a head, and for the bodies that are used where they arrive.
const INBOX_BYTES: usize = 16 * 1024;

/// How many signatures are remembered.
const SIGNATURES_REMEMBERED: usize = 16;

/// Start the executor. Does not return.
///
/// Call it once, with the timer's interrupt still off; `enable_timer` switches it on, whose handler calls [`crate::tick`].
pub fn start<D: Device + Send + 'static>(
    board: &'static dyn Board,
    memory: Memory,
    configuration: Configuration,
    connections: usize,
    record: &BootRecord,
    device: D,
    enable_timer: impl FnOnce(),
) -> ! {
    board::set(board);
    console::start();
    log::info!("executor {} on {}", env!("CARGO_PKG_VERSION"), configuration.name);
    if let Some(why) = record.take() {
        log::error!("the last boot ended with a reset: {why}");
    }
    let bodies_bytes = memory.bodies.bytes();
    give_memory(memory);
    let configuration: &'static Configuration = Box::leak(Box::new(configuration));
    watch::set_run_max(configuration.run_max_ms);
    watch::note_progress();

    let network = Network::new(
        device,
        configuration.network,
        connections,
        seed(board),
        board.uptime_us(),
    );
    *NETWORK.lock() = Some(Box::leak(Box::new(network)));
    enable_timer();

    let executor = assemble(configuration, bodies_bytes);
    let action = executor.create_fixed().ok();
    load_baked(&executor, action, configuration);
    serve(&executor, action, board, configuration)
}

/// Give the allocator and WAMR what is theirs.
#[allow(unsafe_code)]
fn give_memory(memory: Memory) {
    extern "C" fn code_is_writable(is_writable: bool) {
        if let Some(board) = board::get() {
            board.code_is_writable(is_writable);
        }
    }
    extern "C" fn uptime_us() -> u64 {
        board::uptime_us()
    }
    let region = |region: Region| wamr_bare::Region {
        start: region.start(),
        bytes: region.bytes(),
    };
    let machine = wamr_bare::Machine {
        heap: region(memory.engine),
        pages: region(memory.pages),
        code: region(memory.code),
        flash: wamr_bare::Region {
            start: ptr::with_exposed_provenance_mut(memory.flash.0),
            bytes: memory.flash.1,
        },
        stack_limit: memory.stack_limit,
        uptime_us,
        code_is_writable,
    };
    allocator::give(memory.bodies);
    // SAFETY: bare.rs: before WAMR is started; the regions are nobody else's. It is copied.
    unsafe { wamr_bare::wamr_sys_bare_start(ptr::from_ref(&machine)) };
}

fn seed(board: &dyn Board) -> u64 {
    let mut seed = board::weak_seed().to_le_bytes();
    // Without random numbers, what is weak has to do: they make connections harder to hijack, and no keys.
    let _ = board.random(&mut seed);
    u64::from_le_bytes(seed)
}

fn assemble(configuration: &'static Configuration, bodies_bytes: usize) -> BareExecutor {
    let keys: Vec<PublicKey> = configuration
        .trust
        .iter()
        .filter_map(|key| match key.parse() {
            Ok(key) => Some(key),
            Err(error) => {
                log::error!("the key {key} is none: {error}");
                None
            }
        })
        .collect();
    let policy = Policy {
        trusted_keys: keys.leak(),
        trust_any_aot: false,
        allow_uninterruptible: false,
        node: Some(wamr::node_target(configuration.cpu_features)),
        artifact_max_bytes: bodies_bytes / 2,
        verified: Some(Box::leak(Box::new(Remembered(Mutex::new(RecentlyVerified::new()))))),
    };
    let config = Config {
        guest_memory_max_bytes: configuration.instance_max_bytes,
        buffers_max_bytes: bodies_bytes,
        spares_max: 1,
        ..Config::default()
    };
    let engine = match Engine::start(BareHost, config) {
        Ok(engine) => engine,
        Err(error) => panic!("{error}"),
    };
    // A body and what is inflated from it fit together.
    let settings = Settings {
        init_body_max_bytes: bodies_bytes / 2,
        ..Settings::new(policy)
    };
    let slots: Vec<_> = (0..configuration.containers_max).map(|_| Slot::default()).collect();
    let hashes = alloc::vec![0; configuration.containers_max];
    let slots: &'static mut [Slot<_>] = slots.leak();
    Executor::new(engine, BareNode, settings, Box::leak(Box::new(slots)), hashes.leak())
}

/// Each action of the image becomes a container of its name; the first is also that of the port of one action.
fn load_baked(executor: &BareExecutor, action: Option<ContainerKey>, configuration: &Configuration) {
    for (number, baked) in configuration.baked.iter().enumerate() {
        watch::note_progress();
        baked::load(executor, baked, action.filter(|_| number == 0));
    }
}

fn serve(executor: &BareExecutor, action: Option<ContainerKey>, board: &dyn Board, configuration: &Configuration) -> ! {
    let mut memory = alloc::vec![0; INBOX_BYTES];
    let mut inbox = Inbox::new(&mut memory);
    let mut knows_date = false;
    loop {
        watch::note_progress();
        if !knows_date && watch::knows_date() {
            knows_date = true;
            log::info!("the date is known");
        }
        let now_us = board::uptime_us();
        let claimed = with(|network| {
            network.poll(now_us);
            network.sockets().claim(now_us)
        });
        match claimed.flatten() {
            Some((index, port)) => {
                let listener = match (port, action) {
                    (Port::Action, Some(key)) => Listener::Container(key),
                    _ => Listener::Control,
                };
                let is_kept = if status::is_asked(index) {
                    status::answer(executor, configuration, index)
                } else {
                    converse(executor, &mut inbox, index, listener)
                };
                with(|network| {
                    let now_us = board::uptime_us();
                    network.sockets().release(index, is_kept, now_us);
                    network.poll(now_us);
                });
            }
            None => {
                executor.reap_idle();
                board.wait_for_interrupt();
            }
        }
    }
}

/// Serve the requests of a client that have come, one after the other. Whether the connection is to be kept.
fn converse(executor: &BareExecutor, inbox: &mut Inbox<'_>, index: usize, listener: Listener) -> bool {
    inbox.clear();
    loop {
        let mut connection = Connection::new(index);
        let seat = Seat::of_client(index);
        match serve_one(executor, &mut connection, inbox, listener, &seat) {
            Next::Close => return false,
            Next::KeepAlive if inbox.is_empty() => return true,
            // The next request lies here already, or a part of it.
            Next::KeepAlive => {}
        }
    }
}

struct Remembered(Mutex<RecentlyVerified<SIGNATURES_REMEMBERED>>);

impl VerifiedSignatures for Remembered {
    fn contains(&self, verified: &Verified) -> bool {
        self.0.lock().contains(verified)
    }

    fn remember(&self, verified: Verified) {
        self.0.lock().remember(verified);
    }
}
