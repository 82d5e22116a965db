//! The defects of the embedded proxy. Each of them reproduces an error that a real gateway has made.

use std::{fmt, str::FromStr};

macro_rules! defects {
    ($( $variant:ident = $name:literal: $summary:literal, )+) => {
        /// An error that the embedded proxy makes on purpose. `--proxy builtin:NAME` selects it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Defect {
            $( #[doc = $summary] $variant, )+
        }

        impl Defect {
            /// All defects.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The name: `rate-limit-as-500`.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $name, )+ }
            }

            /// What the proxy does, in one line.
            pub const fn summary(self) -> &'static str {
                match self { $( Self::$variant => $summary, )+ }
            }
        }
    };
}

impl Defect {
    /// Whether it ends or blocks the process, so that the proxy must run in a separate one.
    pub const fn stops_the_process(self) -> bool {
        matches!(self, Self::ExitsOnConflict | Self::ExitsOnThree | Self::FreezesOnConflict)
    }
}

defects! {
    // Status.
    RateLimitAs500 = "rate-limit-as-500": "Answers 500 for an upstream 429",
    ClientErrorAs500 = "client-error-as-500": "Answers 500 for an upstream 400, 404, 413 or 422",
    AuthErrorAs500 = "auth-error-as-500": "Answers 500 for an upstream 401, 402 or 403",
    AuthErrorAs429 = "auth-error-as-429": "Answers 429 for an upstream 401, 402 or 403",
    OverloadAs500 = "overload-as-500": "Answers 500 for an upstream 503 or 529",
    ServerErrorAs400 = "server-error-as-400": "Answers 400 for an upstream 5xx",
    FailureUnder200 = "failure-under-200": "Sends the body of an upstream error with status 200",
    TimeoutAs500 = "timeout-as-500": "Answers 500 for a timeout",
    UnreachableAs200 = "unreachable-as-200": "Answers 200 for an unreachable upstream",
    UnreachableAs400 = "unreachable-as-400": "Answers 400 for an unreachable upstream",
    BrokenReplyAs400 = "broken-reply-as-400": "Answers 400 for an incomplete reply or one that is not a completion",
    NullBody = "null-body": "Passes on an invalid body with status 200",
    SuccessMadeUp = "success-made-up": "Answers a failure with an empty completion",
    // Details.
    DetailLost = "detail-lost": "Replaces the upstream's message with `Internal error`",
    ServerMessageLost = "server-message-lost": "Replaces the message of an upstream 5xx with `Internal error`",
    DetailRepeated = "detail-repeated": "Repeats the upstream's message inside itself",
    CodeLost = "code-lost": "Replaces the upstream's error code with null",
    TypeLost = "type-lost": "Replaces the upstream's error type with `api_error`",
    ParamLost = "param-lost": "Replaces the upstream's error param with null",
    DetailEncodedTwice = "detail-encoded-twice": "Puts the whole error into the message as JSON text",
    NoneLiteral = "none-literal": "Writes a null in the error as the text `None`",
    // Format.
    ErrorTypeAsInt = "error-type-as-int": "Uses the numeric status as the error type",
    ErrorAsString = "error-as-string": "Sends `error` as a string instead of an object",
    AnthropicEnvelope = "anthropic-envelope": "Sends errors in Anthropic's form",
    OpenaiEnvelope = "openai-envelope": "Sends error responses in OpenAI's form to callers of every dialect",
    HtmlPassedThrough = "html-passed-through": "Passes on an upstream error that is not JSON",
    StreamTypeLost = "stream-type-lost": "Sends streams without a content type",
    ErrorContentType = "error-content-type": "Labels a JSON error as text/html",
    // Headers.
    RetryAfterDropped = "retry-after-dropped": "Drops Retry-After",
    RetryAfterMsDropped = "retry-after-ms-dropped": "Drops retry-after-ms",
    LimitHeadersDropped = "limit-headers-dropped": "Drops the x-ratelimit headers",
    RequestIdDropped = "request-id-dropped": "Drops the upstream's request id",
    PoisonHeadersForwarded = "poison-headers-forwarded": "Passes on Set-Cookie and other upstream headers that are not meant for callers",
    // Streams.
    StreamErrorAsSse = "stream-error-as-sse": "Sends an error before a stream as an event stream with status 200",
    FirstErrorEmptySuccess = "first-error-empty-success": "Turns an error in the first event of a stream into an empty completion",
    CutStreamFinished = "cut-stream-finished": "Adds finish_reason stop and `[DONE]` to a cut stream",
    CutStreamSilent = "cut-stream-silent": "Ends a cut stream without an error and without `[DONE]`",
    ErrorEventSwallowed = "error-event-swallowed": "Skips an error event and ends the stream with the terminator of its dialect",
    ErrorEventDropped = "error-event-dropped": "Drops an error event and ends the stream without a terminator",
    ErrorEventDetailLost = "error-event-detail-lost": "Replaces the message of an error event with `Internal error`",
    ErrorFrameDoubled = "error-frame-doubled": "Sends the error event of a stream twice",
    ChunkDropped = "chunk-dropped": "Loses the last piece of content before a stream fails",
    ChunkDoubled = "chunk-doubled": "Sends the first piece of content of a stream twice",
    StreamLeftOpen = "stream-left-open": "Never ends a stream after its error event",
    TerminatorDropped = "terminator-dropped": "Ends a successful stream without `[DONE]`",
    TerminatorDemanded = "terminator-demanded": "Reports a finished stream without `[DONE]` as incomplete",
    PingEventSent = "ping-event-sent": "Starts a stream with a ping event in Anthropic's form",
    PingedFailureFinished = "pinged-failure-finished": "Ends a call that fails after keep-alive pings like a finished response",
    PingedFailureCut = "pinged-failure-cut": "Ends a call that fails after keep-alive pings without an error",
    PingedCodeLost = "pinged-code-lost": "Reports a failure after keep-alive pings as an error of unknown cause",
    // Pass-through routes.
    PassThroughStatusMade = "pass-through-status-made": "Turns every upstream 5xx on a pass-through route into a 502",
    PassThroughTypeMade = "pass-through-type-made": "Labels everything but streams as JSON on a pass-through route",
    PassThroughWrapped = "pass-through-wrapped": "Wraps a body that is not JSON into an error object on a pass-through route",
    PassThroughRepaired = "pass-through-mended": "Replaces bytes that are not UTF-8 on a pass-through route",
    PassThroughHopByHop = "pass-through-hop-by-hop": "Passes on hop-by-hop headers of the upstream on a pass-through route",
    PassThroughCutFinished = "pass-through-cut-finished": "Ends an incomplete body like a complete one on a pass-through route",
    LimitAsStop = "limit-as-stop": "Reports a response that the token limit cut off as finished",
    // Sessions.
    SessionLeftOpen = "session-left-open": "Leaves the caller's session open and silent after the upstream ended it",
    SessionEndAsGoodbye = "session-end-as-goodbye": "Closes a session that the upstream ended with code 1000",
    SessionErrorAsGoodbye = "session-error-as-goodbye": "Closes a session with code 1000 instead of passing on an error event",
    SessionErrorSwallowed = "session-error-swallowed": "Drops an error event of a session",
    SessionDetailLost = "session-detail-lost": "Replaces the message of a session's error event with `Internal error`",
    SessionErrorAsString = "session-error-as-string": "Sends `error` as a string in a session's error event",
    SessionEventLost = "session-event-lost": "Loses the first piece of content of a session",
    SessionForged = "session-forged": "Invents a completed response before it closes a session that the upstream ended",
    SessionCut = "session-cut": "Closes the caller's connection without a close frame after the upstream ended the session",
    CloseCodeReplaced = "close-code-replaced": "Replaces the upstream's close code with 1011",
    CloseReasonLost = "close-reason-lost": "Drops the upstream's close reason",
    RefusalUpgraded = "refusal-upgraded": "Accepts a handshake that the upstream refused, and sends nothing",
    RefusalAsClose = "refusal-as-close": "Accepts a handshake that the upstream refused, and closes the session",
    // Timeouts, retries, fallbacks, cooldowns.
    ExitsOnConflict = "exits-on-conflict": "Exits after an upstream 409 to a plain call",
    ExitsOnThree = "exits-on-three": "Exits after an upstream 408, 415 or 520 to a plain call",
    FreezesOnConflict = "freezes-on-conflict": "Answers no request after an upstream 409 to a plain call",
    OneAtATime = "one-at-a-time": "Reads a request only after it has answered the previous one",
    FailureUnanswered = "failure-unanswered": "Never answers a caller after an upstream 503",
    TimeoutIgnored = "timeout-ignored": "Ignores the timeout of a route",
    TerminalRetried = "terminal-retried": "Tries a 4xx that cannot succeed three times",
    RetryBudgetExceeded = "retry-budget-exceeded": "Retries a failure once more than allowed",
    RetryAfterIgnored = "retry-after-ignored": "Does not wait for Retry-After before a retry",
    RetryAfterContent = "retry-after-content": "Retries a cut stream and appends the result",
    FallbackSkipped = "fallback-skipped": "Never tries fallbacks",
    FallbackAskedToo = "fallback-asked-too": "Calls the fallback although the first model succeeds",
    FallbackSpliced = "fallback-spliced": "Continues a cut stream with the fallback",
    FallbackErrorHidden = "fallback-error-hidden": "Reports only a message about the router when all fallbacks fail",
    CooldownIgnored = "cooldown-ignored": "Never puts a failing route into cooldown",
    ClientErrorsCoolDown = "client-errors-cool-down": "Counts a 4xx that the caller caused as a failure of the route",
    CooldownAs500 = "cooldown-as-500": "Answers 500 for a call to a route in cooldown",
    CooldownWithoutTime = "cooldown-without-time": "Does not say how long a cooldown lasts",
    RejectedKeyRests = "rejected-key-rests": "Puts a route into cooldown after a rejected key, and reports a rate limit to callers",
    RoutePoisoned = "route-poisoned": "Fails the next request on a route after a failure",
    // Callers that leave.
    CallerGoneIgnored = "caller-gone-ignored": "Continues a request after its caller has left",
    RetriesAfterLeave = "retries-for-nobody": "Retries a request after its caller has left",
    // Concurrent requests.
    ErrorsSwapped = "errors-swapped": "Swaps two concurrent errors between their callers",
    AnswersSwapped = "answers-swapped": "Swaps two concurrent responses between their callers",
    HeadersSwapped = "headers-swapped": "Swaps the headers of two concurrent errors",
    // Repeated faults.
    ThirdMessageLost = "third-message-lost": "Replaces the message of every third error of a route with `Internal error`",
    ThirdLimitAs500 = "third-limit-as-500": "Answers 500 for a 429 if it is the third, sixth, … error of a route",
    ThirdRetryAfterLost = "third-retry-after-lost": "Drops Retry-After from every third error of a route",
    ThirdCutFinished = "third-cut-finished": "Adds finish_reason stop and `[DONE]` to every third cut stream of a route",
    // After an earlier failure.
    RetryAfterStale = "retry-after-stale": "Adds the Retry-After of an earlier error to an error without one",
    ErrorStale = "error-stale": "Repeats the first error of a route for every later error with that status",
    AnswerStale = "answer-stale": "After a lost connection, sends each caller of the route the response to the previous request",
    ResetPoisonsRoute = "reset-poisons-route": "Fails every request on a route after a lost connection",
    SlotsLeaked = "slots-leaked": "Reports a route as busy after three errors, without end",
    // Invalid requests.
    KeyUnchecked = "key-unchecked": "Serves a caller with a wrong key",
    RefusalAs500 = "refusal-as-500": "Answers 500 for an invalid request",
    RefusalInOpenaiForm = "refusal-in-openai-form": "Rejects invalid requests in OpenAI's form to callers of every dialect",
    // Siblings: streams and other endpoints.
    StreamGatewayErrorAs500 = "stream-gateway-error-as-500": "Answers 500 for an upstream 502 or 504 before a stream, but keeps the status of a plain call",
    StreamErrorReworded = "stream-error-reworded": "Rewords the message of an error before a stream, but not that of a plain call",
    StreamHeadersDropped = "stream-headers-dropped": "Drops headers from an error before a stream that a plain call gets",
    StreamNotRetried = "stream-not-retried": "Never retries calls for a stream, only plain calls",
    SideGatewayErrorAs500 = "side-gateway-error-as-500": "Answers 500 for an upstream 502 or 504 on every endpoint but chat",
    SideMessageLost = "side-message-lost": "Replaces the upstream's message with `Internal error` on every endpoint but chat",
    // Leaks.
    KeyLeaked = "key-leaked": "Includes the provider key in the error message",
    ProxyKeyLeaked = "proxy-key-leaked": "Includes the proxy's own key in the error message",
    BaseUrlLeaked = "base-url-leaked": "Includes the upstream's base URL in the error message",
    BaseUrlInHeader = "base-url-in-header": "Includes the upstream's base URL in a header",
    TracebackLeaked = "traceback-leaked": "Includes a traceback in the error message",
    CertificatesUnchecked = "certificates-unchecked": "Accepts any certificate of an upstream",
    RedirectFollowed = "redirect-followed": "Follows a redirect of an upstream, with the provider's key",
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// There is no defect with this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown defect `{name}`{}", .nearest.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
pub struct UnknownDefect {
    /// The unknown name.
    pub name: String,
    /// The defect with the most similar name, if there is one.
    pub nearest: Option<Defect>,
}

impl FromStr for Defect {
    type Err = UnknownDefect;

    fn from_str(name: &str) -> Result<Self, UnknownDefect> {
        Self::ALL.iter().copied().find(|defect| defect.as_str() == name).ok_or_else(|| UnknownDefect {
            name: name.to_owned(),
            nearest: Self::ALL
                .iter()
                .copied()
                .map(|defect| (strsim::jaro_winkler(name, defect.as_str()), defect))
                .filter(|(likeness, _)| *likeness > 0.8)
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .map(|(_, defect)| defect),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_defect_has_a_kebab_case_name_and_a_summary() {
        for defect in Defect::ALL {
            assert_eq!(defect.to_string().parse(), Ok(*defect));
            assert!(
                defect.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            );
            assert!(!defect.summary().is_empty() && !defect.summary().ends_with('.'));
        }
    }

    #[test]
    fn an_unknown_name_gets_a_suggestion() {
        let error = "retry-after-droped".parse::<Defect>().unwrap_err();
        insta::assert_snapshot!(error, @"unknown defect `retry-after-droped`; did you mean `retry-after-dropped`?");
        insta::assert_snapshot!("xyz".parse::<Defect>().unwrap_err(), @"unknown defect `xyz`");
    }
}
