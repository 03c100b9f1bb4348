//! Resident memory at 0, 1, 10, … containers of one action, each of which has run once.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{INPUT, Life, Setting};
use crate::client::Connection;
use crate::inputs::{ADD, Form, SIZED};
use crate::progress::Progress;
use crate::system::{Server, System};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Memory {
    pub system: System,
    /// The module, and the bytes of its Wasm.
    pub module: String,
    pub module_bytes: u64,
    /// (containers, resident bytes). It ends early where the system cannot hold more, or takes too long. Where each container is a
    /// process, what they share is counted once.
    pub resident: Vec<(usize, u64)>,
    /// Why it ended early.
    pub ended: Option<String>,
}

const SYSTEMS: [System; 7] = [
    System::ExecutorAot,
    System::ExecutorInterpreted,
    System::Wasmtime,
    System::WasmtimeCache,
    System::Wasmi,
    System::WasmiCache,
    System::Nodejs,
];
/// A system that has not come to the end by then is left.
const PATIENCE: Duration = Duration::from_secs(20);
/// Where each container is a process, so many are enough to see what one takes.
const PROCESSES_MAX: usize = 10;

pub fn memory(setting: &Setting<'_>) -> Result<Vec<Memory>> {
    let levels: &[usize] = if setting.is_quick {
        &[0, 1, 10, 100, 1000]
    } else {
        &[0, 1, 10, 100, 1000, 10_000]
    };
    let systems = setting.present(&SYSTEMS);
    let names = [ADD, SIZED[0].0, SIZED[1].0];
    let progress = Progress::new("memory", names.len() * systems.len());
    let mut results = Vec::new();
    for name in names {
        for &system in &systems {
            // A module's size means nothing to who has none.
            if system != System::Nodejs {
                results.push(of_system(setting, system, name, levels)?);
            } else if name == ADD {
                results.push(of_processes(setting, system, levels)?);
            }
            progress.step();
        }
    }
    Ok(results)
}

fn of_system(setting: &Setting<'_>, system: System, name: &str, levels: &[usize]) -> Result<Memory> {
    let body = setting.inputs.init_body(name, system.form())?;
    let server = Server::start(system, setting.inputs, levels.last().map_or(1, |most| most + 1))?;
    let begin = Instant::now();
    let mut connection = Connection::open(server.address)?;
    let (mut resident, mut ended, mut count) = (Vec::new(), None, 0);
    'levels: for &level in levels {
        while count < level {
            let life = Life::new(system, &format!("m{count}"), &body, INPUT);
            if let Err(error) = start_warm(&mut connection, &life) {
                ended = Some(format!("at {count}: {error:#}"));
                break 'levels;
            }
            if begin.elapsed() > PATIENCE {
                ended = Some(format!("{count} after {} s", PATIENCE.as_secs()));
                break 'levels;
            }
            count += 1;
        }
        resident.push((level, server.resident_bytes()?));
    }
    Ok(Memory {
        system,
        module: name.to_owned(),
        module_bytes: module_bytes(setting, name)?,
        resident,
        ended,
    })
}

/// Of a system whose containers are processes.
fn of_processes(setting: &Setting<'_>, system: System, levels: &[usize]) -> Result<Memory> {
    let body = setting.inputs.init_body(ADD, system.form())?;
    let life = Life::new(system, "", &body, INPUT);
    let (mut resident, mut servers) = (Vec::new(), Vec::new());
    for &level in levels.iter().take_while(|level| **level <= PROCESSES_MAX) {
        while servers.len() < level {
            let server = Server::start(system, setting.inputs, 1)?;
            start_warm(&mut Connection::open(server.address)?, &life)?;
            servers.push(server);
        }
        let shares = servers.iter().map(Server::share_of_memory_bytes);
        resident.push((level, shares.sum::<Result<u64>>()?));
    }
    Ok(Memory {
        system,
        module: ADD.to_owned(),
        module_bytes: module_bytes(setting, ADD)?,
        resident,
        ended: Some("a process each".to_owned()),
    })
}

fn start_warm(connection: &mut Connection, life: &Life) -> Result<()> {
    connection.exchange(&life.init)?.expect("/init")?;
    connection.exchange(&life.run)?.expect("/run")
}

fn module_bytes(setting: &Setting<'_>, name: &str) -> Result<u64> {
    Ok(setting.inputs.file(name, Form::Wasm).metadata()?.len())
}
