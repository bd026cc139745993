//! A cache of keys and values for shared prefixes.
//!
//! It stays within a memory budget.
//!
//! A text is cut into blocks of [`CausalGraph::STEP`] tokens; a block is identified by all tokens up to its end. Texts
//! with a common prefix share its blocks, and in the block where they diverge, the tokens before that. The least
//! recently used block is evicted first. The cache affects the speed of an answer, never its content.

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
    /// The last use of each block.
    uses: BTreeMap<u64, Key>,
    /// The latest block after each one.
    next: BTreeMap<Key, Key>,
    clock: u64,
    bytes: usize,
}

struct Block {
    data: Arc<[f32]>,
    tokens: [i64; STEP],
    before: Key,
    used: u64,
}

/// Keys and values of a block whose first `taken` tokens are those of a text.
pub(super) struct Known {
    pub data: Arc<[f32]>,
    pub taken: usize,
}

impl Prefixes {
    /// An empty cache of at most `budget` bytes.
    pub(super) fn new(budget: usize) -> Prefixes {
        Prefixes { budget, kept: Mutex::new(Kept::default()) }
    }

    /// The cached prefix of `tokens`: complete blocks, and the beginning of one more.
    pub(super) fn find(&self, tokens: &[i64]) -> Vec<Known> {
        let keys = keys(tokens);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = keys[1..].iter().take_while(|key| kept.blocks.contains_key(*key)).count();
        // Several blocks may diverge from this text within the block; any of them serves, because their earlier tokens
        // are the same.
        let parting = kept.next.get(&keys[whole]).copied();
        let alike = parting.and_then(|key| kept.blocks.get(&key)).map_or(0, |block| {
            block.tokens.iter().zip(&tokens[whole * STEP..]).take_while(|(known, wanted)| known == wanted).count()
        });
        let mut used: Vec<(Key, usize)> = keys[1..=whole].iter().map(|&key| (key, STEP)).collect();
        used.extend(parting.filter(|_| alike > 0).map(|key| (key, alike)));
        // From the end: the start of a text, which others may share, is then evicted after its end.
        used.iter().rev().for_each(|(key, _)| kept.touch(key));
        let found = used.iter().filter_map(|&(key, taken)| Some((kept.blocks.get(&key)?, taken)));
        found.map(|(block, taken)| Known { data: block.data.clone(), taken }).collect()
    }

    /// The indices of blocks of `tokens` that are not cached.
    pub(super) fn missing(&self, tokens: &[i64]) -> Vec<usize> {
        if self.budget == 0 {
            return Vec::new();
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = keys(tokens);
        (0..keys.len() - 1).filter(|&place| !kept.blocks.contains_key(&keys[place + 1])).collect()
    }

    /// Caches blocks of `tokens`, given by index.
    pub(super) fn keep(&self, tokens: &[i64], blocks: Vec<(usize, Vec<f32>)>) {
        let keys = keys(tokens);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, data) in blocks.into_iter().rev() {
            let bytes = size_of_val(data.as_slice());
            let (before, key) = (keys[place], keys[place + 1]);
            let Some(block) = tokens[place * STEP..].first_chunk::<STEP>() else { continue };
            if bytes > self.budget || kept.blocks.contains_key(&key) {
                continue;
            }
            while kept.bytes + bytes > self.budget {
                kept.drop_oldest();
            }
            let used = kept.tick();
            kept.bytes += bytes;
            kept.uses.insert(used, key);
            kept.next.insert(before, key);
            kept.blocks.insert(key, Block { data: data.into(), tokens: *block, before, used });
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
        let oldest = self.uses.pop_first().and_then(|(_, key)| Some((key, self.blocks.remove(&key)?)));
        if let Some((key, block)) = &oldest
            && self.next.get(&block.before) == Some(key)
        {
            self.next.remove(&block.before);
        }
        // Without a block the cache is empty, whatever was counted.
        self.bytes = oldest.map_or(0, |(_, block)| self.bytes - size_of_val(&*block.data));
    }
}

/// The key of the empty text, and those of the complete blocks.
fn keys(tokens: &[i64]) -> Vec<Key> {
    let mut hasher = blake3::Hasher::new();
    let nothing = *hasher.finalize().as_bytes();
    let blocks = tokens.chunks_exact(STEP);
    let key = |block: &[i64]| {
        block.iter().for_each(|token| {
            hasher.update(&token.to_le_bytes());
        });
        *hasher.finalize().as_bytes()
    };
    std::iter::once(nothing).chain(blocks.map(key)).collect()
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
        prefixes.find(tokens).iter().filter(|known| known.taken == STEP).map(|known| known.data[0]).collect()
    }

    /// The diverging block, and the shared part of it.
    fn parting(prefixes: &Prefixes, tokens: &[i64]) -> Option<(f32, usize)> {
        prefixes.find(tokens).pop().filter(|known| known.taken < STEP).map(|known| (known.data[0], known.taken))
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
    fn texts_that_diverge_within_a_block_share_the_tokens_before() {
        let prefixes = Prefixes::new(3 * 16);
        keep(&prefixes, &[1, 2]);
        let parts = |taken: usize| [&text(&[1])[..], &text(&[2])[..taken], &text(&[9])[..]].concat();
        assert_eq!(parting(&prefixes, &parts(5)), Some((2.0, 5)));
        assert_eq!(parting(&prefixes, &parts(5)[..STEP + 3]), Some((2.0, 3)));
        assert_eq!(parting(&prefixes, &parts(0)), None);
        assert_eq!(parting(&prefixes, &text(&[1])[..7]), Some((1.0, 7)), "of the first block, too");
        // Evicted blocks are not found, the latest ones are.
        keep(&prefixes, &[1, 3]);
        keep(&prefixes, &[1, 4]);
        assert_eq!(parting(&prefixes, &parts(5)), None);
        let mut other = text(&[1, 4]);
        other[STEP + 6] = 8;
        assert_eq!(parting(&prefixes, &other), Some((4.0, 6)));
        assert_eq!(prefixes.kept.lock().expect("a lock").next.len(), 2);
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
        // The end of a text is evicted before its beginning.
        assert_eq!(found(&prefixes, &text(&[1, 2])), [1.0]);
        assert!(prefixes.kept.lock().expect("a lock").bytes <= 48);
    }

    #[test]
    fn no_budget_keeps_nothing() {
        let prefixes = Prefixes::new(0);
        keep(&prefixes, &[1]);
        assert!(prefixes.find(&text(&[1])).is_empty() && prefixes.missing(&text(&[1])).is_empty());
    }
}
