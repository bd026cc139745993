//! A file of scenes, as lines of JSON and as Parquet.
#![no_main]

use libfuzzer_sys::fuzz_target;
use recmirror::align::scenes::SceneSet;
use recmirror_fuzz::write;

fuzz_target!(|bytes: &[u8]| {
    for name in ["scenes/scenes.jsonl", "scenes/scenes.parquet"] {
        let path = write(name, bytes);
        let _ = SceneSet::read(&[path], Some(50));
    }
});
