//! Random observations and policies for property tests.

use std::time::Duration;

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::arbitrary_text::{stream, text};
use super::seen::plain;
use crate::{
    judge::Policy,
    observation::{
        Attempt, AttemptEnd, CallerLeft, Exchange, ExchangeOutcome, Identity, Observation, ProxyHarm,
        ReceivedClose, ReceivedFrame, Response, ResponseBody, ResponseEnd, SentReply, StepName,
    },
    scenario::{
        Api, Attempts, BodyExpect, Combination, ConnectionFault, Cooldown, EndingExpect, ErrorExpect,
        ErrorName, Expect, Fault, FinishExpect, HeaderExpect, Leave, LeaveBy, LeavePoint, Level, Provider,
        ProxySettings, RequestExpect, RequestMistake, StatusPattern, StatusSet, TextList, TlsFault, Turn,
        TurnReply as Reply,
    },
    wire::sse,
};

/// Times, including extreme ones but not NaN. All of them, and the difference of any two, survive JSON unchanged.
fn time() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (0..20_000i32).prop_map(|n| f64::from(n) / 4.0),
        1 => any::<i32>().prop_map(f64::from),
        1 => select(vec![0.0, -0.5, 1e15, -1e15, 5e-324, 1e300, -1e300]),
    ]
}

fn name() -> impl Strategy<Value = String> {
    select(vec!["primary", "backup", "other"]).prop_map(str::to_owned)
}

pub(super) fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let names = [
        "content-type",
        "retry-after",
        "retry-after-ms",
        "x-ratelimit-limit-requests",
        "x-request-id",
        "set-cookie",
        "connection",
        "te",
        "upgrade",
        "x-other",
        "llm-retry-after",
    ];
    let value = prop_oneof![
        select(vec![
            "application/json",
            "text/event-stream",
            "application/x-ndjson",
            "application/vnd.amazon.eventstream",
            "audio/mpeg",
            "websocket",
            "0",
            "7",
            "-1",
            "Thu, 31 Dec 2037 23:59:59 GMT",
            "1e999",
            "NaN",
            "te, x-other",
            ""
        ])
        .prop_map(str::to_owned),
        ".{0,8}",
    ];
    (Just(names.map(str::to_owned).to_vec()).prop_shuffle(), vec(value, 0..8))
        .prop_map(|(names, values)| names.into_iter().zip(values).collect())
}

fn status() -> impl Strategy<Value = u16> {
    prop_oneof![
        4 => select(vec![101u16, 101, 200, 204, 302, 400, 401, 404, 413, 422, 429, 500, 502, 503, 504, 529]),
        1 => any::<u16>(),
    ]
}

fn ending() -> impl Strategy<Value = ResponseEnd> {
    select(vec![
        ResponseEnd::Complete,
        ResponseEnd::Complete,
        ResponseEnd::Reset,
        ResponseEnd::Closed,
        ResponseEnd::Refused,
        ResponseEnd::Deadline,
        ResponseEnd::Left,
        ResponseEnd::Broken("?".to_owned()),
    ])
}

fn body() -> impl Strategy<Value = ResponseBody> {
    let damage = option::weighted(0.1, Just("a wrong checksum".to_owned()));
    (prop_oneof![text(), stream()], any::<bool>(), option::of(0..9u64), time(), damage).prop_map(
        |(text, utf8, bytes, at_ms, damage)| {
            let frame = |event: sse::SseEvent| ReceivedFrame { at_ms, event: event.event, data: event.data };
            let frames = sse::decode(text.as_bytes()).into_iter().map(frame).collect();
            ResponseBody {
                bytes: bytes.unwrap_or(text.len() as u64),
                text,
                utf8,
                frames,
                damage,
                coded: None,
            }
        },
    )
}

fn closed() -> impl Strategy<Value = Option<ReceivedClose>> {
    let code = option::of(select(vec![1000u16, 1001, 1008, 1011, 4001, 0, u16::MAX]));
    let frame = (code, text(), any::<bool>());
    option::weighted(0.3, frame.prop_map(|(code, reason, answered)| ReceivedClose { code, reason, answered }))
}

