//! The host of ABIs 2 and 3: the few functions of WASI preview 1 that the examples cannot do without.

use wasmi::{Caller, Engine, Error, Extern, Instance, Linker, Memory, Module, Store};

/// What a guest sees and leaves.
#[derive(Default)]
pub struct World {
    pub arguments: Vec<Vec<u8>>,
    pub stdin: Vec<u8>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// What `http.get` returns.
    pub http_get: i32,
}

/// An instance on WASI.
pub struct Guest {
    store: Store<World>,
    instance: Instance,
}

const SUCCESS: i32 = 0;
const BADF: i32 = 8;
const FAULT: i32 = 21;

impl Guest {
    /// Instantiate; nothing runs yet.
    ///
    /// # Panics
    /// If the module asks for more than [`World`] has.
    #[must_use]
    pub fn new(module: &[u8], world: World) -> Self {
        let engine = Engine::default();
        let module = Module::new(&engine, module).expect("a valid module");
        let mut store = Store::new(&engine, world);
        let instance = linker(&engine)
            .and_then(|linker| linker.instantiate_and_start(&mut store, &module))
            .expect("it imports what there is");
        Self { store, instance }
    }

    /// Run `_start` to its end, and give the exit code.
    ///
    /// # Errors
    /// The trap.
    ///
    /// # Panics
    /// If the guest breaks the ABI.
    pub fn start(&mut self) -> Result<i32, Error> {
        let start = self
            .instance
            .get_typed_func::<(), ()>(&self.store, "_start")
            .expect("its type");
        match start.call(&mut self.store, ()) {
            Ok(()) => Ok(0),
            Err(error) => error.i32_exit_status().ok_or(error),
        }
    }

    /// Call one of WOW's functions.
    ///
    /// # Panics
    /// If the guest breaks the ABI.
    pub fn call<P: wasmi::WasmParams, R: wasmi::WasmResults>(&mut self, name: &str, parameters: P) -> R {
        let function = self
            .instance
            .get_typed_func::<P, R>(&self.store, name)
            .expect("its type");
        function.call(&mut self.store, parameters).expect("it does not trap")
    }

    /// The guest's memory.
    ///
    /// # Panics
    /// If the guest breaks the ABI.
    pub fn memory(&mut self) -> &mut [u8] {
        let memory = self
            .instance
            .get_memory(&self.store, "memory")
            .expect("the export `memory`");
        memory.data_mut(&mut self.store)
    }

    /// What the guest has left.
    #[must_use]
    pub fn world(&self) -> &World {
        self.store.data()
    }
}

