//! The HTML report in headless Chromium.
//!
//! Without Chromium the tests are skipped. If `UPFAULT_PROGRAMS` lists `chromium`, they fail instead.

#![cfg(unix)]

#[path = "html_report/chromium.rs"]
mod chromium;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use chromium::Chromium;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{RwLock, RwLockReadGuard};

/// Held for reading by every test, and for writing by the one that measures a time, so that no other test delays its browser.
static QUIET: RwLock<()> = RwLock::const_new(());

/// Waits until no test measures a time. Returns `None` if Chromium is not installed.
#[expect(clippy::print_stderr, reason = "the output of the tests must show what was skipped")]
#[expect(clippy::disallowed_methods, reason = "a test reads its own environment")]
async fn turn() -> Option<RwLockReadGuard<'static, ()>> {
    let programs = std::env::var("UPFAULT_PROGRAMS").unwrap_or_default();
    let wanted = programs.split(',').any(|one| one.trim() == "chromium");
    if !wanted && Command::new("chromium").arg("--version").output().is_err() {
        eprintln!("chromium is not on the PATH: skipped; on Debian: apt-get install chromium");
        return None;
    }
    Some(QUIET.read().await)
}

/// Runs `upfault` in a folder. Returns its exit code, which is not an error.
fn upfault(folder: &Path, args: &[&str]) -> i32 {
    let (code, errors) = ended(folder, args);
    assert!(code < 2, "{args:?}: {errors}");
    code
}

