//! The table against a naive model of it.

extern crate std;

use std::collections::HashSet;
use std::string::ToString;
use std::vec::Vec;

use proptest::prelude::*;

use super::table::{Slot, Table};
use super::*;

const PLACES: usize = 3;

#[derive(Clone, Debug)]
enum Operation {
    /// With the name of this number, or without one.
    Create(Option<u8>),
    Find(u8),
    /// These mean any container that there is or was.
    FindKey(prop::sample::Index),
    BeginInit(prop::sample::Index),
    EndInit(prop::sample::Index, bool),
    BeginRun(prop::sample::Index),
    EndRun(prop::sample::Index),
    Remove(prop::sample::Index),
    RemoveLeastRecentlyUsed(u64),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    use Operation::*;
    let any_key = any::<prop::sample::Index>;
    prop::collection::vec(
        prop_oneof![
            3 => prop::option::of(0..4_u8).prop_map(Create),
            2 => (0..4_u8).prop_map(Find),
            1 => any_key().prop_map(FindKey),
            4 => any_key().prop_map(BeginInit),
            4 => (any_key(), any::<bool>()).prop_map(|(key, ok)| EndInit(key, ok)),
            3 => any_key().prop_map(BeginRun),
            3 => any_key().prop_map(EndRun),
            1 => any_key().prop_map(Remove),
            1 => (0..9_u64).prop_map(RemoveLeastRecentlyUsed),
        ],
        0..60,
    )
}

#[derive(Debug, PartialEq)]
enum Phase {
    Created,
    Initialising,
    Ready(u32),
}

/// A container as it should be.
#[derive(Debug)]
struct Model {
    key: ContainerKey,
    name: Option<u8>,
    phase: Phase,
    runs: u32,
    last_used: u64,
}

fn name(number: u8) -> ContainerId {
    ContainerId::new(&number.to_string()).expect("a digit")
}

/// The containers in the order of use, oldest first, that may be removed.
fn idle(models: &[Model]) -> Option<&Model> {
    models
        .iter()
        .filter(|model| model.runs == 0 && model.phase != Phase::Initialising)
        .min_by_key(|model| model.last_used)
}

/// Takes a container out of the model and checks that it is the one that the table has removed.
fn removed(models: &mut Vec<Model>, expected: ContainerKey, entry: Option<Entry<u32>>) {
    let entry = entry.expect("it is there");
    assert_eq!(entry.key, expected);
    let place = models
        .iter()
        .position(|model| model.key == expected)
        .expect("it is there");
    let model = models.swap_remove(place);
    assert_eq!(
        entry.action,
        if let Phase::Ready(action) = model.phase {
            Some(action)
        } else {
            None
        }
    );
}

