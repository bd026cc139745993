//! Tests of the whole: the library's public interface and the command line, over small data sets made here.
//!
//! Everything but `mirror`, `runtime`, `scorer` and part of `scenarios` needs neither data nor ONNX Runtime.

mod data;
mod decide;
mod determinism;
mod distill;
mod doors;
mod export;
mod external;
mod import;
mod import_faults;
mod interfaces;
mod language_real;
mod language_tiny;
mod metrics;
mod mirror;
mod mutations;
mod policies;
mod run;
mod runtime;
mod scenarios;
mod scenes;
mod scorer;
mod server;
mod server_real;
mod util;
