//! Parse, run, exit code.

fn main() -> std::process::ExitCode {
    upfault::main()
}
