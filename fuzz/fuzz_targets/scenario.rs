//! A scenario file: errors, or a scenario that is the same after it was written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use recmirror::Registry;
use recmirror::scenario::{Scenario, to_toml};
use std::path::Path;

fuzz_target!(|text: &str| {
    let registry = Registry::builtin();
    let origin = Path::new("/fuzz/scenario.toml");
    if let Ok(scenario) = Scenario::parse(text, origin, &registry, &[]) {
        let written = to_toml(&scenario);
        let again = Scenario::parse(&written, origin, &registry, &[]).unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!(written, to_toml(&again));
        let _ = scenario.programs();
    }
});
