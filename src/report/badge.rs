//! A badge with the result of a run: an SVG image, or the JSON from which shields.io draws one.

use std::io::{self, Write};

use quick_xml::escape::escape;
use serde_json::json;

use super::{RecordedRun, inert::escaped, json::Report};
use crate::judge::Verdict;

/// The left half of the badge.
const LABEL: &str = "upfault";

/// About the width of a character of Verdana at 11 px, in tenths of a pixel. The image states the exact width of each text,
/// so that it does not depend on the fonts of the reader.
const CHARACTER: usize = 68;

/// The space around a text, in pixels.
const PADDING: usize = 10;

/// The result in a few words, and its colour.
struct Badge {
    message: String,
    /// The name at shields.io.
    color: &'static str,
    /// The same as a hexadecimal number.
    hex: &'static str,
}

impl Badge {
    fn of(report: &Report) -> Self {
        let count =
            |verdicts: &[Verdict]| verdicts.iter().map(|verdict| report.summary.count(*verdict)).sum();
        let failing: usize = count(&[Verdict::Fail, Verdict::Changed, Verdict::Broken]);
        let strict = if report.strict { count(&[Verdict::Known]) } else { 0 };
        let inconclusive: usize = count(&[Verdict::Inconclusive]);
        let summary = &report.summary;
        let is_incomplete = summary.interrupted || summary.gave_up || summary.unexplained_stops > 0;
        let judged: usize = count(&[Verdict::Pass, Verdict::Known]);
        let (text, color, hex) = match failing + strict {
            0 if is_incomplete => ("incomplete".to_owned(), "yellow", "#9a6700"),
            0 if inconclusive > report.allow_inconclusive.unwrap_or(usize::MAX) => {
                (format!("{inconclusive} inconclusive"), "yellow", "#9a6700")
            }
            0 if judged == 0 => ("no cases".to_owned(), "lightgrey", "#6e6e6e"),
            0 => (format!("{} pass", count(&[Verdict::Pass])), "brightgreen", "#2d7d0f"),
            failing => (format!("{failing} fail"), "red", "#c0392b"),
        };
        let known: usize = count(&[Verdict::Known]) - strict;
        let known = if known > 0 { format!(", {known} known") } else { String::new() };
        let message = escaped(&format!("{}: {text}{known}", report.proxy));
        Self { message, color, hex }
    }
}

/// Renders an SVG image.
pub(super) fn render(run: &RecordedRun, out: &mut dyn Write) -> io::Result<()> {
    let Badge { message, hex, .. } = Badge::of(&run.report);
    let width = |text: &str| text.chars().count() * CHARACTER / 10;
    let (left, right) = (width(LABEL) + PADDING, width(&message) + PADDING);
    let all = left + right;
    let message = escape(&message);
    let text = |start: usize, width: usize, text: &str| {
        format!(
            "<text x=\"{}\" y=\"14\" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\">{text}</text>",
            start + PADDING / 2,
            width - PADDING
        )
    };
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{all}\" height=\"20\" role=\"img\" aria-label=\"{LABEL}: \
         {message}\"><title>{LABEL}: {message}</title><clipPath id=\"r\"><rect width=\"{all}\" height=\"20\" rx=\"3\"/>\
         </clipPath><g clip-path=\"url(#r)\"><rect width=\"{left}\" height=\"20\" fill=\"#444\"/><rect x=\"{left}\" \
         width=\"{right}\" height=\"20\" fill=\"{hex}\"/></g><g fill=\"#fff\" font-family=\"Verdana,DejaVu \
         Sans,sans-serif\" font-size=\"11\">{}{}</g></svg>",
        text(0, left, LABEL),
        text(left, right, &message)
    )
}

/// Renders the JSON for <https://shields.io/badges/endpoint-badge>.
pub(super) fn render_endpoint(run: &RecordedRun, out: &mut dyn Write) -> io::Result<()> {
    let Badge { message, color, .. } = Badge::of(&run.report);
    let badge = json!({"schemaVersion": 1, "label": LABEL, "message": message, "color": color});
    writeln!(out, "{badge}")
}

#[cfg(test)]
mod tests {
    use quick_xml::{Reader, events::Event};

    use crate::{
        judge::Verdict,
        report::{
            format::tests::rendered,
            sample::{case, failing},
        },
    };

    #[test]
    fn the_endpoint_form_counts_what_matters() {
        let pass = || case("a/pass", Verdict::Pass);
        let known = || case("a/known", Verdict::Known);
        for (cases, message, color) in [
            (vec![pass(), known()], "litellm 1.102.4: 1 pass, 1 known", "brightgreen"),
            (vec![pass(), failing("a/b"), case("c", Verdict::Changed)], "litellm 1.102.4: 2 fail", "red"),
            (Vec::new(), "litellm 1.102.4: no cases", "lightgrey"),
            (
                (0..6).map(|n| case(&format!("a/{n}"), Verdict::Inconclusive)).collect(),
                "litellm 1.102.4: 6 inconclusive",
                "yellow",
            ),
        ] {
            let text = rendered("badge-endpoint", cases);
            let badge: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(
                badge,
                serde_json::json!({"schemaVersion": 1, "label": "upfault", "message": message, "color": color})
            );
        }
    }

    #[test]
    fn the_image_is_well_formed_and_says_the_same_to_a_screen_reader() {
        let svg = rendered("badge", vec![failing("a/b")]);
        let mut reader = Reader::from_str(&svg);
        let mut texts = Vec::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Text(text) => texts.push((*text).to_owned()),
                Event::Eof => break,
                _ => {}
            }
        }
        texts.retain(|text| !text.trim().is_empty());
        assert_eq!(texts, ["upfault: litellm 1.102.4: 1 fail", "upfault", "litellm 1.102.4: 1 fail"]);
        assert!(svg.contains("aria-label=\"upfault: litellm 1.102.4: 1 fail\""), "{svg}");
    }
}