pub(super) fn exchange() -> impl Strategy<Value = Exchange> {
    let answer = (status(), headers(), time(), body(), ending(), closed()).prop_map(
        |(status, headers, head_ms, body, ending, closed)| {
            ExchangeOutcome::Answer(Response { status, headers, head_ms, body, ending, closed })
        },
    );
    let outcome = prop_oneof![
        5 => answer,
        1 => ending().prop_map(|ending| ExchangeOutcome::NoAnswer { ending }),
    ];
    let step = prop_oneof![any::<u32>().prop_map(StepName::Step), Just(StepName::Recovery)];
    let mistakes = vec![RequestMistake::WrongKey, RequestMistake::UnknownModel, RequestMistake::BrokenJson];
    let asked = (left(), option::weighted(0.1, select(mistakes)), option::of(name()), any::<bool>());
    (step, time(), outcome, time(), asked).prop_map(
        |(step, sent_ms, outcome, end_ms, (left, mistake, to, together))| Exchange {
            step,
            sent_ms,
            method: "POST".to_owned(),
            url: "http://127.0.0.1:1/".to_owned(),
            request_headers: Vec::new(),
            request_body: String::new(),
            outcome,
            end_ms,
            left,
            to,
            together,
            mistake,
        },
    )
}

fn left() -> impl Strategy<Value = Option<CallerLeft>> {
    let at = select(vec![LeavePoint::BeforeHeaders, LeavePoint::AfterHeaders, LeavePoint::AfterEvents(2)]);
    let how = (at, select(vec![LeaveBy::Close, LeaveBy::HalfClose])).prop_map(|(at, by)| Leave { at, by });
    option::weighted(0.3, (time(), how).prop_map(|(at_ms, how)| CallerLeft { at_ms, how }))
}

fn fault() -> impl Strategy<Value = Option<Fault>> {
    option::of(select(vec![
        Fault::Refuse,
        Fault::Connection(ConnectionFault::NeverAccepted),
        Fault::Connection(ConnectionFault::UnresolvableName),
        Fault::Tls(TlsFault::SelfSigned),
        Fault::Redirect(307),
    ]))
}

fn turn() -> impl Strategy<Value = Turn> {
    let answer = select(vec![ErrorName::Overloaded, ErrorName::RateLimit]).prop_map(Reply::Error);
    (answer, fault()).prop_map(|(answer, fault)| Turn {
        answer,
        headers: indexmap::IndexMap::new(),
        faults: fault.into_iter().collect(),
    })
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let broken = (option::weighted(0.2, 0..99u64), any::<bool>());
    let body = (prop_oneof![text(), stream()], broken);
    let sent = (option::weighted(0.8, status()), headers(), body, option::of(0..9u64), closed());
    let end = select(vec![
        AttemptEnd::Open,
        AttemptEnd::Finished,
        AttemptEnd::Finished,
        AttemptEnd::Reset,
        AttemptEnd::Closed,
        AttemptEnd::ClientLeft,
        AttemptEnd::StreamReset,
        AttemptEnd::GoneAway,
        AttemptEnd::HandshakeFailed,
    ]);
    let asked = (name(), option::of(select(Api::ALL.to_vec())), any::<bool>(), select(vec!["", "POST"]));
    (asked, any::<u32>(), time(), sent, end, option::of(time()), option::of(turn())).prop_map(
        |(
            (deployment, api, base64, method),
            n,
            at_ms,
            (status, headers, (body, (broken_after, doubtful)), bytes, closed),
            end,
            end_ms,
            turn,
        )| Attempt {
            canaries: Identity { token: "tok".to_owned() }.canaries(&deployment, n % 3),
            deployment,
            n,
            at_ms,
            method: method.to_owned(),
            path: "/v1/chat/completions".to_owned(),
            api,
            headers: Vec::new(),
            body: String::new(),
            turn,
            sent: SentReply {
                base64,
                status,
                headers,
                bytes: bytes.unwrap_or(body.len() as u64),
                body,
                coded: None,
                frames: 1,
                broken_after,
                doubtful,
                closed,
                pauses: Vec::new(),
                ends_at_once: None,
                timer_error_ms: 0.0,
            },
            end,
            end_ms,
        },
    )
}

fn expect() -> impl Strategy<Value = Expect> {
    let ending = select(vec![
        EndingExpect::Success,
        EndingExpect::Failure,
        EndingExpect::ErrorEvent,
        EndingExpect::Cut,
    ]);
    let attempts = prop_oneof![
        any::<u32>().prop_map(Attempts::Total),
        vec((name(), any::<u32>()), 1..3).prop_map(|each| Attempts::Each(each.into_iter().collect())),
    ];
    let body = |text: Option<String>| BodyExpect {
        contains: TextList(text.iter().cloned().collect()),
        not_contains: TextList(vec!["{{canary.message}}".to_owned()]),
        json: [("/error/code".to_owned(), serde_json::json!(text))].into_iter().collect(),
    };
    (option::of(ending), option::of(attempts), option::of(".{0,3}"), any::<bool>()).prop_map(
        move |(ending, attempts, code, more)| Expect {
            error: code.clone().map(|code| ErrorExpect { code: Some(code), ..ErrorExpect::default() }),
            status: more.then(|| StatusSet(vec![StatusPattern::Class(4), StatusPattern::Exactly(503)])),
            headers: more.then(|| ("Retry-After".to_owned(), HeaderExpect::Absent)).into_iter().collect(),
            content_type: more.then(|| "application/json".to_owned()),
            body: more.then(|| body(code.clone())),
            requests: more
                .then(|| RequestExpect { body: Some(body(code)), ..RequestExpect::default() })
                .into_iter()
                .collect(),
            first_byte_within: more.then_some(Duration::from_millis(50)),
            within: more.then_some(Duration::from_millis(100)),
            finish: more.then_some(FinishExpect::Filter),
            ending,
            attempts,
        },
    )
}

