//! `cargo xtask soak`: containers come and go under load for minutes; memory and descriptors have to stay flat.
//!
//! Clients start containers, bring actions of every kind (interpreted, native, WASI, of contents that nobody else has, some
//! that trap, that never end, that are no action at all), run them, come back to old ones, and destroy half of them; the
//! others are left until the invoker needs their place. So the number of containers is soon as great as it may be: what
//! grows after that is a leak.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use boards::Board;

use crate::build;
use crate::demo::{self, Demonstration};
use crate::http::{Connection, Reply};
use crate::invoker::{INPUT, Invoker, Times, init_body, init_body_of, micros};
use crate::project::Project;
use crate::shell::Shell;
use crate::toolchain::Toolchains;

/// Clients that work at the same time.
const CLIENTS: usize = 8;

/// How often the process is looked at, and how often that is told.
const SAMPLE_EVERY: Duration = Duration::from_millis(250);
const TELL_EVERY: Duration = Duration::from_secs(10);

/// So much of the time is warm-up, and more until there are as many containers as there may be.
const WARM_UP_PERCENT: u32 = 30;

/// What counts as flat: the straight line that fits best rises by so much of the mean at most, and no sample is farther
/// above the mean than that.
const RISE_MAX_PERCENT: f64 = 5.0;
const PEAK_MAX_PERCENT: f64 = 20.0;

/// Less than that is no leak: guests come and go between two samples, with 1.1 MiB each at most, and connections.
const MEMORY_GRAIN: Grain = Grain {
    rise: (4 << 20) as f64,
    peak: (16 << 20) as f64,
};
const DESCRIPTOR_GRAIN: Grain = Grain { rise: 16.0, peak: 32.0 };

struct Grain {
    rise: f64,
    peak: f64,
}

/// How long, and how many containers.
#[derive(Clone, Copy)]
pub struct Extent {
    pub time: Duration,
    pub containers: usize,
}

impl Extent {
    /// What is asked for.
    pub fn of_minutes(minutes: f64) -> Result<Self> {
        let time = Duration::try_from_secs_f64(minutes * 60.0).context("--minutes")?;
        Ok(Extent { time, containers: 1000 })
    }

    /// A step among others.
    pub const SHORT: Extent = Extent {
        time: Duration::from_secs(10),
        containers: 100,
    };
}

/// A step of `cargo xtask test`.
pub fn short(project: &Project, shell: Shell, board: &Board, toolchains: &Toolchains) -> Result<()> {
    soak(project, shell, board, toolchains, Extent::SHORT)
}

/// Let containers come and go, then judge.
pub fn soak(project: &Project, shell: Shell, board: &Board, toolchains: &Toolchains, extent: Extent) -> Result<()> {
    let demonstration = demo::prepare(project, shell, board, toolchains)?;
    let wasi = build::module(project, shell, &toolchains.guests, "echo", "wasm32-wasip1", "")?;
    let actions = Actions::prepare(&demonstration, &wasi)?;
    let Demonstration {
        executor, public_key, ..
    } = &demonstration;
    let invoker = Invoker::start(project, board, executor, public_key, Some(extent.containers))?;
    shell.say(&format!(
        "{}: {} containers at once, {CLIENTS} clients, {:.0} s",
        board.name,
        extent.containers,
        extent.time.as_secs_f64()
    ));
    let shared = Shared {
        invoker: &invoker,
        actions: &actions,
        is_over: AtomicBool::new(false),
        left_behind: AtomicUsize::new(0),
        begun: Instant::now(),
    };
    let (samples, tallies) = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                scope.spawn({
                    let shared = &shared;
                    move || Client::new(shared, number)?.work()
                })
            })
            .collect();
        let samples = watch(&shared, shell, extent);
        shared.is_over.store(true, Ordering::Relaxed);
        let tallies: Vec<_> = clients.into_iter().map(thread::ScopedJoinHandle::join).collect();
        (samples, tallies)
    });
    let samples = samples?;
    let mut tally = Tally::default();
    for of_client in tallies {
        tally.add(of_client.map_err(|_| anyhow::anyhow!("a client has panicked"))??);
    }
    let elapsed = shared.begun.elapsed();
    print(&tally, &samples, elapsed);
    judge(&tally, &samples)
}

/// What is brought by `/init`.
struct Actions {
    interpreted: String,
    native: String,
    wasi: String,
    traps: String,
    endless: String,
    prints: String,
    grows: String,
}

