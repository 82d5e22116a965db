//! The defects of the embedded proxy. Each of them reproduces an error that a real gateway has made.

use std::sync::Arc;

use serde_json::{Value, json};
use tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

use super::{
    after_failure::{self, RouteLost},
    attempts::{self, StepChanged},
    callers, codings,
    content::{self, ContentChanged},
    cooldowns::{self, CountedFailures},
    declaration::defects,
    error_events,
    every_third::{self, ThirdErrorChanged},
    failures::{
        self, FailureChanged, RejectionChanged, ReplyReplaced, StatusReplaced, append, is_gateway_error,
        is_server_error, lose_message, set,
    },
    foreign_key,
    heads::{self, HeadersDropped, WordsReplaced},
    pass_through::{self, PassedBodyRewritten, PassedHeadChanged},
    process_stop::{self, ProcessStopped},
    sessions::{self, RefusalAccepted, SessionEndChanged, SessionEventsChanged, closed},
    streams::{self, PiecesReplaced, PingedFailureReplaced, SuccessInvented, doubled, without},
    swaps::{self, ResultsSwapped},
};
use crate::builtin::{
    classify::AWS_TYPE,
    dialect::ErrorForm,
    extension::{Extension, ProxyStep, SessionEnd},
    failure::Cause,
    headers,
    reply::{SessionSource, close_frame},
    stream::PieceKind,
};

