//! The table of a selftest, for people.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::{
    paint::{Painter, safe, wrap},
    terminal_groups::plural,
};
use crate::selftest::{Family, Proof, Selftest};

/// Columns of the table where nobody says how wide a terminal is.
const WIDTH: usize = 100;

/// A wider table would be hard to follow from one side to the other.
const WIDEST: usize = 120;

/// Columns of a fault's name; a longer one has a line of its own.
const NAME: usize = 48;

/// Columns of the mark before it, and of the time behind all.
const MARK: usize = 8;
const TIME: usize = 8;

/// Writes the table: one line for each exhibit, family by family, then the counts and how late this
/// machine is. `verbose` adds every claim. `width` 0 stands for no terminal.
///
/// # Errors
/// When nothing can be written.
pub fn write_selftest(
    out: &mut dyn Write,
    selftest: &Selftest,
    verbose: bool,
    color: bool,
    width: usize,
) -> io::Result<()> {
    let width = if width == 0 { WIDTH } else { width };
    let mut painter = Painter::new(out, color, width);
    for family in Family::ALL {
        let proofs: Vec<&Proof> = selftest.exhibits.iter().filter(|proof| proof.family == family).collect();
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

fn line(painter: &mut Painter<'_>, proof: &Proof, width: usize) -> io::Result<()> {
    let (mark, tint) = if proof.proven { ("ok", AnsiColor::Green) } else { ("FAIL", AnsiColor::Red) };
    let style = Style::new().bold().fg_color(Some(tint.into()));
    let mark = format!("  {}{:pad$}", painter.styled(style, mark), "", pad = MARK - 2 - mark.len());
    let time = time(proof.ended_ms);
    let (name, showed) = (safe(&proof.name), safe(&proof.showed));
    // One column stays between what was shown and the time.
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

/// What did not hold, and with `verbose` what held too.
fn claims(painter: &mut Painter<'_>, proof: &Proof, verbose: bool) -> io::Result<()> {
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
        painter.text(MARK, Style::new().dimmed(), "(shown again: among all others it was not proven)")?;
    }
    Ok(())
}

fn footer(painter: &mut Painter<'_>, selftest: &Selftest) -> io::Result<()> {
    let count = plural(selftest.proven, "exhibit");
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
    painter.text(0, Style::new(), "How late waits are on this machine (ms):")?;
    painter.raw(&format!("  {:32} {:>6} {:>8} {:>8} {:>8}", "", "count", "p50", "p99", "worst"))?;
    for (name, late) in [("injected by the mock", timing.injected), ("bare sleeps beside them", timing.bare)]
    {
        painter.raw(&format!(
            "  {name:32} {:>6} {:>8.2} {:>8.2} {:>8.2}",
            late.count, late.p50_ms, late.p99_ms, late.max_ms
        ))?;
    }
    Ok(())
}

/// Milliseconds as people say them.
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
    use crate::selftest::{ClaimResult, Lateness, Seen, Timing};

    fn proof(name: &str, showed: &str, instead: Option<&str>) -> Proof {
        Proof {
            family: Family::Ending,
            name: name.to_owned(),
            proven: instead.is_none(),
            seen: Seen::BrokenAfterHead,
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
    fn each_exhibit_has_a_line_and_what_is_not_proven_says_why() {
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

        2 exhibits proven on the wire, 1 NOT proven, in 1.2s
        How late waits are on this machine (ms):
                                            count      p50      p99    worst
          injected by the mock                  2     0.40     1.25     1.25
          bare sleeps beside them               2     0.40     1.25     1.25
        ");
    }
}
