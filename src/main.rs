//! The command line: arguments and exit code.

use clap::Parser;

/// Content-carrying requests are hundreds of kilobytes; this allocator halves the cost of receiving them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    wherefore::cli::run(wherefore::cli::Arguments::parse())
}
