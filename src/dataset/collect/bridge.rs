//! What items lack, counted.

use crate::dataset::{Catalogue, Cleaner, Dataset};
use crate::ids::ItemId;

/// Counts the items without a title or a release, where others have one.
pub(in crate::dataset) fn fill(data: &mut Dataset) {
    let catalogue = Catalogue::of(data);
    let items = || (0..data.items.len() as u32).map(ItemId);
    let untitled = items().filter(|&item| matches!(catalogue.title(item), "unknown" | "unkonwn")).count();
    let undated = items().filter(|&item| catalogue.year(item).is_nan()).count();
    data.cleanup.count_many(Cleaner::UntitledItem, untitled, String::new);
    if data.released.is_some() {
        data.cleanup.count_many(Cleaner::MissingYear, undated, String::new);
    }
}
