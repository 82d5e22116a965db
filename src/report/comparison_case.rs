//! One case of a comparison: every fact of the sides, and the wire.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use anstyle::{AnsiColor, Style};

use super::{
    comparison_text::ComparisonView,
    json::Report,
    paint::{Painter, safe},
    terminal_case::{caller, upstream},
};
use crate::{
    compare::{CaseFacts, CaseState, ComparedRun, FactKind},
    observation::StepName,
};

/// The column after the names of facts.
const NAMES: usize = 26;

/// Prints a case of all sides: facts that differ have a line for each side.
pub(crate) fn write_case_comparison(
    out: &mut dyn Write,
    id: &str,
    sides: &[(&ComparedRun, &Report)],
    view: ComparisonView,
) -> io::Result<()> {
    let mut painter = Painter::new(out, view.color, view.width);
    painter.gap()?;
    painter.raw(&painter.styled(Style::new().bold(), &safe(id)))?;
    let mut judged: Vec<(&str, &CaseFacts)> = Vec::new();
    for (run, _) in sides {
        let label = &run.side.label;
        let title = format!("{}: ", safe(label));
        match run.cases.iter().find(|case| case.id == id).map(|case| &case.state) {
            None => painter.field(2, &title, "not part of this run")?,
            Some(CaseState::Skipped(reason)) => {
                painter.field(2, &title, &safe(&format!("skipped: {reason}")))?;
            }
            Some(CaseState::Unclear) => painter.field(2, &title, "inconclusive")?,
            Some(CaseState::Judged { broken, facts }) => {
                let rules: Vec<&str> = broken.iter().map(String::as_str).collect();
                let words = if rules.is_empty() {
                    "breaks no required rule".to_owned()
                } else {
                    format!("breaks {}", rules.join(", "))
                };
                painter.field(2, &title, &safe(&words))?;
                judged.push((label, facts));
            }
        }
    }
    for step in steps(&judged) {
        painter.gap()?;
        painter.text(2, Style::new().underline(), &step.to_string())?;
        facts(&mut painter, step, &judged)?;
        for (run, report) in sides {
            wire(&mut painter, id, step, &run.side.label, report)?;
        }
    }
    Ok(())
}

fn steps(judged: &[(&str, &CaseFacts)]) -> Vec<StepName> {
    let mut steps = Vec::new();
    for step in judged.iter().flat_map(|(_, facts)| &facts.exchanges).map(|exchange| exchange.step) {
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps
}

fn facts(painter: &mut Painter<'_>, step: StepName, judged: &[(&str, &CaseFacts)]) -> io::Result<()> {
    let of = |facts: &CaseFacts, kind: FactKind, subject: &str| {
        let exchange = facts.exchanges.iter().find(|exchange| exchange.step == step)?;
        let found = exchange.seen.iter().find(|fact| fact.kind == kind && fact.subject == subject)?;
        Some(found.value.clone())
    };
    let names: BTreeSet<(FactKind, String)> = judged
        .iter()
        .flat_map(|(_, facts)| &facts.exchanges)
        .filter(|exchange| exchange.step == step)
        .flat_map(|exchange| &exchange.seen)
        .map(|fact| (fact.kind, fact.subject.clone()))
        .collect();
    for (kind, subject) in names {
        let name = match (kind, subject.as_str()) {
            (kind, "") => kind.to_string(),
            (FactKind::Sdk, sdk) => sdk.to_owned(),
            (kind, subject) => format!("{kind} {subject}"),
        };
        let name = safe(&name);
        let values: Vec<Option<String>> = judged.iter().map(|(_, facts)| of(facts, kind, &subject)).collect();
        let first = values.first().cloned().flatten();
        if values.iter().all(|value| *value == first) {
            painter.field(2, &format!("{name:NAMES$}"), &safe(first.as_deref().unwrap_or("none")))?;
            continue;
        }
        painter.field(2, &name, "")?;
        for ((label, _), value) in judged.iter().zip(&values) {
            let changed = *value != first;
            let color = if changed { AnsiColor::Green } else { AnsiColor::Red };
            let label = format!("{:width$}", safe(label), width = NAMES - 2);
            let label = painter.styled(Style::new().fg_color(Some(color.into())), &label);
            painter.raw(&format!("    {label}{}", safe(value.as_deref().unwrap_or("none"))))?;
        }
    }
    Ok(())
}

/// What the caller sent and got, and what the upstreams saw and sent, as the report recorded it.
fn wire(painter: &mut Painter<'_>, id: &str, step: StepName, label: &str, report: &Report) -> io::Result<()> {
    let Some(case) = report.cases.iter().find(|case| case.id == id) else { return Ok(()) };
    painter.gap()?;
    painter.text(2, Style::new().bold(), &safe(&format!("the wire of {label}")))?;
    let Some(observation) = &case.observation else {
        return painter.text(4, Style::new(), "not in the report (`--report json-full=PATH` writes it)");
    };
    for exchange in observation.exchanges.iter().filter(|exchange| exchange.step == step) {
        caller(painter, exchange)?;
        for attempt in observation.attempts_of(exchange) {
            upstream(painter, attempt)?;
        }
    }
    Ok(())
}