/// What an action is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Interpreted,
    Native,
    Wasi,
    /// Of a content that no other container has.
    Unique,
    Prints,
    Grows,
    Traps,
    Endless,
    Broken,
}

const KINDS: [Kind; 9] = [
    Kind::Interpreted,
    Kind::Native,
    Kind::Wasi,
    Kind::Unique,
    Kind::Prints,
    Kind::Grows,
    Kind::Traps,
    Kind::Endless,
    Kind::Broken,
];

impl Actions {
    fn prepare(demonstration: &Demonstration, wasi: &Path) -> Result<Self> {
        let [(_, interpreted), (_, native)] = &demonstration.bundles;
        Ok(Actions {
            interpreted: init_body(interpreted)?,
            native: init_body(native)?,
            wasi: init_body(wasi)?,
            traps: lean("", "", "unreachable")?,
            endless: lean("", "", "(loop $again (br $again)) (i64.const 0)")?,
            prints: lean(
                r#"(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))"#,
                r#"(data (i32.const 16) "{}")"#,
                "(i32.store (i32.const 256) (i32.const 1024))
                 (i32.store (i32.const 260) (i32.const 20000))
                 (if (call $write (i32.const 1) (i32.const 256) (i32.const 1) (i32.const 264)) (then unreachable))
                 (i64.const 0x1000000002)",
            )?,
            grows: lean(
                "",
                r#"(data (i32.const 16) "{}")"#,
                "(drop (memory.grow (i32.const 16)))
                 (memory.fill (i32.const 131072) (i32.const 1) (i32.const 1048576))
                 (i64.const 0x1000000002)",
            )?,
        })
    }

    /// The body of the `/init`, and its status.
    fn init(&self, kind: Kind, number: u64) -> Result<(String, u16)> {
        let body = match kind {
            Kind::Interpreted => &self.interpreted,
            Kind::Native => &self.native,
            Kind::Wasi => &self.wasi,
            Kind::Prints => &self.prints,
            Kind::Grows => &self.grows,
            Kind::Traps => &self.traps,
            Kind::Endless => &self.endless,
            Kind::Unique => {
                let data = format!(r#"(data (i32.const 16) "{{}}") (data (i32.const 1024) "{number}")"#);
                return Ok((lean("", &data, "(i64.const 0x1000000002)")?, 200));
            }
            Kind::Broken => return Ok((init_body_of(b"\0asm\x01\0\0\0\xff\xff\xff\xff"), 502)),
        };
        Ok((body.clone(), 200))
    }
}

/// An `/init` with a module of the lean ABI. The answer of 2 bytes that lies at 16 is 0x10_0000_0002.
fn lean(imports: &str, definitions: &str, run: &str) -> Result<String> {
    let module = wat::parse_str(format!(
        r#"(module
             {imports}
             (memory (export "memory") 2)
             {definitions}
             (func (export "ow_allocate") (param i32) (result i32) (i32.const 65536))
             (func (export "ow_run") (param i32 i32) (result i64) {run}))"#
    ))?;
    Ok(init_body_of(&module))
}

/// What the clients and the observer share.
struct Shared<'a> {
    invoker: &'a Invoker,
    actions: &'a Actions,
    is_over: AtomicBool,
    /// Containers that were not destroyed by their clients.
    left_behind: AtomicUsize,
    begun: Instant,
}

/// A container that a client knows.
#[derive(Clone)]
struct Container {
    id: String,
    address: SocketAddr,
    kind: Kind,
}

/// What has happened.
#[derive(Default)]
struct Tally {
    /// (operation, status) → how often. Status 0: the container has gone, or the client.
    statuses: BTreeMap<(&'static str, u16), u64>,
    /// operation → µs
    times: BTreeMap<&'static str, Vec<u32>>,
    wrong: Vec<String>,
    wrong_count: u64,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        for (key, count) in other.statuses {
            *self.statuses.entry(key).or_default() += count;
        }
        for (operation, times) in other.times {
            self.times.entry(operation).or_default().extend(times);
        }
        self.wrong.extend(other.wrong);
        self.wrong_count += other.wrong_count;
    }

    fn count(&mut self, operation: &'static str, status: u16) {
        *self.statuses.entry((operation, status)).or_default() += 1;
    }

