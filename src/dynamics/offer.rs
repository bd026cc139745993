//! The items on offer at a step.

use crate::ids::ItemId;

/// The items on offer. An item is withheld before its release and after its withdrawal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    unreleased: Vec<u64>,
    withdrawn: Vec<u64>,
    /// Unreleased or withdrawn items.
    withheld: Vec<u64>,
}

impl Offer {
    /// An offer of all items except `unreleased`.
    pub fn new(items: usize, unreleased: impl IntoIterator<Item = ItemId>) -> Offer {
        let mut bits = vec![0; items.div_ceil(64)];
        for item in unreleased {
            bits[item.index() / 64] |= 1 << (item.index() % 64);
        }
        Offer { withdrawn: vec![0; bits.len()], withheld: bits.clone(), unreleased: bits }
    }

    /// Puts an item on offer, unless it was withdrawn.
    pub fn release(&mut self, item: ItemId) {
        self.unreleased[item.index() / 64] &= !(1 << (item.index() % 64));
        self.refresh(item);
    }

    /// Withdraws an item permanently.
    pub fn withdraw(&mut self, item: ItemId) {
        self.withdrawn[item.index() / 64] |= 1 << (item.index() % 64);
        self.refresh(item);
    }

    /// True if the item can be shown.
    pub fn has(&self, item: ItemId) -> bool {
        self.withheld[item.index() / 64] >> (item.index() % 64) & 1 == 0
    }

    /// One bit for each item, set if it cannot be shown.
    pub fn withheld(&self) -> &[u64] {
        &self.withheld
    }

    fn refresh(&mut self, item: ItemId) {
        let word = item.index() / 64;
        self.withheld[word] = self.unreleased[word] | self.withdrawn[word];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_withdrawn_item_stays_away() {
        let mut offer = Offer::new(70, [ItemId(3), ItemId(65)]);
        assert!(offer.has(ItemId(2)) && !offer.has(ItemId(3)) && !offer.has(ItemId(65)));
        offer.release(ItemId(65));
        offer.withdraw(ItemId(3));
        offer.withdraw(ItemId(4));
        offer.release(ItemId(3));
        assert!(offer.has(ItemId(65)) && !offer.has(ItemId(3)) && !offer.has(ItemId(4)));
        assert_eq!(offer.withheld(), [0b11000, 0]);
    }
}
