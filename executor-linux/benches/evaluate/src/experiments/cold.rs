//! Cold starts: connect, `/init`, the first `/run`, over one connection, each with a container of its own.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};

use super::{INPUT, Life, Setting, check, turns};
use crate::client::Connection;
use crate::cores::Cores;
use crate::inputs::VARIANTS;
use crate::progress::Progress;
use crate::statistics::Distribution;
use crate::system::{Server, System};

/// What a system knows of the action already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Nothing: no container has this content, and it does not come again before it is forgotten.
    Unseen,
    /// There is a container of the same content: the usual case of an OpenWhisk that scales an action out.
    Shared,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cold {
    pub content: Content,
    pub system: System,
    pub concurrency: usize,
    pub times: Distribution,
}

/// The first cold start of fresh processes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct First {
    pub system: System,
    pub times: Distribution,
    /// From the process's start: what a container takes that is a process of its own.
    #[serde(default)]
    pub with_start: Distribution,
}

/// A system that caches modules by content is compared where there is such content; one that does not, where there is not.
/// The executor and the process do what they do.
const UNSEEN: [System; 7] = [
    System::Echo,
    System::Refused,
    System::ExecutorAot,
    System::ExecutorInterpreted,
    System::Wasmtime,
    System::Wasmi,
    System::Process,
];
const SHARED: [System; 6] = [
    System::Echo,
    System::Refused,
    System::ExecutorAot,
    System::ExecutorInterpreted,
    System::WasmtimeCache,
    System::WasmiCache,
];

const FIRST: [System; 7] = [
    System::Echo,
    System::Refused,
    System::ExecutorAot,
    System::ExecutorInterpreted,
    System::Wasmtime,
    System::Wasmi,
    System::Nodejs,
];

/// Cold starts between two changes of the system.
const IN_A_ROUND: usize = 100;

pub fn cold(setting: &Setting<'_>) -> Result<Vec<Cold>> {
    let mut all = Vec::new();
    let levels: &[usize] = if setting.is_quick {
        &[4, 10]
    } else {
        &[2, 3, 4, 5, 6, 7, 8, 9, 10]
    };
    for (content, systems) in [(Content::Unseen, &UNSEEN[..]), (Content::Shared, &SHARED[..])] {
        {
            let _core = Cores::only(1)?;
            all.extend(of_content(setting, content, systems, &[1])?);
        }
        all.extend(of_content(setting, content, systems, levels)?);
    }
    Ok(all)
}

fn of_content(setting: &Setting<'_>, content: Content, systems: &[System], levels: &[usize]) -> Result<Vec<Cold>> {
    let rounds = setting.count(10, 3);
    let what = match content {
        Content::Unseen => "unseen content",
        Content::Shared => "beside the same content",
    };
    let most = levels.last().copied().unwrap_or_default();
    let progress = Progress::new(
        &format!("cold starts, {what}, up to {most} at a time"),
        levels.len() * rounds * systems.len(),
    );
    let servers = setting.start(systems)?;
    let bodies = systems
        .iter()
        .map(|system| bodies(setting, content, *system))
        .collect::<Result<Vec<_>>>()?;
    let mut number = 0;
    // What a container has loaded is there for those that come.
    let mut kept = Vec::new();
    if content == Content::Shared {
        for (server, bodies) in servers.iter().zip(&bodies) {
            let body = bodies.first().context("there is one")?;
            let life = Life::new(server.system, "kept", body, INPUT);
            let mut connection = Connection::open(server.address)?;
            start_cold(server.system, &mut connection, &life)?;
            kept.push(connection);
        }
    }
    let mut results = Vec::new();
    for &concurrency in levels {
        let mut times = vec![Vec::new(); servers.len()];
        // The first round is not counted: it wakes everything up.
        for round in 0..=rounds {
            for index in turns(servers.len(), round) {
                let (Some(server), Some(bodies)) = (servers.get(index), bodies.get(index)) else {
                    continue;
                };
                let count = if round == 0 { 2 * concurrency } else { IN_A_ROUND };
                let measured = round_of(server, bodies, concurrency, count, &mut number)?;
                if round > 0 {
                    if let Some(times) = times.get_mut(index) {
                        times.extend(measured);
                    }
                    progress.step();
                }
            }
        }
        for (server, times) in servers.iter().zip(times) {
            results.push(Cold {
                content,
                system: server.system,
                concurrency,
                times: if concurrency == 1 {
                    Distribution::with_curve(times)
                } else {
                    Distribution::of(times)
                },
            });
        }
    }
    Ok(results)
}