fn linker(engine: &Engine) -> Result<Linker<World>, Error> {
    let mut linker = Linker::new(engine);
    linker.func_wrap("http", "get", |caller: Caller<'_, World>| caller.data().http_get)?;

    let wasi = "wasi_snapshot_preview1";
    linker.func_wrap(wasi, "proc_exit", |code: i32| -> Result<(), Error> {
        Err(Error::i32_exit(code))
    })?;
    linker.func_wrap(
        wasi,
        "environ_sizes_get",
        |mut caller: Caller<'_, World>, count: u32, bytes: u32| {
            put_u32(&mut caller, count, 0)
                .and(put_u32(&mut caller, bytes, 0))
                .map_or(FAULT, |()| SUCCESS)
        },
    )?;
    linker.func_wrap(wasi, "environ_get", |_: u32, _: u32| SUCCESS)?;
    linker.func_wrap(
        wasi,
        "args_sizes_get",
        |mut caller: Caller<'_, World>, count: u32, bytes: u32| {
            let arguments = &caller.data().arguments;
            let sizes = (
                arguments.len(),
                arguments.iter().map(|argument| argument.len() + 1).sum::<usize>(),
            );
            put_u32(&mut caller, count, sizes.0)
                .and(put_u32(&mut caller, bytes, sizes.1))
                .map_or(FAULT, |()| SUCCESS)
        },
    )?;
    linker.func_wrap(
        wasi,
        "args_get",
        |mut caller: Caller<'_, World>, mut pointers: u32, mut bytes: u32| {
            for argument in caller.data().arguments.clone() {
                let put = put_u32(&mut caller, pointers, to_usize(bytes))
                    .and(put(&mut caller, bytes, &argument))
                    .and(put(&mut caller, bytes + to_u32(argument.len()), &[0]));
                if put.is_none() {
                    return FAULT;
                }
                pointers += 4;
                bytes += to_u32(argument.len()) + 1;
            }
            SUCCESS
        },
    )?;
    linker.func_wrap(
        wasi,
        "fd_read",
        |mut caller: Caller<'_, World>, fd: i32, iovs: u32, iovs_len: u32, nread: u32| {
            if fd != 0 {
                return BADF;
            }
            let read = vectors(&mut caller, iovs, iovs_len).and_then(|vectors| {
                let mut read = 0;
                for (ptr, len) in vectors {
                    let len = len.min(caller.data().stdin.len());
                    let bytes: Vec<u8> = caller.data_mut().stdin.drain(..len).collect();
                    put(&mut caller, ptr, &bytes)?;
                    read += len;
                }
                put_u32(&mut caller, nread, read)
            });
            read.map_or(FAULT, |()| SUCCESS)
        },
    )?;
    linker.func_wrap(
        wasi,
        "fd_write",
        |mut caller: Caller<'_, World>, fd: i32, iovs: u32, iovs_len: u32, out: u32| {
            if !matches!(fd, 1 | 2) {
                return BADF;
            }
            let written = vectors(&mut caller, iovs, iovs_len).and_then(|vectors| {
                let mut written = 0;
                for (ptr, len) in vectors {
                    let bytes = get(&mut caller, ptr, len)?;
                    let world = caller.data_mut();
                    if fd == 1 { &mut world.stdout } else { &mut world.stderr }.extend(bytes);
                    written += len;
                }
                put_u32(&mut caller, out, written)
            });
            written.map_or(FAULT, |()| SUCCESS)
        },
    )?;
    linker.func_wrap(
        wasi,
        "clock_time_get",
        |mut caller: Caller<'_, World>, _: i32, _: i64, time: u32| {
            put(&mut caller, time, &1_700_000_000_000_000_000_u64.to_le_bytes()).map_or(FAULT, |()| SUCCESS)
        },
    )?;
    linker.func_wrap(
        wasi,
        "random_get",
        |mut caller: Caller<'_, World>, bytes: u32, len: u32| {
            put(&mut caller, bytes, &vec![7; to_usize(len)]).map_or(FAULT, |()| SUCCESS)
        },
    )?;
    Ok(linker)
}

fn memory(caller: &mut Caller<'_, World>) -> Option<Memory> {
    caller.get_export("memory").and_then(Extern::into_memory)
}

fn get(caller: &mut Caller<'_, World>, at: u32, len: usize) -> Option<Vec<u8>> {
    let start = to_usize(at);
    Some(
        memory(caller)?
            .data(&*caller)
            .get(start..start.checked_add(len)?)?
            .to_vec(),
    )
}

fn put(caller: &mut Caller<'_, World>, at: u32, bytes: &[u8]) -> Option<()> {
    memory(caller)?.write(caller, to_usize(at), bytes).ok()
}

fn put_u32(caller: &mut Caller<'_, World>, at: u32, value: usize) -> Option<()> {
    put(caller, at, &to_u32(value).to_le_bytes())
}

/// An array of `(address, length)`.
fn vectors(caller: &mut Caller<'_, World>, at: u32, count: u32) -> Option<Vec<(u32, usize)>> {
    let bytes = get(caller, at, to_usize(count).checked_mul(8)?)?;
    let words: Vec<u32> = bytes
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
        .collect();
    Some(words.chunks_exact(2).map(|pair| (pair[0], to_usize(pair[1]))).collect())
}

fn to_usize(value: u32) -> usize {
    usize::try_from(value).expect("hosts have at least 32 bits")
}

fn to_u32(value: usize) -> u32 {
    u32::try_from(value).expect("a guest's sizes have 32 bits")
}
