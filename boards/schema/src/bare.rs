//! What a board without an operating system has in its place: a memory map, a network, budgets.
//!
//! The linker script and the constants of its program are made from this.

use std::fmt::Write;
use std::net::Ipv4Addr;

use serde::Deserialize;

/// A page of the regions for guests: `wamr-sys/c/bare/pages.c` has the same.
const PAGE_KIB: u64 = 4;

/// What there is in place of an operating system.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Bare {
    /// Where the program lies, and what is baked into it.
    pub flash: Area,
    /// Where its static memory lies, and its stacks.
    pub ram: Area,
    /// Where its stacks lie, if they do not at the beginning of `ram`.
    pub stacks: Option<Area>,
    /// Where guests lie: native code, WAMR's heap, linear memories, divided as follows.
    pub guests: Area,
    /// Where bodies lie, and code while it is loaded.
    pub bodies: Area,
    /// What devices read and write by themselves, past the cache. A board whose devices do not leaves it out.
    pub dma: Option<Area>,
    /// The stack of guests and of whatever serves requests, in KiB. It lies at the beginning of its area, so that an overflow
    /// leaves the memory and is noticed.
    pub stack_kib: u64,
    /// The stack of interrupt handlers, in KiB.
    pub handler_stack_kib: u64,
    /// Of `guests`: WAMR's own heap, in KiB.
    pub engine_kib: u64,
    /// Of `guests`: native code, in KiB: a power of two, for the memory protection unit. What is left is for linear memories.
    pub code_kib: u64,
    /// The most linear memory of one instance, in KiB.
    pub instance_max_kib: u64,
    /// The budget: the most that the program may take of the flash without what is baked in, in KiB.
    pub flash_max_kib: u64,
    /// The budget: the most static memory with stacks, in KiB.
    pub ram_max_kib: u64,
    /// The longest that a guest may run, in seconds.
    pub run_seconds_max: u64,
    /// Take the date and random numbers from a debugger or an emulator. Without one, such a program stops.
    pub semihosting: bool,
    /// How it is reached.
    pub network: Network,
}

/// A stretch of memory.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// Its lowest address.
    pub start: u64,
    /// Its size in KiB.
    pub kib: u64,
}

/// How a board is reached.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Its address, if the chip brings none of its own: `02:00:00:00:00:01`.
    pub mac: String,
    /// Ask for an address by DHCP, and take the following if nobody answers.
    pub dhcp: bool,
    /// The static address.
    pub address: Ipv4Addr,
    /// The length of its network's prefix.
    pub prefix: u8,
    /// The static router.
    pub gateway: Ipv4Addr,
    /// The port of the one action: `/init`, `/run`.
    pub action_port: u16,
    /// The port of many: `/start`, `/ID/init`, `/ID/run`, `/ID/destroy`.
    pub control_port: u16,
    /// Connections at once.
    pub connections: u16,
}

impl Area {
    fn end(self) -> u64 {
        self.start.saturating_add(self.kib.saturating_mul(1024))
    }

    fn meets(self, other: Area) -> bool {
        self.start < other.end() && other.start < self.end()
    }
}

impl Network {
    fn mac_bytes(&self) -> Option<[u8; 6]> {
        let mut bytes = [0; 6];
        let mut parts = self.mac.split(':');
        for byte in &mut bytes {
            *byte = parts
                .next()
                .filter(|part| part.len() == 2)
                .and_then(|part| u8::from_str_radix(part, 16).ok())?;
        }
        // A group's address is nobody's own.
        (parts.next().is_none() && bytes[0] & 1 == 0).then_some(bytes)
    }
}

