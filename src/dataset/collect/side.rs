//! Users or items of a data set that is being read.

use super::typed::Store;
use crate::dataset::{ExternalId, IdTable};

/// Users or items while they are read.
#[derive(Default)]
pub(super) struct Side {
    pub(super) ids: IdTable,
    /// The number of rows in the table; `None` without a table.
    pub(super) known: Option<u32>,
    pub(super) store: Store,
    text: String,
}

impl Side {
    /// The number of an id that the log names, and whether it is new.
    pub(super) fn insert(&mut self, id: &ExternalId) -> (u32, bool) {
        match id {
            ExternalId::Text(text) => self.ids.insert(text),
            ExternalId::Number(number) => {
                use std::fmt::Write;
                self.text.clear();
                let _ = write!(self.text, "{number}");
                self.ids.insert(&self.text)
            }
        }
    }

    /// True if the table, if there is one, has this number.
    pub(super) fn is_known(&self, dense: u32) -> bool {
        self.known.is_none_or(|known| dense < known)
    }

    /// Sorts ids that only the log has; returns the new number of each.
    pub(super) fn settle(&mut self) -> Vec<u32> {
        let known = self.known.unwrap_or(0) as usize;
        let mut order: Vec<u32> = (0..self.ids.len() as u32).collect();
        order[known..].sort_by_key(|&dense| natural(self.ids.external(dense)));
        let mut places = vec![0; order.len()];
        let mut ids = IdTable::default();
        for (place, &dense) in order.iter().enumerate() {
            places[dense as usize] = place as u32;
            ids.insert(self.ids.external(dense));
        }
        self.ids = ids;
        self.store.renumber(&places);
        places
    }
}

/// The sort key of an id: integers by value, then texts by their bytes.
fn natural(id: &str) -> (bool, u64, &str) {
    let is_number = id.bytes().all(|byte| byte.is_ascii_digit()) && (id.len() == 1 || !id.starts_with('0'));
    let number = if is_number { id.parse().ok() } else { None };
    (number.is_none(), number.unwrap_or(0), id)
}

/// The place of each id in the order of all.
pub(in crate::dataset) fn ranks(ids: &IdTable) -> Vec<u32> {
    let mut order: Vec<u32> = (0..ids.len() as u32).collect();
    order.sort_by_key(|&dense| natural(ids.external(dense)));
    let mut ranks = vec![0; order.len()];
    for (rank, &dense) in order.iter().enumerate() {
        ranks[dense as usize] = rank as u32;
    }
    ranks
}
