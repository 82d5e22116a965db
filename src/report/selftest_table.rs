//! The results of a selftest as a table for people.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::{
    paint::{Painter, safe, wrap},
    terminal_groups::plural,
};
use crate::selftest::{FaultLayer, FaultProof, Selftest};

/// The width of the table in columns if the width of the terminal is unknown.
const WIDTH: usize = 100;

/// The maximum width of the table in columns: wider rows would be hard to follow.
const WIDEST: usize = 120;

/// The width of the column for the fault's name. A longer name gets a separate line.
const NAME: usize = 48;

/// The widths of the first column, for the mark, and of the last one, for the time.
const MARK: usize = 8;
const TIME: usize = 8;

/// Writes a line for each fault, grouped by family, then the counts and the lateness of delays on this machine.
/// `verbose` adds every claim. `width` is in columns; 0 means that the output is not a terminal.
///
/// # Errors
/// If `out` cannot be written to.
pub(crate) fn write_selftest(
    out: &mut dyn Write,
    selftest: &Selftest,
    verbose: bool,
    color: bool,
    width: usize,
) -> io::Result<()> {
    let width = if width == 0 { WIDTH } else { width };
    let mut painter = Painter::new(out, color, width);
    for family in FaultLayer::ALL {
        let proofs: Vec<&FaultProof> =
            selftest.exhibits.iter().filter(|proof| proof.family == family).collect();
        if proofs.is_empty() {
            continue;
        }
        let proven = proofs.iter().filter(|proof| proof.proven).count();
        let heading = painter.styled(Style::new().bold(), &family.to_string());
        painter.raw(&format!("{heading}  {proven} of {} proven", proofs.len()))?;
        for proof in proofs {
            line(&mut painter, proof, width)?;
            claims(&mut painter, proof, verbose)?;
        }
        painter.gap()?;
    }
    footer(&mut painter, selftest)
}

fn line(painter: &mut Painter<'_>, proof: &FaultProof, width: usize) -> io::Result<()> {
    let (mark, tint) = if proof.proven { ("ok", AnsiColor::Green) } else { ("FAIL", AnsiColor::Red) };
    let style = Style::new().bold().fg_color(Some(tint.into()));
    let mark = format!("  {}{:pad$}", painter.styled(style, mark), "", pad = MARK - 2 - mark.len());
    let time = time(proof.ended_ms);
    let (name, showed) = (safe(&proof.name), safe(&proof.showed));
    // One column separates the observation from the time.
    let room = width.min(WIDEST).saturating_sub(MARK + NAME + 2 + 1 + TIME);
    if name.chars().count() <= NAME && showed.chars().count() <= room {
        return painter.raw(&format!("{mark}{name:NAME$}  {showed:room$} {time:>TIME$}"));
    }
    let lines = wrap(&name, width.saturating_sub(MARK));
    for (i, line) in lines.iter().enumerate() {
        painter.raw(&if i == 0 { format!("{mark}{line}") } else { format!("{:MARK$}{line}", "") })?;
    }
    let fits = MARK + NAME + 2 + showed.chars().count() + 1 + TIME <= width;
    let lead = MARK + if fits { NAME + 2 } else { 2 };
    let room = width.min(WIDEST).saturating_sub(lead + 1 + TIME);
    painter.raw(&format!("{:lead$}{showed:room$} {time:>TIME$}", ""))
}

/// The claims that did not hold, and with `verbose` all of them.
fn claims(painter: &mut Painter<'_>, proof: &FaultProof, verbose: bool) -> io::Result<()> {
    for claim in &proof.claims {
        match &claim.instead {
            Some(instead) => {
                painter.field(MARK, "claimed: ", &safe(&claim.claim))?;
                painter.field(MARK, "seen:    ", &safe(instead))?;
            }
            None if verbose => {
                painter.text(MARK, Style::new().dimmed(), &format!("- {}", safe(&claim.claim)))?
            }
            None => {}
        }
    }
    if verbose && proof.tries > 1 {
        painter.text(
            MARK,
            Style::new().dimmed(),
            "(repeated alone: it was not proven while the others ran)",
        )?;
    }
    Ok(())
}