    fn complain(&mut self, what: String) {
        self.wrong_count += 1;
        // The first few tell enough.
        if self.wrong.len() < 5 {
            self.wrong.push(what);
        }
    }
}

/// One client: a connection to the invoker, and the containers that it remembers.
struct Client<'a> {
    shared: &'a Shared<'a>,
    control: Connection,
    remembered: Vec<Container>,
    random: u64,
    number: u64,
    tally: Tally,
}

impl<'a> Client<'a> {
    fn new(shared: &'a Shared<'a>, number: usize) -> Result<Self> {
        Ok(Client {
            shared,
            control: Connection::open(shared.invoker.address)?,
            remembered: Vec::new(),
            random: number as u64 + 1,
            number: number as u64,
            tally: Tally::default(),
        })
    }
}

impl Client<'_> {
    fn work(mut self) -> Result<Tally> {
        while !self.shared.is_over.load(Ordering::Relaxed) {
            self.live_one_life()?;
        }
        Ok(self.tally)
    }

    /// Knuth's MMIX generator; its high bits.
    fn below(&mut self, end: usize) -> usize {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.random >> 33).unwrap_or_default() % end
    }

    /// Send and time it. `None`: the connection has ended.
    fn post(
        tally: &mut Tally,
        connection: &mut Connection,
        operation: &'static str,
        path: &str,
        body: &str,
    ) -> Option<Reply> {
        let begin = Instant::now();
        let reply = connection.post(path, body).ok();
        let time = u32::try_from(begin.elapsed().as_micros()).unwrap_or(u32::MAX);
        tally.count(operation, reply.as_ref().map_or(0, |reply| reply.status));
        tally.times.entry(operation).or_default().push(time);
        reply
    }

    /// The connection to the invoker, which may have been closed for having been idle.
    fn command(&mut self, operation: &'static str, path: &str, body: &str) -> Result<Reply> {
        if let Some(reply) = Self::post(&mut self.tally, &mut self.control, operation, path, body) {
            return Ok(reply);
        }
        self.control = Connection::open(self.shared.invoker.address)?;
        Self::post(&mut self.tally, &mut self.control, operation, path, body).context("the invoker does not answer")
    }

    fn live_one_life(&mut self) -> Result<()> {
        let kind = KINDS[self.below(KINDS.len())];
        let reply = self.command("start", "/start", "")?;
        if reply.status != 200 {
            self.tally
                .complain(format!("/start gave {}: {}", reply.status, reply.body));
            return Ok(());
        }
        let (id, address) = self.shared.invoker.started(&reply)?;
        let container = Container { id, address, kind };
        self.number += CLIENTS as u64;
        let (init, status) = self.shared.actions.init(kind, self.number)?;
        let is_by_id = self.below(2) == 0;
        let reply = if is_by_id {
            Some(self.command("init", &format!("/{}/init", container.id), &init)?)
        } else {
            let mut connection = Connection::open(address)?;
            Self::post(&mut self.tally, &mut connection, "init", "/init", &init)
        };
        match reply {
            Some(reply) if reply.status == status => {}
            Some(reply) => self
                .tally
                .complain(format!("/init of {kind:?} gave {}: {}", reply.status, reply.body)),
            None => self.tally.complain(format!("/init of {kind:?} had no reply")),
        }
        for _ in 0..=self.below(3) {
            self.run(&container, is_by_id, true)?;
        }
        if !self.remembered.is_empty() {
            let old = self.below(self.remembered.len());
            let old = self.remembered[old].clone();
            self.run(&old, true, false)?;
        }
        if self.below(2) == 0 {
            self.command("destroy", &format!("/{}/destroy", container.id), "")?;
        } else {
            self.shared.left_behind.fetch_add(1, Ordering::Relaxed);
            if self.remembered.len() < 64 {
                self.remembered.push(container);
            } else {
                let place = self.below(64);
                self.remembered[place] = container;
            }
        }
        Ok(())
    }

    /// One run, and whether its end is right. An old container may have gone.
    fn run(&mut self, container: &Container, is_by_id: bool, is_new: bool) -> Result<()> {
        let Container { id, address, kind } = container;
        let (body, expected) = match kind {
            Kind::Endless if self.below(4) == 0 => return self.break_off(container, is_new),
            Kind::Endless => (input_within(Duration::from_millis(20)), 502),
            Kind::Traps => (INPUT.to_owned(), 502),
            Kind::Broken => (INPUT.to_owned(), 403),
            _ => (INPUT.to_owned(), 200),
        };
        let reply = if is_by_id {
            Some(self.command("run", &format!("/{id}/run"), &body)?)
        } else {
            let mut connection = Connection::open(*address)?;
            Self::post(&mut self.tally, &mut connection, "run", "/run", &body)
        };
        match reply {
            Some(reply) if reply.status == expected => {}
            Some(reply) if reply.status == 404 && !is_new => {}
            Some(reply) => self
                .tally
                .complain(format!("/run of {kind:?} gave {}: {}", reply.status, reply.body)),
            None => self.tally.complain(format!("/run of {kind:?} had no reply")),
        }
        Ok(())
    }

    /// A client that goes while its guest runs.
    fn break_off(&mut self, container: &Container, is_new: bool) -> Result<()> {
        match Connection::open(container.address) {
            Ok(mut connection) => {
                connection.send("/run", INPUT)?;
                self.tally.count("broken off", 0);
                Ok(())
            }
            Err(error) if is_new => Err(error),
            Err(_) => Ok(()),
        }
    }
}

