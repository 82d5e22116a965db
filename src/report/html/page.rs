//! The HTML around the embedded values.

use std::{
    collections::HashSet,
    io::{self, Write},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

use super::{
    case::PageDetail,
    index::PageIndex,
    parts::{PartWriter, write_value},
};
use crate::{
    bundled::SCENARIOS,
    event::CaseReport,
    matrix::Matrix,
    report::{RecordedRun, paint::safe},
    scenario::load_text,
};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
/// One script: the files share their names.
const SCRIPT: &str = concat!(
    include_str!("script/data.js"),
    include_str!("script/dom.js"),
    include_str!("script/filter.js"),
    include_str!("script/overview.js"),
    include_str!("script/gateways.js"),
    include_str!("script/wire.js"),
    include_str!("script/case.js"),
    include_str!("script/rule.js"),
    include_str!("script/main.js"),
);

/// Writes a run as a page.
pub(crate) fn render(run: &RecordedRun, out: &mut dyn Write) -> io::Result<()> {
    render_runs(&[run], PageIndex::new(), |_| true, out)
}

/// Writes the runs of several gateways as a page. There is one run for each gateway of the matrix; `None` for one without
/// results.
pub(crate) fn render_matrix(
    matrix: &Matrix,
    runs: &[Option<&RecordedRun>],
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut index = PageIndex::new();
    index.add_matrix(matrix, runs.iter().map(Option::is_some));
    let with_findings: HashSet<&str> = matrix.cases_with_findings().collect();
    let runs: Vec<&RecordedRun> = runs.iter().copied().flatten().collect();
    render_runs(&runs, index, |id| with_findings.contains(id), out)
}

/// Writes several runs of the same cases as one page. It contains the traffic of the cases that `has_traffic` accepts. One
/// case at a time is in memory, apart from the current part and the index.
fn render_runs(
    runs: &[&RecordedRun],
    mut index: PageIndex,
    has_traffic: impl Fn(&str) -> bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let names: Vec<String> = runs.iter().map(|run| run.report.proxy.to_string()).collect();
    let title = escaped(&safe(&names.join(", ")));
    // Names and fixed text alternate.
    for (n, piece) in PAGE.split("@@").enumerate() {
        match piece {
            fixed if n % 2 == 0 => out.write_all(fixed.as_bytes())?,
            "title" => out.write_all(title.as_bytes())?,
            "policy" => out.write_all(content_policy().as_bytes())?,
            "style" => out.write_all(STYLE.as_bytes())?,
            "script" => out.write_all(SCRIPT.as_bytes())?,
            "cases" => {
                let mut parts = PartWriter::new(out);
                for run in runs {
                    index.add_run(&run.report);
                    for case in run.cases() {
                        let mut case = case?;
                        let source = source_of(&case);
                        if !has_traffic(&case.id) {
                            case.observation = None;
                        }
                        let detail = PageDetail::of(&case, run.report.rerun.as_ref());
                        let part = parts.add(&case.id, &case.scenario, source, detail)?;
                        index.add(&case, part);
                    }
                    parts.end_run()?;
                }
            }
            "index" => write_value(out, "index", &index)?,
            "counts" => out.write_all(index.counts().as_bytes())?,
            other => return Err(io::Error::other(format!("the page has no value `{other}`"))),
        }
    }
    Ok(())
}

/// What the page may load and execute: nothing but its own style and script.
/// <https://www.w3.org/TR/CSP3/>
fn content_policy() -> String {
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// Text without HTML syntax.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The bundled scenario, if it is the one that ran: a project can replace it by its own file with the same id.
fn source_of(case: &CaseReport) -> Option<&'static str> {
    let text = SCENARIOS.get(&format!("{}.yaml", case.scenario))?;
    let scenario = load_text(&case.scenario, &case.file, text).ok()?;
    let same_setup = case.observation.as_ref().is_none_or(|seen| {
        let setup = &seen.arrangement;
        let turns = setup.deployments.iter().map(|deployment| (&deployment.name, &deployment.turns));
        setup.proxy == scenario.proxy
            && setup.expect == scenario.expect
            && setup.except == scenario.except
            && turns.eq(scenario.deployments.iter())
    });
    (scenario.title == case.title && scenario.why == case.why && same_setup).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::ZlibDecoder;
    use serde_json::Value;

    use super::*;
    use crate::{
        judge::Verdict,
        observation::ExchangeOutcome,
        report::{
            format::tests::{recorded, rendered},
            sample::{case, failing},
        },
        scenario::Library,
    };

    fn page(cases: Vec<CaseReport>) -> String {
        rendered("html", cases.into_iter().map(CaseReport::completed).collect())
    }

    /// An embedded value, as the browser reads it.
    fn embedded(page: &str, id: &str) -> Value {
        let start = format!("id=\"{id}\">");
        let text = page.split_once(&start).unwrap().1.split_once("</script>").unwrap().0;
        let mut json = String::new();
        ZlibDecoder::new(&BASE64_STANDARD.decode(text).unwrap()[..]).read_to_string(&mut json).unwrap();
        serde_json::from_str(&json).unwrap()
    }

    const ATTACK: &str = "</script><!--<script>alert(1)</script>]]>\u{1b}[31m\u{202e}@@script@@\"'&";

    #[test]
    fn the_index_names_every_case_and_its_part_contains_it() {
        let reason = Some("it cannot be configured".to_owned());
        let mut cases: Vec<CaseReport> = (0..70).map(|n| failing(&format!("a/{n:02}"))).collect();
        cases.push(CaseReport { reason, ..case("b/skipped", Verdict::Skipped) });
        let page = page(cases);
        let index = embedded(&page, "index");
        assert_eq!(index["cases"].as_array().unwrap().len(), 71);
        assert_eq!(index["runs"][0]["proxy"], "litellm 1.102.4");
        let result = &index["cases"][70]["results"][0];
        assert_eq!(
            (&result["verdict"], &result["reason"]),
            (&"skipped".into(), &"it cannot be configured".into())
        );
        for case in index["cases"].as_array().unwrap() {
            let part = embedded(&page, &format!("part-{}", case["results"][0]["part"]));
            let detail = &part["cases"][case["id"].as_str().unwrap()];
            assert_eq!(detail["title"], "A 429 keeps its status, its detail and its Retry-After");
        }
        let rule = &index["rules"]["headers.retry-after"];
        assert_eq!(
            (&rule["level"], &rule["title"]),
            (&"required".into(), &"Retry-After reaches the caller".into())
        );
        assert!(page.contains("<p>upfault, litellm 1.102.4: 71 cases: 70 fail, 1 skipped</p>"));
    }

    #[test]
    fn a_case_contains_both_sides_of_the_wire_and_the_commands() {
        let part = embedded(&page(vec![failing("a/b")]), "part-0");
        let detail = &part["cases"]["a/b"];
        assert_eq!(detail["findings"][0]["expected"]["text"], "retry-after: 7");
        let step = &detail["steps"][0];
        assert!(step["request"]["line"]["text"].as_str().unwrap().starts_with("POST http://"), "{step}");
        assert_eq!(step["response"]["line"]["text"], "429");
        assert_eq!(step["attempts"]["first"][0]["name"], "primary#1");
        assert_eq!(step["attempts"]["first"][0]["reply"]["line"]["text"], "429");
        assert!(step["curl"].as_str().unwrap().starts_with("curl -siN"), "{step}");
        assert!(step["sdks"][0]["outcome"].as_str().unwrap().starts_with("RateLimitError"), "{step}");
    }

    #[test]
    fn hostile_text_cannot_leave_its_element() {
        let mut hostile = failing("a/b");
        hostile.title = ATTACK.to_owned();
        hostile.why = ATTACK.to_owned();
        hostile.reason = Some(ATTACK.to_owned());
        hostile.findings[0].observed = ATTACK.to_owned();
        let harmless = page(vec![failing("a/b")]);
        let mut run = recorded(vec![hostile]);
        run.report.proxy.name = ATTACK.to_owned();
        let mut out = Vec::new();
        render(&run, &mut out).unwrap();
        let attacked = String::from_utf8(out).unwrap();
        for syntax in ["<script", "</script>", "<!--", "alert(1)"] {
            let expected = harmless.matches(syntax).count() + if syntax == "alert(1)" { 2 } else { 0 };
            assert_eq!(attacked.matches(syntax).count(), expected, "{syntax}");
        }
        assert!(attacked.contains("<title>upfault: &lt;/script&gt;&lt;!--&lt;script&gt;alert(1)"));
        assert!(!attacked.contains(['\u{1b}', '\u{0}']));
        assert_eq!(embedded(&attacked, "index")["scenarios"]["a/b"], ATTACK);
    }

    #[test]
    fn long_texts_are_cut_and_say_how_much_is_left_out() {
        let mut long = failing("a/b");
        let seen = long.observation.as_mut().unwrap();
        let ExchangeOutcome::Answer(answer) = &mut seen.exchanges[0].outcome else { panic!("no response") };
        answer.headers = vec![("x-long".to_owned(), "\u{e9}".repeat(512 * 1024))];
        answer.headers.extend(vec![("x-many".to_owned(), "z".repeat(2000)); 79]);
        answer.body.text = "y".repeat(1024 * 1024);
        let page = page(vec![long]);
        assert!(page.len() < 150_000, "{} bytes", page.len());
        let response = &embedded(&page, "part-0")["cases"]["a/b"]["steps"][0]["response"];
        assert_eq!(response["headers"]["first"][0][1]["more"], 1024 * 1024 - 1000);
        assert_eq!(response["headers"]["more"], 20);
        let body = &response["body"];
        let shown = body["text"].as_str().unwrap().len();
        assert_eq!(shown as u64 + body["more"].as_u64().unwrap(), 1024 * 1024);
    }

    #[test]
    fn a_page_with_2000_cases_is_small_and_contains_no_secrets() {
        let cases: Vec<CaseReport> = (0..2000).map(|n| failing(&format!("a/{n:04}"))).collect();
        let key = "sk-canary-";
        let page = page(cases);
        assert!(page.len() < 5_000_000, "{} bytes", page.len());
        for part in 0..63 {
            let text = embedded(&page, &format!("part-{part}")).to_string();
            assert!(!text.contains(key) && !text.contains("sk-proxy-51c0ffee"), "part {part}");
        }
    }

    #[test]
    fn nothing_but_its_own_style_and_script_may_load_or_run() {
        let page = page(vec![failing("a/b")]);
        let policy =
            page.split_once("Content-Security-Policy\" content=\"").unwrap().1.split_once('"').unwrap().0;
        assert!(policy.starts_with("default-src 'none'; img-src data:; style-src 'sha256-"), "{policy}");
        for (start, end, name) in [("<style>", "</style>", "style"), ("<script>", "</script>", "script")] {
            let text = page.split_once(start).unwrap().1.split_once(end).unwrap().0;
            let hash = BASE64_STANDARD.encode(Sha256::digest(text.as_bytes()));
            assert!(policy.contains(&format!("{name}-src 'sha256-{hash}'")), "{name}: {policy}");
        }
        assert!(!SCRIPT.contains("innerHTML") && !SCRIPT.contains("</"), "text is never parsed as HTML");
    }

    #[test]
    fn a_page_can_show_several_runs_of_the_same_cases() {
        let (before, after) =
            (recorded(vec![failing("a/b"), failing("a/gone")]), recorded(vec![case("a/b", Verdict::Pass)]));
        let mut out = Vec::new();
        render_runs(&[&before, &after], PageIndex::new(), |_| true, &mut out).unwrap();
        let page = String::from_utf8(out).unwrap();
        let index = embedded(&page, "index");
        let results = &index["cases"][0]["results"];
        assert_eq!((&results[0]["verdict"], &results[1]["verdict"]), (&"fail".into(), &"pass".into()));
        assert!(index["cases"][1]["results"][1].is_null());
        let part = embedded(&page, &format!("part-{}", results[1]["part"]));
        assert!(part["cases"]["a/b"]["steps"].is_null());
    }

    #[test]
    fn the_source_of_a_scenario_is_shown_only_if_it_is_the_one_that_ran() {
        let library = Library::bundled();
        let bundled = library.scenarios.iter().find(|scenario| scenario.id == "limits/rate-limit").unwrap();
        let mut one = case("limits/rate-limit", Verdict::Skipped);
        (one.title, one.why) = (bundled.title.clone(), bundled.why.clone());
        assert!(source_of(&one).unwrap().contains(&bundled.title));
        assert_eq!(source_of(&CaseReport { why: "Another reason.".to_owned(), ..one.clone() }), None);
        // The same title, but another setup.
        one.observation = failing("limits/rate-limit").observation;
        assert_eq!(source_of(&one), None);
    }
}
