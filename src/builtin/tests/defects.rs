//! Each defect does what its name says, and the honest proxy does not.

use std::time::Duration;

use super::{defect_situations::*, sessions, stage::*};
use crate::{
    builtin::Defect,
    scenario::{Cooldown, Provider},
};

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