fn settings() -> impl Strategy<Value = ProxySettings> {
    let cooldown = (any::<u32>().prop_map(|n| n % 4), 0..9000u64)
        .prop_map(|(after, ms)| Cooldown { after, lasting: Duration::from_millis(ms) });
    (0..9000u64, prop_oneof![4 => 0..3u32, 1 => Just(u32::MAX)], vec(name(), 0..4), option::of(cooldown))
        .prop_map(|(ms, retries, fallback, cooldown)| ProxySettings {
            timeout: Duration::from_millis(ms),
            retries,
            fallback,
            cooldown,
            ..ProxySettings::default()
        })
}

fn harm() -> impl Strategy<Value = Option<ProxyHarm>> {
    prop_oneof![
        8 => Just(None),
        1 => name().prop_map(|how| Some(ProxyHarm::Exited { log: vec![how.clone()], how })),
        1 => (0.0..20000.0).prop_map(|silent_ms| Some(ProxyHarm::Froze { silent_ms, log: Vec::new() })),
        1 => (0.0..9000.0, 0.0..9000.0)
            .prop_map(|(sent_ms, answered_ms)| Some(ProxyHarm::HeldUpOthers { sent_ms, answered_ms })),
    ]
}

/// A bundled policy, possibly changed by a user's file.
pub(crate) fn policy() -> impl Strategy<Value = Policy> {
    let answers = vec![
        "timeout: 504",
        "timeout: [408, 504]",
        "credentials: 5xx",
        "credentials_apart: informative",
        "overloaded: 503",
        "rate_limit: 503",
        "unreachable: [500, 504]",
        "retry_after: lifted",
        "retry_after: informative",
        "after_error: done",
        "after_error: nothing",
        "clean_end: either",
        "clean_end: failure",
        "hold_back: recommended",
        "chain_error: last",
        "chain_error: first",
        "fallback_on: 4xx",
        "no_fallback_on: [404, 4xx]",
        "error_code: required",
        "error_type: lifted",
        "request_message: lifted",
        "server_message: required",
        "stream_message: informative",
        "quota: 429",
        "client_gone: required",
        "levels: {status.class-kept: lifted, headers.request-id: required, expect.status: informative}",
        "levels: {status.timeout: recommended, leak.provider-key: lifted, detail.message-kept: lifted}",
    ];
    let key = |answer: &&str| answer.split(':').next().map(str::to_owned);
    (select(Policy::all()), vec(select(answers), 0..6)).prop_map(move |(base, mut lines)| {
        lines.sort_unstable();
        lines.dedup_by_key(|line| key(&*line));
        if lines.is_empty() {
            return base;
        }
        let text = format!("extends: {}\n{}\n", base.name, lines.join("\n"));
        Policy::from_text("p.yaml", &text).expect("the answers are valid")
    })
}

pub(crate) fn observation() -> impl Strategy<Value = Observation> {
    let combination = (select(Api::ALL.to_vec()), select(Provider::ALL.to_vec()), any::<bool>())
        .prop_map(|(api, provider, stream)| Combination { api, provider, stream });
    let arranged = (combination, select(Level::ALL.to_vec()), settings(), expect(), vec(turn(), 0..2));
    (arranged, 0..3usize, vec(exchange(), 0..4), vec(attempt(), 0..5), harm()).prop_map(
        |((combination, level, proxy, expect, turns), deployments, exchanges, attempts, harm)| {
            let mut arrangement = plain().chained().observation.arrangement;
            arrangement.combination = combination;
            arrangement.level = level;
            arrangement.proxy = proxy;
            arrangement.expect = expect;
            arrangement.deployments.truncate(deployments);
            arrangement.deployments.iter_mut().for_each(|deployment| deployment.turns = turns.clone());
            let began = (deployments > 0).then_some(jiff::Timestamp::UNIX_EPOCH);
            Observation { began, arrangement, exchanges, attempts, harm }
        },
    )
}
