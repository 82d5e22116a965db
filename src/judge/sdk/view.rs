//! The view of every SDK on every exchange of a case.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{body, classes, kinds::Sdk, outcome::SdkOutcome, retry, stream};
use crate::{
    judge::{Facts, Policy},
    observation::{ExchangeOutcome, Observation, ResponseEnd, StepName},
};

/// What the SDKs make of one exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepView {
    /// Which request of the case.
    pub step: StepName,
    /// One for each SDK that calls this endpoint.
    pub sdks: Vec<SdkView>,
}

/// What one SDK makes of one exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SdkView {
    /// Which SDK.
    pub sdk: Sdk,
    /// The release whose behaviour was measured.
    pub release: String,
    /// What the program that calls gets to see.
    pub outcome: SdkOutcome,
    /// No exception at all although the call failed: the program takes it for a success.
    pub silent: bool,
}

/// What the SDKs make of each exchange of a case; nothing where none of them calls this endpoint.
pub fn sdk_view(observation: &Observation) -> Vec<StepView> {
    let api = observation.arrangement.combination.api;
    if Sdk::speaking(api).next().is_none() {
        return Vec::new();
    }
    // No fact that is looked at here depends on it.
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
    // Whoever has left sees nothing any more.
    observation.exchanges.iter().filter(|exchange| exchange.abandoned().is_none()).map(step).collect()
}

/// Every upstream failed, or what the caller got is no whole answer.
fn failed(facts: &Facts<'_>) -> bool {
    // A refusal that the provider tells under 200 is an answer in some dialects: nobody owes an exception.
    let finish = facts.response.completion().and_then(|completion| completion.finish.as_deref());
    let refused = matches!(finish, Some("content_filter" | "refusal"));
    (facts.is_failure() && !refused) || !facts.response.looks_successful()
}

fn outcome(sdk: Sdk, facts: &Facts<'_>) -> SdkOutcome {
    let answer = match &facts.exchange.outcome {
        ExchangeOutcome::NoAnswer { ending } => return unanswered(sdk, ending),
        ExchangeOutcome::Answer(answer) => answer,
    };
    match answer.status {
        200 if facts.wants_stream() => stream::streamed(sdk, answer),
        200 => body::whole(sdk, facts.api(), answer, &facts.response),
        400..=599 => classes::failure(sdk, answer),
        _ => SdkOutcome::not_measured("this status"),
    }
}

/// No status line ever came.
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
            SdkOutcome::not_measured("a connection that ends so")
        }
    }
}