impl Bare {
    /// What cannot work.
    pub(crate) fn complaint(&self) -> Option<&'static str> {
        let areas: Vec<Area> = [self.flash, self.ram, self.guests, self.bodies]
            .into_iter()
            .chain(self.stacks)
            .chain(self.dma)
            .collect();
        if areas.iter().any(|area| area.kib == 0 || area.kib > 4 << 20) {
            return Some("an area of memory has from 1 KiB to 4 GiB");
        }
        let do_meet = |(index, area): (usize, &Area)| areas.iter().skip(index + 1).any(|other| area.meets(*other));
        if areas.iter().enumerate().any(do_meet) {
            return Some("two of flash, ram, stacks, guests, bodies and dma overlap");
        }
        let stacks = self.stack_kib.saturating_add(self.handler_stack_kib);
        if self.stack_kib < 64 || self.handler_stack_kib < 8 || stacks >= self.ram_max_kib {
            return Some("stack_kib is below 64, handler_stack_kib below 8, or both leave nothing of ram_max_kib");
        }
        let (in_ram, is_room) = match self.stacks {
            Some(area) => (self.ram_max_kib - stacks, stacks <= area.kib),
            None => (self.ram_max_kib, true),
        };
        if self.flash_max_kib > self.flash.kib || in_ram > self.ram.kib || !is_room {
            return Some("flash_max_kib, ram_max_kib or the stacks are more than there is");
        }
        let parts = [self.engine_kib, self.code_kib];
        if parts.iter().any(|kib| *kib == 0 || !kib.is_multiple_of(PAGE_KIB)) || self.pages_kib().is_none() {
            return Some("engine_kib and code_kib are multiples of 4, and leave something of guests");
        }
        if !self.code_kib.is_power_of_two() || !self.code_start().is_multiple_of(self.code_kib * 1024) {
            return Some("code_kib is a power of two, and guests starts at a multiple of it");
        }
        if !(64..=self.pages_kib().unwrap_or_default()).contains(&self.instance_max_kib) {
            return Some("instance_max_kib is from 64 to what is left for linear memories");
        }
        let Network {
            action_port,
            control_port,
            connections,
            prefix,
            ..
        } = self.network;
        if self.network.mac_bytes().is_none() {
            return Some("network's mac is six bytes in hexadecimal digits with colons between them, and no group's");
        }
        if action_port == control_port || !(2..=64).contains(&connections) || prefix > 30 {
            return Some("network: the two ports differ, connections is from 2 to 64, and prefix at most 30");
        }
        None
    }

    /// Native code lies first, where the memory protection unit finds it aligned.
    fn code_start(&self) -> u64 {
        self.guests.start
    }

    /// What is left for linear memories.
    fn pages_kib(&self) -> Option<u64> {
        let others = self.engine_kib.checked_add(self.code_kib)?;
        self.guests.kib.checked_sub(others).filter(|kib| *kib >= 64)
    }

    /// The regions of `guests`, as (name, start, bytes): native code, linear memories, WAMR's heap.
    pub(crate) fn regions(&self) -> [(&'static str, u64, u64); 3] {
        let mut start = self.guests.start;
        [
            ("CODE", self.code_kib),
            ("PAGES", self.pages_kib().unwrap_or_default()),
            ("ENGINE", self.engine_kib),
        ]
        .map(|(name, kib)| {
            let region = (name, start, kib * 1024);
            start += kib * 1024;
            region
        })
    }

    /// The memory map for the linker script of `cortex-m-rt`, and for others that know its names.
    #[must_use]
    pub fn memory_script(&self) -> String {
        let Bare { flash, ram, .. } = self;
        let stacks = (self.stack_kib + self.handler_stack_kib) * 1024;
        let (stacks_start, ram_start) = match self.stacks {
            Some(area) => (area.start, ram.start),
            None => (ram.start, ram.start + stacks),
        };
        let mut text = String::from("/* Made from board.toml. */\nMEMORY\n{\n");
        for (name, start, bytes) in [
            ("FLASH", flash.start, flash.kib * 1024),
            ("STACK", stacks_start, self.stack_kib * 1024),
            (
                "HANDLER_STACK",
                stacks_start + self.stack_kib * 1024,
                self.handler_stack_kib * 1024,
            ),
            ("RAM", ram_start, self.ram_max_kib * 1024 - stacks),
        ] {
            let _ = writeln!(text, "    {name} : ORIGIN = {start:#x}, LENGTH = {bytes:#x}");
        }
        text += "}\n\
                 _thread_stack_end = ORIGIN(STACK);\n\
                 _thread_stack_start = ORIGIN(STACK) + LENGTH(STACK);\n\
                 _stack_end = ORIGIN(HANDLER_STACK);\n\
                 _stack_start = ORIGIN(HANDLER_STACK) + LENGTH(HANDLER_STACK);\n";
        text
    }

    /// The constants of the board's program, as Rust.
    #[must_use]
    pub fn constants(&self, name: &str, containers_max: u32) -> String {
        let network = &self.network;
        let mut text = String::from("// Made from board.toml.\n");
        let _ = writeln!(text, "pub const NAME: &str = {name:?};");
        let _ = writeln!(text, "pub const CONTAINERS_MAX: usize = {containers_max};");
        let areas = [
            ("FLASH", self.flash),
            ("RAM", self.ram),
            ("GUESTS", self.guests),
            ("BODIES", self.bodies),
        ];
        let others = [("STACKS", self.stacks), ("DMA", self.dma)];
        let others = others.into_iter().filter_map(|(name, area)| Some((name, area?)));
        for (name, area) in areas.into_iter().chain(others) {
            let _ = writeln!(
                text,
                "pub const {name}: (usize, usize) = ({:#x}, {:#x});",
                area.start,
                area.kib * 1024
            );
        }
        for (name, start, bytes) in self.regions() {
            let _ = writeln!(text, "pub const {name}: (usize, usize) = ({start:#x}, {bytes:#x});");
        }
        let _ = writeln!(
            text,
            "pub const INSTANCE_MAX_BYTES: usize = {:#x};",
            self.instance_max_kib * 1024
        );
        let _ = writeln!(text, "pub const RUN_MAX_MS: u64 = {};", self.run_seconds_max * 1000);
        let _ = writeln!(text, "pub const SEMIHOSTING: bool = {};", self.semihosting);
        let _ = writeln!(
            text,
            "pub const MAC: [u8; 6] = {:?};",
            network.mac_bytes().unwrap_or_default()
        );
        let _ = writeln!(text, "pub const DHCP: bool = {};", network.dhcp);
        let _ = writeln!(
            text,
            "pub const ADDRESS: ([u8; 4], u8) = ({:?}, {});",
            network.address.octets(),
            network.prefix
        );
        let _ = writeln!(text, "pub const GATEWAY: [u8; 4] = {:?};", network.gateway.octets());
        let _ = writeln!(text, "pub const ACTION_PORT: u16 = {};", network.action_port);
        let _ = writeln!(text, "pub const CONTROL_PORT: u16 = {};", network.control_port);
        let _ = writeln!(text, "pub const CONNECTIONS: usize = {};", network.connections);
        text
    }
}
