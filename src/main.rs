//! The binary: arguments in, exit code out.

use std::process::ExitCode;

/// Planning makes and drops many small values; this takes a third off the time of a large plan.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let ambient = drplan::cli::Ambient::of_this_process();
    ExitCode::from(drplan::cli::run(std::env::args_os(), ambient))
}
