//! The name of a container within the executor.

use core::fmt::{self, Write};

use crate::openwhisk::ContainerId;

/// Which container: its place in the table, and which of the place's successive containers it is. A key outlives its
/// container, and then reaches nothing.
///
/// As text it is the id that `/start` gives: `ow-<place>-<generation>` in hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContainerKey {
    pub(super) index: u32,
    pub(super) generation: u32,
}

impl ContainerKey {
    /// The place in the table, below the number of slots.
    pub fn index(self) -> u32 {
        self.index
    }

    /// Which of the place's successive containers it is.
    pub fn generation(self) -> u32 {
        self.generation
    }

    /// The id that `/start` gives.
    pub fn id(self) -> heapless::String<20> {
        let mut id = heapless::String::new();
        write!(id, "{self}").expect("ow-, 8 digits, a hyphen and 8 digits");
        id
    }

    /// The key whose id this is.
    pub fn from_id(id: &ContainerId) -> Option<Self> {
        let (index, generation) = id.as_str().strip_prefix("ow-")?.split_once('-')?;
        let key = ContainerKey {
            index: number(index)?,
            generation: number(generation)?,
        };
        // Other spellings of the numbers are not ids of ours.
        (key.id().as_str() == id.as_str()).then_some(key)
    }
}

fn number(digits: &str) -> Option<u32> {
    u32::from_str_radix(digits, 16).ok()
}

impl fmt::Display for ContainerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ow-{:x}-{:x}", self.index, self.generation)
    }
}
