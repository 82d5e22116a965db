//! The program `upfault`. Everything is in the library.

fn main() -> std::process::ExitCode {
    upfault::main()
}
