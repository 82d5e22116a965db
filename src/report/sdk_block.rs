//! How the official SDKs interpret a response: one line for all that agree.

use std::io;

use anstyle::{AnsiColor, Style};

use super::paint::Painter;
use crate::judge::{SdkView, StepView};

/// Prints the view below the response that the caller got. `column` is where the text after labels starts.
pub(super) fn show(painter: &mut Painter<'_>, column: usize, view: &StepView) -> io::Result<()> {
    let mut lines: Vec<(String, Vec<&SdkView>)> = Vec::new();
    for sdk in &view.sdks {
        let words = sdk.describe();
        match lines.iter_mut().find(|(line, _)| *line == words) {
            Some((_, sdks)) => sdks.push(sdk),
            None => lines.push((words, vec![sdk])),
        }
    }
    let mut label = "an SDK sees";
    for (words, sdks) in lines {
        let names = sdks.iter().map(|sdk| sdk.sdk.as_str()).collect::<Vec<_>>().join(", ");
        let silent = sdks.iter().any(|sdk| sdk.silent);
        let words = if silent { painter.styled(alarm(), &words) } else { words };
        let width = column - 2;
        painter.field(2, &format!("{label:width$}"), &format!("{names}  {words}"))?;
        label = "";
    }
    Ok(())
}

/// The style for a failure that raises no exception.
fn alarm() -> Style {
    Style::new().bold().fg_color(Some(AnsiColor::Red.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        judge::{Sdk, sdk_view},
        observation::Observation,
        scenario::Api,
        snapshot::sample_observation,
    };

    fn shown(observation: &Observation, color: bool) -> String {
        let mut out = Vec::new();
        let mut painter = Painter::new(&mut out, color, 100);
        show(&mut painter, 17, &sdk_view(observation)[0]).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn answered(status: u16, header: Option<(&str, &str)>) -> Observation {
        let mut observation = sample_observation();
        if let crate::observation::ExchangeOutcome::Answer(answer) = &mut observation.exchanges[0].outcome {
            answer.status = status;
            answer.headers.extend(header.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        observation
    }

    #[test]
    fn sdks_that_agree_share_a_line() {
        insta::assert_snapshot!(shown(&answered(429, None), false), @"  an SDK sees    openai-python, openai-node  RateLimitError, retried twice");
        insta::assert_snapshot!(shown(&answered(402, None), false), @r"
          an SDK sees    openai-python  APIStatusError, not retried
                         openai-node  APIError, not retried
        ");
    }

    #[test]
    fn reasons_other_than_the_status_are_named() {
        insta::assert_snapshot!(shown(&answered(429, Some(("retry-after", "600"))), false), @r"
          an SDK sees    openai-python  RateLimitError, not retried (Retry-After is over 120 s)
                         openai-node  RateLimitError, retried twice
        ");
        insta::assert_snapshot!(shown(&answered(429, Some(("retry-after", "0"))), false), @r"
          an SDK sees    openai-python  RateLimitError, retried twice
                         openai-node  RateLimitError, retried twice immediately
        ");
        insta::assert_snapshot!(shown(&answered(400, Some(("x-should-retry", "true"))), false), @"  an SDK sees    openai-python, openai-node  BadRequestError, retried twice (by x-should-retry)");
    }

    #[test]
    fn a_failure_without_an_exception_is_highlighted() {
        let observation = answered(200, None);
        insta::assert_snapshot!(shown(&observation, false), @"  an SDK sees    openai-python, openai-node  no exception: the call looks successful");
        let alarming = format!("{}no exception: ", alarm());
        let mut in_color = sdk_view(&observation);
        assert!(in_color[0].sdks.iter().all(|view| view.silent));
        assert!(shown(&observation, true).contains(&alarming));
        // A success without an exception is not highlighted.
        in_color[0].sdks.iter_mut().for_each(|view| view.silent = false);
        let mut out = Vec::new();
        show(&mut Painter::new(&mut out, true, 100), 17, &in_color[0]).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("  no exception\n"), "{text:?}");
    }

    #[test]
    fn an_unmeasured_status_is_named_and_apis_without_sdks_have_no_block() {
        insta::assert_snapshot!(shown(&answered(418, None), false), @"  an SDK sees    openai-python, openai-node  not measured: this status");
        let mut gemini = answered(429, None);
        gemini.arrangement.combination.api = Api::GeminiGenerate;
        assert_eq!(sdk_view(&gemini), []);
        assert_eq!(Sdk::speaking(Api::GeminiGenerate).count(), 0);
    }
}
