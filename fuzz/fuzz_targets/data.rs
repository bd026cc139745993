//! Data sets: the first byte chooses the form, the rest is the files, parted by a zero byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use recmirror::dataset::Dataset;
use recmirror_fuzz::{folder, write};

const FORMS: [&[&str]; 8] = [
    &["log.csv", "items.csv", "users.csv"],
    &["log.jsonl", "items.jsonl"],
    &["a.inter", "a.item", "a.user"],
    &["u.data", "u.item", "u.user"],
    &["ratings.csv", "movies.csv"],
    &["ratings.dat", "movies.dat", "users.dat"],
    &["behaviors.tsv", "news.tsv"],
    &["log.parquet"],
];

fuzz_target!(|bytes: &[u8]| {
    let Some((&form, rest)) = bytes.split_first() else { return };
    let form = form as usize % FORMS.len();
    let place = format!("data-{form}");
    let _ = std::fs::remove_dir_all(folder().join(&place));
    let parts = if form == 7 { vec![rest] } else { rest.split(|&byte| byte == 0).collect() };
    for (name, part) in FORMS[form].iter().zip(parts) {
        write(&format!("{place}/{name}"), part);
    }
    if let Ok(data) = Dataset::read(&folder().join(&place)) {
        assert!(data.interactions.windows(2).all(|pair| (pair[0].user, pair[0].time) <= (pair[1].user, pair[1].time)));
        let _ = data.split(0.2);
    }
});