proptest! {
    #[test]
    fn the_table_is_as_the_model(operations in operations()) {
        let mut slots: heapless::Vec<Slot<u32>, PLACES> = heapless::Vec::new();
        let mut hashes = [7; PLACES + 1];
        let mut table = Table::new(&mut slots, &mut hashes);
        let mut models: Vec<Model> = Vec::new();
        let mut keys: Vec<ContainerKey> = Vec::new();
        // Every operation is one millisecond, so that no two uses are at the same time.
        for (operation, now) in operations.into_iter().zip(0_u64..) {
            let pick = |index: prop::sample::Index| if keys.is_empty() { None } else { Some(*index.get(&keys)) };
            match operation {
                Operation::Create(number) => {
                    if number.is_some_and(|number| models.iter().any(|model| model.name == Some(number))) {
                        continue; // The executor looks first.
                    }
                    let evicted = if models.len() == PLACES { idle(&models).map(|model| model.key) } else { None };
                    match table.create(number.map(name), now) {
                        None => {
                            assert_eq!((models.len(), evicted), (PLACES, None));
                            continue;
                        }
                        Some((key, entry)) => {
                            assert_eq!(entry.is_some(), evicted.is_some());
                            if let Some(evicted) = evicted {
                                removed(&mut models, evicted, entry);
                            }
                            assert!(!keys.contains(&key), "a key comes once");
                            keys.push(key);
                            models.push(Model { key, name: number, phase: Phase::Created, runs: 0, last_used: now });
                        }
                    }
                }
                Operation::Find(number) => {
                    let expected = models.iter().find(|model| model.name == Some(number)).map(|model| model.key);
                    assert_eq!(table.find(&name(number)), expected);
                }
                Operation::FindKey(index) => {
                    let Some(key) = pick(index) else { continue };
                    let id = ContainerId::new(&key.id()).expect("an id");
                    let expected = models.iter().any(|model| model.key == key).then_some(key);
                    assert_eq!(table.find(&id), expected);
                    assert_eq!(table.is_current(key), expected.is_some());
                }
                Operation::BeginInit(index) => {
                    let Some(key) = pick(index) else { continue };
                    let expected = match models.iter_mut().find(|model| model.key == key) {
                        None => Err(Refusal::UnknownContainer),
                        Some(model @ Model { phase: Phase::Created, .. }) => {
                            model.phase = Phase::Initialising;
                            Ok(())
                        }
                        Some(_) => Err(Refusal::AlreadyInitialised),
                    };
                    assert_eq!(table.begin_init(key), expected);
                }
                Operation::EndInit(index, ok) => {
                    let Some(key) = pick(index) else { continue };
                    let action = u32::try_from(now).expect("few operations");
                    match models.iter_mut().find(|model| model.key == key) {
                        None => assert!(!table.end_init(key, Some(action), now)),
                        Some(model) if model.phase == Phase::Initialising => {
                            model.phase = if ok { Phase::Ready(action) } else { Phase::Created };
                            model.last_used = now;
                            assert!(table.end_init(key, ok.then_some(action), now));
                        }
                        Some(_) => {} // Only who has begun ends.
                    }
                }
                Operation::BeginRun(index) => {
                    let Some(key) = pick(index) else { continue };
                    let expected = match models.iter_mut().find(|model| model.key == key) {
                        None => Err(Refusal::UnknownContainer),
                        Some(Model { phase: Phase::Ready(action), runs, .. }) => {
                            *runs += 1;
                            Ok(*action)
                        }
                        Some(_) => Err(Refusal::NotInitialised),
                    };
                    assert_eq!(table.begin_run(key), expected);
                }
                Operation::EndRun(index) => {
                    let Some(key) = pick(index) else { continue };
                    match models.iter_mut().find(|model| model.key == key) {
                        None => table.end_run(key, now),
                        Some(model) if model.runs > 0 => {
                            model.runs -= 1;
                            model.last_used = now;
                            table.end_run(key, now);
                        }
                        Some(_) => {}
                    }
                }
                Operation::Remove(index) => {
                    let Some(key) = pick(index) else { continue };
                    if models.iter().any(|model| model.key == key) {
                        removed(&mut models, key, table.remove(key));
                    } else {
                        assert!(table.remove(key).is_none());
                    }
                }
                Operation::RemoveLeastRecentlyUsed(idle_min) => {
                    let expected = idle(&models).filter(|model| now - model.last_used >= idle_min).map(|model| model.key);
                    let entry = table.remove_least_recently_used(now, idle_min);
                    match expected {
                        Some(key) => removed(&mut models, key, entry),
                        None => assert!(entry.is_none()),
                    }
                }
            }
            assert_eq!(table.len(), models.len());
        }
    }
}

/// All names are found, in tables whose lengths are around those of the chunks that are compared at once.
#[test]
fn names_are_found_wherever_they_are() {
    for capacity in [1, 15, 16, 17, 31, 32, 33, 100] {
        let mut slots: Vec<Slot<()>> = (0..capacity).map(|_| Slot::FREE).collect();
        let mut slots = slots.as_mut_slice();
        let mut hashes = std::vec![0; capacity];
        let mut table = Table::new(&mut slots, &mut hashes);
        let names: Vec<ContainerId> = (0..capacity)
            .map(|number| ContainerId::new(&number.to_string()).expect("short"))
            .collect();
        let keys: Vec<ContainerKey> = names
            .iter()
            .map(|name| table.create(Some(name.clone()), 0).expect("there is a place").0)
            .collect();
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), capacity);
        for (name, key) in names.iter().zip(&keys) {
            assert_eq!(table.find(name), Some(*key));
        }
        assert_eq!(table.find(&ContainerId::new("other").expect("short")), None);
    }
}

/// Two names of one hash are two containers.
#[test]
fn names_of_one_hash_are_told_apart() {
    let mut seen = std::collections::HashMap::new();
    let (first, second) = (0_u32..)
        .find_map(|number| {
            let name = ContainerId::new(&std::format!("{number:x}")).expect("short");
            seen.insert(table::hash(&name), name.clone()).map(|other| (other, name))
        })
        .expect("there are more names than hashes");
    let mut slots = heapless::Vec::<_, 2>::new();
    let mut hashes = [0; 2];
    let mut table = Table::<()>::new(&mut slots, &mut hashes);
    let (first_key, _) = table.create(Some(first.clone()), 0).expect("there is a place");
    assert_eq!(table.find(&second), None);
    let (second_key, _) = table.create(Some(second.clone()), 0).expect("there is a place");
    assert_eq!(
        (table.find(&first), table.find(&second)),
        (Some(first_key), Some(second_key))
    );
}
