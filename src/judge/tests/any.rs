//! Property tests: the judge accepts any observation, and its results are reproducible.

use std::time::Duration;

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{
    dialects,
    seen::{DONE, ERROR, GOOD, OK, ONE, STOP, plain, say},
};
use crate::{
    judge::{self, Policy},
    observation::{
        Attempt, AttemptEnd, CallerLeft, Exchange, ExchangeOutcome, Identity, Observation, ProxyHarm,
        ReceivedClose, ReceivedFrame, Response, ResponseBody, ResponseEnd, SentReply, StepName,
    },
    scenario::{
        Api, Attempts, Combination, ConnectionFault, Cooldown, EndingExpect, ErrorExpect, ErrorName, Expect,
        Fault, FinishExpect, Leave, LeaveBy, LeavePoint, Level, Provider, ProxySettings, RequestMistake,
        StatusPattern, StatusSet, TlsFault, Turn, TurnReply as Reply,
    },
    wire::sse,
};

/// Times, including extreme ones but not NaN. All of them survive JSON unchanged.
fn time() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (0..20_000i32).prop_map(|n| f64::from(n) / 4.0),
        1 => any::<i32>().prop_map(f64::from),
        1 => select(vec![0.0, -0.5, 1e15, -1e15, 5e-324, f64::MAX, f64::MIN]),
    ]
}

fn name() -> impl Strategy<Value = String> {
    select(vec!["primary", "backup", "other"]).prop_map(str::to_owned)
}

