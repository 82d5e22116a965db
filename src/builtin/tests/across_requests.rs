//! Defects that need more than one request to show.

use super::stage::*;
use crate::builtin::{Defect, EmbeddedProxy, HonestVariant};

/// The honest proxy, and the proxy with this defect.
fn both(defect: Defect) -> [Option<Defect>; 2] {
    [None, Some(defect)]
}

/// The script after a wait of 400 ms, in which the other request arrives.
fn late(script: Script) -> Script {
    [vec![ScriptStep::Wait(400)], script].concat()
}

fn messages(got: &[CallerResult]) -> Vec<String> {
    got.iter().map(|got| got.error()["message"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn several(stage: &ProxyStage, n: usize) -> Vec<CallerResult> {
    let mut got = Vec::new();
    for _ in 0..n {
        got.push(stage.send().await);
    }
    got
}

#[tokio::test]
async fn two_concurrent_errors_or_responses_are_swapped() {
    for defect in [None, Some(Defect::ErrorsSwapped), Some(Defect::HeadersSwapped)] {
        let one = late(error(400, "retry-after: 9\r\n", "one"));
        let setup = Setup { backup: Some(vec![late(error(404, "", "two"))]), ..Setup::new([one]) };
        let stage = setup.start(defect).await;
        let other = take(stage.request_to("backup"));
        let (one, two) = tokio::join!(take(stage.request_to("main")), other);
        let waits = [one.header("retry-after"), two.header("retry-after")];
        let swapped = defect == Some(Defect::ErrorsSwapped);
        assert_eq!(waits, if defect.is_some() { [None, Some("9")] } else { [Some("9"), None] }, "{defect:?}");
        assert_eq!([one.status, two.status], if swapped { [404, 400] } else { [400, 404] });
        let expected = if swapped { ["canary two", "canary one"] } else { ["canary one", "canary two"] };
        assert_eq!(messages(&[one, two]), expected);
    }
    let answer = |text: &str| {
        json(200, "", &format!(r#"{{"choices":[{{"index":0,"message":{{"content":"{text}"}}}}]}}"#))
    };
    for defect in both(Defect::AnswersSwapped) {
        let setup = Setup { backup: Some(vec![late(answer("two"))]), ..Setup::new([late(answer("one"))]) };
        let stage = setup.start(defect).await;
        let (one, two) = tokio::join!(take(stage.request_to("main")), take(stage.request_to("backup")));
        assert_eq!(one.text.contains("two"), defect.is_some());
        assert_eq!(two.text.contains("one"), defect.is_some());
    }
}

#[tokio::test]
async fn two_concurrent_callers_of_one_deployment_are_swapped() {
    for defect in both(Defect::CallersSwapped) {
        let setup = Setup::new([late(error(400, "", "one")), late(error(400, "", "two"))]);
        let stage = setup.start(defect).await;
        let second = async {
            while stage.main.attempts() == 0 {
                tokio::task::yield_now().await;
            }
            stage.send().await
        };
        let (one, two) = tokio::join!(stage.send(), second);
        let expected =
            if defect.is_some() { ["canary two", "canary one"] } else { ["canary one", "canary two"] };
        assert_eq!(messages(&[one, two]), expected);
        let setup = Setup {
            backup: Some(vec![late(error(404, "", "two"))]),
            ..Setup::new([late(error(400, "", "one"))])
        };
        let stage = setup.start(defect).await;
        let other = take(stage.request_to("backup"));
        let (one, two) = tokio::join!(take(stage.request_to("main")), other);
        assert_eq!([one.status, two.status], [400, 404], "callers of two deployments are not swapped");
    }
}

#[tokio::test]
async fn the_third_and_the_sixth_of_six_errors_are_wrong() {
    type Shows = fn(&CallerResult) -> bool;
    let cases: [(Defect, Shows); 3] = [
        (Defect::ThirdMessageLost, |got| got.error()["message"] == "Internal error"),
        (Defect::ThirdLimitAs500, |got| got.status == 500),
        (Defect::ThirdRetryAfterLost, |got| got.header("retry-after").is_none()),
    ];
    for (defect, shows) in cases {
        for with in both(defect) {
            let stage = Setup::new([error(429, "retry-after: 9\r\n", "c")]).start(with).await;
            let wrong: Vec<bool> = several(&stage, 6).await.iter().map(shows).collect();
            let expected = [1, 2, 3, 4, 5, 6].map(|n| with.is_some() && n % 3 == 0);
            assert_eq!(wrong, expected, "{with:?}");
        }
    }
    for with in both(Defect::ThirdCutFinished) {
        let stage = Setup::streamed([events(&[ONE, TWO], Last::Close)]).start(with).await;
        let wrong: Vec<bool> = several(&stage, 4).await.iter().map(|got| got.text.ends_with(DONE)).collect();
        assert_eq!(wrong, [false, false, with.is_some(), false]);
    }
}

#[tokio::test]
async fn details_of_an_earlier_error_are_repeated() {
    let limits = || Setup::new([error(429, "retry-after: 9\r\n", "one"), error(429, "", "two")]);
    for with in both(Defect::RetryAfterStale) {
        let got = several(&limits().start(with).await, 2).await;
        assert_eq!(got[1].header("retry-after"), with.map(|_| "9"));
    }
    for with in both(Defect::ErrorStale) {
        let got = several(&limits().start(with).await, 2).await;
        let second = if with.is_some() { "canary one" } else { "canary two" };
        assert_eq!(messages(&got), ["canary one", second]);
    }
}

#[tokio::test]
async fn after_a_lost_connection_responses_are_one_request_late_or_missing() {
    let answer = |text: &str| {
        json(200, "", &format!(r#"{{"choices":[{{"index":0,"message":{{"content":"{text}"}}}}]}}"#))
    };
    let setup = || Setup::new([answer("one"), vec![ScriptStep::Reset], answer("two"), answer("three")]);
    for with in [None, Some(Defect::AnswerStale), Some(Defect::ResetPoisonsRoute)] {
        let stage = setup().start(with).await;
        let got = several(&stage, 4).await;
        let content =
            |got: &CallerResult| ["one", "two", "three"].into_iter().find(|text| got.text.contains(*text));
        let (third, fourth) = match with {
            None => (Some("two"), Some("three")),
            Some(Defect::AnswerStale) => (Some("one"), Some("two")),
            Some(_) => (None, None),
        };
        assert_eq!([content(&got[2]), content(&got[3])], [third, fourth], "{with:?}");
        assert_eq!(stage.main.attempts(), if with == Some(Defect::ResetPoisonsRoute) { 2 } else { 4 });
    }
}

#[tokio::test]
async fn errors_that_keep_their_slots_block_a_route() {
    let script = error(500, "", "c");
    for with in both(Defect::SlotsLeaked) {
        let stage = Setup::new([script.clone(), script.clone(), script.clone(), ok()]).start(with).await;
        let statuses: Vec<u16> = several(&stage, 4).await.iter().map(|got| got.status).collect();
        assert_eq!(statuses, [500, 500, 500, if with.is_some() { 429 } else { 200 }]);
    }
}

#[tokio::test]
async fn the_caching_variant_answers_a_repeated_request_without_the_upstream() {
    let setup = Setup::new([error(500, "", "c"), ok()]);
    let attempts = async |proxy| {
        let stage = setup.start_as(proxy).await;
        let statuses: Vec<u16> = several(&stage, 4).await.iter().map(|got| got.status).collect();
        assert_eq!(statuses, [500, 200, 200, 200]);
        stage.main.attempts()
    };
    assert_eq!(attempts(EmbeddedProxy::Reference).await, 4);
    assert_eq!(attempts(EmbeddedProxy::Variant(HonestVariant::Caching)).await, 2, "errors are not kept");
}
