use core::alloc::Layout;
use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

use super::{BLOCK_ALIGN, CLASSES, Class, Heap, Source, Stretch};

/// An arena that is given out in steps, with a gap where `gap_at` says so: someone else has grown the memory.
struct Arena {
    start: *mut u8,
    used: usize,
    bytes: usize,
    step: usize,
    gap_at: Option<usize>,
}

impl Source for Arena {
    fn more(&mut self, wanted_bytes: usize) -> Option<Stretch> {
        if self.gap_at.is_some_and(|at| self.used >= at) {
            self.gap_at = None;
            self.used += 64;
        }
        let bytes = wanted_bytes.next_multiple_of(self.step);
        let start = self.start.wrapping_add(self.used);
        self.used = self.used.checked_add(bytes).filter(|used| *used <= self.bytes)?;
        Some(Stretch { start, bytes })
    }
}

fn with_heap(bytes: usize, step: usize, gap_at: Option<usize>, test: impl FnOnce(&mut Heap<Arena>)) {
    let mut memory = vec![0_u64; bytes / 8];
    let start = memory.as_mut_ptr().cast();
    test(&mut Heap::new(Arena {
        start,
        used: 0,
        bytes,
        step,
        gap_at,
    }));
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("a power of two")
}

#[test]
fn classes_are_dense_ordered_and_at_most_a_quarter_too_large() {
    let mut previous = Class { index: 0, bytes: 8 };
    for size in 1..100_000 {
        let class = Class::of(size).expect("small");
        assert!(
            class.bytes >= size && class.bytes.is_multiple_of(BLOCK_ALIGN),
            "{size}: {class:?}"
        );
        assert!(
            class.bytes - size < BLOCK_ALIGN.max(size.div_ceil(4)),
            "{size}: {class:?}"
        );
        assert!(
            class == previous || (class.index == previous.index + 1 && size == previous.bytes + 1),
            "{size}: {class:?}"
        );
        previous = class;
    }
    let largest = Class::of(i32::MAX as usize).expect("the largest layout of a 32-bit guest");
    assert_eq!(largest.index, CLASSES - 1);
    assert_eq!(Class::of(1 << 32), None);
}

#[test]
fn the_last_block_grows_in_place_and_others_do_not() {
    with_heap(1 << 16, 4096, None, |heap| {
        let first = heap.allocate(layout(16, 1));
        let last = heap.allocate(layout(16, 1));
        let mut resize = |block, old, size| {
            // SAFETY: the block is in use and of the old layout.
            unsafe { heap.resize(block, old, size) }
        };
        assert!(!resize(first, layout(16, 1), 32));
        assert!(resize(last, layout(16, 1), 10_000), "over two steps of the source");
        assert!(!resize(last, layout(10_000, 1), 1 << 20), "more than there is");
        assert!(resize(last, layout(10_000, 1), 24));
        assert_eq!(heap.allocate(layout(8, 1)), last.wrapping_add(24));
    });
}

#[test]
fn a_loop_of_temporaries_needs_constant_memory() {
    with_heap(8192, 1024, None, |heap| {
        for round in 0..10_000 {
            let (one, other) = (layout(100 + round % 20, 1), layout(300, 16));
            let blocks = (heap.allocate(one), heap.allocate(other));
            assert!(!blocks.0.is_null() && !blocks.1.is_null(), "round {round}");
            for (block, layout) in [(blocks.0, one), (blocks.1, other)] {
                // SAFETY: it is in use and of that layout. The lower one goes first, so both ways of freeing are taken.
                unsafe { heap.free(block, layout) };
            }
        }
    });
}

/// Against the plainest oracle: a map of what is in use, and a pattern in each block.
#[test]
fn blocks_are_aligned_disjoint_and_keep_their_content() {
    for (seed, gap_at) in (1..=60_u64).map(|seed| (seed, (seed % 3 == 0).then_some(4096))) {
        with_heap(1 << 16, 512, gap_at, |heap| check(heap, seed));
    }
}

fn check(heap: &mut Heap<Arena>, seed: u64) {
    let mut state = seed;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    let mut used: BTreeMap<usize, (*mut u8, Layout, u8)> = BTreeMap::new();
    let mut served = 0;
    for step in 0..2_000_usize {
        let tag = step.to_le_bytes()[0];
        let pick = (random(4) != 0)
            .then(|| used.keys().nth(random(used.len().max(1))).copied())
            .flatten();
        match pick {
            Some(address) if random(2) == 0 => {
                let (block, layout, tag) = used.remove(&address).expect("a key");
                assert_filled(block, layout.size(), tag);
                // SAFETY: it was in use.
                unsafe { heap.free(block, layout) };
            }
            Some(address) => {
                let (block, old, tag) = used[&address];
                let size = 1 + random(600);
                // SAFETY: it is in use.
                if unsafe { heap.resize(block, old, size) } {
                    assert_filled(block, old.size().min(size), tag);
                    insert(&mut used, block, layout(size, old.align()), tag);
                }
            }
            None => {
                let layout = layout(1 + random(600), 1 << random(6));
                let block = heap.allocate(layout);
                if !block.is_null() {
                    served += 1;
                    insert(&mut used, block, layout, tag);
                }
            }
        }
    }
    assert!(served > 300, "seed {seed}: {served}");
    let blocks: Vec<_> = used.into_values().collect();
    blocks
        .iter()
        .for_each(|(block, layout, tag)| assert_filled(*block, layout.size(), *tag));
}

fn insert(used: &mut BTreeMap<usize, (*mut u8, Layout, u8)>, block: *mut u8, layout: Layout, tag: u8) {
    let (start, end) = (block.addr(), block.addr() + layout.size());
    used.remove(&start);
    assert!(start.is_multiple_of(layout.align()));
    let below = used.range(..start).next_back();
    assert!(
        below.is_none_or(|(other, (_, layout, _))| other + layout.size() <= start),
        "overlap below {start:x}"
    );
    assert!(
        used.range(start..).next().is_none_or(|(other, _)| end <= *other),
        "overlap above {start:x}"
    );
    // SAFETY: the heap gave that many bytes.
    unsafe { block.write_bytes(tag, layout.size()) };
    used.insert(start, (block, layout, tag));
}

fn assert_filled(block: *mut u8, bytes: usize, tag: u8) {
    // SAFETY: a block in use, which `insert` has filled.
    let content = unsafe { core::slice::from_raw_parts(block, bytes) };
    assert!(
        content.iter().all(|byte| *byte == tag),
        "someone wrote to the block of {tag}"
    );
}
