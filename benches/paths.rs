//! What spans cost on the paths that matter, in CPU time and as ratios to what others need for the same bytes in the
//! same run. `README.md` beside this file says how to read the tables.
//!
//! `cargo bench` runs everything, `cargo bench -- view engine` only these.

mod alarms;
mod cpu;
mod disk;
mod envelope;
mod fold;
mod multi_window;
mod network;
mod payload;
mod stacks;
mod table;
mod view;

/// As the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Every section by its name.
const SECTIONS: [(&str, fn()); 10] = [
    ("view", view::run),
    ("stacks", stacks::run),
    ("envelope", envelope::run),
    ("judge", envelope::judging),
    ("engine", fold::run),
    ("growth", fold::growth),
    ("conversation", fold::conversation),
    ("alarms", alarms::run),
    ("disk", disk::run),
    ("network", network::run),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return; // built and run by `cargo test --benches`: nothing is measured there
    }
    if network::is_server(&arguments) {
        return;
    }
    let chosen: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    for (name, section) in SECTIONS {
        if chosen.is_empty() || chosen.iter().any(|wanted| *wanted == name) {
            section();
        }
    }
}