/// Runs `upfault` in a folder. Returns its exit code and what it wrote to standard error.
fn ended(folder: &Path, args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_upfault"))
        .args(args)
        .current_dir(folder)
        .env("UPFAULT_CACHE", folder.join("cache"))
        .env("CI", "true")
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The page of a run of the embedded proxy with an error on purpose, and the complete JSON report of the same run.
fn run(filter: &str) -> (TempDir, PathBuf, Value) {
    let folder = tempfile::tempdir().unwrap();
    let proxy = "builtin:retry-after-dropped";
    let reports = ["--report", "html=page.html", "--report", "json-full=run.json"];
    let code =
        upfault(folder.path(), &[&["run", "--proxy", proxy, "--filter", filter], &reports[..]].concat());
    assert_eq!(code, 1, "the embedded proxy breaks a rule");
    let page = folder.path().join("page.html");
    let json = serde_json::from_str(&fs::read_to_string(folder.path().join("run.json")).unwrap()).unwrap();
    (folder, page, json)
}

/// The page of a stored report.
fn page_of(folder: &Path, report: &Value) -> PathBuf {
    fs::write(folder.join("stored.json"), report.to_string()).unwrap();
    upfault(folder, &["explain", "stored.json", "--report", "html=stored.html"]);
    folder.join("stored.html")
}

const FOCUSED: &str = "document.activeElement?.dataset.case ?? document.activeElement?.id ?? ''";

#[tokio::test]
async fn a_failure_is_found_by_mouse_and_by_keyboard() {
    let Some(_turn) = turn().await else { return };
    let (_folder, page, report) = run("limits/* | status/*");
    let failing: Vec<&str> = report["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|case| case["verdict"] == "fail")
        .map(|case| case["id"].as_str().unwrap())
        .collect();
    let mut browser = Chromium::start().await;
    browser.open(&page, "").await;

    // The first screen shows how many cases fail and why.
    let first = browser.text("document.body.innerText").await;
    assert!(first.contains("Why cases fail") && first.contains("headers.retry-after"), "{first}");
    let number = browser.text("document.querySelector('.verdict.fail .number').textContent").await;
    assert_eq!(number, failing.len().to_string());

    // Matrix, list, case, rule.
    browser.click("td.fail a.cell[href*='family=limits'][href*='api=openai']").await;
    // The address changes before the list does.
    let listed = "[...document.querySelectorAll('#list a.line')].map((line) => line.dataset.case)";
    browser.wait(&format!("{listed}.every((id) => id.startsWith('limits/'))")).await;
    let ids = browser.eval(listed).await;
    let case = ids[0].as_str().unwrap();
    assert!(failing.contains(&case), "the worst comes first: {case}");
    browser.click("#list a.line").await;
    browser.wait("document.getElementById('findings')").await;
    let text = browser.text("document.body.innerText").await;
    for part in [case, "no retry-after", "On the wire", "client → proxy", "proxy → client", "primary#1"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    for part in
        ["Fate of the provider’s details", "openai-python", "upfault run --filter", "curl -siN", "title: "]
    {
        let part = part.replace('’', "'");
        let has = format!("document.body.textContent.toLowerCase().includes({:?})", part.to_lowercase());
        assert_eq!(browser.eval(&has).await, true, "no {part}");
    }
    let marked = browser.text("document.querySelector('del.differs').textContent").await;
    assert!(marked.chars().any(|c| c.is_ascii_digit()), "the expected seconds are marked: {marked}");
    browser.click("a.rule[href='#/rule/headers.retry-after']").await;
    browser.wait("document.getElementById('breaking')").await;
    let broken = browser.eval("document.querySelectorAll('#list a.line').length").await;
    let breaks = |case: &&Value| {
        let findings = case["findings"].as_array().unwrap();
        findings.iter().any(|finding| finding["rule"] == "headers.retry-after")
    };
    assert_eq!(broken, report["cases"].as_array().unwrap().iter().filter(breaks).count());

    // The keyboard alone: search, choose, open, next, back.
    browser.press("Escape").await;
    browser.wait("document.getElementById('search')").await;
    browser.press("/").await;
    browser.wait("document.activeElement.id === 'search'").await;
    browser.insert("stream] retry-after").await;
    browser.wait("location.hash.includes('text=')").await;
    browser.press("ArrowDown").await;
    browser.press("ArrowDown").await;
    let second = browser.text(FOCUSED).await;
    assert_eq!(browser.eval(listed).await[1], second);
    browser.press("Enter").await;
    browser.wait("document.getElementById('findings')").await;
    browser.press("ArrowLeft").await;
    browser.wait(&format!("!document.querySelector('h1').textContent.includes({second:?})")).await;
    let first = browser.text("document.querySelector('h1 .id').textContent").await;
    browser.press("Escape").await;
    browser.wait("document.getElementById('search')").await;
    assert_eq!(browser.text(FOCUSED).await, first, "the focus returns to the case");
    assert_eq!(browser.text("document.getElementById('search').value").await, "stream] retry-after");
    let outline = browser.text("getComputedStyle(document.activeElement).outlineStyle").await;
    assert_eq!(outline, "solid", "the focus is visible");

    // Links to a case, a rule and a filtered list; one to a case that does not exist.
    let id = second.replace('[', "%5B").replace(']', "%5D");
    browser.open(&page, &format!("#/case/{id}")).await;
    assert_eq!(browser.text("document.querySelector('h1 .id').textContent").await, second);
    browser.open(&page, "#/rule/headers.retry-after").await;
    browser.open(&page, "#/?verdict=fail&stream=yes").await;
    let streams = failing.iter().filter(|id| id.contains("stream")).count();
    assert_eq!(browser.eval("document.querySelectorAll('#list a.line').length").await, streams);
    browser.open(&page, "#/case/no/such-case").await;
    assert!(browser.text("document.body.innerText").await.contains("contains no case no/such-case"));
    assert_eq!(browser.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn pages_fit_a_phone_and_follow_the_colour_scheme() {
    let Some(_turn) = turn().await else { return };
    let (_folder, page, report) = run("limits/*");
    let case = report["cases"].as_array().unwrap().iter().find(|case| case["verdict"] == "fail").unwrap();
    let case = case["id"].as_str().unwrap().replace('[', "%5B").replace(']', "%5D");
    let mut browser = Chromium::start().await;
    let phone = json!({"width": 375, "height": 700, "deviceScaleFactor": 2, "mobile": true});
    browser.call("Emulation.setDeviceMetricsOverride", phone).await;
    for hash in ["", &format!("#/case/{case}"), "#/rule/headers.retry-after"] {
        browser.open(&page, hash).await;
        let width = browser.eval("document.documentElement.scrollWidth").await;
        assert!(width.as_u64().unwrap() <= 375, "{hash}: {width} pixels");
    }
    let mut colours = Vec::new();
    for scheme in ["light", "dark"] {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        browser.call("Emulation.setEmulatedMedia", features).await;
        browser.open(&page, "").await;
        colours.push(browser.text("getComputedStyle(document.body).backgroundColor").await);
    }
    assert_eq!(colours, ["rgb(255, 255, 255)", "rgb(15, 19, 24)"]);
    assert_eq!(browser.problems(), Vec::<String>::new());
}

/// The page of a matrix: the control, a gateway with an error on purpose, and one that cannot run.
fn matrix() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("gone")).unwrap();
    let definition = "name: gone\nversion: '9.9'\nlaunch: {command: [no-such-program]}\nready: {get: /}\n\
                      needs: {no-such-program: it does not exist}\napis: {openai/chat: [openai]}\n";
    fs::write(folder.path().join("gone/proxy.yaml"), definition).unwrap();
    let args = ["matrix", "builtin:retry-after-dropped", "./gone", "--report", "html=page.html", "--filter"];
    let (code, errors) =
        ended(folder.path(), &[&args[..], &["limits/rate-limit* | fallback/on-reset*"]].concat());
    assert_eq!(code, 3, "{errors}");
    let page = folder.path().join("page.html");
    (folder, page)
}

#[tokio::test]
async fn gateways_are_shown_side_by_side_and_what_was_not_run_says_so() {
    let Some(_turn) = turn().await else { return };
    let (_folder, page) = matrix();
    let mut browser = Chromium::start().await;
    browser.open(&page, "").await;
    let first = browser.text("document.body.innerText").await;
    for part in ["3 gateways", "control", "gone 9.9", "not run: cannot start gone 9.9"] {
        assert!(first.contains(part), "no {part} in {first}");
    }
    let row = "[...document.querySelectorAll('.rules.required tbody tr')]\
               .find((row) => row.innerText.startsWith('headers.retry-after'))";
    let classes =
        browser.eval(&format!("[...{row}.querySelectorAll('td')].map((cell) => cell.className)")).await;
    assert_eq!(classes, json!(["pass", "fail", "not-run"]));
    // A gateway that did not run is not clean in any row.
    let cells = "[...document.querySelectorAll('.rules tbody tr:not(.family)')].map((row) => row.lastChild.textContent)";
    let texts = browser.eval(cells).await;
    assert!(texts.as_array().unwrap().iter().all(|text| text == "not run"), "{texts}");

    // The number leads to the cases, and a case to both sides of the wire and to the control, by keyboard too.
    browser.eval(&format!("{row}.querySelector('a.cell').focus()")).await;
    let outline = browser.text("getComputedStyle(document.activeElement).outlineStyle").await;
    assert_eq!(outline, "solid", "the focus is visible");
    browser.press("Enter").await;
    browser.wait("location.hash.includes('rule=headers.retry-after')").await;
    // The address changes before the list does.
    browser.wait("document.getElementById('count').textContent.includes(' of ')").await;
    browser.click("#list a.line").await;
    browser.wait("document.getElementById('findings')").await;
    let text = browser.text("document.body.innerText").await;
    for part in [
        "The case broke the rule in 2 of 2 runs. The control keeps it",
        "no retry-after",
        "client → proxy",
        "primary#1",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    browser.click(".tabs a:not([aria-current])").await;
    browser.wait("!document.getElementById('findings')").await;
    let text = browser.text("document.body.innerText").await;
    assert!(
        text.contains("On the wire") && text.contains("client → proxy"),
        "the control has its traffic: {text}"
    );
    browser.open(&page, "#/rule/headers.retry-after").await;
    assert!(browser.text("document.body.innerText").await.contains("not run"));

    // On a phone, only the tables scroll sideways.
    let phone = json!({"width": 375, "height": 700, "deviceScaleFactor": 2, "mobile": true});
    browser.call("Emulation.setDeviceMetricsOverride", phone).await;
    for hash in ["", "#/rule/headers.retry-after"] {
        browser.open(&page, hash).await;
        let width = browser.eval("document.documentElement.scrollWidth").await;
        assert!(width.as_u64().unwrap() <= 375, "{hash}: {width} pixels");
    }
    assert_eq!(browser.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn hostile_responses_are_inert_and_visible() {
    let Some(_turn) = turn().await else { return };
    let (folder, _, mut report) = run("limits/rate-limit");
    let attack = "</script><!--<script>window.attacked = 1</script><img src=x onerror='window.attacked = 1'>\
                  <svg onload='window.attacked = 1'>]]>\u{1b}[31mred\u{202e}desrever\u{0}@@script@@ {{x}}";
    let case = &mut report["cases"][0];
    case["title"] = attack.into();
    case["why"] = attack.into();
    case["reason"] = attack.into();
    let seen = &mut case["observation"];
    let answer = &mut seen["exchanges"][0]["outcome"]["answer"];
    answer["body"]["text"] = attack.into();
    answer["headers"] = json!([["x-long", "h".repeat(1024 * 1024)], [attack, attack]]);
    seen["exchanges"][0]["request_body"] = attack.into();
    seen["attempts"][0]["sent"]["body"] = attack.into();
    report["proxy"]["name"] = attack.into();
    let id = report["cases"][0]["id"].as_str().unwrap().to_owned();
    let page = page_of(folder.path(), &report);
    let size = fs::metadata(&page).unwrap().len();
    assert!(size < 200_000, "{size} bytes");

    let mut browser = Chromium::start().await;
    for hash in ["".to_owned(), format!("#/case/{id}")] {
        browser.open(&page, &hash).await;
        assert_eq!(browser.eval("typeof window.attacked").await, "undefined");
        assert_eq!(browser.eval("document.querySelectorAll('img, svg, iframe, object').length").await, 0);
        let text = browser.text("document.body.textContent").await;
        assert!(text.contains("<img src=x onerror='window.attacked = 1'>"), "the text is shown as it is");
        assert!(text.contains("\\u{1b}[31mred\\u{202e}desrever\\u{00}"), "unseen characters are shown");
        let shown = browser.text("document.getElementById('page').textContent").await;
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{0}']));
    }
    let text = browser.text("document.body.textContent").await;
    assert!(text.contains("1,047,576 more bytes are not in this page"), "{}", &text[..2000.min(text.len())]);
    assert_eq!(browser.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn a_page_with_2000_cases_reacts_within_a_second() {
    let Some(turn) = turn().await else { return };
    let (folder, _, mut report) = run("limits/* | status/* | stream/*");
    let cases = report["cases"].as_array().unwrap().clone();
    let mut many = Vec::new();
    for n in 0.. {
        for case in &cases {
            let mut copy = case.clone();
            let scenario = format!("{}-{n:03}", case["scenario"].as_str().unwrap());
            let id = case["id"].as_str().unwrap().replacen(case["scenario"].as_str().unwrap(), &scenario, 1);
            // Most cases come without their traffic, as in a lean report: judging it again takes most of the time.
            if n % 4 > 0 {
                copy["observation"] = Value::Null;
            }
            // A skipped case has none.
            if !copy["observation"].is_null() {
                copy["observation"]["arrangement"]["compared_with"] = json!([]);
            }
            (copy["id"], copy["scenario"]) = (id.into(), scenario.into());
            many.push(copy);
        }
        if many.len() >= 2000 {
            break;
        }
    }
    let count = many.len();
    many.sort_by(|a, b| a["id"].as_str().cmp(&b["id"].as_str()));
    report["cases"] = many.into();
    let page = page_of(folder.path(), &report);
    drop(turn);
    let _quiet = QUIET.write().await;
    let mut browser = Chromium::start().await;
    // The best of several: other programs of the machine can only make it slower.
    let mut times = Vec::new();
    for _ in 0..5 {
        times.push(browser.open(&page, "").await);
    }
    let best = times.iter().min().unwrap();
    assert!(*best < 1000, "{times:?} ms");
    let counted = browser.text("document.getElementById('count').textContent").await;
    assert_eq!(counted.replace(',', ""), count.to_string());
    // The list grows when its end is reached.
    let rows = "document.querySelectorAll('#list a.line').length";
    let before = browser.eval(rows).await.as_u64().unwrap();
    assert!((before as usize) < count);
    browser.eval("document.getElementById('end').scrollIntoView()").await;
    browser.wait(&format!("{rows} > {before}")).await;
    assert_eq!(browser.problems(), Vec::<String>::new());
}
