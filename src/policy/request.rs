//! Requests to a policy: users and candidates.

use super::blocked::{Blocked, RowBlocked};
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
    /// The blocked items of each.
    pub blocked: Blocked<'a>,
    /// The random streams of this replication.
    pub streams: Streams,
    /// The user model's answers; `None` unless the policy [`needs_oracle_access`](super::Policy::needs_oracle_access).
    pub oracle_access: Option<&'a dyn OracleAccess>,
}

/// The user model's answers: only the `oracle` may ask for them.
pub trait OracleAccess: Sync {
    /// Writes the probability that the user of row `row` of the requests accepts each of `items` if it is shown alone.
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

/// The probability that a policy shows an item in a slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chance {
    /// Given the slots above.
    pub given_above: f32,
    /// Averaged over the slots above; NaN if the policy does not know it.
    pub alone: f32,
}

impl<'a> Requests<'a> {
    /// The number of 64-bit words with a bit for each item.
    pub fn words(items: usize) -> usize {
        items.div_ceil(64)
    }

    /// The requests of these rows, numbered from 0.
    pub fn part(&self, rows: std::ops::Range<usize>) -> Requests<'a> {
        let blocked = self.blocked.part_from(rows.start);
        // The user model's answers are addressed by row.
        Requests { users: &self.users[rows], blocked, oracle_access: None, ..*self }
    }

    /// Number of requests.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// True without any request.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// The request of row `row`.
    #[inline]
    pub fn get(&self, row: usize) -> Request<'a> {
        Request {
            row,
            user: self.users[row],
            tick: self.tick,
            slate: self.slate,
            items: self.items,
            blocked: self.blocked.of(row, self.users[row]),
            streams: self.streams,
        }
    }
}

/// One user's request for a slate.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Its index among the requests.
    pub row: usize,
    /// The user.
    pub user: UserId,
    /// The tick.
    pub tick: u32,
    /// Slots of the slate.
    pub slate: usize,
    /// Items of the catalogue.
    pub items: usize,
    blocked: RowBlocked<'a>,
    streams: Streams,
}

impl<'a> Request<'a> {
    /// True if the user may be shown `item`.
    #[inline]
    pub fn allows(&self, item: ItemId) -> bool {
        !self.blocked.contains(item)
    }

    /// The items that the user may be shown, in ascending order.
    pub fn candidates(&self) -> impl Iterator<Item = ItemId> + use<'a> {
        self.blocked.others(self.items)
    }

    /// The items that the user may not be shown, in ascending order.
    pub fn blocked(&self) -> impl Iterator<Item = ItemId> + use<'a> {
        self.blocked.items(self.items)
    }

    /// Number of candidates.
    pub fn candidate_count(&self) -> usize {
        self.items - self.blocked.count(self.items)
    }

    /// The generator from which a stochastic policy draws for this user at this tick.
    #[inline]
    pub fn rng(&self) -> ChaCha8Rng {
        self.streams.derive(Purpose::Policy, u64::from(self.user.0), self.tick)
    }
}
