//! A file of decisions for three scenes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use recmirror::files::Tally;
use recmirror::pipeline::decide::read_decisions;
use recmirror::pipeline::{Project, Strength};
use recmirror_fuzz::{folder, write};

fuzz_target!(|bytes: &[u8]| {
    let project = Project::new(folder().join("project"));
    let path = project.decisions("d", Strength::Strong);
    let name = path.strip_prefix(folder()).expect("inside").to_str().expect("a name").to_owned();
    write(&name, bytes);
    let _ = read_decisions(&project, "d", Strength::Strong, &[5, 5, 2], &mut Tally::default());
});
