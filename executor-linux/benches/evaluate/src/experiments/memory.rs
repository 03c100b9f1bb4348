//! Resident memory at 0, 1, 10, … containers of one action, each of which has run once.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{INPUT, Life, Setting};
use crate::client::Connection;
use crate::inputs::{ADD, Inputs, SIZED};
use crate::progress::Progress;
use crate::system::{Server, System};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Memory {
    pub system: System,
    /// The module, and the bytes of its Wasm.
    pub module: String,
    pub module_bytes: u64,
    /// (containers, resident bytes). It ends early where the system cannot hold more, or takes too long.
    pub resident: Vec<(usize, u64)>,
    /// Why it ended early.
    pub ended: Option<String>,
}

const SYSTEMS: [System; 6] = [
    System::ExecutorAot,
    System::ExecutorInterpreted,
    System::Wasmtime,
    System::WasmtimeCache,
    System::Wasmi,
    System::WasmiCache,
];
/// A system that has not come to the end by then is left.
const PATIENCE: Duration = Duration::from_secs(20);

pub fn memory(setting: &Setting<'_>) -> Result<Vec<Memory>> {
    let levels: &[usize] = if setting.is_quick {
        &[0, 1, 10, 100, 1000]
    } else {
        &[0, 1, 10, 100, 1000, 10_000]
    };
    let names = [ADD, SIZED[0].0, SIZED[1].0];
    let progress = Progress::new("memory", names.len() * SYSTEMS.len());
    let mut results = Vec::new();
    for name in names {
        for system in SYSTEMS {
            results.push(of_system(setting, system, name, levels)?);
            progress.step();
        }
    }
    Ok(results)
}

fn of_system(setting: &Setting<'_>, system: System, name: &str, levels: &[usize]) -> Result<Memory> {
    let file = |form| setting.inputs.file(name, form);
    let module_bytes = file(crate::inputs::Form::Wasm).metadata()?.len();
    let body = Inputs::init_body(&file(system.form()))?;
    let server = Server::start(system, setting.inputs, levels.last().map_or(1, |most| most + 1))?;
    let begin = Instant::now();
    let mut connection = Connection::open(server.address)?;
    let (mut resident, mut ended, mut count) = (Vec::new(), None, 0);
    'levels: for &level in levels {
        while count < level {
            let life = Life::new(system, &format!("m{count}"), &body, INPUT);
            let started = connection
                .exchange(&life.init)
                .and_then(|reply| reply.expect("/init"))
                .and_then(|()| connection.exchange(&life.run)?.expect("/run"));
            if let Err(error) = started {
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
        module_bytes,
        resident,
        ended,
    })
}
