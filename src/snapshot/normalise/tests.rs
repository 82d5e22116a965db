//! Tests of the text of a case: what it contains and what it omits.

mod streams;

use indexmap::IndexMap;

use super::{super::normaliser::shorten, *};
use crate::{
    observation::{
        Arrangement, Attempt, AttemptEnd, CallerLeft, Canaries, DeploymentArranged, Identity, SentReply,
    },
    scenario::{Api, Combination, Cooldown, Expect, Leave, Level, Provider, ProxySettings},
};

/// A 429 that reached the caller with its details, except for Retry-After.
pub(crate) fn sample() -> Observation {
    let identity = Identity { token: "k3x9w2m4p7q1".to_owned() };
    let canaries = identity.canaries("primary", 1);
    let address = "127.0.0.1:40411";
    let upstream_body = format!(
        r#"{{"error":{{"message":"Rate limit reached {}","type":"requests","param":null,"code":"rate_limit_exceeded"}}}}"#,
        canaries.message
    );
    Observation {
        began: None,
        arrangement: Arrangement {
            combination: Combination { api: Api::OpenaiChat, provider: Provider::Openai, stream: false },
            level: Level::Required,
            proxy: ProxySettings::default(),
            deployments: vec![DeploymentArranged {
                provider: None,
                name: "primary".to_owned(),
                model: identity.model("primary"),
                key: identity.key("primary"),
                turns: Vec::new(),
            }],
            expect: Expect::default(),
            except: IndexMap::new(),
            compared_with: Vec::new(),
            other_looks: Vec::new(),
            proxy_secrets: vec!["sk-proxy-51c0ffee".to_owned()],
            upstream_addresses: vec![address.to_owned()],
            own_retries: None,
            foreign_addresses: Vec::new(),
            caches: false,
            volatile: Vec::new(),
            identity: identity.clone(),
        },
        exchanges: vec![Exchange {
            step: StepName::Step(1),
            sent_ms: 0.5,
            method: "POST".to_owned(),
            url: "http://127.0.0.1:50222/v1/chat/completions".to_owned(),
            request_headers: pairs(&[
                ("authorization", "Bearer sk-proxy-51c0ffee"),
                ("content-type", "application/json"),
            ]),
            request_body: format!(
                r#"{{"model":"{}","messages":[{{"role":"user","content":"it's a test"}}]}}"#,
                identity.model("primary")
            ),
            outcome: ExchangeOutcome::Answer(Response {
                status: 429,
                headers: pairs(&[
                    ("date", "Sun, 22 Nov 2026 10:00:00 GMT"),
                    ("content-type", "application/json"),
                    ("x-request-id", &canaries.request_id),
                    ("x-litellm-call-id", "7f9c24e8-3b12-4fef-91a8-0c2f1f8b7a11"),
                ]),
                head_ms: 11.0,
                body: body(&format!(
                    r#"{{"error":{{"message":"RateLimitError: Rate limit reached {}. Received Model Group={}, took 0.012s","type":"throttling_error","param":null,"code":"429"}}}}"#,
                    canaries.message,
                    identity.model("primary")
                )),
                ending: ResponseEnd::Complete,
                closed: None,
            }),
            end_ms: 12.5,
            left: None,
            to: None,
            together: false,
            mistake: None,
        }],
        attempts: vec![attempt(
            &canaries,
            429,
            &[("content-type", "application/json"), ("retry-after", "7")],
            &upstream_body,
        )],
        harm: None,
    }
}

fn attempt(canaries: &Canaries, status: u16, headers: &[(&str, &str)], body: &str) -> Attempt {
    Attempt {
        deployment: "primary".to_owned(),
        n: 1,
        at_ms: 4.0,
        method: "POST".to_owned(),
        path: "/v1/chat/completions".to_owned(),
        api: Some(Api::OpenaiChat),
        headers: pairs(&[("authorization", "Bearer sk-canary-k3x9w2m4p7q1-primary")]),
        body: r#"{"model":"gpt-4o-mini"}"#.to_owned(),
        turn: None,
        canaries: canaries.clone(),
        sent: SentReply {
            base64: false,
            status: Some(status),
            headers: pairs(headers),
            body: body.to_owned(),
            bytes: body.len() as u64,
            frames: 1,
            timer_error_ms: 0.25,
            ..SentReply::default()
        },
        end: AttemptEnd::Finished,
        end_ms: Some(6.0),
    }
}

