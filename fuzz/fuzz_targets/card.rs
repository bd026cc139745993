//! The card of a mirror, with files that may be there or not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use recmirror::user::Card;
use recmirror_fuzz::{folder, write};

fuzz_target!(|bytes: &[u8]| {
    write("card/item.onnx", b"");
    write("card/card.toml", bytes);
    let _ = Card::read(&folder().join("card"));
});