fn input_within(time: Duration) -> String {
    let deadline = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default() + time;
    format!(r#"{{"value":{{}},"deadline":"{}"}}"#, deadline.as_millis())
}

/// How the process looks at one time.
#[derive(Clone, Copy)]
struct Sample {
    at: Duration,
    memory_bytes: u64,
    descriptors: usize,
    threads: usize,
}

/// Look at the process until the time is over. Gives what was seen after the warm-up.
fn watch(shared: &Shared<'_>, shell: Shell, extent: Extent) -> Result<Vec<Sample>> {
    let warm_up = extent.time * WARM_UP_PERCENT / 100;
    let mut samples = Vec::new();
    let mut told = Duration::ZERO;
    loop {
        thread::sleep(SAMPLE_EVERY);
        let at = shared.begun.elapsed();
        let sample = Sample {
            at,
            memory_bytes: shared.invoker.resident_bytes()?,
            descriptors: shared.invoker.descriptors()?,
            threads: shared.invoker.threads()?,
        };
        let left_behind = shared.left_behind.load(Ordering::Relaxed);
        let is_warm = at >= warm_up && left_behind >= extent.containers;
        if is_warm {
            samples.push(sample);
        }
        if at - told >= TELL_EVERY {
            told = at;
            let note = if is_warm { "" } else { " (warming up)" };
            shell.say(&format!(
                "{:4.0} s: {:.1} MiB, {} descriptors, {} threads{note}",
                at.as_secs_f64(),
                mebibytes(sample.memory_bytes as f64),
                sample.descriptors,
                sample.threads
            ));
        }
        // A slow machine gets time to come to the end of its warm-up.
        if at >= extent.time && (samples.len() >= 10 || at >= extent.time * 3) {
            return Ok(samples);
        }
    }
}

/// A value over time.
struct Course {
    first: f64,
    last: f64,
    max: f64,
    mean: f64,
    /// By how much the straight line that fits best rises.
    rise: f64,
}

impl Course {
    fn of(samples: &[Sample], value: impl Fn(&Sample) -> f64) -> Option<Self> {
        let points = || samples.iter().map(|sample| (sample.at.as_secs_f64(), value(sample)));
        let (first, last) = (samples.first()?, samples.last()?);
        let count = samples.len() as f64;
        let mean_at = points().map(|(at, _)| at).sum::<f64>() / count;
        let mean = points().map(|(_, value)| value).sum::<f64>() / count;
        let (mut covariance, mut variance) = (0.0, 0.0);
        for (at, value) in points() {
            covariance += (at - mean_at) * (value - mean);
            variance += (at - mean_at) * (at - mean_at);
        }
        let slope = if variance > 0.0 { covariance / variance } else { 0.0 };
        Some(Course {
            first: value(first),
            last: value(last),
            max: points().map(|(_, value)| value).fold(0.0, f64::max),
            mean,
            rise: slope * (last.at - first.at).as_secs_f64(),
        })
    }

    fn check(&self, what: &str, grain: &Grain) -> Result<()> {
        let percent = |of: f64| of * self.mean / 100.0;
        ensure!(
            self.rise <= percent(RISE_MAX_PERCENT).max(grain.rise),
            "{what}: not flat, it rises by {:.0} ({:.1} % of the mean)",
            self.rise,
            100.0 * self.rise / self.mean
        );
        ensure!(
            self.max - self.mean <= percent(PEAK_MAX_PERCENT).max(grain.peak),
            "{what}: not flat, up to {:.0}, and {:.0} in the mean",
            self.max,
            self.mean
        );
        Ok(())
    }
}

fn memory(samples: &[Sample]) -> Option<Course> {
    Course::of(samples, |sample| sample.memory_bytes as f64)
}

fn descriptors(samples: &[Sample]) -> Option<Course> {
    Course::of(samples, |sample| sample.descriptors as f64)
}

fn mebibytes(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}

fn print(tally: &Tally, samples: &[Sample], elapsed: Duration) {
    println!();
    for (operation, times) in &tally.times {
        let statuses: Vec<String> = tally
            .statuses
            .iter()
            .filter(|((of, _), _)| of == operation)
            .map(|((_, status), count)| format!("{status}: {count}"))
            .collect();
        let count = times.len();
        let times = Times::new(times.iter().map(|&time| Duration::from_micros(time.into())).collect());
        println!(
            "{operation:<12} {count:>9}   p50 {:8.0} µs   p99 {:8.0} µs   {}",
            micros(times.percentile(50)),
            micros(times.percentile(99)),
            statuses.join(", ")
        );
    }
    let broken_off = tally.statuses.get(&("broken off", 0)).copied().unwrap_or_default();
    let requests = tally.times.values().map(Vec::len).sum::<usize>();
    println!(
        "{requests} requests in {:.0} s, {broken_off} runs broken off by their clients, {} wrong",
        elapsed.as_secs_f64(),
        tally.wrong_count
    );
    let row = |what: &str, course: Option<Course>, unit: f64| {
        if let Some(Course {
            first,
            last,
            max,
            mean,
            rise,
        }) = course
        {
            println!(
                "{what:<12} first {:8.1}   last {:8.1}   max {:8.1}   mean {:8.1}   rise {:+.1} ({:+.1} %)",
                first / unit,
                last / unit,
                max / unit,
                mean / unit,
                rise / unit,
                100.0 * rise / mean
            );
        }
    };
    row("memory, MiB", memory(samples), f64::from(1 << 20));
    row("descriptors", descriptors(samples), 1.0);
    row("threads", Course::of(samples, |sample| sample.threads as f64), 1.0);
    let from = samples.first().map_or(0.0, |sample| sample.at.as_secs_f64());
    println!("{} samples after {from:.0} s of warm-up", samples.len());
}

fn judge(tally: &Tally, samples: &[Sample]) -> Result<()> {
    ensure!(tally.wrong_count == 0, "wrong replies: {}", tally.wrong.join("; "));
    memory(samples)
        .context("the machine is too slow: it did not come to the end of its warm-up")?
        .check("memory", &MEMORY_GRAIN)?;
    descriptors(samples)
        .context("no samples")?
        .check("descriptors", &DESCRIPTOR_GRAIN)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn course(values: impl Iterator<Item = u32>) -> Course {
        let samples: Vec<Sample> = values
            .enumerate()
            .map(|(second, value)| Sample {
                at: Duration::from_secs(second as u64),
                memory_bytes: value.into(),
                descriptors: 0,
                threads: 0,
            })
            .collect();
        memory(&samples).unwrap()
    }

    #[test]
    fn flat_is_told_from_rising() {
        let grain = |of: f64| Grain { rise: of, peak: of };
        let noisy = |second: u32| 1000 + second * 7919 % 100;
        assert!(course((0..300).map(noisy)).check("flat", &grain(1.0)).is_ok());
        let rising = course((0..300).map(|second| noisy(second) + second));
        assert!((250.0..350.0).contains(&rising.rise), "{}", rising.rise);
        assert!(rising.check("rising", &grain(1.0)).is_err());
        assert!(rising.check("by less than a grain", &grain(400.0)).is_ok());
        let peak = course((0..300).map(|second| if second == 150 { 2000 } else { 1000 }));
        assert!(peak.check("a peak", &grain(1.0)).is_err());
        assert!(course([5].into_iter()).check("one sample", &grain(1.0)).is_ok());
    }

    #[test]
    fn guests_are_modules() {
        assert!(lean("", "", "unreachable").is_ok());
    }
}
