//! Warm runs: one container, on a connection that is kept, and on a fresh one each, as OpenWhisk's invoker has it.

use std::time::Instant;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{INPUT, Setting, check, turns, warm_container};
use crate::client::Connection;
use crate::cores::Cores;
use crate::inputs::ADD;
use crate::progress::Progress;
use crate::statistics::Distribution;
use crate::system::System;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Warm {
    pub system: System,
    pub kept_connection: Distribution,
    pub fresh_connection: Distribution,
}

const SYSTEMS: [System; 8] = [
    System::Echo,
    System::Refused,
    System::ExecutorAot,
    System::ExecutorInterpreted,
    System::Wasmtime,
    System::Wasmi,
    System::Process,
    System::Nodejs,
];

/// Requests on a kept connection between two changes of the system, and a part of them on fresh ones.
const IN_A_ROUND: usize = 500;
const FRESH_IN_A_ROUND: usize = 100;
/// So many are not counted after each change.
const UNCOUNTED: usize = 20;

pub fn warm(setting: &Setting<'_>) -> Result<Vec<Warm>> {
    let rounds = setting.count(20, 4);
    let systems = setting.present(&SYSTEMS);
    let progress = Progress::new("warm runs", rounds * systems.len());
    let _core = Cores::only(1)?;
    let servers = setting.start(&systems)?;
    let mut containers = servers
        .iter()
        .map(|server| warm_container(setting, server, ADD, "warm", INPUT))
        .collect::<Result<Vec<_>>>()?;
    let mut kept = vec![Vec::new(); servers.len()];
    let mut fresh = vec![Vec::new(); servers.len()];
    for round in 0..rounds {
        for index in turns(servers.len(), round) {
            let (Some(server), Some((connection, run))) = (servers.get(index), containers.get_mut(index)) else {
                continue;
            };
            for number in 0..UNCOUNTED + IN_A_ROUND {
                let begin = Instant::now();
                let reply = connection.exchange(run)?;
                let time = begin.elapsed();
                check(server.system, &reply)?;
                if let (true, Some(times)) = (number >= UNCOUNTED, kept.get_mut(index)) {
                    times.push(time);
                }
            }
            for number in 0..UNCOUNTED + FRESH_IN_A_ROUND {
                let begin = Instant::now();
                let mut connection = Connection::open(server.address)?;
                let reply = connection.exchange(run)?;
                let time = begin.elapsed();
                check(server.system, &reply)?;
                if let (true, Some(times)) = (number >= UNCOUNTED, fresh.get_mut(index)) {
                    times.push(time);
                }
            }
            progress.step();
        }
    }
    Ok(servers
        .iter()
        .zip(kept.into_iter().zip(fresh))
        .map(|(server, (kept, fresh))| Warm {
            system: server.system,
            kept_connection: Distribution::with_curve(kept),
            fresh_connection: Distribution::of(fresh),
        })
        .collect())
}
