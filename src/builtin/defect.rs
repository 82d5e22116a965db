//! The named defects: each one thing that a gateway in the field has been seen to do wrong.

use std::{fmt, str::FromStr};

macro_rules! defects {
    ($( $variant:ident = $name:literal: $summary:literal, )+) => {
        /// One deviation from honest behaviour; `--proxy builtin:NAME` chooses it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Defect {
            $( #[doc = $summary] $variant, )+
        }

        impl Defect {
            /// Every defect.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The name as it is written: `rate-limit-as-500`.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $name, )+ }
            }

            /// What it does, in one line.
            pub const fn summary(self) -> &'static str {
                match self { $( Self::$variant => $summary, )+ }
            }
        }
    };
}

impl Defect {
    /// Whether it ends or blocks the whole process, so that the proxy must have one of its own.
    pub const fn stops_the_process(self) -> bool {
        matches!(self, Self::ExitsOnConflict | Self::ExitsOnThree | Self::FreezesOnConflict)
    }
}

defects! {
    // The status.
    RateLimitAs500 = "rate-limit-as-500": "An upstream 429 is answered with 500",
    ClientErrorAs500 = "client-error-as-500": "An upstream 400, 404, 413 or 422 is answered with 500",
    AuthErrorAs500 = "auth-error-as-500": "An upstream 401, 402 or 403 is answered with 500",
    AuthErrorAs429 = "auth-error-as-429": "An upstream 401, 402 or 403 is answered with 429",
    OverloadAs500 = "overload-as-500": "An upstream 503 or 529 is answered with 500",
    ServerErrorAs400 = "server-error-as-400": "An upstream 5xx is answered with 400",
    FailureUnder200 = "failure-under-200": "An upstream error is served under status 200, its body kept",
    TimeoutAs500 = "timeout-as-500": "A timeout is answered with 500",
    UnreachableAs200 = "unreachable-as-200": "An unreachable upstream is answered with 200",
    UnreachableAs400 = "unreachable-as-400": "An unreachable upstream is answered with 400",
    BrokenReplyAs400 = "broken-reply-as-400": "A reply that broke off or is no completion is answered with 400",
    NullBody = "null-body": "An odd body under 200 is passed on as it came",
    SuccessMadeUp = "success-made-up": "A failure is answered with an empty completion",
    // The detail.
    DetailLost = "detail-lost": "The upstream's message is replaced by `Internal error`",
    ServerMessageLost = "server-message-lost": "The message of an upstream 5xx is replaced by `Internal error`",
    DetailRepeated = "detail-repeated": "The upstream's message is put into itself",
    CodeLost = "code-lost": "The upstream's error code is replaced by null",
    TypeLost = "type-lost": "The upstream's error type is replaced by `api_error`",
    ParamLost = "param-lost": "The upstream's error param is replaced by null",
    DetailEncodedTwice = "detail-encoded-twice": "The whole error is put into the message as JSON text",
    NoneLiteral = "none-literal": "A null in the error becomes the text `None`",
    // The form.
    ErrorTypeAsInt = "error-type-as-int": "The error type is the status as a number",
    ErrorAsString = "error-as-string": "`error` is a string in place of an object",
    AnthropicEnvelope = "anthropic-envelope": "An error comes in Anthropic's form",
    OpenaiEnvelope = "openai-envelope": "An error by status comes in OpenAI's form, whatever the caller's dialect",
    HtmlPassedThrough = "html-passed-through": "An upstream error that is no JSON is passed on as it came",
    StreamTypeLost = "stream-type-lost": "A stream has no content type",
    ErrorContentType = "error-content-type": "A JSON error is labelled text/html",
    // The headers.
    RetryAfterDropped = "retry-after-dropped": "Retry-After is not passed on",
    RetryAfterMsDropped = "retry-after-ms-dropped": "retry-after-ms is not passed on",
    LimitHeadersDropped = "limit-headers-dropped": "The x-ratelimit headers are not passed on",
    RequestIdDropped = "request-id-dropped": "The upstream's request id is not passed on",
    PoisonHeadersForwarded = "poison-headers-forwarded": "Set-Cookie and other upstream headers that mean nothing to a caller are passed on",
    // Streams.
    StreamErrorAsSse = "stream-error-as-sse": "An error before a stream is sent as an event stream under 200",
    FirstErrorEmptySuccess = "first-error-empty-success": "An error as a stream's first event gives an empty completion",
    CutStreamFinished = "cut-stream-finished": "A cut stream is given finish_reason stop and `[DONE]`",
    CutStreamSilent = "cut-stream-silent": "A cut stream just ends, without an error and without `[DONE]`",
    ErrorEventSwallowed = "error-event-swallowed": "An error event is skipped; the stream ends with its dialect's mark of a good end",
    ErrorEventDropped = "error-event-dropped": "An error event of a stream is dropped, and the stream just ends",
    ErrorEventDetailLost = "error-event-detail-lost": "The message of an error event is replaced by `Internal error`",
    ErrorFrameDoubled = "error-frame-doubled": "The error event of a stream is sent twice",
    ChunkDropped = "chunk-dropped": "The last piece of content before a stream's failure is lost",
    ChunkDoubled = "chunk-doubled": "The first piece of content of a stream is sent twice",
    StreamLeftOpen = "stream-left-open": "After its error event the stream never ends",
    TerminatorDropped = "terminator-dropped": "A good stream ends without `[DONE]`",
    TerminatorDemanded = "terminator-demanded": "A stream that is finished but lacks `[DONE]` is told as broken off",
    PingEventSent = "ping-event-sent": "A stream begins with a ping event in Anthropic's form",
    PingedFailureFinished = "pinged-failure-finished": "A call that fails after keep-alive pings ends as a finished answer",
    PingedFailureCut = "pinged-failure-cut": "A call that fails after keep-alive pings just ends",
    PingedCodeLost = "pinged-code-lost": "A call that fails after keep-alive pings is told as an error of no known cause",
    // Routes that hand requests on as they are.
    PassThroughStatusMade = "pass-through-status-made": "Through a pass-through every upstream 5xx is a 502",
    PassThroughTypeMade = "pass-through-type-made": "Through a pass-through everything but a stream is labelled as JSON",
    PassThroughWrapped = "pass-through-wrapped": "Through a pass-through a body that is no JSON is wrapped into an error object",
    PassThroughMended = "pass-through-mended": "Through a pass-through bytes that are no UTF-8 are replaced",
    PassThroughHopByHop = "pass-through-hop-by-hop": "Through a pass-through headers of the upstream's connection come out",
    PassThroughCutFinished = "pass-through-cut-finished": "Through a pass-through a body that broke off ends as if it were whole",
    LimitAsStop = "limit-as-stop": "An answer that the limit of tokens cut off is told as finished",
    // Sessions.
    SessionLeftOpen = "session-left-open": "When the upstream's session has ended the caller's stays open and silent",
    SessionEndAsGoodbye = "session-end-as-goodbye": "A session that the upstream ended is closed with code 1000",
    SessionErrorAsGoodbye = "session-error-as-goodbye": "In place of an error event the session is closed with code 1000",
    SessionErrorSwallowed = "session-error-swallowed": "An error event of a session is not passed on",
    SessionDetailLost = "session-detail-lost": "The message of a session's error event is replaced by `Internal error`",
    SessionErrorAsString = "session-error-as-string": "`error` is a string in a session's error event",
    SessionEventLost = "session-event-lost": "The first piece of content of a session is lost",
    SessionForged = "session-forged": "Before a session that the upstream ended is closed, a completed response is made up",
    SessionCut = "session-cut": "When the upstream's session has ended the caller's connection ends without a close frame",
    CloseCodeReplaced = "close-code-replaced": "The upstream's close code is replaced by 1011",
    CloseReasonLost = "close-reason-lost": "The reason of the upstream's close is not passed on",
    RefusalUpgraded = "refusal-upgraded": "A handshake that the upstream refused is accepted, and nothing comes",
    RefusalAsClose = "refusal-as-close": "A handshake that the upstream refused is accepted, and the session closed",
    // Time, retries, fallbacks.
    ExitsOnConflict = "exits-on-conflict": "An upstream 409 to a plain call ends the process",
    ExitsOnThree = "exits-on-three": "An upstream 408, 415 or 520 to a plain call ends the process",
    FreezesOnConflict = "freezes-on-conflict": "After an upstream 409 to a plain call no request is answered",
    OneAtATime = "one-at-a-time": "A request is read only after the one before it has been answered",
    FailureUnanswered = "failure-unanswered": "An upstream 503 is never answered",
    TimeoutIgnored = "timeout-ignored": "The timeout of a route is not applied",
    TerminalRetried = "terminal-retried": "A 4xx that cannot succeed is tried three times",
    RetryBudgetExceeded = "retry-budget-exceeded": "A failure is tried once more than allowed",
    RetryAfterIgnored = "retry-after-ignored": "Retries do not wait for Retry-After",
    RetryAfterContent = "retry-after-content": "A cut stream is asked for again and spliced on",
    FallbackSkipped = "fallback-skipped": "Fallbacks are never tried",
    FallbackAskedToo = "fallback-asked-too": "The fallback is asked as well where the first model answers",
    FallbackSpliced = "fallback-spliced": "A cut stream is continued by the fallback",
    FallbackErrorHidden = "fallback-error-hidden": "When all fallbacks fail only a sentence about the router is shown",
    CooldownIgnored = "cooldown-ignored": "A failing route is never left alone",
    ClientErrorsCoolDown = "client-errors-cool-down": "A 4xx of the caller's making counts as a failure of the route",
    CooldownAs500 = "cooldown-as-500": "A call to a route that is left alone is answered with 500",
    CooldownWithoutTime = "cooldown-without-time": "While a route is left alone nobody is told for how long",
    RejectedKeyRests = "rejected-key-rests": "A rejected key puts its route to rest, and callers are told that they called too often",
    RoutePoisoned = "route-poisoned": "After a failure the next request on that route fails too",
    // Callers that leave.
    CallerGoneIgnored = "caller-gone-ignored": "A request is carried on with when its caller has left",
    RetriesForNobody = "retries-for-nobody": "A request whose caller has left is tried once more",
    // At the same time.
    ErrorsSwapped = "errors-swapped": "Two errors that come up at the same time are told to each other's callers",
    AnswersSwapped = "answers-swapped": "Two answers that are under way at the same time are given to each other's callers",
    HeadersSwapped = "headers-swapped": "Two errors that come up at the same time get each other's headers",
    // Now and then.
    ThirdMessageLost = "third-message-lost": "The message of every third error of a route is replaced by `Internal error`",
    ThirdLimitAs500 = "third-limit-as-500": "A 429 that is the third error of a route is answered with 500, and so is every third after it",
    ThirdRetryAfterLost = "third-retry-after-lost": "Retry-After is not passed on with every third error of a route",
    ThirdCutFinished = "third-cut-finished": "Every third cut stream of a route is given finish_reason stop and `[DONE]`",
    // After something else.
    RetryAfterStale = "retry-after-stale": "An error without Retry-After gets that of an earlier one",
    ErrorStale = "error-stale": "An error tells what the first error of its route with that status said",
    AnswerStale = "answer-stale": "After a lost connection each caller of the route gets the answer of the one before",
    ResetPoisonsRoute = "reset-poisons-route": "After a lost connection the route fails for ever",
    SlotsLeaked = "slots-leaked": "After three errors a route is said to be busy, for ever",
    // Mistakes of callers.
    KeyUnchecked = "key-unchecked": "A caller with a wrong key is served",
    RefusalAs500 = "refusal-as-500": "What is wrong with the request itself is answered with 500",
    RefusalInOpenaiForm = "refusal-in-openai-form": "What is wrong with the request itself is told in OpenAI's form to every caller",
    // The same failure in a stream, or on another route.
    StreamGatewayErrorAs500 = "stream-gateway-error-as-500": "An upstream 502 or 504 before a stream is answered with 500, one of a plain call as it came",
    StreamErrorReworded = "stream-error-reworded": "The message of an error before a stream is put into words that a plain call does not have",
    StreamHeadersDropped = "stream-headers-dropped": "An error before a stream comes without the headers that a plain call gets",
    StreamNotRetried = "stream-not-retried": "A call for a stream is tried once, however often plain calls may be tried",
    SideGatewayErrorAs500 = "side-gateway-error-as-500": "An upstream 502 or 504 is answered with 500 on every endpoint but chat",
    SideMessageLost = "side-message-lost": "The upstream's message is replaced by `Internal error` on every endpoint but chat",
    // Leaks.
    KeyLeaked = "key-leaked": "The provider key stands in the error message",
    ProxyKeyLeaked = "proxy-key-leaked": "The proxy's own key stands in the error message",
    BaseUrlLeaked = "base-url-leaked": "The upstream's base URL stands in the error message",
    BaseUrlInHeader = "base-url-in-header": "The upstream's base URL stands in a header",
    TracebackLeaked = "traceback-leaked": "A traceback stands in the error message",
    CertificatesUnchecked = "certificates-unchecked": "Whatever certificate an upstream shows is taken for good",
    RedirectFollowed = "redirect-followed": "A redirect of an upstream is followed, with the provider's key",
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that no defect has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no defect `{name}`{}", .nearest.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
pub struct UnknownDefect {
    /// What was asked for.
    pub name: String,
    /// The defect whose name is closest, if one is close.
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
    fn every_defect_is_found_by_its_own_kebab_case_name() {
        for defect in Defect::ALL {
            assert_eq!(defect.to_string().parse(), Ok(*defect));
            assert!(
                defect.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            );
            assert!(!defect.summary().is_empty() && !defect.summary().ends_with('.'));
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_one() {
        let error = "retry-after-droped".parse::<Defect>().unwrap_err();
        insta::assert_snapshot!(error, @"there is no defect `retry-after-droped`; did you mean `retry-after-dropped`?");
        insta::assert_snapshot!("xyz".parse::<Defect>().unwrap_err(), @"there is no defect `xyz`");
    }
}
