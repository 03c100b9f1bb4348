//! OpenWhisk's `/init` and `/run` for an engine: `/ID/init`, `/ID/run` and `/ID/destroy`, as the executor's invoker has them.
//!
//! JSON is read without copying; base64 is decoded in place with SIMD. With a cache, a module is looked up by the SHA-256 of its
//! bytes, as the executor does, and kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::server::Handler;

/// What runs modules.
pub trait Engine: Send + Sync + 'static {
    /// A loaded module.
    type Module: Send + Sync;

    /// Load a module from what `/init` brought.
    ///
    /// # Errors
    /// What the engine says.
    fn load(&self, code: &[u8]) -> Result<Self::Module>;

    /// Run it on `input`, on a fresh instance; append the answer.
    ///
    /// # Errors
    /// What the engine says.
    fn run(&self, module: &Self::Module, input: &[u8], answer: &mut Vec<u8>) -> Result<()>;
}

type Cache<M> = Mutex<HashMap<[u8; 32], Arc<M>>>;

/// Containers of an engine.
pub struct Containers<E: Engine> {
    engine: E,
    cache: Option<Cache<E::Module>>,
    containers: Mutex<HashMap<String, Arc<E::Module>>>,
}

#[derive(Deserialize)]
struct Init<'a> {
    #[serde(borrow)]
    value: InitValue<'a>,
}

#[derive(Deserialize)]
struct InitValue<'a> {
    code: &'a str,
}

#[derive(Deserialize)]
struct Run<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
}

impl<E: Engine> Containers<E> {
    /// No containers yet. `is_caching`: modules are kept by their content.
    pub fn new(engine: E, is_caching: bool) -> Self {
        Containers {
            engine,
            cache: is_caching.then(Cache::default),
            containers: Mutex::default(),
        }
    }

    fn init(&self, id: &str, body: &mut [u8]) -> Result<()> {
        if self.containers.lock().expect("no panic").contains_key(id) {
            bail!("Cannot initialize the action more than once.");
        }
        let init: Init<'_> = serde_json::from_slice(body)?;
        let start = init.value.code.as_ptr().addr() - body.as_ptr().addr();
        let room = start..start + init.value.code.len();
        let code = base64_simd::STANDARD
            .decode_inplace(&mut body[room])
            .context("not base64")?;
        let module = self.module(code)?;
        self.containers.lock().expect("no panic").insert(id.to_owned(), module);
        Ok(())
    }

    fn module(&self, code: &[u8]) -> Result<Arc<E::Module>> {
        let Some(cache) = &self.cache else {
            return self.engine.load(code).map(Arc::new);
        };
        let key = blake3::hash(code).into();
        if let Some(module) = cache.lock().expect("no panic").get(&key) {
            return Ok(Arc::clone(module));
        }
        let module = Arc::new(self.engine.load(code)?);
        Ok(Arc::clone(cache.lock().expect("no panic").entry(key).or_insert(module)))
    }

    fn run(&self, id: &str, body: &[u8], reply: &mut Vec<u8>) -> Result<()> {
        let module = self.containers.lock().expect("no panic").get(id).cloned();
        let run: Run<'_> = serde_json::from_slice(body)?;
        self.engine.run(
            &*module.context("no such container")?,
            run.value.get().as_bytes(),
            reply,
        )
    }

    fn command(&self, path: &str, body: &mut [u8], reply: &mut Vec<u8>) -> Result<()> {
        let (id, command) = path
            .strip_prefix('/')
            .and_then(|path| path.split_once('/'))
            .context("no such path")?;
        match command {
            "init" => {
                self.init(id, body)?;
                reply.extend_from_slice(br#"{"ok":true}"#);
            }
            "run" => self.run(id, body, reply)?,
            "destroy" => {
                let removed = self.containers.lock().expect("no panic").remove(id);
                drop(removed);
                reply.extend_from_slice(b"{}");
            }
            _ => bail!("no such path"),
        }
        Ok(())
    }
}

impl<E: Engine> Handler for Containers<E> {
    type Desk = ();

    fn desk(&self) {}

    fn handle(&self, (): &mut (), path: &str, body: &mut [u8], reply: &mut Vec<u8>) -> u16 {
        let before = reply.len();
        match self.command(path, body, reply) {
            Ok(()) => 200,
            Err(error) => {
                reply.truncate(before);
                let error = serde_json::json!({"error": format!("{error:#}")});
                reply.extend_from_slice(error.to_string().as_bytes());
                502
            }
        }
    }
}

/// Where an answer of the lean ABI lies (`actions/ABI.md`): its address in the upper half, its length in the lower one.
#[must_use]
pub fn answer_range(packed: u64) -> std::ops::Range<usize> {
    let (address, len) = ((packed >> 32) as usize, (packed & 0xffff_ffff) as usize);
    address..address + len
}

/// `poll_oneoff` of WASI preview 1 as far as the guest `block` asks for it: sleep as long as the one subscription to a clock at
/// `subscription` says, then write its event.
pub fn sleep_as_subscribed(memory: &mut [u8], subscription: usize, event: usize, count: usize) -> i32 {
    const INVALID: i32 = 28;
    let Some(timeout) = memory.get(subscription + 24..).and_then(|bytes| bytes.first_chunk()) else {
        return INVALID;
    };
    std::thread::sleep(std::time::Duration::from_nanos(u64::from_le_bytes(*timeout)));
    let (Some(event), true) = (memory.get_mut(event..event + 32), event != count) else {
        return INVALID;
    };
    event.fill(0);
    let Some(count) = memory.get_mut(count..count + 4) else {
        return INVALID;
    };
    count.copy_from_slice(&1_u32.to_le_bytes());
    0
}