fn filled(text: &str) -> String {
    let canaries = Identity { token: "tok".to_owned() }.canaries("primary", 1);
    text.replace("MSG", &canaries.message).replace("TXT", &canaries.content)
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        ".{0,12}".prop_map(|text| serde_json::Value::from(text).to_string()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let key = select(vec![
            "error",
            "message",
            "type",
            "code",
            "param",
            "choices",
            "delta",
            "content",
            "candidates",
            "parts",
            "text",
            "output",
            "data",
            "embedding",
            "embeddings",
            "results",
            "done",
            "bytes",
            "detail",
            "status",
            "response",
        ]);
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(","))),
            vec((key, inner), 0..3).prop_map(|members| {
                let members: Vec<String> = members.into_iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// Contents of a body or an event: valid, broken or unexpected.
fn text() -> impl Strategy<Value = String> {
    let known = select(vec![OK, ERROR, ONE, STOP, DONE, "", "<html>no</html>", "b'MSG'", "sk-proxy"]);
    let other = select(dialects::SAMPLES.to_vec());
    prop_oneof![
        4 => known.prop_map(filled),
        4 => other.prop_map(filled),
        1 => (select(vec![OK, ERROR, ONE]), 0..60usize).prop_map(|(text, n)| filled(text).chars().take(n).collect()),
        2 => json(),
        1 => ".{0,30}",
    ]
}

fn event_name() -> impl Strategy<Value = Option<&'static str>> {
    let names =
        ["error", "message_stop", "content_block_delta", "messageStop", "exception:throttlingException"];
    option::of(select(names.to_vec()))
}

fn stream() -> impl Strategy<Value = String> {
    let events =
        prop_oneof![Just(GOOD.iter().map(|data| filled(data)).collect::<Vec<_>>()), vec(text(), 0..5),];
    (events, event_name(), any::<bool>()).prop_map(|(events, name, cut)| {
        let mut text: String = events.iter().map(|data| sse::encode(name, data)).collect();
        if cut {
            let half = text.chars().count() / 2;
            text = text.chars().take(half).collect();
        }
        text
    })
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
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
    let code = option::of(".{0,3}").prop_map(|code| ErrorExpect { code, ..ErrorExpect::default() });
    (option::of(ending), option::of(attempts), option::of(code), any::<bool>()).prop_map(
        |(ending, attempts, error, more)| Expect {
            status: more.then(|| StatusSet(vec![StatusPattern::Class(4), StatusPattern::Exactly(503)])),
            headers: more.then(|| ("Retry-After".to_owned(), None)).into_iter().collect(),
            within: more.then_some(Duration::from_millis(100)),
            finish: more.then_some(FinishExpect::Filter),
            ending,
            attempts,
            error,
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_observation_gets_the_same_findings_twice(seen in observation()) {
        for policy in Policy::all() {
            let findings = judge::judge(&seen, &[], &policy);
            prop_assert_eq!(&findings, &judge::judge(&seen, &[], &policy));
            let applicable = judge::applicable(&seen, &[], &policy);
            for finding in &findings {
                prop_assert!(applicable.contains(&finding.rule.as_str()), "{} was broken but is not applicable", finding.rule);
                prop_assert!(!finding.evidence.is_empty());
            }
        }
    }

    #[test]
    fn any_two_observations_get_the_same_comparison_twice(
        (seen, other) in (observation(), observation()),
        turn in option::of(any::<bool>()),
    ) {
        // Two independent random observations are hardly ever siblings.
        let mut sibling = other.clone();
        sibling.arrangement = seen.arrangement.clone();
        sibling.arrangement.identity.token = "other".to_owned();
        match turn {
            Some(_) => sibling.arrangement.combination.stream = false,
            None => sibling.arrangement.combination.api = other.arrangement.combination.api,
        }
        for policy in Policy::all() {
            let findings = judge::judge(&seen, &[&sibling, &other], &policy);
            prop_assert_eq!(&findings, &judge::judge(&seen, &[&sibling, &other], &policy));
            let of_pair: Vec<_> = findings.iter().filter(|finding| judge::kin_of(&finding.rule).is_some()).collect();
            let applicable = judge::applicable(&seen, &[&sibling], &policy);
            prop_assert!(of_pair.iter().all(|finding| applicable.contains(&finding.rule.as_str())));
        }
    }

    /// Every difference from the findings of the default policy names the policy answers that cause it.
    #[test]
    fn every_effect_of_a_policy_names_its_answers(seen in observation(), policy in policy()) {
        let judged = judge::judge_by(&seen, &[], &policy);
        prop_assert_eq!(&judged.by_default, &judge::judge(&seen, &[], &Policy::default()));
        for effect in &judged.eased {
            prop_assert!(!effect.answers.is_empty(), "{:?}", effect);
        }
        for finding in &judged.findings {
            let usual = judged.by_default.iter().find(|usual| usual.rule == finding.rule);
            let is_own = usual.is_none_or(|usual| finding.level < usual.level);
            prop_assert_eq!(is_own, !finding.policy.is_empty(), "{:?}", finding);
        }
        for usual in &judged.by_default {
            let now = judged.findings.iter().find(|finding| finding.rule == usual.rule);
            let is_less = now.is_none_or(|now| now.level > usual.level);
            prop_assert_eq!(is_less, judged.eased.iter().any(|effect| effect.rule == usual.rule));
        }
    }

    /// Comparing a case with a sibling that observed the same makes no findings.
    #[test]
    fn siblings_with_equal_observations_have_no_findings(mut seen in observation()) {
        let mut other = seen.clone();
        seen.arrangement.combination.stream = true;
        other.arrangement.combination.stream = false;
        let findings = judge::judge(&seen, &[&other], &Policy::default());
        prop_assert!(findings.iter().all(|finding| judge::kin_of(&finding.rule).is_none()), "{findings:?}");
    }

    #[test]
    fn a_stored_observation_gets_the_same_findings(seen in observation()) {
        let stored = serde_json::to_string(&seen).unwrap();
        let read: Observation = serde_json::from_str(&stored).unwrap();
        let policy = Policy::default();
        prop_assert_eq!(judge::judge(&read, &[], &policy), judge::judge(&seen, &[], &policy));
    }

    #[test]
    fn the_origin_of_any_error_has_evidence_and_is_reproducible(seen in observation()) {
        let origins = judge::origins(&seen);
        prop_assert_eq!(&origins, &judge::origins(&seen));
        for origin in &origins {
            prop_assert!(!origin.evidence.is_empty(), "{:?}", origin);
        }
        let stored = serde_json::to_string(&origins).unwrap();
        prop_assert_eq!(serde_json::from_str::<Vec<judge::ErrorOrigin>>(&stored).unwrap(), origins);
    }

    /// A proxy that changes nothing keeps every detail.
    #[test]
    fn a_response_equal_to_the_upstreams_keeps_every_detail(
        status in 400..600u16,
        (kind, code, param) in (json(), json(), json()),
        headers in headers(),
    ) {
        let body = format!("{{\"error\":{{\"message\":\"no MSG\",\"type\":{kind},\"code\":{code},\"param\":{param}}}}}");
        let mut said = say(status, &body);
        let poison = ["set-cookie", "connection", "te", "upgrade"];
        let others = headers.iter().filter(|(name, _)| name != "content-type" && !poison.contains(&name.as_str()));
        for (name, value) in others {
            said = said.with(name, value);
        }
        let seen = plain().tried(said.clone()).received(said);
        let origins = judge::origins(&seen.observation);
        prop_assert_eq!(origins.len(), 1);
        prop_assert_eq!(&origins[0].maker, &judge::ErrorSource::Upstream { deployment: "primary".to_owned(), n: 1 });
        for traced in &origins[0].details {
            prop_assert_eq!(&traced.fate, &judge::DetailFate::Kept, "{:?}", traced);
        }
    }

    #[test]
    fn the_sdk_view_covers_any_exchange_and_only_a_return_is_silent(seen in observation()) {
        let view = judge::sdk_view(&seen);
        let sdks = judge::Sdk::speaking(seen.arrangement.combination.api).count();
        let exchanges_with_caller = seen.exchanges.iter().filter(|exchange| exchange.abandoned().is_none()).count();
        prop_assert_eq!(view.len(), if sdks == 0 { 0 } else { exchanges_with_caller });
        for sdk in view.iter().flat_map(|step| &step.sdks) {
            prop_assert!(!sdk.silent || sdk.outcome == judge::SdkOutcome::Returns);
        }
        prop_assert!(view.iter().all(|step| step.sdks.len() == sdks));
    }

    #[test]
    fn the_order_of_headers_does_not_matter(seen in observation()) {
        let mut turned = seen.clone();
        turned.attempts.iter_mut().for_each(|attempt| attempt.sent.headers.reverse());
        for exchange in &mut turned.exchanges {
            if let ExchangeOutcome::Answer(answer) = &mut exchange.outcome {
                answer.headers.reverse();
            }
        }
        // Several headers may break one rule. Their order decides which of them the finding shows.
        let broken = |seen: &Observation| -> Vec<_> {
            let findings = judge::judge(seen, &[], &Policy::default());
            findings.into_iter().map(|finding| (finding.rule, finding.level)).collect()
        };
        prop_assert_eq!(broken(&turned), broken(&seen));
    }
}
