//! The table of containers.
//!
//! **Invariants.** `hashes[i]` is 0 if `slots[i]` is free, 1 if it holds a container without a name of its own, else the hash
//! of the name: a look-up by name scans four bytes a container. A slot's generation grows whenever its container is removed,
//! so that a key of it is not accepted again. Nothing is freed here: what a removed container held is handed out, and the
//! caller drops it after the lock.

use crate::openwhisk::ContainerId;

use super::{ContainerKey, Refusal};

const FREE: u32 = 0;
const UNNAMED: u32 = 1;

/// Room for one container.
#[derive(Debug)]
pub struct Slot<A> {
    generation: u32,
    /// Runs that have begun and not ended.
    active_runs: u32,
    /// When it was made, or its last `/init` or `/run` ended.
    last_used_ms: u64,
    /// The id that a client chose.
    name: Option<ContainerId>,
    /// It stays until it is destroyed, however long it is idle.
    is_fixed: bool,
    state: State<A>,
}

#[derive(Debug)]
enum State<A> {
    /// No container; or one without an action.
    Created,
    Initialising,
    Ready(A),
}

impl<A> Slot<A> {
    /// A free slot.
    pub const FREE: Self = Slot {
        generation: 0,
        active_runs: 0,
        last_used_ms: 0,
        name: None,
        is_fixed: false,
        state: State::Created,
    };
}

impl<A> Default for Slot<A> {
    fn default() -> Self {
        Slot::FREE
    }
}

/// Memory for the places of containers. A table makes a place when it is first needed: what was never needed is not touched.
pub trait Slots<A>: AsRef<[Slot<A>]> + AsMut<[Slot<A>]> + Send {
    /// One more place, behind the others.
    ///
    /// # Errors
    /// The slot, if there is no room.
    fn push(&mut self, slot: Slot<A>) -> Result<(), Slot<A>>;
}

impl<A: Send, const N: usize> Slots<A> for heapless::Vec<Slot<A>, N> {
    fn push(&mut self, slot: Slot<A>) -> Result<(), Slot<A>> {
        heapless::Vec::push(self, slot)
    }
}

/// All places are there from the start.
impl<A: Send> Slots<A> for &mut [Slot<A>] {
    fn push(&mut self, slot: Slot<A>) -> Result<(), Slot<A>> {
        Err(slot)
    }
}

pub(super) struct Table<'s, A> {
    /// Never more than `hashes`.
    slots: &'s mut dyn Slots<A>,
    hashes: &'s mut [u32],
    len: usize,
}

/// What a container held when it was removed.
pub(super) struct Entry<A> {
    pub(super) key: ContainerKey,
    pub(super) action: Option<A>,
}

pub(super) type Removed<A> = Entry<A>;

