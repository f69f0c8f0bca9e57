//! Parses, runs, and turns the result into an exit code.

use std::process::ExitCode;

/// Callbacks allocate many short texts on several threads: glibc's allocator cost a tenth of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    kamid::cli::main()
}
