//! How every SDK reacts to every exchange of a case.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    body, classes,
    kinds::Sdk,
    outcome::{Retry, RetryReason, SdkOutcome},
    retry, stream,
};
use crate::{
    dialect::{Completion, FinishMeaning},
    judge::{Facts, Policy},
    observation::{ExchangeOutcome, Observation, ResponseEnd, StepName},
};

/// How the SDKs react to one exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct StepView {
    /// Which request of the case.
    pub step: StepName,
    /// One for each SDK that calls this endpoint.
    pub sdks: Vec<SdkView>,
}

/// How one SDK reacts to one exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct SdkView {
    /// Which SDK.
    pub sdk: Sdk,
    /// The release whose behaviour was measured.
    pub release: String,
    /// What the calling program observes.
    pub outcome: SdkOutcome,
    /// Whether the call failed without an exception, so that the program takes it for a success.
    pub silent: bool,
}

impl SdkView {
    /// The outcome in a few words: `RateLimitError, retried twice`.
    pub(crate) fn describe(&self) -> String {
        match &self.outcome {
            SdkOutcome::Returns if self.silent => "no exception: the call looks successful".to_owned(),
            SdkOutcome::Returns => "no exception".to_owned(),
            SdkOutcome::NotMeasured { why } => format!("not measured: {why}"),
            SdkOutcome::Raises { class, retry } => format!("{class}, {retry}"),
        }
    }
}

/// How the SDKs react to each exchange of a case. Empty if none of them calls this endpoint.
pub(crate) fn sdk_view(observation: &Observation) -> Vec<StepView> {
    let api = observation.arrangement.combination.api;
    if Sdk::speaking(api).next().is_none() {
        return Vec::new();
    }
    // None of the facts used here depends on the policy.
    let policy = Policy::default();
    let step = |exchange| {
        let facts = Facts::of(observation, exchange, &policy);
        let failed = failed(&facts);
        let view = |sdk| {
            let outcome = outcome(sdk, &facts);
            let silent = failed && outcome == SdkOutcome::Returns;
            SdkView { sdk, release: Sdk::release(sdk).to_owned(), outcome, silent }
        };
        StepView { step: exchange.step, sdks: Sdk::speaking(api).map(view).collect() }
    };
    // A caller that has left observes no outcome.
    observation.exchanges.iter().filter(|exchange| exchange.abandoned().is_none()).map(step).collect()
}

/// Whether every upstream failed, or the caller got an incomplete or invalid response.
fn failed(facts: &Facts<'_>) -> bool {
    // In some dialects a refusal is a response with status 200: no SDK has to raise an exception for it.
    let meaning = facts.response.completion().and_then(Completion::ended_by);
    let refused = meaning == Some(FinishMeaning::Filtered);
    (facts.is_failure() && !refused) || !facts.response.looks_successful()
}

fn outcome(sdk: Sdk, facts: &Facts<'_>) -> SdkOutcome {
    let answer = match &facts.exchange.outcome {
        ExchangeOutcome::NoAnswer { ending } => return unanswered(sdk, ending),
        ExchangeOutcome::Answer(answer) => answer,
    };
    if answer.status == 204 && (answer.body.bytes > 0 || answer.ending != ResponseEnd::Complete) {
        return SdkOutcome::not_measured("a 204 with a body");
    }
    match answer.status {
        // The Python SDKs return an empty text, the Node SDKs null; only the latter refuse to iterate over it.
        204 if facts.wants_stream() && !sdk.is_python() => {
            let class = if sdk.is_anthropic() { "AnthropicError" } else { "OpenAIError" };
            SdkOutcome::raises(class, Retry::never(RetryReason::Stream))
        }
        204 => SdkOutcome::Returns,
        200 if facts.wants_stream() => stream::streamed(sdk, answer),
        200 => body::whole(sdk, facts.api(), answer, &facts.response),
        400..=599 => classes::failure(sdk, answer),
        _ => SdkOutcome::not_measured("this status"),
    }
}

/// The outcome if no status line arrived.
fn unanswered(sdk: Sdk, ending: &ResponseEnd) -> SdkOutcome {
    match ending {
        ResponseEnd::Reset | ResponseEnd::Closed => {
            SdkOutcome::raises("APIConnectionError", retry::by_connection())
        }
        ResponseEnd::Deadline => SdkOutcome::raises(
            sdk.by_language("APITimeoutError", "APIConnectionTimeoutError"),
            retry::by_connection(),
        ),
        ResponseEnd::Refused | ResponseEnd::Complete | ResponseEnd::Left | ResponseEnd::Broken(_) => {
            SdkOutcome::not_measured("a connection that ends like this")
        }
    }
}
