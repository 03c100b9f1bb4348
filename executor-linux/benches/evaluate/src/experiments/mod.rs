//! The experiments. Each gives its results as data; systems take turns within each, so that what changes on the machine
//! meanwhile hits all alike.
//!
//! Where one thing is done at a time, client and server share one core: what is measured is the work of both, without the wait for
//! a core that has gone to sleep, which on a virtual machine is longer than that work and comes and goes. Where many are done, they
//! share all cores.

pub mod cold;
pub mod load;
pub mod memory;
pub mod sizes;
pub mod split;
pub mod start;
pub mod throughput;
pub mod warm;
pub mod zipf;

use anyhow::{Context, Result, ensure};

use crate::client::{Connection, Reply, post};
use crate::inputs::{ADD, Inputs};
use crate::system::{Server, System};

/// What `add` is asked, and what it has to answer.
pub const INPUT: &[u8] = br#"{"value":{"param1":2,"param2":2}}"#;
const ANSWER: &[u8] = br#"{"result":4}"#;

/// Everything that experiments share.
pub struct Setting<'a> {
    pub inputs: &'a Inputs,
    pub is_quick: bool,
}

impl Setting<'_> {
    /// How often something is done: `full`, or a part of it.
    pub fn count(&self, full: usize, quick: usize) -> usize {
        if self.is_quick { quick } else { full }
    }

    /// Those of the systems that are on this machine.
    pub fn present(&self, systems: &[System]) -> Vec<System> {
        let is_there = |system: &&System| **system != System::Nodejs || self.inputs.nodejs.is_some();
        systems.iter().filter(is_there).copied().collect()
    }

    pub fn start(&self, systems: &[System]) -> Result<Vec<Server>> {
        systems
            .iter()
            .map(|system| Server::start(*system, self.inputs, 2048))
            .collect()
    }
}

/// The requests of one container's life.
pub struct Life {
    pub init: Vec<u8>,
    pub run: Vec<u8>,
    pub destroy: Vec<u8>,
}

impl Life {
    pub fn new(system: System, id: &str, init_body: &[u8], input: &[u8]) -> Self {
        Life {
            init: post(&system.path(id, "init"), init_body),
            run: post(&system.path(id, "run"), input),
            destroy: post(&system.path(id, "destroy"), b""),
        }
    }
}

/// Whether a reply is what this system answers to `add`.
pub fn check(system: System, reply: &Reply<'_>) -> Result<()> {
    let is_right = match system {
        System::Refused => reply.status == 404,
        _ => reply.status == 200 && reply.body == ANSWER,
    };
    ensure!(
        is_right,
        "{} gave {}: {}",
        system.label(),
        reply.status,
        String::from_utf8_lossy(reply.body)
    );
    Ok(())
}

/// A container of `name`, initialised and run once, on a connection that stays. Gives the request that runs it.
pub fn warm_container(
    context: &Setting<'_>,
    server: &Server,
    name: &str,
    id: &str,
    input: &[u8],
) -> Result<(Connection, Vec<u8>)> {
    let system = server.system;
    let life = Life::new(system, id, &context.inputs.init_body(name, system.form())?, input);
    let mut connection = Connection::open(server.address)?;
    let told = connection.exchange(&life.init)?;
    if system != System::Refused {
        told.expect("/init").with_context(|| system.label().to_owned())?;
    }
    let ran = connection.exchange(&life.run)?;
    if name == ADD {
        check(system, &ran)?;
    } else {
        ran.expect("/run").with_context(|| system.label().to_owned())?;
    }
    Ok((connection, life.run))
}

/// The order of a round: each system is first as often as the others.
pub fn turns(count: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |index| (index + round) % count.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_turn_in_each_round() {
        for round in 0..5 {
            let mut order: Vec<usize> = turns(3, round).collect();
            assert_eq!(order.first(), Some(&(round % 3)));
            order.sort_unstable();
            assert_eq!(order, [0, 1, 2]);
        }
    }
}
