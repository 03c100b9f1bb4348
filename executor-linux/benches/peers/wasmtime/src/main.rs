//! The same actions on Wasmtime, compiled ahead of time: modules are deserialised at `/init` and linked, a fresh instance from the
//! pool serves each run. `--cache`: a module is kept by its content.

mod config;

use anyhow::{Context, Result};
use peer_http::containers::{Containers, answer_range, sleep_as_subscribed};
use peer_http::server::{arguments, serve};
use wasmtime::{Caller, Extern, InstancePre, Linker, Module, ModuleExport, Store};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Engine {
    engine: wasmtime::Engine,
    linker: Linker<()>,
}

struct Loaded {
    pre: InstancePre<()>,
    memory: ModuleExport,
    allocate: ModuleExport,
    run: ModuleExport,
}

impl peer_http::containers::Engine for Engine {
    type Module = Loaded;

    fn load(&self, code: &[u8]) -> Result<Loaded> {
        #[expect(unsafe_code, reason = "the peer runs what its own compiler made")]
        // SAFETY: the evaluation sends artifacts of `wasmtime-compiler` only. Others are not checked: the executor checks a
        // signature here.
        let module = unsafe { Module::deserialize(&self.engine, code) }?;
        let export = |name: &str| {
            module
                .get_export_index(name)
                .with_context(|| format!("no export {name}"))
        };
        Ok(Loaded {
            memory: export("memory")?,
            allocate: export("ow_allocate")?,
            run: export("ow_run")?,
            pre: self.linker.instantiate_pre(&module)?,
        })
    }

    fn run(&self, module: &Loaded, input: &[u8], answer: &mut Vec<u8>) -> Result<()> {
        let mut store = Store::new(&self.engine, ());
        let instance = module.pre.instantiate(&mut store)?;
        let function = |store: &mut Store<()>, export| {
            instance
                .get_module_export(&mut *store, export)
                .and_then(Extern::into_func)
                .context("no function")
        };
        let allocate = function(&mut store, &module.allocate)?.typed::<u32, u32>(&store)?;
        let run = function(&mut store, &module.run)?.typed::<(u32, u32), u64>(&store)?;
        let memory = instance
            .get_module_export(&mut store, &module.memory)
            .and_then(Extern::into_memory)
            .context("no memory")?;
        let len = u32::try_from(input.len())?;
        let address = allocate.call(&mut store, len)?;
        memory.write(&mut store, address as usize, input)?;
        let packed = run.call(&mut store, (address, len))?;
        let bytes = memory.data(&store).get(answer_range(packed));
        answer.extend_from_slice(bytes.context("the answer lies outside of memory")?);
        Ok(())
    }
}

fn poll_oneoff(mut caller: Caller<'_, ()>, subscription: u32, event: u32, _count: u32, written: u32) -> i32 {
    let Some(memory) = caller.get_export("memory").and_then(Extern::into_memory) else {
        return 28;
    };
    sleep_as_subscribed(
        memory.data_mut(&mut caller),
        subscription as usize,
        event as usize,
        written as usize,
    )
}

fn main() -> Result<()> {
    let (address, arguments) = arguments()?;
    let engine = wasmtime::Engine::new(&config::config())?;
    let mut linker = Linker::new(&engine);
    linker.func_wrap("wasi_snapshot_preview1", "poll_oneoff", poll_oneoff)?;
    let is_caching = arguments.iter().any(|argument| argument == "--cache");
    Ok(serve(address, Containers::new(Engine { engine, linker }, is_caching))?)
}
