//! Finding ONNX Runtime: every wrong library ends in a message, none in a crash.

use crate::util::{
    has_data_and_runtime, model, package, place, recmirror_with, text, with_data, write, write_scenario,
};
use std::path::{Path, PathBuf};

/// Asks `doctor` and a run of a mirror scenario to use this library, and expects both to refuse it.
#[track_caller]
fn refuse(library: &Path) {
    let variables = [("ORT_DYLIB_PATH", text(library))];
    let doctor = recmirror_with(&variables, &["doctor"]).expect(2).says(&["make runtime", "ORT_DYLIB_PATH"]);
    assert!(doctor.stdout.contains(text(library)), "{}", doctor.stdout);
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["random"]);
    let (out, path) = (folder.path().join("out"), format!("user.path={}", model().display()));
    let arguments = ["run", text(&scenario), "--out", text(&out), "--set", "user.kind=mirror", "--set", &path];
    recmirror_with(&variables, &arguments).expect(2).says(&["make runtime", text(library)]);
    assert!(!out.exists());
}

/// The library that `make runtime` fetches.
fn good() -> PathBuf {
    package().join(".recmirror/onnxruntime").join(recmirror::onnx::library_name())
}

#[test]
fn other_names_than_files_are_refused() {
    let folder = place();
    refuse(&folder.path().join("libonnxruntime.so"));
    refuse(folder.path());
}

#[test]
fn other_files_than_libraries_are_refused() {
    let folder = place();
    let path = folder.path().join("libonnxruntime.so");
    for content in [&b""[..], b"#!/bin/sh\necho no library\n", b"\x7fELF", &[0; 4096]] {
        write(&path, content);
        refuse(&path);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_loaders_own_reason_is_given() {
    let folder = place();
    let path = folder.path().join("libonnxruntime.so");
    for (content, reason) in [(&b"\x7fELF"[..], "file too short"), (&[0; 4096], "invalid ELF header")] {
        write(&path, content);
        let doctor = recmirror_with(&[("ORT_DYLIB_PATH", text(&path))], &["doctor"]).expect(2);
        let expected = format!("cannot be loaded: dlopen failed: {}: {reason}", path.display());
        assert!(doctor.stdout.contains(&expected), "no `{expected}` in {}", doctor.stdout);
    }
}

#[test]
fn a_truncated_library_is_refused() {
    if !has_data_and_runtime() {
        return;
    }
    let whole = std::fs::read(good()).expect("the library");
    let folder = place();
    let path = folder.path().join("libonnxruntime.so");
    for length in [100, 5_000, whole.len() / 2, whole.len() - 100_000] {
        write(&path, &whole[..length]);
        refuse(&path);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn another_library_is_refused() {
    let folders = [
        "/lib/x86_64-linux-gnu",
        "/usr/lib/x86_64-linux-gnu",
        "/lib/aarch64-linux-gnu",
        "/lib64",
        "/usr/lib64",
        "/usr/lib",
    ];
    let names = ["libc.so.6", "libm.so.6", "libgcc_s.so.1"];
    let all = names.iter().flat_map(|name| folders.iter().map(move |folder| Path::new(folder).join(name)));
    let found: Vec<PathBuf> = all.filter(|path| path.is_file()).take(2).collect();
    assert!(!found.is_empty(), "no shared library in {folders:?}");
    found.iter().for_each(|path| refuse(path));
}

#[test]
fn the_fetched_library_is_found_and_named() {
    if !has_data_and_runtime() {
        return;
    }
    let library = good();
    let named = recmirror_with(&[("ORT_DYLIB_PATH", text(&library))], &["doctor"]).expect(0).stdout;
    assert!(named.contains(&format!("ONNX Runtime 1.32.0 from {}", library.display())), "{named}");
    assert!(named.contains("(ORT_DYLIB_PATH): loaded"), "{named}");
    // Without the variable the project's folder is searched; an empty variable is as good as none.
    let searched = recmirror_with(&[("ORT_DYLIB_PATH", "")], &["doctor"]).expect(0).stdout;
    assert!(searched.contains("ONNX Runtime 1.32.0") && searched.contains("(project folder): loaded"), "{searched}");
}

#[test]
fn a_library_above_the_current_folder_is_not_loaded() {
    let folder = place();
    let planted = folder.path().join(".recmirror/onnxruntime").join(recmirror::onnx::library_name());
    write(&planted, "not a library");
    let below = folder.path().join("a/b");
    std::fs::create_dir_all(&below).expect("a folder");
    let doctor = |at: &Path| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_recmirror"));
        let output = command.arg("doctor").current_dir(at).env_remove("ORT_DYLIB_PATH").output().expect("it runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let searched = doctor(&below);
    assert!(!searched.contains(text(folder.path())), "{searched}");
    // In the current folder it has its turn, after the one beside the program.
    let searched = doctor(folder.path());
    let (own, other) = (searched.find(text(package())), searched.find(text(folder.path())));
    assert!(own.is_some() && other.is_none_or(|other| other > own.unwrap_or(0)), "{searched}");
}
