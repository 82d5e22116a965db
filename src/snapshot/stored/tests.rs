//! A stored observation gets the same judgement as the original, and contains no secret.

use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;
use crate::{
    judge::{
        self, Policy,
        tests::{arbitrary::observation, seen::*},
    },
    observation::{AttemptEnd, ExchangeOutcome},
    scenario::{Api, Provider},
    wire::eventstream,
};

/// The rule and the level of each finding.
fn broken(seen: &Observation, policy: &Policy) -> Vec<(String, crate::scenario::Level)> {
    judge::judge(seen, &[], policy).into_iter().map(|finding| (finding.rule, finding.level)).collect()
}

/// The observation with placeholders of another length.
fn with_short_placeholders(seen: &Observation) -> Observation {
    let redactor = Redactor::secrets(&seen.arrangement);
    serde_json::from_value(redactor.json(&serde_json::to_value(seen).unwrap())).unwrap()
}

fn key(seen: &ObservationBuilder) -> String {
    seen.observation.arrangement.deployments[0].key.clone()
}

#[test]
fn a_placeholder_of_another_length_would_change_what_is_judged() {
    let policy = Policy::default();
    let echoing = ONE.replace("one", &format!("one {}", key(&streamed())));
    // A stream that ends early and reports that to its caller; its body is shorter than the body that was sent.
    let early = streamed().tried(events(&[&echoing])).received(events(&[&echoing, ERROR]));
    // A cut at a byte that was recorded.
    let cut = streamed()
        .tried(events(&[&echoing, STOP, DONE]))
        .attempt(|attempt| {
            attempt.sent.broken_after = Some(attempt.sent.bytes - 20);
            attempt.end = AttemptEnd::Finished;
        })
        .received(events(&[&echoing, STOP, DONE]));
    for seen in [early, cut] {
        let seen = seen.observation;
        assert_ne!(broken(&with_short_placeholders(&seen), &policy), broken(&seen, &policy));
        assert_eq!(broken(&without_secrets(&seen).unwrap(), &policy), broken(&seen, &policy));
    }
}

#[test]
fn a_key_in_a_binary_frame_is_hidden_and_the_frame_is_sound() {
    let error = format!("{{\"message\":\"no MSG for {}\"}}", key(&streamed()));
    let seen = |error: &str| {
        let headers = [(":message-type", "exception"), (":exception-type", "throttlingException")];
        let mut body = eventstream::encode(&headers, error.as_bytes()).unwrap().to_vec();
        body.extend_from_slice(&[0xff, 0xfe]);
        let kind = vec![("content-type".to_owned(), "application/vnd.amazon.eventstream".to_owned())];
        let seen = streamed().calling(Api::BedrockConverse, Provider::Bedrock).tried(SideReply::raw(
            200,
            kind,
            vec![],
        ));
        let bytes = body.len() as u64;
        let seen = seen.attempt(|attempt| {
            attempt.sent.set_body(&body);
            attempt.sent.bytes = bytes;
        });
        seen.received(say(429, error)).observation
    };
    let seen = seen(&error);
    assert!(seen.attempts[0].sent.base64);
    let stored = without_secrets(&seen).unwrap();
    let body = stored.attempts[0].sent.body_bytes().into_owned();
    let messages = eventstream::decode(&body);
    assert_eq!(messages.len(), 1, "its checksum is right");
    let text = String::from_utf8_lossy(&messages[0].payload).into_owned();
    assert!(text.contains("<key primary-") && !text.contains(&seen.arrangement.deployments[0].key), "{text}");
    // A key that the upstream itself sent is not a leak by the proxy, neither in the original nor in the stored observation.
    for policy in Policy::all() {
        assert_eq!(broken(&stored, &policy), broken(&seen, &policy));
    }
}

#[test]
fn placeholders_have_the_length_of_their_secrets() {
    for (secret, shown) in [
        ("sk-a-long-secret", "<proxy key----->"),
        ("twelve-bytes", "<proxy key->"),
        ("eleven-byte", "<proxy key>"),
        ("sk-short", "<******>"),
    ] {
        let mut seen = plain().observation;
        seen.arrangement.proxy_secrets = vec![secret.to_owned()];
        let redactor = Redactor::secrets_in_place(&seen.arrangement);
        assert_eq!(redactor.text(&format!("a {secret}.")), format!("a {shown}."));
        assert_eq!(redactor.bytes(format!("a {secret}.").as_bytes()), format!("a {shown}.").into_bytes());
        assert_eq!(secret.len(), shown.len());
    }
}

