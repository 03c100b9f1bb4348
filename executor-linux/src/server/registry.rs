//! Slots with generations, in the order of their filling.
//!
//! What is registered with epoll lies here; epoll's 64-bit token names the slot. A token that outlives its entry finds
//! nothing, because each filling of a slot has a generation of its own: an event that was under way while its source was
//! closed is dropped. Entries form a list from the oldest to the newest, so that expiry looks only at those that expire.

/// Names one filling of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    index: u32,
    generation: u32,
}

impl Token {
    /// Generations have 31 bits, which leaves the highest bit of epoll's token to tell listeners from connections.
    const GENERATION_MASK: u32 = u32::MAX >> 1;

    /// The token in 63 bits.
    pub fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// The token that [`Token::to_bits`] gave; the highest bit is ignored.
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are taken one by one")]
    pub fn from_bits(bits: u64) -> Token {
        Token {
            index: bits as u32,
            generation: (bits >> 32) as u32 & Self::GENERATION_MASK,
        }
    }
}

/// No slot.
const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
    /// Filled: the next older entry.
    older: u32,
    /// Filled: the next newer entry. Free: the next free slot.
    newer: u32,
}

/// A table of entries, addressed by [`Token`].
#[derive(Debug)]
pub struct Registry<T> {
    slots: Vec<Slot<T>>,
    free: u32,
    oldest: u32,
    newest: u32,
    len: usize,
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Registry<T> {
    /// An empty table.
    pub const fn new() -> Self {
        Registry {
            slots: Vec::new(),
            free: NONE,
            oldest: NONE,
            newest: NONE,
            len: 0,
        }
    }

    /// How many entries there are.
    pub fn count(&self) -> usize {
        self.len
    }

    /// Put `value` in as the newest entry.
    ///
    /// # Errors
    /// The value again: there is no memory for it.
    pub fn insert(&mut self, value: T) -> Result<Token, T> {
        let index = match self.slots.get(self.free as usize) {
            Some(slot) => {
                let index = self.free;
                self.free = slot.newer;
                index
            }
            None => {
                if self.slots.try_reserve(1).is_err() {
                    return Err(value);
                }
                let index =
                    u32::try_from(self.slots.len()).expect("descriptors are 31-bit numbers, so are their entries");
                self.slots.push(Slot {
                    generation: 0,
                    value: None,
                    older: NONE,
                    newer: NONE,
                });
                index
            }
        };
        let older = self.newest;
        match self.slots.get_mut(older as usize) {
            Some(newest) => newest.newer = index,
            None => self.oldest = index,
        }
        self.newest = index;
        self.len += 1;
        let slot = &mut self.slots[index as usize];
        slot.value = Some(value);
        slot.older = older;
        slot.newer = NONE;
        Ok(Token {
            index,
            generation: slot.generation,
        })
    }

    /// The entry, unless it has gone.
    pub fn get(&self, token: Token) -> Option<&T> {
        let slot = self.slots.get(token.index as usize)?;
        slot.value.as_ref().filter(|_| slot.generation == token.generation)
    }

    /// Take the entry out, unless it has gone.
    pub fn remove(&mut self, token: Token) -> Option<T> {
        let slot = self
            .slots
            .get_mut(token.index as usize)
            .filter(|slot| slot.generation == token.generation)?;
        let value = slot.value.take()?;
        let (older, newer) = (slot.older, slot.newer);
        slot.generation = slot.generation.wrapping_add(1) & Token::GENERATION_MASK;
        slot.newer = self.free;
        self.free = token.index;
        self.len -= 1;
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        Some(value)
    }

    /// Take the oldest entry out if `condition` holds for it.
    pub fn remove_oldest_if(&mut self, condition: impl FnOnce(&T) -> bool) -> Option<T> {
        let slot = self.slots.get(self.oldest as usize)?;
        let token = Token {
            index: self.oldest,
            generation: slot.generation,
        };
        if condition(slot.value.as_ref()?) {
            self.remove(token)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_outlives_its_entry_and_finds_nothing() {
        let mut registry = Registry::new();
        let first = registry.insert("first").unwrap();
        assert_eq!(registry.remove(first), Some("first"));
        let second = registry.insert("second").unwrap();
        assert_ne!(first, second);
        assert_eq!(first.index, second.index, "the slot is used again");
        assert_eq!(registry.get(first), None);
        assert_eq!(registry.remove(first), None);
        assert_eq!(registry.get(second), Some(&"second"));
    }

    #[test]
    fn a_token_survives_epoll() {
        let token = Token {
            index: 0x8765_4321,
            generation: 0x7edc_ba98,
        };
        assert_eq!(Token::from_bits(token.to_bits()), token);
        assert_eq!(Token::from_bits(token.to_bits() | 1 << 63), token);
    }

    #[test]
    fn generations_wrap_within_their_bits() {
        let mut registry = Registry::new();
        let token = registry.insert(0).unwrap();
        registry.slots[0].generation = Token::GENERATION_MASK;
        assert_eq!(registry.remove(token), None);
        let token = Token {
            index: 0,
            generation: Token::GENERATION_MASK,
        };
        assert_eq!(registry.remove(token), Some(0));
        assert_eq!(registry.insert(1).unwrap().generation, 0);
    }

    /// Against a plain list: every operation, in an order that a multiplicative generator picks.
    #[test]
    fn it_agrees_with_a_list() {
        let mut registry = Registry::new();
        let mut list: Vec<(Token, u32)> = Vec::new();
        let mut random = 0x2545_f491_u32;
        for value in 0..20_000_u32 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let choice = (random >> 16) as usize;
            match choice % 5 {
                0 | 1 => {
                    let token = registry.insert(value).unwrap();
                    list.push((token, value));
                }
                2 if !list.is_empty() => {
                    let (token, value) = list.remove(choice / 5 % list.len());
                    assert_eq!(registry.remove(token), Some(value));
                    assert_eq!(registry.get(token), None);
                }
                3 => {
                    let even = list.first().filter(|(_, value)| value % 2 == 0).copied();
                    assert_eq!(
                        registry.remove_oldest_if(|value| value % 2 == 0),
                        even.map(|(_, value)| value)
                    );
                    if even.is_some() {
                        list.remove(0);
                    }
                }
                _ => {
                    if list.len() > 3 {
                        let (_, value) = list.remove(0);
                        assert_eq!(registry.remove_oldest_if(|_| true), Some(value));
                    }
                }
            }
            assert_eq!(registry.count(), list.len());
            for (token, value) in &list {
                assert_eq!(registry.get(*token), Some(value));
            }
        }
        assert!(registry.slots.len() < 2_000, "free slots are used again");
    }
}
