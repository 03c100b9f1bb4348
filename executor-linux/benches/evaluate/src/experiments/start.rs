//! From a process's start until it can be connected to, and what it takes when it waits.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{Setting, turns};
use crate::progress::Progress;
use crate::statistics::Distribution;
use crate::system::{Server, System};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Start {
    pub system: System,
    pub to_listening: Distribution,
    pub idle_resident_bytes: u64,
}

const SYSTEMS: [System; 6] = [
    System::StaticC,
    System::Echo,
    System::ExecutorAot,
    System::Wasmtime,
    System::Wasmi,
    System::Nodejs,
];

pub fn start(setting: &Setting<'_>) -> Result<Vec<Start>> {
    let rounds = setting.count(200, 20);
    let progress = Progress::new("process start to listening", rounds);
    let systems = setting.present(&SYSTEMS);
    let mut times = vec![Vec::new(); systems.len()];
    let mut resident = vec![0; systems.len()];
    for round in 0..rounds {
        for index in turns(systems.len(), round) {
            let (Some(&system), Some(times), Some(resident)) =
                (systems.get(index), times.get_mut(index), resident.get_mut(index))
            else {
                continue;
            };
            let (server, time) = Server::start_timed(system, setting.inputs)?;
            times.push(time);
            // The last one's: all are alike.
            *resident = server.resident_bytes()?;
        }
        progress.step();
    }
    Ok(systems
        .into_iter()
        .zip(times.into_iter().zip(resident))
        .map(|(system, (times, idle_resident_bytes))| Start {
            system,
            to_listening: Distribution::of(times),
            idle_resident_bytes,
        })
        .collect())
}
