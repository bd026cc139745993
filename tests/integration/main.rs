//! Tests of the whole: the library's public interface and the command line, over small data sets made here.
//!
//! Everything but `mirror`, `runtime`, `scorer` and part of `scenarios` needs neither data nor ONNX Runtime.

mod align;
mod augment;
mod browser;
mod compare;
mod data;
mod decide;
mod determinism;
mod distill;
mod doors;
mod dynamics;
mod empty_slates;
mod export;
mod external;
mod families;
mod fields;
mod fit;
mod folders;
mod hostile;
mod import;
mod import_faults;
mod interfaces;
mod language_real;
mod language_tiny;
mod language_user;
mod metrics;
mod mirror;
mod mutations;
mod off_policy;
mod outcomes;
mod own_tables;
mod policies;
mod resume;
mod run;
mod runtime;
mod scenarios;
mod scenes;
mod scorer;
mod server;
mod server_real;
mod story;
mod ties;
mod trust;
mod util;
mod validate;