#[test]
fn an_observation_is_omitted_if_a_secret_equals_a_keyword_of_the_record() {
    let mut seen = plain().tried(say(200, OK)).received(say(200, OK)).observation;
    seen.arrangement.proxy_secrets = vec!["openai/chat".to_owned()];
    assert_eq!(without_secrets(&seen), None);
}

/// A place where a secret may appear.
#[derive(Debug, Clone, Copy)]
enum Place {
    SentBody,
    SentHeader,
    Request,
    ResponseBody,
    ResponseHeader,
    Frame,
}

fn place() -> impl Strategy<Value = Place> {
    use Place::*;
    proptest::sample::select(vec![
        SentBody,
        SentBody,
        SentBody,
        SentHeader,
        Request,
        ResponseBody,
        ResponseHeader,
        Frame,
    ])
}

/// Inserts `secret` into `text` as a separate word. Directly after a token of upfault it would turn the token into a
/// different word, and a placeholder would not.
fn put(text: &mut String, at: Index, secret: &str) {
    let mut at = at.index(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    text.insert_str(at, &format!(" {secret} "));
}

/// Inserts a secret into an observation, if the place exists.
fn plant(seen: &mut Observation, place: Place, which: Index, at: Index, secret: &str) {
    let attempt = match seen.attempts.len() {
        0 => None,
        n => seen.attempts.get_mut(which.index(n)),
    };
    let answer = match seen.exchanges.len() {
        0 => None,
        n => seen.exchanges.get_mut(which.index(n)),
    }
    .and_then(|exchange| match &mut exchange.outcome {
        ExchangeOutcome::Answer(answer) => Some(answer),
        ExchangeOutcome::NoAnswer { .. } => None,
    });
    match place {
        Place::SentBody => {
            if let Some(attempt) = attempt {
                let mut body = String::from_utf8_lossy(&attempt.sent.body_bytes()).into_owned();
                let whole = attempt.sent.bytes == body.len() as u64;
                put(&mut body, at, secret);
                if attempt.sent.base64 {
                    attempt.sent.body = BASE64_STANDARD.encode(&body);
                } else {
                    attempt.sent.body = body.clone();
                }
                if whole {
                    attempt.sent.bytes = body.len() as u64;
                }
            }
        }
        Place::SentHeader => {
            if let Some((_, value)) = attempt.and_then(|attempt| attempt.sent.headers.last_mut()) {
                put(value, at, secret);
            }
        }
        Place::Request => {
            if let Some(attempt) = attempt {
                attempt.headers.push(("authorization".to_owned(), format!("Bearer {secret}")));
                put(&mut attempt.body, at, secret);
            }
        }
        Place::ResponseBody => {
            if let Some(answer) = answer {
                put(&mut answer.body.text, at, secret);
            }
        }
        Place::ResponseHeader => {
            if let Some((_, value)) = answer.and_then(|answer| answer.headers.last_mut()) {
                put(value, at, secret);
            }
        }
        Place::Frame => {
            if let Some(frame) = answer.and_then(|answer| answer.body.frames.last_mut()) {
                put(&mut frame.data, at, secret);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn an_observation_without_its_secrets_gets_the_same_judgement(
        mut seen in observation(),
        places in vec((place(), any::<Index>(), any::<Index>(), any::<Index>()), 1..6),
    ) {
        let own = seen.arrangement.deployments.iter().map(|deployment| &deployment.key);
        let secrets: Vec<String> = own.chain(&seen.arrangement.proxy_secrets).cloned().collect();
        for (place, which, at, secret) in places {
            plant(&mut seen, place, which, at, secret.get(secrets.as_slice()).as_str());
        }
        let stored = without_secrets(&seen).expect("no secret is a word of the record");
        for policy in Policy::all() {
            prop_assert_eq!(broken(&stored, &policy), broken(&seen, &policy));
            prop_assert_eq!(judge::applicable(&stored, &[], &policy), judge::applicable(&seen, &[], &policy));
        }
        prop_assert_eq!(judge::sdk_view(&stored), judge::sdk_view(&seen));
        let makers = |seen| judge::origins(seen).into_iter().map(|origin| origin.maker).collect::<Vec<_>>();
        prop_assert_eq!(makers(&stored), makers(&seen));
        let text = serde_json::to_string(&stored).unwrap();
        let mut all = vec![text];
        all.extend(stored.attempts.iter().map(|attempt| attempt.said().into_owned()));
        for secret in &secrets {
            prop_assert!(all.iter().all(|text| !text.contains(secret.as_str())), "{} is still there", secret);
        }
    }
}
