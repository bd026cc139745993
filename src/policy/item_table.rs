//! Inner products of all items with many users.
//!
//! The best items are found without a row of scores.
//!
//! Vectors are stored in tiles of [`TILE`] items, number by number, so that the lanes of a register are items. A tile
//! is compared with the users of a group, a few at a time, while it is in the cache. Each score has the bits of eight
//! running sums over the numbers `k`, `k + 8`, ..., added in order, and then the rest of the vector, whatever the
//! registers.

use super::best::{Best, TILE};
use super::request::{Request, Requests};
use super::slates::Slates;
use crate::linalg::{Loop, widest};

/// Users compared with a tile at a time.
const USERS: usize = 4;

/// Running sums of an inner product.
const SUMS: usize = 8;

type Tile = [f32; TILE];

/// The vectors of all items, and a number that is added to each item's scores.
pub(super) struct ItemTable {
    items: usize,
    width: usize,
    /// `[tiles, width]`.
    tiles: Vec<Tile>,
    /// `[tiles]`.
    offsets: Vec<Tile>,
}

/// A user's side of the comparison with items.
#[derive(Clone, Copy)]
pub(super) struct Taste<'a> {
    /// Of the same length as the vectors of items.
    pub vector: &'a [f32],
    /// Added to the item's own number.
    pub offset: f32,
}

impl ItemTable {
    /// Rows `[items, offset + width]`; their first number is the item's own if there is an `offset`.
    pub fn new(rows: &[f32], width: usize, has_offset: bool) -> ItemTable {
        let row = width + usize::from(has_offset);
        let items = rows.len().checked_div(row).unwrap_or(0);
        let mut table = ItemTable {
            items,
            width,
            tiles: vec![[0.0; TILE]; items.div_ceil(TILE) * width],
            offsets: vec![[0.0; TILE]; items.div_ceil(TILE)],
        };
        for (item, row) in rows.chunks_exact(row.max(1)).enumerate() {
            let (tile, lane) = (item / TILE, item % TILE);
            let (offset, vector) = row.split_at(usize::from(has_offset));
            offset.iter().for_each(|&offset| table.offsets[tile][lane] = offset);
            vector.iter().enumerate().for_each(|(place, &value)| table.tiles[tile * width + place][lane] = value);
        }
        table
    }

    /// Fills each slate with the allowed items of the highest scores `(taste.offset + item offset) + taste.vector . item`, best
    /// first, equal ones by ascending item.
    pub fn rank<'t>(&self, requests: &Requests<'_>, slates: &mut Slates, taste: impl Fn(usize) -> Taste<'t> + Sync) {
        slates.fill_groups(requests, |first, rows| {
            let tastes: Vec<Taste<'_>> = (first..first + rows.len()).map(&taste).collect();
            let mut best: Vec<Best> = rows.iter().map(|_| Best::new(requests.slate)).collect();
            let asked: Vec<Request<'_>> = (first..first + rows.len()).map(|row| requests.get(row)).collect();
            widest(Compare { table: self, asked: &asked, tastes: &tastes, best: &mut best });
            best.iter_mut().zip(rows).for_each(|(best, row)| best.fill(row));
        });
    }
}

/// The comparison of one group.
struct Compare<'a> {
    table: &'a ItemTable,
    asked: &'a [Request<'a>],
    tastes: &'a [Taste<'a>],
    best: &'a mut [Best],
}

impl Loop for Compare<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Compare { table, asked, tastes, best } = self;
        for (place, offsets) in table.offsets.iter().enumerate() {
            let tile = &table.tiles[place * table.width..(place + 1) * table.width];
            let count = TILE.min(table.items - place * TILE);
            let groups = tastes.chunks(USERS).zip(best.chunks_mut(USERS)).zip(asked.chunks(USERS));
            for ((tastes, best), asked) in groups {
                // If there are fewer users, the last one fills the remaining places.
                let users: [&Taste<'_>; USERS] = std::array::from_fn(|user| &tastes[user.min(tastes.len() - 1)]);
                let scores = scores(tile, offsets, users);
                for ((best, request), scores) in best.iter_mut().zip(asked).zip(&scores) {
                    best.offer(request, place * TILE, scores, count);
                }
            }
        }
    }
}