pub(crate) fn pairs(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn body(text: &str) -> ResponseBody {
    ResponseBody { text: text.to_owned(), bytes: text.len() as u64, utf8: true, ..ResponseBody::default() }
}

/// The response of the first exchange.
pub(crate) fn answer_mut(observation: &mut Observation) -> &mut Response {
    match &mut observation.exchanges[0].outcome {
        ExchangeOutcome::Answer(answer) => answer,
        ExchangeOutcome::NoAnswer { .. } => panic!("the sample has an answer"),
    }
}

/// Replaces the response by a stream of these events (name and data).
pub(crate) fn make_stream(observation: &mut Observation, events: &[(Option<&str>, &str)]) {
    let answer = answer_mut(observation);
    answer.status = 200;
    answer.headers = pairs(&[("content-type", "text/event-stream")]);
    answer.body = ResponseBody { utf8: true, ..ResponseBody::default() };
    for (n, (event, data)) in events.iter().enumerate() {
        answer.body.frames.push(ReceivedFrame {
            at_ms: 5.0 + n as f64,
            event: event.map(str::to_owned),
            data: (*data).to_owned(),
        });
        answer.body.text.push_str(&format!("data: {data}\n\n"));
    }
    answer.body.bytes = answer.body.text.len() as u64;
}

#[test]
fn the_text_shows_what_became_of_each_upstream_detail() {
    insta::assert_snapshot!(normalise(&sample()), @r#"
    step 1: 429
      content-type: application/json
      x-request-id: <canary request id primary#1>
      body:
        {
          "error": {
            "code": "429",
            "message": "RateLimitError: Rate limit reached <canary message primary#1>. Received Model Group=<model primary>, took <duration>",
            "param": null,
            "type": "throttling_error"
          }
        }
      ending: complete
    attempts:
      primary: 1 (finished)
    "#);
}

#[test]
fn two_runs_that_differ_only_in_volatile_parts_have_the_same_text() {
    let first = sample();
    let second = serde_json::to_string(&first).unwrap();
    let second = second
        .replace("k3x9w2m4p7q1", "a1b2c3d4e5f6")
        .replace("127.0.0.1:40411", "127.0.0.1:33333")
        .replace("sk-proxy-51c0ffee", "sk-proxy-deadbeef")
        .replace("7f9c24e8", "00000000")
        .replace("22 Nov 2026 10:00:00", "23 Nov 2026 11:11:11")
        .replace("0.012s", "1.9s");
    let mut second: Observation = serde_json::from_str(&second).unwrap();
    second.exchanges[0].end_ms = 99.0;
    assert_ne!(first, second);
    assert_eq!(normalise(&first), normalise(&second));
}

#[test]
fn html_pages_missing_responses_and_successes_are_described() {
    let mut observation = sample();
    let mut page = observation.exchanges[0].clone();
    page.step = StepName::Step(2);
    if let ExchangeOutcome::Answer(answer) = &mut page.outcome {
        answer.status = 502;
        answer.headers = pairs(&[("content-type", "text/html")]);
        answer.body = body("<html>\r\n<h1>502 Bad Gateway</h1>\r\n</html>");
    }
    let mut silence = observation.exchanges[0].clone();
    silence.step = StepName::Step(3);
    silence.outcome = ExchangeOutcome::NoAnswer { ending: ResponseEnd::Deadline };
    let mut recovery = observation.exchanges[0].clone();
    recovery.step = StepName::Recovery;
    if let ExchangeOutcome::Answer(answer) = &mut recovery.outcome {
        answer.status = 200;
    }
    let answer = answer_mut(&mut observation);
    answer.status = 200;
    answer.body = body(
        r#"{"id":"x","choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}],"usage":{"total_tokens":2}}"#,
    );
    observation.exchanges.extend([page, silence, recovery]);
    insta::assert_snapshot!(normalise(&observation), @r#"
    step 1: 200
      content-type: application/json
      x-request-id: <canary request id primary#1>
      content: "Hi"
      finish_reason: stop
      usage: total_tokens
      ending: complete
    step 2: 502
      content-type: text/html
      body that is not JSON:
        | <html>
        | <h1>502 Bad Gateway</h1>
        | </html>
      ending: complete
    step 3: no answer
      ending: nothing more until upfault's deadline
    recovery: 200, complete
    attempts:
      primary: 1 (finished)
    "#);
}

#[test]
fn the_part_of_a_response_that_a_leaving_caller_got_is_not_shown() {
    let mut observation = sample();
    let exchange = &mut observation.exchanges[0];
    let how = Leave { at: LeavePoint::BeforeHeaders, by: LeaveBy::Close };
    exchange.left = Some(CallerLeft { at_ms: 3.0, how });
    let mut nothing = observation.clone();
    nothing.exchanges[0].outcome = ExchangeOutcome::NoAnswer { ending: ResponseEnd::Left };
    answer_mut(&mut observation).ending = ResponseEnd::Left;
    assert_eq!(normalise(&observation), normalise(&nothing));
    // If the caller did not leave, the response is shown.
    answer_mut(&mut observation).ending = ResponseEnd::Complete;
    assert_ne!(normalise(&observation), normalise(&nothing));
}

#[test]
fn the_rest_of_a_cooldown_is_not_shown() {
    let mut observation = sample();
    observation.arrangement.proxy.cooldown =
        Some(Cooldown { after: 1, lasting: std::time::Duration::from_secs(5) });
    let set = |observation: &mut Observation, seconds: &str| {
        answer_mut(observation).headers = pairs(&[("retry-after", seconds)]);
    };
    let text = |observation: &Observation| normalise(observation);
    set(&mut observation, "7");
    assert!(text(&observation).contains("retry-after: 7"), "an upstream was asked");
    observation.attempts.clear();
    let seven = text(&observation);
    set(&mut observation, "6");
    assert_eq!(text(&observation), seven);
}

#[test]
fn a_long_message_is_shortened_in_the_middle() {
    assert_eq!(shorten(&"x".repeat(10), 6), "xxxx [... 4 characters ...] xx");
    assert_eq!(shorten("äöü", 3), "äöü");
}
