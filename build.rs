//! Scenarios, proxy definitions and snapshots are embedded: a changed one makes a new binary.

fn main() {
    for folder in ["scenarios", "proxies", "snapshots"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