/// The scores of a tile for a few users.
#[inline(always)]
fn scores(tile: &[Tile], offsets: &Tile, users: [&Taste<'_>; USERS]) -> [Tile; USERS] {
    let whole = tile.len() / SUMS * SUMS;
    let vectors = users.map(|user| &user.vector[..tile.len()]);
    let mut totals = [[0.0f32; TILE]; USERS];
    for sum in 0..if whole > 0 { SUMS } else { 0 } {
        let mut parts = [[0.0f32; TILE]; USERS];
        for place in (sum..whole).step_by(SUMS) {
            add_products(&mut parts, &tile[place], vectors.map(|vector| vector[place]));
        }
        plus(&mut totals, &parts);
    }
    let mut rest = [[0.0f32; TILE]; USERS];
    for place in whole..tile.len() {
        add_products(&mut rest, &tile[place], vectors.map(|vector| vector[place]));
    }
    plus(&mut totals, &rest);
    for (totals, user) in totals.iter_mut().zip(users) {
        for (total, offset) in totals.iter_mut().zip(offsets) {
            *total += user.offset + offset;
        }
    }
    totals
}

#[inline(always)]
fn add_products(sums: &mut [Tile; USERS], values: &Tile, factors: [f32; USERS]) {
    // By value: the compiler then knows that they do not alias.
    let values = *values;
    for (sums, factor) in sums.iter_mut().zip(factors) {
        for lane in 0..TILE {
            sums[lane] += factor * values[lane];
        }
    }
}

#[inline(always)]
fn plus(sums: &mut [Tile; USERS], others: &[Tile; USERS]) {
    for (sums, others) in sums.iter_mut().zip(others) {
        for lane in 0..TILE {
            sums[lane] += others[lane];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ItemId, UserId};
    use crate::policy::{Blocked, rank_candidates};
    use crate::random::{Purpose, Streams, unit};

    /// The product of two vectors by plain loops.
    fn dot(left: &[f32], right: &[f32]) -> f32 {
        let ((lefts, left), (rights, right)) = (left.as_chunks::<8>(), right.as_chunks::<8>());
        let rest: f32 = left.iter().zip(right).map(|(a, b)| a * b).sum();
        let mut sums = [0.0f32; 8];
        for (left, right) in lefts.iter().zip(rights) {
            for lane in 0..8 {
                sums[lane] += left[lane] * right[lane];
            }
        }
        sums.iter().sum::<f32>() + rest
    }

    #[test]
    fn slates_are_those_of_single_products() {
        for (users, items, width) in [(1, 5, 3), (3, 16, 8), (4, 17, 9), (7, 50, 16), (70, 100, 35), (2, 40, 0)] {
            let streams = Streams::new(6, 0);
            let mut rng = streams.derive(Purpose::Scenes, width as u64, 0);
            let mut random = |count: usize| (0..count).map(|_| unit(&mut rng) as f32 - 0.5).collect::<Vec<f32>>();
            let (rows, vectors) = (random(items * (width + 1)), random(users * (width + 1)));
            let mut blocked: Vec<u64> =
                random(users * items.div_ceil(64)).iter().map(|x| u64::from(x.to_bits())).collect();
            blocked[0] = !0;
            let ids: Vec<UserId> = (0..users as u32).map(UserId).collect();
            let blocked = Blocked::rows(&blocked, items);
            let requests = Requests { tick: 0, slate: 6, items, users: &ids, blocked, streams, oracle_access: None };
            let (mut found, mut wanted) = (Slates::default(), Slates::default());
            let of = |user: usize| &vectors[user * (width + 1)..(user + 1) * (width + 1)];
            let table = ItemTable::new(&rows, width, true);
            table.rank(&requests, &mut found, |row| Taste { vector: &of(row)[1..], offset: of(row)[0] });
            wanted.fill(&requests, |request, slot| {
                let user = of(request.row);
                let score = |item: &[f32]| user[0] + item[0] + dot(&user[1..], &item[1..]);
                let scores: Vec<f32> = rows.chunks_exact(width + 1).map(score).collect();
                rank_candidates(&request, &scores, slot);
            });
            assert_eq!(found.items, wanted.items, "{users} {items} {width}");
            let bits = |slates: &Slates| slates.scores.iter().map(|score| score.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&found), bits(&wanted), "{users} {items} {width}");
        }
    }

    #[test]
    fn without_numbers_of_their_own_items_have_the_product_alone() {
        let table = ItemTable::new(&[1.0, 2.0, 4.0, 3.0, 2.0, 5.0], 2, false);
        let requests = Requests {
            tick: 0,
            slate: 2,
            items: 3,
            users: &[UserId(0)],
            blocked: Blocked::NOTHING,
            streams: Streams::new(1, 0),
            oracle_access: None,
        };
        let mut slates = Slates::default();
        table.rank(&requests, &mut slates, |_| Taste { vector: &[1.0, 1.0], offset: 0.0 });
        assert_eq!((slates.items.as_slice(), slates.scores.as_slice()), (&[ItemId(1), ItemId(2)][..], &[7.0, 7.0][..]));
    }
}
