//! Requests per second over rising numbers of connections: each has a container of its own.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};

use super::{INPUT, Setting, turns, warm_container};
use crate::cores::Cores;
use crate::inputs::{ADD, BLOCK, HASH};
use crate::progress::Progress;
use crate::statistics::{median, round};
use crate::system::{Server, System};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workload {
    /// `add`: hardly any work.
    Add,
    /// `hash` of 64 KiB: computes.
    Hash,
    /// `block`: waits for 5 ms.
    Block,
    /// Every second connection computes, the others wait.
    Mixed,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Throughput {
    pub workload: Workload,
    pub system: System,
    pub connections: usize,
    /// The median of the rounds.
    pub requests_per_second: f64,
    /// The slowest and the fastest round.
    #[serde(default)]
    pub range_per_second: (f64, f64),
}

/// The executor on one processor, and on two: medians of the rounds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scaling {
    pub system: System,
    pub one_core_requests_per_second: f64,
    pub two_cores_requests_per_second: f64,
}

const HASH_INPUT: &[u8] = br#"{"value":{"bytes":65536}}"#;
const SYSTEMS: [System; 5] = [
    System::Echo,
    System::ExecutorAot,
    System::ExecutorInterpreted,
    System::Wasmtime,
    System::Wasmi,
];

pub fn throughput(setting: &Setting<'_>) -> Result<Vec<Throughput>> {
    let levels: &[usize] = if setting.is_quick {
        &[1, 16]
    } else {
        &[1, 2, 4, 8, 16, 32, 64]
    };
    let workloads = [Workload::Add, Workload::Hash, Workload::Block, Workload::Mixed];
    let rounds = setting.count(5, 1);
    let window = Duration::from_millis(if setting.is_quick { 200 } else { 300 });
    let progress = Progress::new("throughput", workloads.len() * levels.len() * rounds);
    let servers = setting.start(&SYSTEMS)?;
    let mut results: Vec<Throughput> = Vec::new();
    for workload in workloads {
        for &connections in levels {
            let mut rates = vec![Vec::new(); servers.len()];
            for round in 0..rounds {
                for index in turns(servers.len(), round) {
                    let (Some(server), Some(rates)) = (servers.get(index), rates.get_mut(index)) else {
                        continue;
                    };
                    if server.system != System::Echo || workload == Workload::Add {
                        let name = format!("{workload:?}{connections}x{round}");
                        rates.push(rate_of(setting, server, workload, connections, window, &name)?);
                    }
                }
                progress.step();
            }
            results.extend(
                servers
                    .iter()
                    .zip(rates)
                    .filter(|(_, rates)| !rates.is_empty())
                    .map(|(server, rates)| Throughput {
                        workload,
                        system: server.system,
                        connections,
                        range_per_second: (
                            round(rates.iter().copied().fold(f64::INFINITY, f64::min)),
                            round(rates.iter().copied().fold(0.0, f64::max)),
                        ),
                        requests_per_second: median(rates),
                    }),
            );
        }
    }
    Ok(results)
}

/// All clients start together; each ends its last request after the window, and counts until then.
fn rate_of(
    setting: &Setting<'_>,
    server: &Server,
    workload: Workload,
    connections: usize,
    window: Duration,
    name: &str,
) -> Result<f64> {
    let barrier = Barrier::new(connections);
    let is_over = AtomicBool::new(false);
    let containers = (0..connections)
        .map(|client| {
            let (action, input) = match (workload, client % 2) {
                (Workload::Add, _) => (ADD, INPUT),
                (Workload::Hash, _) | (Workload::Mixed, 0) => (HASH, HASH_INPUT),
                (Workload::Block | Workload::Mixed, _) => (BLOCK, INPUT),
            };
            warm_container(setting, server, action, &format!("{name}-{client}"), input)
        })
        .collect::<Result<Vec<_>>>()?;
    thread::scope(|scope| {
        let clients: Vec<_> = containers
            .into_iter()
            .map(|(mut connection, run)| {
                let (barrier, is_over) = (&barrier, &is_over);
                scope.spawn(move || -> Result<f64> {
                    barrier.wait();
                    let begin = Instant::now();
                    let mut count = 0_u32;
                    while !is_over.load(Ordering::Relaxed) {
                        connection.exchange(&run)?.expect("/run")?;
                        count += 1;
                        if begin.elapsed() >= window {
                            is_over.store(true, Ordering::Relaxed);
                        }
                    }
                    Ok(f64::from(count) / begin.elapsed().as_secs_f64())
                })
            })
            .collect();
        let mut rate = 0.0;
        for client in clients {
            rate += client.join().map_err(|_| anyhow!("a client panicked"))??;
        }
        Ok(rate)
    })
}

/// Throughput of work that computes, 16 connections, with the server on one processor and on two.
pub fn scaling(setting: &Setting<'_>) -> Result<Vec<Scaling>> {
    let window = Duration::from_millis(setting.count(500, 250) as u64);
    let rounds = setting.count(5, 2);
    let progress = Progress::new("one processor and two", rounds);
    let systems = [System::ExecutorAot, System::ExecutorInterpreted, System::Wasmtime];
    let mut rates = vec![[Vec::new(), Vec::new()]; systems.len()];
    for round in 0..rounds {
        for index in turns(systems.len(), round) {
            let (Some(&system), Some(rates)) = (systems.get(index), rates.get_mut(index)) else {
                continue;
            };
            for (cores, rates) in [1, 2].into_iter().zip(rates) {
                let server = {
                    let _cores = Cores::only(cores)?;
                    Server::start(system, setting.inputs, 2048)?
                };
                rates.push(rate_of(setting, &server, Workload::Hash, 16, window, "scaling")?);
            }
        }
        progress.step();
    }
    Ok(systems
        .into_iter()
        .zip(rates)
        .map(|(system, [one, two])| Scaling {
            system,
            one_core_requests_per_second: median(one),
            two_cores_requests_per_second: median(two),
        })
        .collect())
}
