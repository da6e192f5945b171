//! The binary: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    let ambient = drplan::cli::Ambient::of_this_process();
    ExitCode::from(drplan::cli::run(std::env::args_os(), ambient))
}
