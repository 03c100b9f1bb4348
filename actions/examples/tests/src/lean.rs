//! The host of ABI 1.

use wasmi::{Engine, Error, ExternType, Instance, Linker, Memory, Module, Store, StoreLimits, StoreLimitsBuilder};

/// An instance of a lean action.
pub struct Lean {
    store: Store<StoreLimits>,
    instance: Instance,
    memory: Memory,
    exports: Vec<String>,
}

/// No guest of these tests needs more.
const MEMORY_MAX_BYTES: usize = 64 << 20;

impl Lean {
    /// Instantiate: there are no imports to satisfy.
    ///
    /// # Panics
    /// If the module is none of the lean ABI.
    #[must_use]
    pub fn new(module: &[u8]) -> Self {
        let engine = Engine::default();
        let module = Module::new(&engine, module).expect("a valid module");
        assert_eq!(module.imports().count(), 0, "a lean action imports nothing");
        let limits = StoreLimitsBuilder::new().memory_size(MEMORY_MAX_BYTES).build();
        let mut store = Store::new(&engine, limits);
        store.limiter(|limits| limits);
        let instance = Linker::new(&engine)
            .instantiate_and_start(&mut store, &module)
            .expect("it instantiates");
        let memory = instance.get_memory(&store, "memory").expect("the export `memory`");
        let exports = module
            .exports()
            .filter(|export| matches!(export.ty(), ExternType::Func(_)))
            .map(|export| export.name().to_owned())
            .collect();
        if let Ok(initialize) = instance.get_typed_func::<(), ()>(&store, "_initialize") {
            initialize.call(&mut store, ()).expect("it initializes");
        }
        Self {
            store,
            instance,
            memory,
            exports,
        }
    }

    /// The names of the functions that it exports.
    #[must_use]
    pub fn exports(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.exports.iter().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// The pages of its memory.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.memory.size(&self.store)
    }

    /// One run through `entry`.
    ///
    /// # Errors
    /// The trap.
    ///
    /// # Panics
    /// If the guest breaks the ABI.
    pub fn run(&mut self, entry: &str, input: &[u8]) -> Result<Vec<u8>, Error> {
        let allocate = self
            .instance
            .get_typed_func::<i32, i32>(&self.store, "ow_allocate")
            .expect("its type");
        let run = self
            .instance
            .get_typed_func::<(i32, i32), i64>(&self.store, entry)
            .expect("its type");
        let len = i32::try_from(input.len()).expect("a short input");
        let ptr = allocate.call(&mut self.store, len)?;
        assert_ne!(ptr, 0, "room for {len} bytes");
        self.memory
            .write(&mut self.store, offset(ptr), input)
            .expect("the room is in memory");
        let packed = run.call(&mut self.store, (ptr, len))?.cast_unsigned();
        let mut answer = vec![0; usize::try_from(packed & 0xffff_ffff).expect("32 bits")];
        let at = usize::try_from(packed >> 32).expect("32 bits");
        self.memory
            .read(&self.store, at, &mut answer)
            .expect("the answer is in memory");
        Ok(answer)
    }
}

fn offset(ptr: i32) -> usize {
    usize::try_from(ptr.cast_unsigned()).expect("32 bits")
}
