//! The manifest of a run's folder, and the scenario in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use recmirror::Registry;
use recmirror::experiment::Manifest;
use recmirror::scenario::Scenario;
use recmirror_fuzz::{folder, write};

fuzz_target!(|bytes: &[u8]| {
    write("run/manifest.json", bytes);
    let run = folder().join("run");
    if let Ok(manifest) = Manifest::read(&run) {
        let origin = manifest.origin(&run);
        let _ = Scenario::parse(&manifest.scenario, &origin, &Registry::builtin(), &[]);
        let _ = manifest.to_json();
    }
});