pub fn bodies(setting: &Setting<'_>, content: Content, system: System) -> Result<Vec<Vec<u8>>> {
    let count = if content == Content::Unseen { VARIANTS } else { 1 };
    (0..count)
        .map(|number| setting.inputs.init_body_of_variant(number, system.form()))
        .collect()
}

/// At least so many cold starts, `concurrency` at a time: all clients of a batch start together, and containers go when all of
/// them are there.
fn round_of(
    server: &Server,
    bodies: &[Vec<u8>],
    concurrency: usize,
    count: usize,
    number: &mut usize,
) -> Result<Vec<Duration>> {
    let batches = count.div_ceil(concurrency);
    let barrier = Barrier::new(concurrency);
    let first = *number;
    *number += batches * concurrency;
    let client = |client: usize| -> Result<Vec<Duration>> {
        let mut times = Vec::with_capacity(batches);
        let mut result = Ok(());
        for batch in 0..batches {
            let number = first + batch * concurrency + client;
            let body = bodies.get(number % bodies.len()).context("there are bodies")?;
            let life = Life::new(server.system, &format!("c{number}"), body, INPUT);
            barrier.wait();
            let begin = Instant::now();
            let started = Connection::open(server.address).and_then(|mut connection| {
                start_cold(server.system, &mut connection, &life)?;
                Ok(connection)
            });
            times.push(begin.elapsed());
            barrier.wait();
            // Who failed goes on meeting the others at the barrier.
            let ended = started.and_then(|mut connection| {
                if server.system.runs_actions() {
                    connection.exchange(&life.destroy)?.expect("destroy")?;
                }
                Ok(())
            });
            result = result.and(ended);
        }
        result.map(|()| times)
    };
    if concurrency == 1 {
        return client(0);
    }
    thread::scope(|scope| {
        let clients: Vec<_> = (0..concurrency)
            .map(|index| scope.spawn(move || client(index)))
            .collect();
        let mut all = Vec::new();
        for client in clients {
            all.extend(client.join().map_err(|_| anyhow!("a client panicked"))??);
        }
        Ok(all)
    })
}

pub fn start_cold(system: System, connection: &mut Connection, life: &Life) -> Result<()> {
    let told = connection.exchange(&life.init)?;
    if system != System::Refused {
        told.expect("/init").with_context(|| system.label().to_owned())?;
    }
    check(system, &connection.exchange(&life.run)?)
}

/// The first cold start of fresh processes.
pub fn first(setting: &Setting<'_>) -> Result<Vec<First>> {
    let _core = Cores::only(1)?;
    let systems = setting.present(&FIRST);
    let rounds = setting.count(40, 10);
    let progress = Progress::new("first cold starts of fresh processes", rounds * systems.len());
    let mut times = vec![Vec::new(); systems.len()];
    let mut with_start = vec![Vec::new(); systems.len()];
    for round in 0..rounds {
        for index in turns(systems.len(), round) {
            let (Some(&system), Some(times), Some(with_start)) =
                (systems.get(index), times.get_mut(index), with_start.get_mut(index))
            else {
                continue;
            };
            let body = setting.inputs.init_body_of_variant(round, system.form())?;
            let life = Life::new(system, "first", &body, INPUT);
            let start = Instant::now();
            let server = Server::start(system, setting.inputs, 2048)?;
            let begin = Instant::now();
            start_cold(system, &mut Connection::open(server.address)?, &life)?;
            let end = Instant::now();
            times.push(end - begin);
            with_start.push(end - start);
            progress.step();
        }
    }
    Ok(systems
        .into_iter()
        .zip(times.into_iter().zip(with_start))
        .map(|(system, (times, with_start))| First {
            system,
            times: Distribution::of(times),
            with_start: Distribution::of(with_start),
        })
        .collect())
}
