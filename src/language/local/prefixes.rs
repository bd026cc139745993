//! What a model has read already: keys and values of the beginnings of texts, within a memory budget.
//!
//! A text is cut into blocks of [`CausalGraph::STEP`] tokens; a block is known by all tokens up to its end. Texts that begin
//! alike share blocks. What was not used for longest leaves first. What is here decides how fast an answer comes, never which.

use crate::onnx::CausalGraph;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

const STEP: usize = CausalGraph::STEP;

/// The hash of all tokens up to a block's end.
type Key = [u8; 32];

/// See the module's documentation.
pub(super) struct Prefixes {
    budget: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    blocks: BTreeMap<Key, Block>,
    /// When each block was last used.
    uses: BTreeMap<u64, Key>,
    clock: u64,
    bytes: usize,
}

struct Block {
    data: Arc<[f32]>,
    used: u64,
}

impl Prefixes {
    /// Nothing yet, and at most `budget` bytes ever.
    pub(super) fn new(budget: usize) -> Prefixes {
        Prefixes { budget, kept: Mutex::new(Kept::default()) }
    }

    /// The known blocks at the beginning of `tokens`.
    pub(super) fn find(&self, tokens: &[i64]) -> Vec<Arc<[f32]>> {
        let keys = keys(tokens);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = keys.iter().take_while(|key| kept.blocks.contains_key(*key)).count();
        // From the end: the beginning of a text, which others may share, then leaves after its end.
        keys[..known].iter().rev().for_each(|key| kept.touch(key));
        let found = keys[..known].iter().filter_map(|key| kept.blocks.get(key));
        found.map(|block| block.data.clone()).collect()
    }

    /// Which blocks of `tokens` are still wanted here: their places.
    pub(super) fn missing(&self, tokens: &[i64]) -> Vec<usize> {
        if self.budget == 0 {
            return Vec::new();
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = keys(tokens);
        (0..keys.len()).filter(|&place| !kept.blocks.contains_key(&keys[place])).collect()
    }

    /// Keeps blocks of `tokens`, given by place.
    pub(super) fn keep(&self, tokens: &[i64], blocks: Vec<(usize, Vec<f32>)>) {
        let keys = keys(tokens);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, data) in blocks.into_iter().rev() {
            let bytes = size_of_val(data.as_slice());
            if bytes > self.budget || kept.blocks.contains_key(&keys[place]) {
                continue;
            }
            while kept.bytes + bytes > self.budget {
                kept.drop_oldest();
            }
            let used = kept.tick();
            kept.bytes += bytes;
            kept.uses.insert(used, keys[place]);
            kept.blocks.insert(keys[place], Block { data: data.into(), used });
        }
    }
}

impl Kept {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn touch(&mut self, key: &Key) {
        let now = self.tick();
        if let Some(block) = self.blocks.get_mut(key) {
            self.uses.remove(&block.used);
            self.uses.insert(now, *key);
            block.used = now;
        }
    }

    fn drop_oldest(&mut self) {
        let oldest = self.uses.pop_first().and_then(|(_, key)| self.blocks.remove(&key));
        // Without a block nothing is held, whatever was counted.
        self.bytes = oldest.map_or(0, |block| self.bytes - size_of_val(&*block.data));
    }
}

/// The keys of the whole blocks of a text.
fn keys(tokens: &[i64]) -> Vec<Key> {
    let mut hasher = blake3::Hasher::new();
    let blocks = tokens.chunks_exact(STEP);
    let key = |block: &[i64]| {
        block.iter().for_each(|token| {
            hasher.update(&token.to_le_bytes());
        });
        *hasher.finalize().as_bytes()
    };
    blocks.map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(blocks: &[i64]) -> Vec<i64> {
        blocks.iter().flat_map(|&block| [block; STEP]).collect()
    }

    fn keep(prefixes: &Prefixes, blocks: &[i64]) {
        let tokens = text(blocks);
        let missing = prefixes.missing(&tokens);
        prefixes.keep(&tokens, missing.into_iter().map(|place| (place, vec![blocks[place] as f32; 4])).collect());
    }

    fn found(prefixes: &Prefixes, tokens: &[i64]) -> Vec<f32> {
        prefixes.find(tokens).iter().map(|block| block[0]).collect()
    }

    #[test]
    fn texts_share_their_beginning() {
        let prefixes = Prefixes::new(1 << 20);
        keep(&prefixes, &[1, 2, 3]);
        assert_eq!(found(&prefixes, &text(&[1, 2, 4])), [1.0, 2.0]);
        assert_eq!(found(&prefixes, &text(&[2, 3])), [0.0; 0]);
        assert_eq!(found(&prefixes, &text(&[1, 2])[..2 * STEP - 1]), [1.0]);
        assert_eq!(prefixes.missing(&text(&[1, 2, 4])), [2]);
    }

    #[test]
    fn the_longest_unused_leaves_within_the_budget() {
        let prefixes = Prefixes::new(3 * 16);
        keep(&prefixes, &[1, 2]);
        keep(&prefixes, &[5]);
        found(&prefixes, &text(&[1, 2]));
        keep(&prefixes, &[6]);
        assert_eq!(found(&prefixes, &text(&[5])), [0.0; 0]);
        assert_eq!(found(&prefixes, &text(&[1, 2])), [1.0, 2.0]);
        keep(&prefixes, &[7]);
        keep(&prefixes, &[8]);
        // The end of a text leaves before its beginning.
        assert_eq!(found(&prefixes, &text(&[1, 2])), [1.0]);
        assert!(prefixes.kept.lock().expect("a lock").bytes <= 48);
    }

    #[test]
    fn no_budget_keeps_nothing() {
        let prefixes = Prefixes::new(0);
        keep(&prefixes, &[1]);
        assert!(found(&prefixes, &text(&[1])).is_empty() && prefixes.missing(&text(&[1])).is_empty());
    }
}
