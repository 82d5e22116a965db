//! Runs some bundled scenarios against the embedded proxy and prints the verdict of each case:
//! `cargo run --example embedded`.

#![expect(clippy::print_stdout, reason = "an example that prints its result")]

use upfault::{Library, Suite};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cases = Library::bundled().cases().into_iter().filter(|case| case.id.starts_with("limits/"));
    let report = Suite::new(cases).on_case(|case| println!("{:12} {}", case.verdict, case.id)).run().await?;
    println!("{} of {} cases pass", report.summary.pass, report.cases.len());
    Ok(())
}