fn footer(painter: &mut Painter<'_>, selftest: &Selftest) -> io::Result<()> {
    let count = plural(selftest.proven, "fault");
    let took = time(selftest.wall_ms);
    let text = match selftest.unproven {
        0 => format!("{count} proven on the wire, in {took}"),
        n => format!("{count} proven on the wire, {n} NOT proven, in {took}"),
    };
    painter.text(0, Style::new().bold(), &text)?;
    let timing = &selftest.timing;
    if timing.injected.count == 0 {
        return Ok(());
    }
    painter.text(0, Style::new(), "Lateness of delays on this machine (ms):")?;
    painter.raw(&format!("  {:32} {:>6} {:>8} {:>8} {:>8}", "", "count", "p50", "p99", "worst"))?;
    for (name, late) in
        [("injected by the mock", timing.injected), ("plain timers, for comparison", timing.bare)]
    {
        painter.raw(&format!(
            "  {name:32} {:>6} {:>8.2} {:>8.2} {:>8.2}",
            late.count, late.p50_ms, late.p99_ms, late.max_ms
        ))?;
    }
    Ok(())
}

/// `0.4ms`, `12ms`, `1.5s`.
fn time(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{ms:.1}ms"),
        ms if ms < 1000.0 => format!("{ms:.0}ms"),
        ms => format!("{:.1}s", ms / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selftest::{ClaimResult, ClientView, Lateness, Timing};

    fn proof(name: &str, showed: &str, instead: Option<&str>) -> FaultProof {
        FaultProof {
            family: FaultLayer::Ending,
            name: name.to_owned(),
            proven: instead.is_none(),
            seen: ClientView::BrokenAfterHead,
            showed: showed.to_owned(),
            claims: vec![ClaimResult {
                claim: "the connection ends by RST".to_owned(),
                instead: instead.map(str::to_owned),
            }],
            body_bytes: 412,
            reads: 4,
            first_byte_ms: Some(0.5),
            ended_ms: 104.2,
            timer_error_ms: Some(0.4),
            tries: 1,
        }
    }

    #[test]
    fn each_fault_has_a_line_and_an_unproven_one_shows_why() {
        let late = Lateness { count: 2, p50_ms: 0.4, p99_ms: 1.25, max_ms: 1.25 };
        let long = "delay: {at: before_headers, for: 80ms}, drip: {bytes_per_second: 20000}";
        let selftest = Selftest {
            schema: 1,
            upfault: "0.1.0".to_owned(),
            seed: 0,
            exhibits: vec![
                proof("reset: {at: {after_events: 3}}", "200, 3 events (412 bytes), RST", None),
                proof("close: {at: before_headers}", "RST", Some("Reset")),
                proof(long, "200, FIN", None),
            ],
            proven: 2,
            unproven: 1,
            timing: Timing { injected: late, bare: late },
            wall_ms: 1234.0,
        };
        let mut out = Vec::new();
        write_selftest(&mut out, &selftest, false, false, 0).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        endings  2 of 3 proven
          ok    reset: {at: {after_events: 3}}                    200, 3 events (412 bytes), RST       104ms
          FAIL  close: {at: before_headers}                       RST                                  104ms
                claimed: the connection ends by RST
                seen:    Reset
          ok    delay: {at: before_headers, for: 80ms}, drip: {bytes_per_second: 20000}
                                                                  200, FIN                             104ms

        2 faults proven on the wire, 1 NOT proven, in 1.2s
        Lateness of delays on this machine (ms):
                                            count      p50      p99    worst
          injected by the mock                  2     0.40     1.25     1.25
          plain timers, for comparison          2     0.40     1.25     1.25
        ");
    }
}