impl<'s, A> Table<'s, A> {
    pub(super) fn new(slots: &'s mut dyn Slots<A>, hashes: &'s mut [u32]) -> Self {
        let (hashes, _) = hashes.split_at_mut(hashes.len().min(u32::MAX as usize));
        slots.as_mut().fill_with(Slot::default);
        hashes.fill(FREE);
        Table { slots, hashes, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The container that a client means by this id.
    pub(super) fn find(&self, id: &ContainerId) -> Option<ContainerKey> {
        if let Some(key) = ContainerKey::from_id(id) {
            return self.is_current(key).then_some(key);
        }
        let wanted = hash(id);
        let mut from = 0;
        while let Some(place) = position(self.hashes, wanted, from) {
            let slot = self.slots.as_ref().get(place)?;
            if slot.name.as_ref() == Some(id) {
                return Some(ContainerKey {
                    index: u32::try_from(place).ok()?,
                    generation: slot.generation,
                });
            }
            from = place + 1;
        }
        None
    }

    /// Make a container; if all places are taken, in the place of the least recently used one. `None` if all are busy.
    pub(super) fn create(
        &mut self,
        name: Option<ContainerId>,
        now_ms: u64,
    ) -> Option<(ContainerKey, Option<Removed<A>>)> {
        let mut removed = None;
        let place = match self.free_place() {
            Some(place) => place,
            None => {
                let entry = self.remove_least_recently_used(now_ms, 0)?;
                let place = entry.key.index as usize;
                removed = Some(entry);
                place
            }
        };
        let index = u32::try_from(place).ok()?;
        let (slot, hash) = (self.slots.as_mut().get_mut(place)?, self.hashes.get_mut(place)?);
        *hash = name.as_ref().map_or(UNNAMED, self::hash);
        slot.name = name;
        slot.last_used_ms = now_ms;
        self.len += 1;
        Some((
            ContainerKey {
                index,
                generation: slot.generation,
            },
            removed,
        ))
    }

    fn free_place(&mut self) -> Option<usize> {
        let place = position(self.hashes, FREE, 0)?;
        let is_there = place < self.slots.as_ref().len() || self.slots.push(Slot::FREE).is_ok();
        is_there.then_some(place)
    }

    /// Let the container stay, however long it is idle.
    pub(super) fn fix(&mut self, key: ContainerKey) {
        if let Some(slot) = self.slot(key) {
            slot.is_fixed = true;
        }
    }

    /// Created → initialising.
    pub(super) fn begin_init(&mut self, key: ContainerKey) -> Result<(), Refusal> {
        let slot = self.slot(key).ok_or(Refusal::UnknownContainer)?;
        match slot.state {
            State::Created => {
                slot.state = State::Initialising;
                Ok(())
            }
            State::Initialising | State::Ready(_) => Err(Refusal::AlreadyInitialised),
        }
    }

    /// Initialising → ready, or created again. False if the container was removed meanwhile.
    pub(super) fn end_init(&mut self, key: ContainerKey, action: Option<A>, now_ms: u64) -> bool {
        let Some(slot) = self.slot(key) else { return false };
        slot.state = action.map_or(State::Created, State::Ready);
        slot.last_used_ms = now_ms;
        true
    }

    /// One more run.
    pub(super) fn begin_run(&mut self, key: ContainerKey) -> Result<A, Refusal>
    where
        A: Clone,
    {
        let slot = self.slot(key).ok_or(Refusal::UnknownContainer)?;
        match &slot.state {
            State::Created | State::Initialising => Err(Refusal::NotInitialised),
            State::Ready(action) => {
                slot.active_runs += 1;
                Ok(action.clone())
            }
        }
    }

    /// One run fewer; nothing if the container was removed meanwhile.
    pub(super) fn end_run(&mut self, key: ContainerKey, now_ms: u64) {
        if let Some(slot) = self.slot(key) {
            slot.active_runs = slot.active_runs.saturating_sub(1);
            slot.last_used_ms = now_ms;
        }
    }

    pub(super) fn remove(&mut self, key: ContainerKey) -> Option<Removed<A>> {
        let slot = self.slot(key)?;
        let generation = slot.generation.wrapping_add(1);
        let old = core::mem::replace(
            slot,
            Slot {
                generation,
                ..Slot::FREE
            },
        );
        if let Some(hash) = self.hashes.get_mut(key.index as usize) {
            *hash = FREE;
        }
        self.len -= 1;
        let action = match old.state {
            State::Ready(action) => Some(action),
            State::Created | State::Initialising => None,
        };
        Some(Entry { key, action })
    }

    /// Remove the container that has been idle for longest, if that is for `idle_min_ms` at least.
    pub(super) fn remove_least_recently_used(&mut self, now_ms: u64, idle_min_ms: u64) -> Option<Removed<A>> {
        self.remove(self.least_recently_used(now_ms, idle_min_ms, None)?)
    }

    /// The same, of all containers but one.
    pub(super) fn remove_least_recently_used_except(
        &mut self,
        except: ContainerKey,
        now_ms: u64,
    ) -> Option<Removed<A>> {
        self.remove(self.least_recently_used(now_ms, 0, Some(except))?)
    }

    fn least_recently_used(&self, now_ms: u64, idle_min_ms: u64, except: Option<ContainerKey>) -> Option<ContainerKey> {
        self.hashes
            .iter()
            .zip(self.slots.as_ref())
            .zip(0..)
            .filter(|((hash, slot), _)| {
                **hash != FREE
                    && slot.active_runs == 0
                    && !slot.is_fixed
                    && !matches!(slot.state, State::Initialising)
                    && now_ms.saturating_sub(slot.last_used_ms) >= idle_min_ms
            })
            .map(|((_, slot), index)| {
                (
                    slot.last_used_ms,
                    ContainerKey {
                        index,
                        generation: slot.generation,
                    },
                )
            })
            .filter(|(_, key)| Some(*key) != except)
            .min_by_key(|(last_used_ms, _)| *last_used_ms)
            .map(|(_, key)| key)
    }

    /// True if the container has not been removed.
    pub(super) fn is_current(&self, key: ContainerKey) -> bool {
        let place = key.index as usize;
        self.hashes.get(place).is_some_and(|hash| *hash != FREE)
            && self
                .slots
                .as_ref()
                .get(place)
                .is_some_and(|slot| slot.generation == key.generation)
    }

    fn slot(&mut self, key: ContainerKey) -> Option<&mut Slot<A>> {
        if self.is_current(key) {
            self.slots.as_mut().get_mut(key.index as usize)
        } else {
            None
        }
    }
}

/// FNV-1a, without the two values that have a meaning of their own. Names that collide only cost a comparison.
pub(super) fn hash(id: &ContainerId) -> u32 {
    let hash = id.as_str().bytes().fold(0x811c_9dc5, |hash: u32, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash.max(UNNAMED + 1)
}

/// The first place from `from` on where `wanted` is. Whole chunks are compared with vector instructions.
fn position(hashes: &[u32], wanted: u32, from: usize) -> Option<usize> {
    let rest = hashes.get(from..)?;
    let (chunks, _) = rest.as_chunks::<16>();
    let is_elsewhere = |chunk: &&[u32; 16]| !chunk.iter().fold(false, |found, &hash| found | (hash == wanted));
    let skipped = 16 * chunks.iter().take_while(is_elsewhere).count();
    let place = rest.get(skipped..)?.iter().position(|&hash| hash == wanted)?;
    Some(from + skipped + place)
}
