//! Known findings by the upstream issue that explains them.

use std::{collections::BTreeMap, io};

use anstyle::Style;

use super::{
    paint::{Painter, safe, verdict_style},
    terminal_groups::plural,
};
use crate::{event::CaseReport, judge::Verdict, snapshot::KnownClaim};

/// A line for each issue that explains findings of the run: `known: litellm#1234, 12 cases (headers.retry-after)`. Entries that
/// cannot be compared with the version of the proxy are named too, because they have no effect.
pub(super) fn by_issue(painter: &mut Painter<'_>, cases: &[&CaseReport]) -> io::Result<()> {
    let claims = || cases.iter().flat_map(|case| case.known.iter().map(move |claim| (*case, claim)));
    let mut issues: BTreeMap<String, (Vec<&str>, Vec<&str>)> = BTreeMap::new();
    for (case, claim) in claims().filter(|(_, claim)| claim.explains()) {
        let (ids, rules) = issues.entry(claim.issue_name()).or_default();
        for (names, name) in [(ids, case.id.as_str()), (rules, claim.rule.as_str())] {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let wrong = wrong(cases);
    let undecided = undecided(claims().map(|(_, claim)| claim));
    if issues.is_empty() && wrong.is_empty() && undecided.is_empty() {
        return Ok(());
    }
    painter.gap()?;
    let word = painter.styled(verdict_style(Verdict::Known), "known");
    for (issue, (ids, rules)) in issues {
        let line = format!("{}, {} ({})", safe(&issue), plural(ids.len(), "case"), safe(&rules.join(", ")));
        painter.text(0, Style::new(), &format!("{word}: {line}"))?;
    }
    for (line, cases) in wrong {
        let line = format!("{line}: {}", plural(cases, "case"));
        painter.text(0, verdict_style(Verdict::Fail), &safe(&line))?;
    }
    for line in undecided {
        painter.text(0, Style::new(), &safe(&line))?;
    }
    Ok(())
}

/// A line for each entry that fails cases, with their number.
fn wrong(cases: &[&CaseReport]) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    for claim in cases.iter().flat_map(|case| &case.known).filter(|claim| claim.is_wrong()) {
        if let Some(line) = claim.describe() {
            *lines.entry(line).or_default() += 1;
        }
    }
    lines
}

/// A line for each entry whose range cannot be compared with the version of the proxy.
fn undecided<'a>(claims: impl Iterator<Item = &'a KnownClaim>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for claim in claims.filter(|claim| claim.is_undecided()) {
        let line = format!(
            "note: {} has no effect: the version of the proxy cannot be compared with {} ({})",
            claim.issue_name(),
            claim.versions,
            claim.place
        );
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::sample::case,
        snapshot::{KnownScope, KnownState},
    };

    fn shown(cases: &[CaseReport]) -> String {
        let mut out = Vec::new();
        by_issue(&mut Painter::new(&mut out, false, 80), &cases.iter().collect::<Vec<_>>()).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn known(id: &str, rules: &[&str], scope: KnownScope, state: KnownState) -> CaseReport {
        let claim = |rule: &&str| KnownClaim {
            rule: (*rule).to_owned(),
            issue: "https://github.com/BerriAI/litellm/issues/1234".to_owned(),
            versions: ">=1.67.6".parse().unwrap(),
            scope,
            state,
            place: "upfault.toml:3".to_owned(),
        };
        CaseReport { known: rules.iter().map(claim).collect(), ..case(id, Verdict::Known) }
    }

    #[test]
    fn each_issue_is_one_line_with_its_cases_and_rules() {
        let occurs = |id: &str, rules: &[&str]| known(id, rules, KnownScope::Inside, KnownState::Occurs);
        let none = known("d", &["a.b"], KnownScope::Outside, KnownState::NoEffect);
        insta::assert_snapshot!(shown(&[occurs("a", &["a.b"]), occurs("b", &["a.b", "c.d"]), none]), @"known: litellm#1234, 2 cases (a.b, c.d)");
        assert_eq!(shown(&[case("a", Verdict::Pass)]), "");
    }

    #[test]
    fn an_entry_that_cannot_be_decided_is_named_once() {
        let unknown = |id: &str| known(id, &["a.b"], KnownScope::Unknown, KnownState::NoEffect);
        insta::assert_snapshot!(shown(&[unknown("a"), unknown("b")]), @r"
        note: litellm#1234 has no effect: the version of the proxy cannot be compared
        with >=1.67.6 (upfault.toml:3)
        ");
    }

    #[test]
    fn an_entry_that_fails_cases_is_one_line_with_their_number() {
        let gone = |id: &str| known(id, &["a.b"], KnownScope::Inside, KnownState::Gone);
        insta::assert_snapshot!(shown(&[gone("a"), gone("b")]), @r"
        a.b no longer occurs (litellm#1234): remove the known finding from
        upfault.toml:3, or limit its versions or cases: 2 cases
        ");
    }

    #[test]
    fn an_issue_with_control_characters_is_inert() {
        let mut hostile = known("a", &["a.b"], KnownScope::Inside, KnownState::Occurs);
        hostile.known[0].issue = "https://x.example/\u{1b}[31m".to_owned();
        assert!(!shown(&[hostile]).contains('\u{1b}'));
    }
}
