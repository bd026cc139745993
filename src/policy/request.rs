//! What a policy is asked: which users want a slate now, and which items each may be shown.

use crate::ids::{ItemId, UserId};
use crate::random::{Purpose, Streams};
use rand_chacha::ChaCha8Rng;

/// The users of one tick that want a slate, in ascending order of their ids.
#[derive(Clone, Copy)]
pub struct Requests<'a> {
    /// The tick.
    pub tick: u32,
    /// Slots of each slate.
    pub slate: usize,
    /// Items of the catalogue.
    pub items: usize,
    /// `[n]`.
    pub users: &'a [UserId],
    /// `[n, words]`: bit `i` of a row is set when the user may not be shown item `i`.
    pub blocked: &'a [u64],
    /// The random streams of this replication.
    pub streams: Streams,
    /// What the users would accept; `None` unless the policy [`looks_ahead`](super::Policy::looks_ahead).
    pub foresight: Option<&'a dyn Foresight>,
}

/// What the user model would say: the privilege of the `oracle`, which no recommender has.
pub trait Foresight: Sync {
    /// Writes the probability that the user of row `row` of the requests accepts each of `items`, were it shown alone.
    ///
    /// # Errors
    /// When the user model fails.
    fn acceptance(&self, row: usize, items: &[ItemId], out: &mut Vec<f32>) -> Result<(), String>;

    /// Writes the probability that each row's user accepts something of its slate: `slates` is `[n, slate]` with a row for
    /// each request, empty slots at the end of a row.
    ///
    /// # Errors
    /// When the user model fails.
    fn slates(&self, slate: usize, slates: &[ItemId], out: &mut Vec<f64>) -> Result<(), String>;
}

/// How likely a policy would have shown an item in a slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chance {
    /// Given the slots above.
    pub given_above: f32,
    /// Whatever the slots above show; NaN where the policy does not know it.
    pub alone: f32,
}

impl<'a> Requests<'a> {
    /// 64-bit words of one row of `blocked`.
    pub fn words(items: usize) -> usize {
        items.div_ceil(64)
    }

    /// The requests of these rows; they count from 0 again.
    pub fn part(&self, rows: std::ops::Range<usize>) -> Requests<'a> {
        let words = Self::words(self.items);
        let blocked = &self.blocked[rows.start * words..rows.end * words];
        // What the user model would say goes by the row.
        Requests { users: &self.users[rows], blocked, foresight: None, ..*self }
    }

    /// Number of requests.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether nobody wants a slate.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// The request of row `row`.
    #[inline]
    pub fn get(&self, row: usize) -> Request<'a> {
        let words = Self::words(self.items);
        Request {
            row,
            user: self.users[row],
            tick: self.tick,
            slate: self.slate,
            items: self.items,
            blocked: &self.blocked[row * words..(row + 1) * words],
            streams: self.streams,
        }
    }
}

/// One user's request for a slate.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Its place among the requests.
    pub row: usize,
    /// Who asks.
    pub user: UserId,
    /// The tick.
    pub tick: u32,
    /// Slots of the slate.
    pub slate: usize,
    /// Items of the catalogue.
    pub items: usize,
    blocked: &'a [u64],
    streams: Streams,
}

impl<'a> Request<'a> {
    /// Whether the user may be shown `item`.
    #[inline]
    pub fn allows(&self, item: ItemId) -> bool {
        self.blocked[item.index() / 64] >> (item.index() % 64) & 1 == 0
    }

    /// The items that the user may be shown, in ascending order.
    pub fn candidates(&self) -> impl Iterator<Item = ItemId> + use<'a> {
        let blocked = self.blocked;
        (0..self.items as u32)
            .map(ItemId)
            .filter(move |item| blocked[item.index() / 64] >> (item.index() % 64) & 1 == 0)
    }

    /// Number of candidates.
    pub fn candidate_count(&self) -> usize {
        let blocked: usize = self.blocked.iter().map(|word| word.count_ones() as usize).sum();
        // The bits behind the last item are no items, whether they are set or not.
        let beyond = self.blocked.last().filter(|_| !self.items.is_multiple_of(64));
        let beyond = beyond.map_or(0, |word| (word >> (self.items % 64)).count_ones() as usize);
        self.items - (blocked - beyond)
    }

    /// The generator from which a stochastic policy draws for this user at this tick.
    #[inline]
    pub fn rng(&self) -> ChaCha8Rng {
        self.streams.derive(Purpose::Policy, u64::from(self.user.0), self.tick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_counted_whatever_stands_behind_the_last_item() {
        for (items, blocked, wanted) in [
            (70, vec![0b101, 0b1], 67),
            (70, vec![0b101, 0b1 | !0 << 6], 67),
            (70, vec![!0, !0], 0),
            (64, vec![!0 << 1], 1),
            (0, vec![], 0),
        ] {
            let (users, streams) = ([UserId(0)], Streams::new(1, 0));
            let requests =
                Requests { tick: 0, slate: 5, items, users: &users, blocked: &blocked, streams, foresight: None };
            let request = requests.get(0);
            assert_eq!(request.candidate_count(), wanted);
            assert_eq!(request.candidates().count(), wanted);
        }
    }
}
