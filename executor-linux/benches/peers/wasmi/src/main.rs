//! The same actions on wasmi: a module is validated at `/init` and translated function by function when they are first called; a
//! fresh instance serves each run. `--cache`: a module is kept by its content, with what has been translated.

use anyhow::{Context, Result};
use peer_http::containers::{Containers, answer_range, sleep_as_subscribed};
use peer_http::server::{arguments, serve};
use wasmi::{Caller, CompilationMode, Config, Extern, Linker, Module, Store};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Engine {
    engine: wasmi::Engine,
    linker: Linker<()>,
}

impl peer_http::containers::Engine for Engine {
    type Module = Module;

    fn load(&self, code: &[u8]) -> Result<Module> {
        Ok(Module::new(&self.engine, code)?)
    }

    fn run(&self, module: &Module, input: &[u8], answer: &mut Vec<u8>) -> Result<()> {
        let mut store = Store::new(&self.engine, ());
        let instance = self.linker.instantiate_and_start(&mut store, module)?;
        let allocate = instance.get_typed_func::<u32, u32>(&store, "ow_allocate")?;
        let run = instance.get_typed_func::<(u32, u32), u64>(&store, "ow_run")?;
        let memory = instance.get_memory(&store, "memory").context("no memory")?;
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
    let mut config = Config::default();
    config.compilation_mode(CompilationMode::LazyTranslation);
    let engine = wasmi::Engine::new(&config);
    let mut linker = Linker::new(&engine);
    linker.func_wrap("wasi_snapshot_preview1", "poll_oneoff", poll_oneoff)?;
    let is_caching = arguments.iter().any(|argument| argument == "--cache");
    Ok(serve(address, Containers::new(Engine { engine, linker }, is_caching))?)
}
