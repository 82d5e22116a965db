//! For each defect, the situation in which it shows, and the check that it shows.

use serde_json::Value;

use super::stage::*;
use crate::builtin::Defect;

/// The result of one run.
pub(super) struct Seen {
    pub got: CallerResult,
    pub stage: ProxyStage,
}

impl Seen {
    pub(super) fn status(&self) -> u16 {
        self.got.status
    }

    pub(super) fn member(&self, name: &str) -> Value {
        self.got.error()[name].clone()
    }

    pub(super) fn message(&self) -> String {
        self.member("message").as_str().unwrap_or_default().to_owned()
    }

    pub(super) fn text(&self) -> &str {
        &self.got.text
    }
}

const RICH: &str = "retry-after: 9\r\nretry-after-ms: 9000\r\nx-ratelimit-limit-requests: 3\r\nx-request-id: r\r\nset-cookie: a=b\r\n";

pub(super) fn rich_error() -> Setup {
    let body = r#"{"error":{"message":"canary","type":"kind","param":"p","code":"c"}}"#;
    Setup::new([json(429, RICH, body)])
}

pub(super) fn null_error() -> Setup {
    Setup::new([json(500, "", r#"{"error":{"message":"canary","type":"kind","param":null,"code":null}}"#)])
}

pub(super) fn used_up() -> Setup {
    let body =
        r#"{"error":{"message":"canary","type":"insufficient_quota","param":null,"code":"slow_down"}}"#;
    Setup::new([json(429, "ratelimit: \"a\";r=0;t=7\r\n", body)])
}

pub(super) fn failing(status: u16) -> Setup {
    Setup::new([error(status, "", "c")])
}

pub(super) fn cut() -> Setup {
    Setup::streamed([events(&[ONE, TWO], Last::Close)])
}

pub(super) fn broken_by_event() -> Setup {
    Setup::streamed([events(&[ONE, TWO, ERROR], Last::End)])
}

pub(super) const LIMIT: &str =
    "data: {\"error\":{\"message\":\"canary\",\"type\":\"requests\",\"code\":\"rate_limit_exceeded\"}}\n\n";
const OVERLOAD: &str = "data: {\"error\":{\"message\":\"canary\",\"type\":\"server_error\",\"code\":\"server_is_overloaded\"}}\n\n";

fn first_event(event: &str) -> Setup {
    Setup::streamed([events(&[event], Last::End)])
}

pub(super) fn after_content(event: &str) -> Setup {
    Setup::streamed([events(&[ONE, TWO, event], Last::End)])
}

pub(super) fn good_stream() -> Setup {
    Setup::streamed([events(&[ONE, TWO, STOP, DONE], Last::End)])
}

pub(super) fn ended_by(reason: &str) -> Setup {
    let choice = format!(r#"{{"index":0,"message":{{"content":"hi"}},"finish_reason":"{reason}"}}"#);
    Setup::new([json(200, "", &format!(r#"{{"choices":[{choice}],"usage":{{}}}}"#))])
}

/// The situation in which a defect shows, and the check that it shows.
pub(super) fn case(defect: Defect) -> (Setup, fn(&Seen) -> bool) {
    use Defect::*;
    let unreachable = || Setup { refuse: true, ..Setup::new([ok()]) };
    let slow = || Setup { timeout_s: 0.1, ..Setup::new([[vec![ScriptStep::Wait(700)], ok()].concat()]) };
    let both_fail = || Setup { backup: Some(vec![error(503, "", "b")]), ..failing(503) };
    match defect {
        RateLimitAs500 => (rich_error(), |s| s.status() == 500 && s.message() == "canary"),
        ClientErrorAs500 => (failing(422), |s| s.status() == 500),
        AuthErrorAs500 => (failing(403), |s| s.status() == 500),
        AuthErrorAs429 => (failing(401), |s| s.status() == 429),
        OverloadAs500 => (failing(529), |s| s.status() == 500),
        ServerErrorAs400 => (failing(503), |s| s.status() == 400),
        FailureUnder200 => (failing(503), |s| s.status() == 200 && s.message() == "canary c"),
        TimeoutAs500 => (slow(), |s| s.status() == 500),
        UnreachableAs200 => (unreachable(), |s| s.status() == 200),
        SuccessMadeUp => (failing(503), |s| s.status() == 200 && s.text().contains("chat.completion")),
        UnreachableAs400 => (unreachable(), |s| s.status() == 400),
        FirstErrorAs502 => (first_event(LIMIT), |s| s.status() == 502 && !s.text().contains("canary")),
        FirstOverloadAs400 => (first_event(OVERLOAD), |s| s.status() == 400 && s.message() == "canary"),
        ForbiddenAs401 => (failing(403), |s| s.status() == 401),
        DetailEscaped => {
            (rich_error(), |s| s.message().starts_with(r#"Error: "{\"error\":{\"message\":\"canary\""#))
        }
        OtherWordsLost => (Setup::new([json(422, "", r#"{"detail":"canary"}"#)]), |s| {
            s.status() == 422 && s.message() == "Internal error"
        }),
        OtherMembersLost => {
            let body = r#"{"error":{"message":"canary","type":"t","inner":{"why":"hate"}}}"#;
            (Setup::new([json(400, "", body)]), |s| s.message() == "canary" && !s.text().contains("hate"))
        }
        TupleInMessage => (rich_error(), |s| s.message() == "(429, 'canary')"),
        ErrorEventCodeLost => (after_content(LIMIT), |s| {
            s.text().contains("canary")
                && s.text().contains("api_error")
                && !s.text().contains("rate_limit_exceeded")
        }),
        ErrorEventEscaped => (after_content(LIMIT), |s| s.text().contains(r#"Received error: \"{\\\"error"#)),
        ErrorEventAsFinish => (broken_by_event(), |s| {
            s.text().contains(r#""finish_reason":"error""#) && s.text().ends_with(DONE)
        }),
        LongEventEndsStream => {
            let long = ONE.replace("data: {", &format!("data: {{\"filling\":\"{}\",", "x".repeat(70_000)));
            let setup = Setup::streamed([events(&[ONE, &long, STOP, DONE], Last::End)]);
            (setup, |s| s.text() == ONE)
        }
        FailedHeadersKept => {
            let scripts = [error(503, "retry-after: 0\r\n", "a"), ok()];
            (Setup { retries: 1, ..Setup::new(scripts) }, |s| s.status() == 200 && has(s, "retry-after"))
        }
        BadRequestFallsBack => (Setup { backup: Some(vec![ok()]), ..failing(400) }, |s| {
            s.status() == 200 && s.stage.backup.attempts() == 1
        }),
        BrokenReplyAs400 => (Setup::new([json(200, "", "null")]), |s| s.status() == 400),
        NullBody => (Setup::new([json(200, "", "null")]), |s| s.status() == 200 && s.text() == "null"),
        DetailLost => (rich_error(), |s| s.message() == "Internal error" && s.member("code") == "c"),
        ServerMessageLost => (failing(503), |s| s.message() == "Internal error" && s.status() == 503),
        DetailRepeated => (rich_error(), |s| s.message() == "canary (caused by: canary)"),
        CodeLost => (rich_error(), |s| s.member("code").is_null() && s.member("type") == "kind"),
        LimitCodeGeneral => (used_up(), |s| s.member("code") == "rate_limit_exceeded"),
        TypeLost => (rich_error(), |s| s.member("type") == "api_error" && s.member("code") == "c"),
        ParamLost => (rich_error(), |s| s.member("param").is_null() && s.member("code") == "c"),
        DetailEncodedTwice => (rich_error(), |s| s.message().starts_with(r#"{"error":{"message":"canary""#)),
        NoneLiteral => (null_error(), |s| s.member("param") == "None" && s.member("code") == "None"),
        ErrorTypeAsInt => (rich_error(), |s| s.member("type") == 429),
        ErrorAsString => (rich_error(), |s| s.got.error() == "canary"),
        AnthropicEnvelope => {
            (rich_error(), |s| s.text().starts_with(r#"{"type":"error","error":{"type":"kind""#))
        }
        HtmlPassedThrough => (Setup::new([json(502, "", "<html>no</html>")]), |s| {
            s.status() == 502 && s.text() == "<html>no</html>"
        }),
        ErrorContentType => (rich_error(), |s| {
            s.got.header("content-type").is_some_and(|value| value.starts_with("text/html"))
        }),
        StreamTypeLost => (good_stream(), |s| {
            s.got.header("content-type").is_none() && s.text() == [ONE, TWO, STOP, DONE].concat()
        }),
        RetryAfterDropped => {
            (rich_error(), |s| s.got.header("retry-after").is_none() && has(s, "retry-after-ms"))
        }
        RetryAfterMsDropped => {
            (rich_error(), |s| s.got.header("retry-after-ms").is_none() && has(s, "retry-after"))
        }
        LimitHeadersDropped => {
            (rich_error(), |s| s.got.header("x-ratelimit-limit-requests").is_none() && has(s, "retry-after"))
        }
        QuotaLoosened => (used_up(), |s| s.got.header("ratelimit") == Some("\"a\";r=90;t=7")),
        RequestIdDropped => {
            (rich_error(), |s| s.got.header("x-request-id").is_none() && has(s, "retry-after"))
        }
        PoisonHeadersForwarded => (rich_error(), |s| has(s, "set-cookie") && has(s, "retry-after")),
        StreamErrorAsSse => (Setup { stream: true, ..rich_error() }, |s| {
            s.status() == 200 && s.text().starts_with("data: {\"error\":{\"message\":\"canary\"")
        }),
        FirstErrorEmptySuccess => (Setup::streamed([events(&[ERROR], Last::End)]), |s| {
            s.status() == 200 && s.text().contains("\"finish_reason\":\"stop\"") && s.text().ends_with(DONE)
        }),
        CutStreamFinished => (cut(), |s| {
            s.text().contains("\"finish_reason\":\"stop\"")
                && s.text().ends_with(DONE)
                && !s.text().contains("error")
        }),
        CutStreamSilent => (cut(), |s| s.text() == [ONE, TWO].concat()),
        ErrorEventSwallowed => (broken_by_event(), |s| s.text() == [ONE, TWO, DONE].concat()),
        ErrorEventDropped => (broken_by_event(), |s| s.text() == [ONE, TWO].concat()),
        ErrorEventDetailLost => {
            (broken_by_event(), |s| s.text().contains("Internal error") && !s.text().contains("canary"))
        }
        ErrorFrameDoubled => (broken_by_event(), |s| s.text() == [ONE, TWO, ERROR, ERROR].concat()),
        ChunkDropped => (broken_by_event(), |s| s.text() == [ONE, ERROR].concat()),
        ChunkDoubled => (good_stream(), |s| s.text() == [ONE, ONE, TWO, STOP, DONE].concat()),
        StreamLeftOpen => {
            (broken_by_event(), |s| s.text() == [ONE, TWO, ERROR].concat() && s.got.end == ScriptEnd::Open)
        }
        TerminatorDropped => (good_stream(), |s| s.text() == [ONE, TWO, STOP].concat()),
        TerminatorDemanded => (Setup::streamed([events(&[ONE, STOP], Last::End)]), |s| {
            s.text().starts_with(&[ONE, STOP, "data: {\"error\""].concat()) && !s.text().contains(DONE)
        }),
        PingEventSent => (good_stream(), |s| s.text().starts_with("event: ping\n")),
        LimitAsStop => (ended_by("length"), |s| s.text().contains(r#""finish_reason":"stop""#)),
        LimitAsNull => (ended_by("length"), |s| s.text().contains(r#""finish_reason":null"#)),
        FilterAsStop => (ended_by("content_filter"), |s| s.text().contains(r#""finish_reason":"stop""#)),
        TimeoutIgnored => (slow(), |s| s.status() == 200),
        TerminalRetried => (failing(404), |s| s.stage.main.attempts() == 3 && s.status() == 404),
        RetryBudgetExceeded => (Setup { retries: 1, ..failing(503) }, |s| s.stage.main.attempts() == 3),
        RetryAfterIgnored => {
            let scripts = [error(429, "retry-after: 30\r\n", "a"), ok()];
            (Setup { retries: 1, ..Setup::new(scripts) }, |s| s.status() == 200)
        }
        RetryAfterContent => {
            let scripts = [events(&[ONE], Last::Close), events(&[ONE, STOP, DONE], Last::End)];
            (Setup::streamed(scripts), |s| s.text() == [ONE, ONE, STOP, DONE].concat())
        }
        FallbackSkipped => (Setup { backup: Some(vec![ok()]), ..failing(503) }, |s| {
            s.status() == 503 && s.stage.backup.attempts() == 0
        }),
        FallbackAskedToo => {
            (Setup { backup: Some(vec![ok()]), ..Setup::new([ok()]) }, |s| s.stage.backup.attempts() == 1)
        }
        FallbackSpliced => {
            let backup = Some(vec![events(&[TWO, STOP, DONE], Last::End)]);
            let setup = Setup { backup, ..Setup::streamed([events(&[ONE], Last::Close)]) };
            (setup, |s| s.text() == [ONE, TWO, STOP, DONE].concat())
        }
        FallbackErrorHidden => (both_fail(), |s| s.message().contains("router") && s.status() == 503),
        CooldownIgnored | ClientErrorsCoolDown | RoutePoisoned | FailureUnanswered | OpenaiEnvelope
        | CallerGoneIgnored | RetriesAfterLeave | ErrorsSwapped | AnswersSwapped | HeadersSwapped
        | CallersSwapped | ThirdMessageLost | ThirdLimitAs500 | ThirdRetryAfterLost | ThirdCutFinished
        | RetryAfterStale | ErrorStale | AnswerStale | ResetPoisonsRoute | SlotsLeaked | KeyUnchecked
        | RefusalAs500 | RefusalInOpenaiForm | OneAtATime | FailureClosed | CutBodyAsSuccess
        | FirstErrorsCoolDown | SequenceRestarted | FailedAndCompleted | FailedEventDropped => {
            unreachable!("{defect} does not show in one response to a chat and has its own test")
        }
        ExitsOnConflict | ExitsOnThree | FreezesOnConflict => {
            unreachable!("{defect} stops the process: tests/cli/stopping.rs runs it in a separate one")
        }
        SessionLeftOpen
        | SessionEndAsGoodbye
        | SessionErrorAsGoodbye
        | SessionErrorSwallowed
        | SessionDetailLost
        | SessionErrorAsString
        | SessionEventLost
        | SessionForged
        | SessionCut
        | CloseCodeReplaced
        | CloseReasonLost
        | RefusalUpgraded
        | RefusalAsClose => unreachable!("{defect} shows in a session and has its own test"),
        // They need a redirect to another upstream, TLS, a route with other settings, or several requests:
        // tests/defects.rs covers them.
        CertificatesUnchecked
        | CodingLabelKept
        | CodingLabelDropped
        | RedirectFollowed
        | CooldownAs500
        | CooldownWithoutTime
        | CooldownEndless
        | CooldownAsAsked
        | GroupCoolsDown
        | ForeignKeyLeaked
        | StreamHeldBack
        | StreamHeldBackInBlocks
        | ErrorEventHeldBack
        | RejectedKeyRests
        | PingedFailureFinished
        | PingedFailureCut
        | PingedCodeLost
        | PassThroughStatusMade
        | PassThroughTypeMade
        | PassThroughWrapped
        | PassThroughRepaired
        | PassThroughHopByHop
        | PassThroughCutFinished
        | IncompleteWithoutReason
        | LargeEventLost
        | LargeHeadRefused
        | ToolCallDropped
        | ToolCallNextToTextDropped
        | ToolNameChanged
        | ToolCallsMerged
        | ToolCallIdsLost
        | ToolCallsAsStop
        | CutToolCallAsWhole
        | RefusalTextDropped
        | ChoiceDropped
        | ReasoningDropped => {
            unreachable!("{defect} does not show with these upstreams")
        }
        StreamGatewayErrorAs500 => (Setup { stream: true, ..failing(502) }, |s| s.status() == 500),
        StreamErrorReworded => (Setup { stream: true, ..rich_error() }, |s| {
            s.message() == "The stream could not be opened: canary" && s.status() == 429
        }),
        StreamHeadersDropped => (Setup { stream: true, ..rich_error() }, |s| {
            !has(s, "retry-after") && !has(s, "x-ratelimit-limit-requests") && s.status() == 429
        }),
        StreamNotRetried => {
            let scripts = [error(503, "", "c"), events(&[ONE, STOP, DONE], Last::End)];
            (Setup { retries: 1, ..Setup::streamed(scripts) }, |s| {
                s.status() == 503 && s.stage.main.attempts() == 1
            })
        }
        SideGatewayErrorAs500 | SideMessageLost => {
            unreachable!("{defect} does not show in a response to a chat and has its own test")
        }
        KeyLeaked => (rich_error(), |s| s.message().contains("sk-secret-main")),
        ProxyKeyLeaked => (rich_error(), |s| s.message().contains(s.stage.proxy.proxy_key())),
        BaseUrlLeaked => (rich_error(), |s| s.message().contains(&s.stage.main.address)),
        BaseUrlInHeader => (rich_error(), |s| {
            s.got
                .headers
                .values()
                .any(|value| value.to_str().is_ok_and(|v| v.contains(&s.stage.main.address)))
        }),
        TracebackLeaked => (rich_error(), |s| s.message().contains("Traceback")),
    }
}

pub(super) fn has(seen: &Seen, header: &str) -> bool {
    seen.got.header(header).is_some()
}

/// Defects that do not show in one response to a chat.
pub(super) const TESTED_ELSEWHERE: &[Defect] = &[
    Defect::FailureClosed,
    Defect::CutBodyAsSuccess,
    Defect::FirstErrorsCoolDown,
    Defect::LargeEventLost,
    Defect::LargeHeadRefused,
    Defect::ToolCallDropped,
    Defect::ToolCallNextToTextDropped,
    Defect::ToolNameChanged,
    Defect::ToolCallsMerged,
    Defect::ToolCallIdsLost,
    Defect::ToolCallsAsStop,
    Defect::CutToolCallAsWhole,
    Defect::RefusalTextDropped,
    Defect::ChoiceDropped,
    Defect::ReasoningDropped,
    Defect::IncompleteWithoutReason,
    Defect::CodingLabelKept,
    Defect::CodingLabelDropped,
    Defect::SequenceRestarted,
    Defect::FailedAndCompleted,
    Defect::FailedEventDropped,
    Defect::GroupCoolsDown,
    Defect::ForeignKeyLeaked,
    Defect::CooldownAsAsked,
    Defect::CooldownEndless,
    Defect::StreamHeldBack,
    Defect::StreamHeldBackInBlocks,
    Defect::ErrorEventHeldBack,
    Defect::CooldownAs500,
    Defect::CooldownWithoutTime,
    Defect::RejectedKeyRests,
    Defect::PingedFailureFinished,
    Defect::PingedFailureCut,
    Defect::PingedCodeLost,
    Defect::PassThroughStatusMade,
    Defect::PassThroughTypeMade,
    Defect::PassThroughWrapped,
    Defect::PassThroughRepaired,
    Defect::PassThroughHopByHop,
    Defect::PassThroughCutFinished,
    Defect::SideGatewayErrorAs500,
    Defect::SideMessageLost,
    Defect::CertificatesUnchecked,
    Defect::RedirectFollowed,
    Defect::CooldownIgnored,
    Defect::ClientErrorsCoolDown,
    Defect::RoutePoisoned,
    Defect::ExitsOnConflict,
    Defect::ExitsOnThree,
    Defect::FreezesOnConflict,
    Defect::OneAtATime,
    Defect::FailureUnanswered,
    Defect::OpenaiEnvelope,
    Defect::CallerGoneIgnored,
    Defect::RetriesAfterLeave,
    Defect::ErrorsSwapped,
    Defect::AnswersSwapped,
    Defect::HeadersSwapped,
    Defect::CallersSwapped,
    Defect::ThirdMessageLost,
    Defect::ThirdLimitAs500,
    Defect::ThirdRetryAfterLost,
    Defect::ThirdCutFinished,
    Defect::RetryAfterStale,
    Defect::ErrorStale,
    Defect::AnswerStale,
    Defect::ResetPoisonsRoute,
    Defect::SlotsLeaked,
    Defect::KeyUnchecked,
    Defect::RefusalAs500,
    Defect::RefusalInOpenaiForm,
];
