//! JUnit XML, which most CI systems read.
//!
//! The names of suites and cases contain no ports, times or versions, so that a CI system recognises a case in the next
//! run. <https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd>

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use quick_xml::{Writer, events::BytesText};

use super::{
    RecordedRun,
    inert::escaped_lines,
    json::Report,
    outline::{details, reason, rules},
};
use crate::{event::CaseReport, judge::Verdict};

/// Renders a report as JUnit XML: a suite for each folder of scenarios.
pub(super) fn render(run: &RecordedRun, out: &mut dyn Write) -> io::Result<()> {
    let report = &run.report;
    let mut suites: BTreeMap<&str, Vec<&CaseReport>> = BTreeMap::new();
    for case in &report.cases {
        suites.entry(suite_of(case)).or_default().push(case);
    }
    out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")?;
    let mut writer = Writer::new_with_indent(&mut *out, b' ', 2);
    let all = counts(&report.cases.iter().collect::<Vec<_>>());
    writer
        .create_element("testsuites")
        .with_attribute(("name", "upfault"))
        .with_attributes(
            // The schema has no `skipped` here.
            all.iter().filter(|(name, _)| *name != "skipped").map(|(name, count)| (*name, count.as_str())),
        )
        .write_inner_content(|writer| {
            for (name, cases) in &suites {
                let counts = counts(cases);
                writer
                    .create_element("testsuite")
                    .with_attribute(("name", clean(name).as_str()))
                    .with_attributes(counts.iter().map(|(name, count)| (*name, count.as_str())))
                    .write_inner_content(|writer| {
                        cases.iter().try_for_each(|case| write_case(writer, report, case))
                    })?;
            }
            Ok(())
        })?;
    out.write_all(b"\n")
}

fn write_case(writer: &mut Writer<impl Write>, report: &Report, case: &CaseReport) -> io::Result<()> {
    let class = format!("upfault.{}", suite_of(case).replace('/', "."));
    let seconds = format!("{:.3}", case.duration_ms / 1000.0);
    let element = writer
        .create_element("testcase")
        .with_attribute(("classname", clean(&class).as_str()))
        .with_attribute(("name", clean(&case.id).as_str()))
        .with_attribute(("time", seconds.as_str()));
    let (child, message) = match case.verdict {
        Verdict::Pass => {
            element.write_empty()?;
            return Ok(());
        }
        Verdict::Known => ("system-out", String::new()),
        Verdict::Fail | Verdict::Changed => ("failure", format!("{}: {}", case.verdict, rules(case))),
        Verdict::Broken => ("error", "upfault itself failed".to_owned()),
        // Neither says that the proxy is wrong.
        Verdict::Inconclusive | Verdict::Skipped => {
            ("skipped", format!("{}: {}", case.verdict, reason(case)))
        }
    };
    element.write_inner_content(|writer| {
        let mut element = writer.create_element(child);
        if !message.is_empty() {
            element = element.with_attribute(("message", clean(&message).as_str()));
        }
        if matches!(child, "failure" | "error") {
            element = element.with_attribute(("type", case.verdict.as_str()));
        }
        if child == "skipped" {
            element.write_empty()?;
        } else {
            element.write_text_content(BytesText::new(&clean(&details(report, case))))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// The folder of the scenario.
fn suite_of(case: &CaseReport) -> &str {
    case.scenario.rsplit_once('/').map_or("scenarios", |(folder, _)| folder)
}

fn counts(cases: &[&CaseReport]) -> [(&'static str, String); 5] {
    let count = |verdicts: &[Verdict]| {
        cases.iter().filter(|case| verdicts.contains(&case.verdict)).count().to_string()
    };
    let total: f64 = cases.iter().map(|case| case.duration_ms).sum();
    [
        ("tests", cases.len().to_string()),
        ("failures", count(&[Verdict::Fail, Verdict::Changed])),
        ("errors", count(&[Verdict::Broken])),
        ("skipped", count(&[Verdict::Skipped, Verdict::Inconclusive])),
        ("time", format!("{:.3}", total / 1000.0)),
    ]
}

/// `text` with the characters escaped that XML 1.0 cannot contain (section 2.2), and with those that change the display.
fn clean(text: &str) -> String {
    escaped_lines(text)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use quick_xml::{Reader, events::Event};

    use crate::{
        event::CaseReport,
        judge::Verdict,
        report::{
            format::tests::rendered,
            sample::{case, failing},
        },
    };

    #[test]
    fn each_verdict_has_its_element_and_names_are_stable() {
        let reason = Some("it cannot be configured".to_owned());
        let xml = rendered(
            "junit",
            vec![
                failing("limits/rate-limit[stream]"),
                case("limits/pass", Verdict::Pass),
                case("limits/deep/known", Verdict::Known),
                case("broken", Verdict::Broken),
                CaseReport { reason: reason.clone(), ..case("limits/skipped", Verdict::Skipped) },
                CaseReport { reason, ..case("limits/unclear", Verdict::Inconclusive) },
            ],
        );
        for part in [
            r#"<testsuites name="upfault" tests="6" failures="1" errors="1" time="0.072">"#,
            r#"<testsuite name="limits" tests="4" failures="1" errors="0" skipped="2" time="0.048">"#,
            r#"<testcase classname="upfault.limits" name="limits/rate-limit[stream]" time="0.012">"#,
            r#"<failure message="fail: headers.retry-after" type="fail">"#,
            r#"<testcase classname="upfault.limits" name="limits/pass" time="0.012"/>"#,
            r#"<testcase classname="upfault.limits.deep" name="limits/deep/known" time="0.012">"#,
            r#"<testcase classname="upfault.scenarios" name="broken" time="0.012">"#,
            r#"<error message="upfault itself failed" type="broken">"#,
            r#"<skipped message="inconclusive: it cannot be configured"/>"#,
        ] {
            assert!(xml.contains(part), "no {part} in {xml}");
        }
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "the output of the tests must show what was skipped")]
    fn every_verdict_matches_the_schema_of_jenkins() {
        let folder = tempfile::tempdir().unwrap();
        let xml = folder.path().join("junit.xml");
        let mut cases: Vec<CaseReport> =
            Verdict::ALL.into_iter().map(|verdict| case(&format!("a/{verdict}"), verdict)).collect();
        let mut hostile = failing("b/]]>\u{0}");
        hostile.findings[0].observed = "]]><x>\u{b}\u{fffe}".to_owned();
        cases.push(hostile);
        std::fs::write(&xml, rendered("junit", cases)).unwrap();
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/schemas/junit-10.xsd");
        match Command::new("xmllint").args(["--noout", "--schema", schema]).arg(&xml).output() {
            Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
            // `.ci/run` installs it.
            Err(error) => eprintln!("skipped: xmllint (libxml2-utils) is needed: {error}"),
        }
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut hostile = failing("a/b");
        hostile.findings[0].observed =
            "]]></failure><x a=\"'&\u{0}\u{b}\u{1b}[31m\u{ffff}\u{202e}".to_owned();
        let xml = rendered("junit", vec![hostile]);
        let mut reader = Reader::from_str(&xml);
        let mut names = Vec::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(tag) | Event::Empty(tag) => {
                    names.push(tag.name().as_ref().to_owned());
                }
                Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(names, ["testsuites", "testsuite", "testcase", "failure"]);
        assert!(!xml.contains(['\u{0}', '\u{b}', '\u{1b}', '\u{ffff}']), "{xml}");
    }
}
