//! A look into a graph.
#![no_main]

use libfuzzer_sys::fuzz_target;
use recmirror_fuzz::write;

fuzz_target!(|bytes: &[u8]| {
    let path = write("graph/model.onnx", bytes);
    let _ = recmirror::onnx::weights_of(&path);
});
