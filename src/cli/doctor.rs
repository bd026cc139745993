//! `recmirror doctor`: the ONNX Runtime in use.
//!
//! Prints the library in use and the places that were searched.

use super::{Failure, print};
use crate::onnx::{OnnxError, Runtime};

/// Arguments of `doctor`.
#[derive(clap::Args)]
pub struct Doctor {}

impl Doctor {
    pub(super) fn run(self) -> Result<(), Failure> {
        print(&format!("recmirror {}\n", env!("CARGO_PKG_VERSION")));
        match Runtime::get() {
            Ok(runtime) => {
                print(&format!("ONNX Runtime {} from {}\n", runtime.version, runtime.library.display()));
                print("looked in, in this order:\n");
                runtime.attempts.iter().for_each(|attempt| print(&format!("  {attempt}\n")));
                Ok(())
            }
            Err(OnnxError::NoRuntime { attempts }) => {
                print("ONNX Runtime: none\nlooked in, in this order:\n");
                attempts.iter().for_each(|attempt| print(&format!("  {attempt}\n")));
                Err(Failure::input(
                    "no usable ONNX Runtime; run `make runtime`, or set ORT_DYLIB_PATH to a library of version 1.24 or newer",
                ))
            }
            Err(problem) => Err(Failure::input(problem)),
        }
    }
}
