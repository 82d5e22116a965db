//! Each defect does what its name says, and the honest proxy does not.

use std::time::Duration;

use serde_json::Value;

use super::{sessions, stage::*};
use crate::{
    builtin::Defect,
    scenario::{Cooldown, Provider},
};

/// The result of one run.
struct Seen {
    got: CallerResult,
    stage: ProxyStage,
}

impl Seen {
    fn status(&self) -> u16 {
        self.got.status
    }

    fn member(&self, name: &str) -> Value {
        self.got.error()[name].clone()
    }

    fn message(&self) -> String {
        self.member("message").as_str().unwrap_or_default().to_owned()
    }

    fn text(&self) -> &str {
        &self.got.text
    }
}

const RICH: &str = "retry-after: 9\r\nretry-after-ms: 9000\r\nx-ratelimit-limit-requests: 3\r\nx-request-id: r\r\nset-cookie: a=b\r\n";

fn rich_error() -> Setup {
    let body = r#"{"error":{"message":"canary","type":"kind","param":"p","code":"c"}}"#;
    Setup::new([json(429, RICH, body)])
}

fn null_error() -> Setup {
    Setup::new([json(500, "", r#"{"error":{"message":"canary","type":"kind","param":null,"code":null}}"#)])
}

fn used_up() -> Setup {
    let body =
        r#"{"error":{"message":"canary","type":"insufficient_quota","param":null,"code":"slow_down"}}"#;
    Setup::new([json(429, "ratelimit: \"a\";r=0;t=7\r\n", body)])
}

fn failing(status: u16) -> Setup {
    Setup::new([error(status, "", "c")])
}

fn cut() -> Setup {
    Setup::streamed([events(&[ONE, TWO], Last::Close)])
}

fn broken_by_event() -> Setup {
    Setup::streamed([events(&[ONE, TWO, ERROR], Last::End)])
}

const LIMIT: &str =
    "data: {\"error\":{\"message\":\"canary\",\"type\":\"requests\",\"code\":\"rate_limit_exceeded\"}}\n\n";
const OVERLOAD: &str = "data: {\"error\":{\"message\":\"canary\",\"type\":\"server_error\",\"code\":\"server_is_overloaded\"}}\n\n";

fn first_event(event: &str) -> Setup {
    Setup::streamed([events(&[event], Last::End)])
}

fn after_content(event: &str) -> Setup {
    Setup::streamed([events(&[ONE, TWO, event], Last::End)])
}

fn good_stream() -> Setup {
    Setup::streamed([events(&[ONE, TWO, STOP, DONE], Last::End)])
}

fn ended_by(reason: &str) -> Setup {
    let choice = format!(r#"{{"index":0,"message":{{"content":"hi"}},"finish_reason":"{reason}"}}"#);
    Setup::new([json(200, "", &format!(r#"{{"choices":[{choice}],"usage":{{}}}}"#))])
}

/// The situation in which a defect shows, and the check that it shows.
fn case(defect: Defect) -> (Setup, fn(&Seen) -> bool) {
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
        | ThirdMessageLost | ThirdLimitAs500 | ThirdRetryAfterLost | ThirdCutFinished | RetryAfterStale
        | ErrorStale | AnswerStale | ResetPoisonsRoute | SlotsLeaked | KeyUnchecked | RefusalAs500
        | RefusalInOpenaiForm | OneAtATime | FailureClosed | CutBodyAsSuccess | FirstErrorsCoolDown
        | SequenceRestarted | FailedAndCompleted | FailedEventDropped => {
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

fn has(seen: &Seen, header: &str) -> bool {
    seen.got.header(header).is_some()
}

/// Defects that do not show in one response to a chat.
const TESTED_ELSEWHERE: &[Defect] = &[
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_defect_shows_and_the_honest_proxy_never_does_the_same() {
    let mut runs = tokio::task::JoinSet::new();
    for defect in Defect::ALL.iter().copied().filter(|defect| !TESTED_ELSEWHERE.contains(defect)) {
        if sessions::shows_in_a_session(defect) {
            continue;
        }
        for with in [None, Some(defect)] {
            runs.spawn(async move {
                let (setup, shows) = case(defect);
                let (got, stage) = setup.run(with).await;
                let seen = Seen { got, stage };
                assert_eq!(shows(&seen), with.is_some(), "{defect}, run with {with:?}: {:#?}", seen.got);
            });
        }
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
}

#[tokio::test]
async fn defects_leave_success_alone() {
    let known = [Defect::ChunkDoubled, Defect::TerminatorDropped, Defect::PingEventSent];
    let is_known = |defect: &Defect| known.contains(defect) || defect.stops_the_process();
    for defect in Defect::ALL.iter().copied().filter(|defect| !is_known(defect)) {
        let (got, _stage) = Setup::new([ok()]).run(Some(defect)).await;
        assert_eq!(got.status, 200, "{defect}");
        let (got, _stage) = good_stream().run(Some(defect)).await;
        assert_eq!(got.text, [ONE, TWO, STOP, DONE].concat(), "{defect}");
    }
}

#[tokio::test]
async fn defects_of_streams_do_not_affect_plain_calls() {
    use Defect::*;
    for defect in [StreamGatewayErrorAs500, StreamErrorReworded, StreamHeadersDropped, StreamNotRetried] {
        let setup = |with| async move {
            let scripts = [error(502, "retry-after: 0\r\n", "c"), error(504, "retry-after: 9\r\n", "d")];
            let (got, stage) = Setup { retries: 1, ..Setup::new(scripts) }.run(with).await;
            (
                got.status,
                got.text.clone(),
                got.header("retry-after").map(str::to_owned),
                stage.main.attempts(),
            )
        };
        assert_eq!(setup(Some(defect)).await, setup(None).await, "{defect}");
    }
}

#[tokio::test]
async fn defects_of_other_endpoints_do_not_affect_chat() {
    let (kept, own) = ("canary c", "Internal error");
    for (defect, path, status, message) in [
        (Defect::SideGatewayErrorAs500, "/v1/embeddings", 500, kept),
        (Defect::SideGatewayErrorAs500, "/v1/chat/completions", 502, kept),
        (Defect::SideMessageLost, "/v1/embeddings", 502, own),
        (Defect::SideMessageLost, "/v1/chat/completions", 502, kept),
    ] {
        let stage = failing(502).start(Some(defect)).await;
        let got = stage.post(path, r#"{"model":"main","input":"x","messages":[]}"#).await;
        assert_eq!((got.status, got.error()["message"].as_str()), (status, Some(message)), "{defect} {path}");
    }
}

#[tokio::test]
async fn cooldown_ignored_keeps_calling_a_failing_upstream() {
    let cooldown = Some(Cooldown { after: 1, lasting: Duration::from_secs(30) });
    for (defect, attempts) in [(None, 1), (Some(Defect::CooldownIgnored), 3)] {
        let stage = Setup { cooldown, ..failing(429) }.start(defect).await;
        for _ in 0..3 {
            stage.send().await;
        }
        assert_eq!(stage.main.attempts(), attempts);
    }
}

#[tokio::test]
async fn client_errors_cool_down_makes_the_next_call_fail() {
    let cooldown = Some(Cooldown { after: 1, lasting: Duration::from_secs(30) });
    for (defect, status) in [(None, 200), (Some(Defect::ClientErrorsCoolDown), 503)] {
        let stage = Setup { cooldown, ..Setup::new([error(400, "", "c"), ok()]) }.start(defect).await;
        assert_eq!(stage.send().await.status, 400);
        assert_eq!(stage.send().await.status, status);
    }
}

#[tokio::test]
async fn a_poisoned_route_fails_once_more_after_a_failure() {
    for (defect, status) in [(None, 200), (Some(Defect::RoutePoisoned), 500)] {
        let stage = Setup::new([error(503, "", "c"), ok()]).start(defect).await;
        assert_eq!(stage.send().await.status, 503);
        assert_eq!(stage.send().await.status, status);
        assert_eq!(stage.send().await.status, 200);
    }
}

#[tokio::test]
async fn openai_envelope_sends_openais_form_to_callers_of_another_dialect() {
    let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"canary"},"request_id":"r"}"#;
    let openais = r#"{"error":{"message":"canary","type":"overloaded_error","param":null,"code":null}}"#;
    for (defect, expected) in [(None, body), (Some(Defect::OpenaiEnvelope), openais)] {
        let setup = Setup { provider: Provider::Anthropic, ..Setup::new([json(529, "", body)]) };
        let got = setup.start(defect).await.post("/v1/messages", r#"{"model":"main"}"#).await;
        assert_eq!((got.status, got.text.as_str()), (529, expected));
    }
}

#[tokio::test]
async fn defects_of_responses_streams_change_only_their_last_events() {
    let event = |kind: &str, number: u32, rest: &str| {
        format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{number}{rest}}}\n\n")
    };
    let begun = event("response.created", 0, ",\"response\":{\"id\":\"r\"}");
    let error = event("error", 1, ",\"error\":{\"message\":\"canary\",\"code\":\"c\"}");
    let failed = |number| {
        let response = r#"{"id":"r","status":"failed","error":{"code":"c","message":"canary"}}"#;
        event("response.failed", number, &format!(",\"response\":{response}"))
    };
    let restarted = [begun.clone(), error.replace("\":1,", "\":0,"), failed(0)].concat();
    let honest = [begun.clone(), error.clone(), failed(2)].concat();
    for (defect, expected) in [
        (None, &honest),
        (Some(Defect::SequenceRestarted), &restarted),
        (Some(Defect::FailedEventDropped), &[begun.clone(), error.clone()].concat()),
    ] {
        let setup = Setup::streamed([events(&[&begun, &error], Last::End)]);
        let got = setup.start(defect).await.post("/v1/responses", r#"{"model":"main","stream":true}"#).await;
        assert_eq!(&got.text, expected, "{defect:?}");
    }
    let setup = Setup::streamed([events(&[&begun, &error], Last::End)]);
    let stage = setup.start(Some(Defect::FailedAndCompleted)).await;
    let got = stage.post("/v1/responses", r#"{"model":"main","stream":true}"#).await;
    let completed = got.text.strip_prefix(&honest).unwrap_or_default();
    assert!(completed.starts_with("event: response.completed\n"), "{}", got.text);
}

#[tokio::test]
async fn an_unanswered_failure_leaves_the_caller_waiting() {
    for (defect, answered) in [(None, true), (Some(Defect::FailureUnanswered), false)] {
        let stage = failing(503).start(defect).await;
        let caller = tokio::spawn(take(stage.request()));
        eventually(|| stage.main.attempts() == 1).await;
        // The honest proxy answers within a few milliseconds.
        let answer = tokio::time::timeout(Duration::from_millis(if answered { 5000 } else { 300 }), caller);
        assert_eq!(answer.await.is_ok(), answered);
    }
}

#[tokio::test]
async fn only_defects_retry_for_a_caller_that_has_left() {
    for defect in [None, Some(Defect::CallerGoneIgnored), Some(Defect::RetriesAfterLeave)] {
        let first = match defect {
            Some(Defect::CallerGoneIgnored) => [vec![ScriptStep::Wait(200)], error(503, "", "c")].concat(),
            _ => vec![ScriptStep::Hang],
        };
        let stage = Setup { retries: 1, ..Setup::new([first, ok()]) }.start(defect).await;
        let caller = tokio::spawn(take(stage.request()));
        eventually(|| stage.main.attempts() == 1).await;
        caller.abort();
        match defect {
            None => eventually(|| stage.main.left() == 1).await,
            Some(_) => eventually(|| stage.main.attempts() == 2).await,
        }
        assert_eq!(stage.main.attempts(), if defect.is_some() { 2 } else { 1 });
    }
}

#[tokio::test]
async fn an_invalid_request_is_rejected_in_its_own_dialect() {
    let message = r#"{"type":"message","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn"}"#;
    for defect in
        [None, Some(Defect::KeyUnchecked), Some(Defect::RefusalAs500), Some(Defect::RefusalInOpenaiForm)]
    {
        let stage = Setup { provider: Provider::Anthropic, ..Setup::new([json(200, "", message)]) }
            .start(defect)
            .await;
        let url = format!("{}/v1/messages", stage.proxy.root());
        let send = |key: &'static str, body: &'static str| {
            take(reqwest_client().post(&url).bearer_auth(key).body(body))
        };
        let wrong = send("sk-wrong", r#"{"model":"main"}"#).await;
        let status = match defect {
            Some(Defect::KeyUnchecked) => 200,
            Some(Defect::RefusalAs500) => 500,
            _ => 401,
        };
        assert_eq!((wrong.status, stage.main.attempts()), (status, usize::from(status == 200)), "{defect:?}");
        let broken = stage.post("/v1/messages", r#"{"model":"ma"#).await;
        assert_eq!(broken.status, if defect == Some(Defect::RefusalAs500) { 500 } else { 400 }, "{defect:?}");
        let anthropics = broken.text.starts_with(r#"{"type":"error""#);
        assert_eq!(anthropics, defect != Some(Defect::RefusalInOpenaiForm), "{defect:?}: {}", broken.text);
    }
}
