//! The workload of the thesis behind WOW: 60 actions, of which two get 90 % of the requests, and a node that holds fewer
//! containers than there are actions.
//!
//! The client is OpenWhisk's invoker: it knows which containers there are, takes an idle one of the action, else makes room (the
//! container that has been idle for longest goes) and starts one cold. Each request has a connection of its own; a cold one has
//! `/init` and `/run` on it.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};

use super::{INPUT, Life, Setting, check};
use crate::client::Connection;
use crate::progress::Progress;
use crate::statistics::Distribution;
use crate::system::{Server, System};

pub const ACTIONS: usize = 60;
/// Containers that the node holds.
pub const PLACES: usize = 16;
const CLIENTS: usize = 4;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Zipf {
    pub system: System,
    pub requests_per_second: f64,
    pub cold_share: f64,
    pub all: Distribution,
    pub cold: Distribution,
}

const SYSTEMS: [System; 6] = [
    System::ExecutorAot,
    System::ExecutorInterpreted,
    System::Wasmtime,
    System::WasmtimeCache,
    System::Wasmi,
    System::WasmiCache,
];

pub fn zipf(setting: &Setting<'_>) -> Result<Vec<Zipf>> {
    let requests = setting.count(8000, 1000);
    let progress = Progress::new("Zipf workload", SYSTEMS.len());
    SYSTEMS
        .into_iter()
        .map(|system| {
            let result = of_system(setting, system, requests);
            progress.step();
            result
        })
        .collect()
}

/// The containers, as the invoker knows them: the one that was used last is the last.
#[derive(Default)]
struct Invoker {
    idle: Vec<(usize, usize)>,
    busy: usize,
    made: usize,
}

fn of_system(setting: &Setting<'_>, system: System, requests: usize) -> Result<Zipf> {
    let bodies = (0..ACTIONS)
        .map(|action| setting.inputs.init_body_of_variant(action, system.form()))
        .collect::<Result<Vec<_>>>()?;
    let server = Server::start(system, setting.inputs, 2048)?;
    let invoker = Mutex::new(Invoker::default());
    let client = |seed: u64| -> Result<(Vec<Duration>, Vec<Duration>)> {
        let mut random = Random(seed);
        let (mut warm, mut cold) = (Vec::new(), Vec::new());
        for _ in 0..requests / CLIENTS {
            let action = choose(&mut random);
            let (found, evicted, id) = {
                let mut invoker = invoker.lock().map_err(|_| anyhow!("a client panicked"))?;
                let found = invoker.idle.iter().rposition(|(of, _)| *of == action);
                let mut evicted = None;
                let id = match found {
                    Some(at) => invoker.idle.remove(at).1,
                    None => {
                        if invoker.idle.len() + invoker.busy >= PLACES && !invoker.idle.is_empty() {
                            evicted = Some(invoker.idle.remove(0).1);
                        }
                        invoker.made += 1;
                        invoker.made
                    }
                };
                invoker.busy += 1;
                (found, evicted, id)
            };
            if let Some(evicted) = evicted {
                let life = Life::new(system, &format!("z{evicted}"), b"", INPUT);
                Connection::open(server.address)?
                    .exchange(&life.destroy)?
                    .expect("destroy")?;
            }
            let body = bodies.get(action).context("there is one for each")?;
            let life = Life::new(
                system,
                &format!("z{id}"),
                if found.is_none() { body } else { b"" },
                INPUT,
            );
            let begin = Instant::now();
            let mut connection = Connection::open(server.address)?;
            if found.is_none() {
                connection.exchange(&life.init)?.expect("/init")?;
            }
            check(system, &connection.exchange(&life.run)?)?;
            let time = begin.elapsed();
            if found.is_none() { &mut cold } else { &mut warm }.push(time);
            let mut invoker = invoker.lock().map_err(|_| anyhow!("a client panicked"))?;
            invoker.busy -= 1;
            invoker.idle.push((action, id));
        }
        Ok((warm, cold))
    };
    let begin = Instant::now();
    let (warm, cold) = thread::scope(|scope| {
        let client = &client;
        let clients: Vec<_> = (0..CLIENTS as u64)
            .map(|seed| scope.spawn(move || client(seed + 1)))
            .collect();
        let (mut warm, mut cold) = (Vec::new(), Vec::new());
        for client in clients {
            let times = client.join().map_err(|_| anyhow!("a client panicked"))??;
            warm.extend(times.0);
            cold.extend(times.1);
        }
        anyhow::Ok((warm, cold))
    })?;
    let seconds = begin.elapsed().as_secs_f64();
    let count = warm.len() + cold.len();
    Ok(Zipf {
        system,
        requests_per_second: crate::statistics::round(count as f64 / seconds),
        cold_share: crate::statistics::round(cold.len() as f64 / count as f64),
        all: Distribution::with_curve([warm, cold.clone()].concat()),
        cold: Distribution::of(cold),
    })
}

/// Two actions get 90 %, the others share the rest evenly.
fn choose(random: &mut Random) -> usize {
    if random.below(10) < 9 {
        random.below(2)
    } else {
        2 + random.below(ACTIONS - 2)
    }
}

/// Marsaglia's xorshift: the same requests for all systems.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_actions_get_nine_tenths() {
        let mut random = Random(1);
        let mut counts = [0_usize; ACTIONS];
        for _ in 0..100_000 {
            counts[choose(&mut random)] += 1;
        }
        let popular = counts[0] + counts[1];
        assert!((89_000..91_000).contains(&popular), "{popular}");
        assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
    }
}
