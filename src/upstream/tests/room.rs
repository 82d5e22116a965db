//! A limited ledger: what it keeps, and that clients do not notice the limits.

use std::sync::Arc;

use super::{
    super::{Armed, ArmedCase, LedgerBounds, OwnPorts, Upstream},
    stage::{chat, drain, last, ok, send, turn},
};
use crate::{
    observation::Identity,
    scenario::{Api, Combination, ErrorName, Provider, Transport, TurnReply},
};

fn arm(upstream: &Upstream, bounds: LedgerBounds) -> ArmedCase {
    let combination = Combination { api: Api::OpenaiChat, provider: Provider::Openai, stream: false };
    let turns = vec![turn(TurnReply::Error(ErrorName::RateLimit), vec![]), ok(vec![])];
    let deployments = Arc::new([("main".to_owned(), turns)].into());
    let identity = Identity { token: "tok".into() };
    let (transport, account, seed) = (Transport::Plain, None, 1);
    upstream
        .arm_within(
            Armed {
                identity,
                combination,
                deployments,
                providers: indexmap::IndexMap::new(),
                transport,
                account,
                seed,
            },
            bounds,
            &mut OwnPorts::Free,
        )
        .unwrap()
}

/// Returns the bodies of this many responses.
async fn answers(upstream: &Upstream, count: usize) -> Vec<String> {
    let mut answers = Vec::new();
    for _ in 0..count {
        let mut stream = send(upstream.address(), &last(&chat(false))).await;
        let (text, end) = drain(&mut stream).await;
        assert!(end.is_ok());
        answers.push(text.split_once("\r\n\r\n").unwrap().1.to_owned());
    }
    answers
}

#[tokio::test]
async fn the_first_attempts_are_kept_and_the_others_counted() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, LedgerBounds { attempts: 2, bytes: usize::MAX });
    let answers = answers(&upstream, 5).await;
    assert!(answers[0].contains("rate_limit") && answers[1..].iter().all(|body| body.contains("choices")));
    let kept: Vec<_> = case.attempts().iter().map(|attempt| (attempt.n, attempt.sent.status)).collect();
    assert_eq!(kept, [(1, Some(429)), (2, Some(200))]);
    assert_eq!((case.not_kept(), case.open_attempts()), (3, 0));
    case.begin(tokio::time::Instant::now());
    assert_eq!((case.attempts().len(), case.not_kept()), (0, 0));
}

#[tokio::test]
async fn when_the_bytes_are_used_up_a_body_is_cut_and_no_further_attempt_is_kept() {
    let upstream = Upstream::start().await.unwrap();
    let one = {
        let case = arm(&upstream, LedgerBounds { attempts: 1, bytes: usize::MAX });
        answers(&upstream, 1).await;
        case.attempts().remove(0)
    };
    let cut = 10;
    // Room for the request of the first attempt, whose path, head and body are stored with their lengths, and
    // ten bytes more.
    let request = one.path.len() + last(&chat(false)).len() + 12;
    let case = arm(&upstream, LedgerBounds { attempts: 9, bytes: request + cut });
    let answers = answers(&upstream, 3).await;
    let kept = case.attempts();
    assert_eq!((kept.len(), case.not_kept()), (1, 2));
    assert_eq!((kept[0].sent.body.as_str(), &kept[0].body), (&answers[0][..cut], &one.body));
    assert_eq!(kept[0].sent.bytes, answers[0].len() as u64, "all sent bytes are counted");
}
