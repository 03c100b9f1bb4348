//! The loaded modules of an engine, by what they were loaded from.
//!
//! Takes a [`Key`] and a way to load. Gives the module that is loaded already, or loads it. Knows nothing of WAMR.
//!
//! **Invariants.** The containers of a module own it; what is kept here does not keep it loaded. The lock is held for
//! look-up and entry only, never while something is loaded or unloaded. After each entry every entry is of a module that
//! was loaded then, so that there are at most as many as there have been modules at one time.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use action_bundle::{ContentHash, Kind};
use lock_api::{Mutex, RawMutex};

/// What a module is loaded from: equal keys mean equal bytes, taken for the same.
pub type Key = (ContentHash, Kind);

/// The loaded modules.
pub struct Modules<M, L> {
    /// In the order of the keys.
    entries: Mutex<L, Vec<Entry<M>>>,
}

struct Entry<M> {
    key: Key,
    module: Weak<M>,
}

impl<M, L: RawMutex> Modules<M, L> {
    pub fn new() -> Self {
        Modules {
            entries: Mutex::new(Vec::new()),
        }
    }

    /// How many modules are loaded.
    pub fn len(&self) -> usize {
        let entries = self.entries.lock();
        entries.iter().filter(|entry| is_loaded(entry)).count()
    }

    /// The module of this key: the one that is loaded, or else what `load` gives.
    ///
    /// Two callers may come first at once. Both load, and the one that ends last drops its module for the other's: to wait
    /// would take a condition variable, which not every platform has, and would hold a worker as long as the work does.
    ///
    /// # Errors
    /// Those of `load`.
    pub fn get_or_load<E>(&self, key: Key, load: impl FnOnce() -> Result<M, E>) -> Result<Arc<M>, E> {
        match self.get(&key) {
            Some(module) => Ok(module),
            None => load().map(|module| self.enter(key, Arc::new(module))),
        }
    }

    /// The module of this key, if it is loaded.
    pub fn get(&self, key: &Key) -> Option<Arc<M>> {
        let entries = self.entries.lock();
        let index = entries.binary_search_by(|entry| entry.key.cmp(key)).ok()?;
        entries.get(index)?.module.upgrade()
    }

    /// Enter a module, unless one of this key has been entered meanwhile. Gives the one that stands.
    fn enter(&self, key: Key, module: Arc<M>) -> Arc<M> {
        let mut entries = self.entries.lock();
        entries.retain(is_loaded);
        match entries.binary_search_by(|entry| entry.key.cmp(&key)) {
            Ok(index) => {
                if let Some(entry) = entries.get_mut(index) {
                    if let Some(earlier) = entry.module.upgrade() {
                        // Unloading takes a while: not under the lock.
                        drop(entries);
                        drop(module);
                        return earlier;
                    }
                    // Its last container went just now.
                    entry.module = Arc::downgrade(&module);
                }
            }
            Err(index) => {
                // Without memory for an entry the module serves one container, as if there were no other.
                if entries.try_reserve(1).is_ok() {
                    let weak = Arc::downgrade(&module);
                    entries.insert(index, Entry { key, module: weak });
                }
            }
        }
        module
    }
}

fn is_loaded<M>(entry: &Entry<M>) -> bool {
    entry.module.strong_count() > 0
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Barrier, OnceLock};
    use std::thread;

    use parking_lot::RawMutex;

    use super::*;

    type Numbers = Modules<u32, RawMutex>;

    fn key(content: &[u8]) -> Key {
        (ContentHash::of(content), Kind::Wasm)
    }

    fn load(modules: &Numbers, key: Key, number: u32) -> Arc<u32> {
        modules.get_or_load(key, || Ok::<_, ()>(number)).expect("it loads")
    }

    #[test]
    fn what_is_loaded_is_not_loaded_again() {
        let modules = Numbers::new();
        let first = load(&modules, key(b"a"), 1);
        let again = modules.get_or_load(key(b"a"), || Err("it was loaded again"));
        assert!(again.is_ok_and(|again| Arc::ptr_eq(&again, &first)));
        assert_eq!(*load(&modules, key(b"b"), 3), 3, "nobody holds it");
        assert_eq!(*load(&modules, (ContentHash::of(b"a"), Kind::Aot), 4), 4);
        assert_eq!((*first, modules.len()), (1, 1));
        assert_eq!(modules.get_or_load(key(b"c"), || Err("refused")), Err("refused"));
        assert_eq!(modules.len(), 1);
    }

    #[test]
    fn a_module_that_nobody_holds_is_loaded_anew_and_leaves_no_entry() {
        let modules = Numbers::new();
        let kept = load(&modules, key(b"kept"), 0);
        for number in 1..100_u32 {
            drop(load(&modules, key(&number.to_le_bytes()), number));
            assert_eq!(modules.len(), 1);
            assert!(modules.entries.lock().len() <= 2, "dead entries pile up");
        }
        assert_eq!(*load(&modules, key(&1_u32.to_le_bytes()), 7), 7);
        assert_eq!(*load(&modules, key(b"kept"), 8), *kept);
    }

    /// Both are inside of `load` at once, or this test does not end.
    #[test]
    fn two_that_come_first_load_both_and_share_one() {
        struct Loaded<'m>(&'m AtomicUsize);
        impl Drop for Loaded<'_> {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (loads, drops) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (inside, modules) = (Barrier::new(2), Modules::<Loaded<'_>, RawMutex>::new());
        let first = || {
            let loaded = modules.get_or_load(key(b"same"), || {
                inside.wait();
                loads.fetch_add(1, Ordering::Relaxed);
                Ok::<_, ()>(Loaded(&drops))
            });
            loaded.expect("it loads")
        };
        let (one, other) = thread::scope(|scope| {
            let (one, other) = (scope.spawn(first), scope.spawn(first));
            (one.join().expect("no panic"), other.join().expect("no panic"))
        });
        assert!(Arc::ptr_eq(&one, &other));
        assert_eq!((loads.into_inner(), modules.len()), (2, 1));
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    }

    /// One that comes second while the first still loads: what it drops for the first's is dropped without the lock.
    #[test]
    fn the_lock_is_free_while_a_module_goes() {
        static MODULES: OnceLock<Modules<Asks, RawMutex>> = OnceLock::new();
        struct Asks;
        impl Drop for Asks {
            fn drop(&mut self) {
                let modules = MODULES.get().expect("set below");
                assert!(modules.entries.try_lock().is_some());
            }
        }
        let modules = MODULES.get_or_init(Modules::new);
        let mut faster = None;
        let loaded = modules.get_or_load(key(b"same"), || {
            faster = Some(modules.get_or_load(key(b"same"), || Ok::<_, ()>(Asks))?);
            Ok::<_, ()>(Asks)
        });
        let (loaded, faster) = (loaded.expect("it loads"), faster.expect("it loads"));
        assert!(Arc::ptr_eq(&loaded, &faster));
    }
}
