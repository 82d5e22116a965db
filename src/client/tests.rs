//! The driver against a server that checks the requests.

use std::time::Duration;

use tokio::time::Instant;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_json, header, method, path},
};

use super::*;
use crate::{
    dialect::{RequestBody, request},
    observation::{ExchangeOutcome, ResponseEnd, StepName},
    scenario::{Api, Step},
};

#[tokio::test]
async fn a_call_is_sent_unchanged_and_a_redirect_is_recorded_and_not_followed() {
    let server = MockServer::start().await;
    let request = request(Api::OpenaiChat, "m", false, &Step::default(), None);
    let RequestBody::Json(body) = &request.body else { panic!("{request:?}") };
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .and(header("authorization", "Bearer k"))
        .and(body_json(body))
        .respond_with(
            ResponseTemplate::new(307).insert_header("location", "/elsewhere").set_body_string("moved"),
        )
        .expect(1)
        .mount(&server)
        .await;
    let call = ClientCall {
        step: StepName::Step(1),
        method: http::Method::POST,
        url: format!("{}{}", server.uri(), request.path),
        headers: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("authorization".to_owned(), "Bearer k".to_owned()),
        ],
        body: request.body.bytes(),
        carrier: request.carrier,
    };
    let now = Instant::now();
    let exchange = Driver::new().expect("a driver").send(call, now, now + Duration::from_secs(10)).await;
    let ExchangeOutcome::Answer(answer) = exchange.outcome else { panic!("{:?}", exchange.outcome) };
    assert_eq!((answer.status, answer.ending), (307, ResponseEnd::Complete));
    assert_eq!(answer.body.text, "moved");
    // wiremock would have recorded a request for /elsewhere and answered it with 404.
    assert_eq!(server.received_requests().await.map(|requests| requests.len()), Some(1));
}