defects! {
    // Status.
    RateLimitAs500 = "rate-limit-as-500": "Answers 500 for an upstream 429"
        => StatusReplaced(500, |failure, _| failure.status == 429),
    ClientErrorAs500 = "client-error-as-500": "Answers 500 for an upstream 400, 404, 413 or 422"
        => StatusReplaced(500, |failure, _| matches!(failure.status, 400 | 404 | 413 | 422)),
    AuthErrorAs500 = "auth-error-as-500": "Answers 500 for an upstream 401, 402 or 403"
        => StatusReplaced(500, |failure, _| matches!(failure.status, 401..=403)),
    AuthErrorAs429 = "auth-error-as-429": "Answers 429 for an upstream 401, 402 or 403"
        => StatusReplaced(429, |failure, _| matches!(failure.status, 401..=403)),
    OverloadAs500 = "overload-as-500": "Answers 500 for an upstream 503 or 529"
        => StatusReplaced(500, |failure, _| matches!(failure.cause, Cause::Status(503 | 529))),
    ServerErrorAs400 = "server-error-as-400": "Answers 400 for an upstream 5xx"
        => StatusReplaced(400, |failure, _| is_server_error(failure)),
    FailureUnder200 = "failure-under-200": "Sends the body of an upstream error with status 200"
        => StatusReplaced(200, |failure, _| failure.is_from_upstream()),
    TimeoutAs500 = "timeout-as-500": "Answers 500 for a timeout"
        => StatusReplaced(500, |failure, _| failure.cause == Cause::Timeout),
    UnreachableAs200 = "unreachable-as-200": "Answers 200 for an unreachable upstream"
        => StatusReplaced(200, |failure, _| failure.cause == Cause::Unreachable),
    UnreachableAs400 = "unreachable-as-400": "Answers 400 for an unreachable upstream"
        => StatusReplaced(400, |failure, _| failure.cause == Cause::Unreachable),
    FirstErrorAs502 = "first-error-as-502": "Answers 502 with a message of its own for an error in the first event of a stream"
        => FailureChanged(failures::first_error_as_502),
    FirstOverloadAs400 = "first-overload-as-400": "Answers 400 for a server error in the first event of a stream"
        => StatusReplaced(400, |failure, _| failure.cause == Cause::FirstEvent && failure.status >= 500),
    ForbiddenAs401 = "forbidden-as-401": "Answers 401 for an upstream 403"
        => StatusReplaced(401, |failure, _| failure.status == 403),
    FailureClosed = "failure-closed": "Closes the connection in place of an error response"
        => ReplyReplaced(failures::close),
    BrokenReplyAs400 = "broken-reply-as-400": "Answers 400 for an incomplete reply or one that is not a completion"
        => StatusReplaced(400, |failure, _| matches!(failure.cause, Cause::Disconnected | Cause::OddBody)),
    CutBodyAsSuccess = "cut-body-as-success": "Answers a plain call whose upstream breaks off with status 200 and breaks off too"
        => ReplyReplaced(failures::break_off),
    NullBody = "null-body": "Passes on an invalid body with status 200"
        => ReplyReplaced(failures::pass_odd_body),
    SuccessMadeUp = "success-made-up": "Answers a failure with an empty completion"
        => SuccessInvented,
    // Details.
    DetailLost = "detail-lost": "Replaces the upstream's message with `Internal error`"
        => FailureChanged(|failure, _| lose_message(failure)),
    ServerMessageLost = "server-message-lost": "Replaces the message of an upstream 5xx with `Internal error`"
        => FailureChanged(|failure, _| if is_server_error(failure) { lose_message(failure) }),
    DetailRepeated = "detail-repeated": "Repeats the upstream's message inside itself"
        => FailureChanged(failures::repeat_message),
    CodeLost = "code-lost": "Replaces the upstream's error code with null"
        => FailureChanged(|failure, _| set(failure, "code", Value::Null)),
    LimitCodeGeneral = "limit-code-general": "Reports used-up money with the code of a rate limit"
        => FailureChanged(failures::generalize_limit),
    TypeLost = "type-lost": "Replaces the upstream's error type with `api_error`"
        => FailureChanged(|failure, _| set(failure, "type", json!("api_error"))),
    ParamLost = "param-lost": "Replaces the upstream's error param with null"
        => FailureChanged(|failure, _| set(failure, "param", Value::Null)),
    DetailEncodedTwice = "detail-encoded-twice": "Puts the whole error into the message as JSON text"
        => FailureChanged(failures::encode_twice),
    DetailEscaped = "detail-escaped": "Puts the whole error into the message as escaped JSON text"
        => FailureChanged(failures::escape_twice),
    OtherWordsLost = "other-words-lost": "Replaces a message that the upstream did not send as `error.message`"
        => FailureChanged(failures::lose_other_words),
    OtherMembersLost = "other-members-lost": "Drops all members of the upstream's error but message, type, code and param"
        => FailureChanged(failures::lose_other_members),
    TupleInMessage = "tuple-in-message": "Writes the message as a tuple of Python"
        => FailureChanged(failures::as_tuple),
    NoneLiteral = "none-literal": "Writes a null in the error as the text `None`"
        => FailureChanged(failures::none_for_null),
    // Format.
    ErrorTypeAsInt = "error-type-as-int": "Uses the numeric status as the error type"
        => FailureChanged(|failure, _| set(failure, "type", json!(failure.status))),
    ErrorAsString = "error-as-string": "Sends `error` as a string instead of an object"
        => ReplyReplaced(failures::error_as_string),
    AnthropicEnvelope = "anthropic-envelope": "Sends errors in Anthropic's form"
        => ReplyReplaced(failures::in_anthropic_form),
    OpenaiEnvelope = "openai-envelope": "Sends error responses in OpenAI's form to callers of every dialect"
        => ReplyReplaced(failures::in_openai_form),
    HtmlPassedThrough = "html-passed-through": "Passes on an upstream error that is not JSON"
        => ReplyReplaced(failures::pass_html),
    StreamTypeLost = "stream-type-lost": "Sends streams without a content type"
        => heads::StreamTypeDropped,
    ErrorContentType = "error-content-type": "Labels a JSON error as text/html"
        => ReplyReplaced(failures::as_html),
    CodingLabelKept = "coding-label-kept": "Keeps the Content-Encoding of a body that it has decompressed"
        => codings::LabelKept,
    CodingLabelDropped = "coding-label-dropped": "Passes compressed bodies on without their Content-Encoding"
        => codings::LabelDropped,
    // Headers.
    RetryAfterDropped = "retry-after-dropped": "Drops Retry-After"
        => HeadersDropped(|name| name == "retry-after"),
    RetryAfterMsDropped = "retry-after-ms-dropped": "Drops retry-after-ms"
        => HeadersDropped(|name| name == "retry-after-ms"),
    LimitHeadersDropped = "limit-headers-dropped": "Drops the x-ratelimit headers"
        => HeadersDropped(|name| name.contains("ratelimit")),
    FailedHeadersKept = "failed-headers-kept": "Sends a success with the headers of the failed attempt before it"
        => attempts::FailedHeadersKept,
    QuotaLoosened = "quota-loosened": "Reports more of the quota in RateLimit than the provider has left"
        => heads::QuotaLoosened,
    RequestIdDropped = "request-id-dropped": "Drops the upstream's request id"
        => HeadersDropped(|name| headers::REQUEST_IDS.contains(&name)),
    PoisonHeadersForwarded = "poison-headers-forwarded": "Passes on Set-Cookie and other upstream headers that are not meant for callers"
        => heads::AllHeadersPassed,
    // Streams.
    StreamErrorAsSse = "stream-error-as-sse": "Sends an error before a stream as an event stream with status 200"
        => ReplyReplaced(failures::as_event),
    FirstErrorEmptySuccess = "first-error-empty-success": "Turns an error in the first event of a stream into an empty completion"
        => ReplyReplaced(failures::finish_first_error),
    CutStreamFinished = "cut-stream-finished": "Adds finish_reason stop and `[DONE]` to a cut stream"
        => PiecesReplaced(streams::finish_cut),
    CutStreamSilent = "cut-stream-silent": "Ends a cut stream without an error and without `[DONE]`"
        => PiecesReplaced(|_, piece| without(PieceKind::Interrupted, piece)),
    ErrorEventSwallowed = "error-event-swallowed": "Skips an error event and ends the stream with the terminator of its dialect"
        => PiecesReplaced(streams::finish_error_event),
    ErrorEventDropped = "error-event-dropped": "Drops an error event and ends the stream without a terminator"
        => PiecesReplaced(|_, piece| without(PieceKind::ErrorEvent, piece)),
    ErrorEventDetailLost = "error-event-detail-lost": "Replaces the message of an error event with `Internal error`"
        => PiecesReplaced(streams::lose_detail),
    ErrorEventCodeLost = "error-event-code-lost": "Removes the code of an error event, and replaces its type with `api_error`"
        => PiecesReplaced(error_events::lose_code_and_type),
    ErrorEventEscaped = "error-event-escaped": "Puts an error event into its own message as escaped JSON text"
        => PiecesReplaced(error_events::escape),
    ErrorEventAsFinish = "error-event-as-finish": "Replaces an error event with the finish reason `error`"
        => PiecesReplaced(error_events::finish_with_error),
    LongEventEndsStream = "long-event-ends-stream": "Takes an event of more than 64 KiB for the end of the stream"
        => PiecesReplaced(error_events::end_at_long_event),
    ErrorFrameDoubled = "error-frame-doubled": "Sends the error event of a stream twice"
        => PiecesReplaced(|_, piece| doubled(streams::is_failure(&piece), piece)),
    SequenceRestarted = "sequence-restarted": "Numbers its last events of a failed Responses stream from 0 again"
        => PiecesReplaced(streams::restart_sequence),
    FailedAndCompleted = "failed-and-completed": "Completes a Responses stream that has failed"
        => PiecesReplaced(streams::complete_failed),
    FailedEventDropped = "failed-event-dropped": "Ends a failed Responses stream without `response.failed`"
        => PiecesReplaced(streams::drop_failed),
    ChunkDropped = "chunk-dropped": "Loses the last piece of content before a stream fails"
        => PiecesReplaced(streams::hold_content),
    ChunkDoubled = "chunk-doubled": "Sends the first piece of content of a stream twice"
        => PiecesReplaced(|stream, piece| doubled(stream.is_first_content, piece)),
    StreamHeldBack = "stream-held-back": "Sends nothing of a stream before the upstream has ended it"
        => PiecesReplaced(|stream, piece| streams::collect(usize::MAX, stream, piece)),
    StreamHeldBackInBlocks = "stream-held-back-in-blocks": "Passes a stream on in blocks of at least 4 KiB"
        => PiecesReplaced(|stream, piece| streams::collect(4096, stream, piece)),
    ErrorEventHeldBack = "error-event-held-back": "Holds an error event back until the upstream ends its stream"
        => streams::ErrorEventHeld,
    StreamLeftOpen = "stream-left-open": "Never ends a stream after its error event"
        => streams::FailedStreamOpen,
    TerminatorDropped = "terminator-dropped": "Ends a successful stream without `[DONE]`"
        => PiecesReplaced(|_, piece| without(PieceKind::Done, piece)),
    TerminatorDemanded = "terminator-demanded": "Reports a finished stream without `[DONE]` as incomplete"
        => streams::TerminatorRequired,
    PingEventSent = "ping-event-sent": "Starts a stream with a ping event in Anthropic's form"
        => PiecesReplaced(streams::ping_first),
    PingedFailureFinished = "pinged-failure-finished": "Ends a call that fails after keep-alive pings like a finished response"
        => PingedFailureReplaced(streams::finish_pinged),
    PingedFailureCut = "pinged-failure-cut": "Ends a call that fails after keep-alive pings without an error"
        => PingedFailureReplaced(|_, _, _| None),
    PingedCodeLost = "pinged-code-lost": "Reports a failure after keep-alive pings as an error of unknown cause"
        => PingedFailureReplaced(streams::hide_cause),
    // Pass-through routes.
    PassThroughStatusMade = "pass-through-status-made": "Turns every upstream 5xx on a pass-through route into a 502"
        => PassedHeadChanged(pass_through::make_502),
    PassThroughTypeMade = "pass-through-type-made": "Labels everything but streams as JSON on a pass-through route"
        => PassedHeadChanged(pass_through::make_json),
    PassThroughWrapped = "pass-through-wrapped": "Wraps a body that is not JSON into an error object on a pass-through route"
        => PassedBodyRewritten(pass_through::wrap),
    PassThroughRepaired = "pass-through-repaired": "Replaces bytes that are not UTF-8 on a pass-through route"
        => PassedBodyRewritten(pass_through::repair),
    PassThroughHopByHop = "pass-through-hop-by-hop": "Passes on hop-by-hop headers of the upstream on a pass-through route"
        => PassedHeadChanged(pass_through::pass_hop_by_hop),
    PassThroughCutFinished = "pass-through-cut-finished": "Ends an incomplete body like a complete one on a pass-through route"
        => pass_through::PassedCutFinished,
    LimitAsStop = "limit-as-stop": "Reports a response that the token limit cut off as finished"
        => WordsReplaced(heads::LIMIT_AS_STOP),
    LimitAsNull = "limit-as-null": "Reports no finish reason in a plain response that the token limit cut off"
        => WordsReplaced(heads::LIMIT_AS_NULL),
    FilterAsStop = "filter-as-stop": "Reports a response that was refused or filtered as finished"
        => WordsReplaced(heads::FILTER_AS_STOP),
    IncompleteWithoutReason = "incomplete-without-reason": "Reports an incomplete response without the reason"
        => WordsReplaced(heads::INCOMPLETE_WITHOUT_REASON),
    // Content.
    ToolCallDropped = "tool-call-dropped": "Drops every tool call of a chat but the first"
        => ContentChanged(content::drop_second_call),
    ToolCallNextToTextDropped = "tool-call-next-to-text-dropped": "Drops the tool calls of a chat message that contains text"
        => ContentChanged(content::drop_calls_next_to_text),
    ToolNameChanged = "tool-name-changed": "Adds a prefix to the names of tools that a chat calls"
        => ContentChanged(content::rename_tools),
    ToolCallsMerged = "tool-calls-merged": "Sends all tool calls of a chat stream under one index"
        => ContentChanged(content::merge_calls),
    ToolCallIdsLost = "tool-call-ids-lost": "Drops the ids of tool calls of a chat"
        => ContentChanged(content::lose_call_ids),
    ToolCallsAsStop = "tool-calls-as-stop": "Reports a response with tool calls as finished"
        => WordsReplaced(heads::TOOL_CALLS_AS_STOP),
    CutToolCallAsWhole = "cut-tool-call-as-whole": "Reports a response that the token limit cut off as complete tool calls"
        => WordsReplaced(heads::LIMIT_AS_TOOL_CALLS),
    RefusalTextDropped = "refusal-text-dropped": "Drops the text in which a model declines"
        => ContentChanged(content::drop_refusal_text),
    ChoiceDropped = "choice-dropped": "Passes on only the first of several choices"
        => ContentChanged(content::drop_other_choices),
    ReasoningDropped = "reasoning-dropped": "Drops the reasoning of an Anthropic model"
        => ContentChanged(content::drop_reasoning),
    LargeEventLost = "large-event-lost": "Loses events of more than 64 KiB"
        => content::LargeEventsLost,
    LargeHeadRefused = "large-head-refused": "Fails a call whose response has more than fifty headers or a long one"
        => attempts::LargeHeadRefused,
    // Sessions.
    SessionLeftOpen = "session-left-open": "Leaves the caller's session open and silent after the upstream ended it"
        => SessionEndChanged(|_| SessionEnd::Silence),
    SessionEndAsGoodbye = "session-end-as-goodbye": "Closes a session that the upstream ended with code 1000"
        => SessionEndChanged(|frame| closed(CloseFrame { code: CloseCode::Normal, ..frame })),
    SessionErrorAsGoodbye = "session-error-as-goodbye": "Closes a session with code 1000 instead of passing on an error event"
        => sessions::SessionErrorHidden,
    SessionErrorSwallowed = "session-error-swallowed": "Drops an error event of a session"
        => SessionEventsChanged(|event| (!sessions::is_error(&event)).then_some(event)),
    SessionDetailLost = "session-detail-lost": "Replaces the message of a session's error event with `Internal error`"
        => SessionEventsChanged(sessions::lose_detail),
    SessionErrorAsString = "session-error-as-string": "Sends `error` as a string in a session's error event"
        => SessionEventsChanged(sessions::error_as_string),
    SessionEventLost = "session-event-lost": "Loses the first piece of content of a session"
        => SessionEventsChanged(sessions::lose_first_content),
    SessionForged = "session-forged": "Invents a completed response before it closes a session that the upstream ended"
        => SessionEndChanged(sessions::forged),
    SessionCut = "session-cut": "Closes the caller's connection without a close frame after the upstream ended the session"
        => SessionEndChanged(|_| SessionEnd::Cut),
    CloseCodeReplaced = "close-code-replaced": "Replaces the upstream's close code with 1011"
        => SessionEndChanged(|frame| closed(CloseFrame { code: CloseCode::Error, ..frame })),
    CloseReasonLost = "close-reason-lost": "Drops the upstream's close reason"
        => SessionEndChanged(|frame| closed(close_frame(frame.code, ""))),
    RefusalUpgraded = "refusal-upgraded": "Accepts a handshake that the upstream refused, and sends nothing"
        => RefusalAccepted(|_| SessionSource::Absent(None)),
    RefusalAsClose = "refusal-as-close": "Accepts a handshake that the upstream refused, and closes the session"
        => RefusalAccepted(sessions::close_with_message),
    // Timeouts, retries, fallbacks, cooldowns.
    ExitsOnConflict = "exits-on-conflict": "Exits after an upstream 409 to a plain call"
        => ProcessStopped { on: &[409], stop: process_stop::exit },
    ExitsOnThree = "exits-on-three": "Exits after an upstream 408, 415 or 520 to a plain call"
        => ProcessStopped { on: &[408, 415, 520], stop: process_stop::exit },
    FreezesOnConflict = "freezes-on-conflict": "Answers no request after an upstream 409 to a plain call"
        => ProcessStopped { on: &[409], stop: process_stop::freeze },
    OneAtATime = "one-at-a-time": "Reads a request only after it has answered the previous one"
        => callers::OneRequestAtATime::default(),
    FailureUnanswered = "failure-unanswered": "Never answers a caller after an upstream 503"
        => attempts::SilentOn503,
    TimeoutIgnored = "timeout-ignored": "Ignores the timeout of a route"
        => attempts::WithoutTimeout,
    TerminalRetried = "terminal-retried": "Tries a 4xx that cannot succeed three times"
        => attempts::UselessRetries,
    RetryBudgetExceeded = "retry-budget-exceeded": "Retries a failure once more than allowed"
        => attempts::ExtraRetry,
    RetryAfterIgnored = "retry-after-ignored": "Does not wait for Retry-After before a retry"
        => StepChanged(ProxyStep::WaitForRetry),
    RetryAfterContent = "retry-after-content": "Retries a cut stream and appends the result"
        => attempts::CutContinued::SameRoute,
    FallbackSkipped = "fallback-skipped": "Never tries fallbacks"
        => StepChanged(ProxyStep::FallBack),
    FallbackAskedToo = "fallback-asked-too": "Calls the fallback although the first model succeeds"
        => StepChanged(ProxyStep::FallBackAfterSuccess),
    FallbackSpliced = "fallback-spliced": "Continues a cut stream with the fallback"
        => attempts::CutContinued::Fallback,
    BadRequestFallsBack = "bad-request-falls-back": "Calls the fallback after an upstream 400 or 422"
        => attempts::BadRequestFallsBack,
    FallbackErrorHidden = "fallback-error-hidden": "Reports only a message about the router when all fallbacks fail"
        => FailureChanged(failures::hide_chain),
    CooldownIgnored = "cooldown-ignored": "Never puts a failing route into cooldown"
        => CountedFailures(|_, _| false),
    ClientErrorsCoolDown = "client-errors-cool-down": "Counts a 4xx that the caller caused as a failure of the route"
        => CountedFailures(|failure, may_pass| may_pass || matches!(failure.cause, Cause::Status(_))),
    FirstErrorsCoolDown = "first-errors-cool-down": "Counts every error in the first event of a stream as a failure of the route"
        => CountedFailures(|failure, may_pass| may_pass || failure.cause == Cause::FirstEvent),
    CooldownAs500 = "cooldown-as-500": "Answers 500 for a call to a route in cooldown"
        => StatusReplaced(500, |failure, _| failure.cause == Cause::CoolingDown),
    CooldownWithoutTime = "cooldown-without-time": "Does not say how long a cooldown lasts"
        => cooldowns::CooldownTimeHidden,
    GroupCoolsDown = "group-cools-down": "Puts a whole group into cooldown when one of its deployments fails"
        => StepChanged(ProxyStep::CoolGroup),
    CooldownAsAsked = "cooldown-as-asked": "Keeps a cooldown only as long as the latest failure's Retry-After says"
        => cooldowns::CooldownAsAsked,
    CooldownEndless = "cooldown-endless": "Never uses a route again after its cooldown"
        => cooldowns::CooldownEndless,
    RejectedKeyRests = "rejected-key-rests": "Puts a route into cooldown after a rejected key, and reports a rate limit to callers"
        => cooldowns::RejectedKeyCounted,
    RoutePoisoned = "route-poisoned": "Fails the next request on a route after a failure"
        => cooldowns::NextRequestFailed::default(),
    // Callers that leave.
    CallerGoneIgnored = "caller-gone-ignored": "Continues a request after its caller has left"
        => callers::CallerOutlived,
    RetriesAfterLeave = "retries-for-nobody": "Retries a request after its caller has left"
        => callers::RetriedAfterLeave,
    // Concurrent requests.
    ErrorsSwapped = "errors-swapped": "Swaps two concurrent errors between their callers"
        => ResultsSwapped::of_a_case(Result::is_err),
    AnswersSwapped = "answers-swapped": "Swaps two concurrent responses between their callers"
        => ResultsSwapped::of_a_case(Result::is_ok),
    HeadersSwapped = "headers-swapped": "Swaps the headers of two concurrent errors"
        => swaps::ErrorHeadersSwapped::default(),
    CallersSwapped = "callers-swapped": "Sends two concurrent callers of one deployment each other's response or error"
        => ResultsSwapped::of_a_deployment(),
    // Repeated faults.
    ThirdMessageLost = "third-message-lost": "Replaces the message of every third error of a route with `Internal error`"
        => ThirdErrorChanged::new(lose_message),
    ThirdLimitAs500 = "third-limit-as-500": "Answers 500 for a 429 if it is the third, sixth, … error of a route"
        => ThirdErrorChanged::new(|failure| if failure.status == 429 { failure.status = 500 }),
    ThirdRetryAfterLost = "third-retry-after-lost": "Drops Retry-After from every third error of a route"
        => ThirdErrorChanged::new(|failure| failure.headers.retain(|(name, _)| name != "retry-after")),
    ThirdCutFinished = "third-cut-finished": "Adds finish_reason stop and `[DONE]` to every third cut stream of a route"
        => every_third::ThirdCutHidden::default(),
    // After an earlier failure.
    RetryAfterStale = "retry-after-stale": "Adds the Retry-After of an earlier error to an error without one"
        => after_failure::StaleRetryAfter::default(),
    ErrorStale = "error-stale": "Repeats the first error of a route for every later error with that status"
        => after_failure::StaleError::default(),
    AnswerStale = "answer-stale": "After a lost connection, sends each caller of the route the response to the previous request"
        => after_failure::StaleResponse::default(),
    ResetPoisonsRoute = "reset-poisons-route": "Fails every request on a route after a lost connection"
        => RouteLost::after_a_reset(),
    SlotsLeaked = "slots-leaked": "Reports a route as busy after three errors, without end"
        => RouteLost::without_slots(),
    // Invalid requests.
    KeyUnchecked = "key-unchecked": "Serves a caller with a wrong key"
        => StepChanged(ProxyStep::CheckKey),
    RefusalAs500 = "refusal-as-500": "Answers 500 for an invalid request"
        => RejectionChanged(|failure, _| failure.status = 500),
    RefusalInOpenaiForm = "refusal-in-openai-form": "Rejects invalid requests in OpenAI's form to callers of every dialect"
        => RejectionChanged(|_, form| *form = ErrorForm::Openai),
    // Siblings: streams and other endpoints.
    StreamGatewayErrorAs500 = "stream-gateway-error-as-500": "Answers 500 for an upstream 502 or 504 before a stream, but keeps the status of a plain call"
        => StatusReplaced(500, |failure, call| call.stream && is_gateway_error(failure)),
    StreamErrorReworded = "stream-error-reworded": "Rewords the message of an error before a stream, but not that of a plain call"
        => FailureChanged(failures::reword_stream),
    StreamHeadersDropped = "stream-headers-dropped": "Drops headers from an error before a stream that a plain call gets"
        => FailureChanged(|failure, call| if call.stream { failure.headers.retain(|(name, _)| name == AWS_TYPE) }),
    StreamNotRetried = "stream-not-retried": "Never retries calls for a stream, only plain calls"
        => attempts::StreamsTriedOnce,
    SideGatewayErrorAs500 = "side-gateway-error-as-500": "Answers 500 for an upstream 502 or 504 on every endpoint but chat"
        => StatusReplaced(500, |failure, call| !call.api.is_chat() && is_gateway_error(failure)),
    SideMessageLost = "side-message-lost": "Replaces the upstream's message with `Internal error` on every endpoint but chat"
        => FailureChanged(|failure, call| if !call.api.is_chat() { lose_message(failure) }),
    // Leaks.
    KeyLeaked = "key-leaked": "Includes the provider key in the error message"
        => FailureChanged(|failure, call| append(failure, &format!(" (key: {})", call.route.api_key))),
    ForeignKeyLeaked = "foreign-key-leaked": "Includes the provider key of another route in the error message"
        => foreign_key::ForeignKeyLeaked::default(),
    ProxyKeyLeaked = "proxy-key-leaked": "Includes the proxy's own key in the error message"
        => FailureChanged(|failure, call| append(failure, &format!(" (caller: {})", call.proxy_key))),
    BaseUrlLeaked = "base-url-leaked": "Includes the upstream's base URL in the error message"
        => FailureChanged(|failure, call| append(failure, &format!(" (from {})", call.route.base_url))),
    BaseUrlInHeader = "base-url-in-header": "Includes the upstream's base URL in a header"
        => heads::BaseUrlAdded,
    TracebackLeaked = "traceback-leaked": "Includes a traceback in the error message"
        => FailureChanged(failures::add_traceback),
    CertificatesUnchecked = "certificates-unchecked": "Accepts any certificate of an upstream"
        => StepChanged(ProxyStep::CheckCertificate),
    RedirectFollowed = "redirect-followed": "Follows a redirect of an upstream, with the provider's key"
        => StepChanged(ProxyStep::FollowRedirect),
}

impl Defect {
    /// Whether it ends or blocks the process, so that the proxy must run in a separate one.
    pub const fn stops_the_process(self) -> bool {
        matches!(self, Self::ExitsOnConflict | Self::ExitsOnThree | Self::FreezesOnConflict)
    }
}
