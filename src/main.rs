//! The `recmirror` command.

fn main() -> std::process::ExitCode {
    recmirror::cli::main()
}
