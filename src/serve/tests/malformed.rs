//! Malformed requests: every provider answers them in its own form or closes the connection, and continues to
//! serve others.

use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::client::{ApiResponse, ask, key_of, paths_of, plain, read, send, start};
use crate::{
    observation::{Identity, Stray, StrayKind},
    provider::{self, MAX_REQUEST_BYTES, MessageBody, base_path, profile},
    scenario::{ErrorName, Provider},
    serve::Server,
};

/// Asserts that the response is one of the provider's own errors: it has one of these statuses and contains a
/// canary of the provider.
#[track_caller]
fn is_own(provider: Provider, what: &str, answer: &ApiResponse, statuses: &[u16]) {
    assert!(statuses.contains(&answer.status), "{provider}: {what}: {answer:?}");
    assert!(answer.end.is_ok(), "{provider}: {what}: {answer:?}");
    // If the body has no text, the request id still shows that the mock of the provider sent it.
    let tokens = canaries(provider);
    let has_canary = answer.body.contains(&tokens.message) || answer.head.contains(&tokens.request_id);
    assert!(has_canary, "{provider}: {what}: {answer:?}");
}

fn canaries(provider: Provider) -> crate::observation::Canaries {
    Identity { token: provider.as_str().to_owned() }.canaries("ok", 1)
}

#[tokio::test]
async fn every_provider_rejects_invalid_requests_in_its_own_form() {
    let server = start().await;
    let address = server.address();
    for provider in Provider::ALL.iter().copied() {
        let refusals = &profile(provider).refusals;
        let key = key_of(provider);
        let base = format!("/{provider}/ok{}", base_path(provider));
        let path = format!("{base}{}", paths_of(provider)[0]);
        let post = async |path: &str, headers: &[String], body: &str| {
            send(address, plain("POST", path, headers, body).as_bytes()).await
        };
        for body in ["{not json", "[1]", "", "null", "\"\\ud800\"", "{\"a\":1}{}", "\u{feff}"] {
            is_own(provider, body, &post(&path, &key, body).await, &[refusals.bad_json.status]);
        }
        is_own(
            provider,
            "a deep body",
            &post(&path, &key, &"[".repeat(100_000)).await,
            &[refusals.bad_json.status],
        );
        for wrong in ["/nothing", "/", "", "/%00", "/%ff%fe", "/../../etc", "//", "/{model}", "/v1?x=%"] {
            let answer = post(&format!("{base}{wrong}"), &key, "{}").await;
            is_own(
                provider,
                wrong,
                &answer,
                &[refusals.not_found.status, refusals.method_not_allowed.status],
            );
        }
        for method in ["PUT", "PATCH", "DELETE", "BREW"] {
            let answer = send(address, plain(method, &path, &key, "{}").as_bytes()).await;
            is_own(
                provider,
                method,
                &answer,
                &[refusals.method_not_allowed.status, refusals.not_found.status],
            );
        }
        if !key.is_empty() {
            let missing = provider::catalogue_row(provider, ErrorName::MissingApiKey).status;
            for headers in
                [vec![], vec!["Authorization: ".to_owned()], vec!["Authorization: \u{fffd}".to_owned()]]
            {
                is_own(provider, "no key", &post(&path, &headers, "{}").await, &[missing]);
            }
        }
        let garbage =
            ["x-weird: \u{1}", "x-\u{7f}: 1"].map(|line| [key.clone(), vec![line.to_owned()]].concat());
        for headers in &garbage {
            assert!(
                [0, 200, 400].contains(&post(&path, headers, "{}").await.status),
                "{provider}: {headers:?}"
            );
        }
        let long = [key.clone(), vec![format!("x-long: {}", "a".repeat(600_000))]].concat();
        assert!([0, 431].contains(&post(&path, &long, "{}").await.status), "{provider}: a long header");
        let old = plain("POST", &path, &key, "{}").replace("HTTP/1.1", "HTTP/1.0");
        assert_eq!(send(address, old.as_bytes()).await.status, 200, "{provider}: HTTP/1.0");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn a_body_above_the_limit_gets_each_providers_own_error() {
    let server = start().await;
    let size = MAX_REQUEST_BYTES + 1024 * 1024;
    let filling = vec![b' '; size];
    for provider in Provider::ALL.iter().copied() {
        let path = format!("/{provider}/ok{}{}", base_path(provider), paths_of(provider)[0]);
        let head = plain("POST", &path, &key_of(provider), "")
            .replace("Content-Length: 0", &format!("Content-Length: {size}"));
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&filling).await.unwrap();
        let expected = provider::too_large(provider, &canaries(provider));
        let answer = read(&mut stream).await;
        let MessageBody::Whole(body) = &expected.body else { panic!("{provider}: a stream") };
        assert_eq!((answer.status, answer.body.as_bytes()), (expected.status, &body[..]), "{provider}");
    }
}

#[tokio::test]
async fn incomplete_requests_do_not_affect_others() {
    let server = start().await;
    for provider in Provider::ALL.iter().copied() {
        let path = format!("/{provider}/ok{}{}", base_path(provider), paths_of(provider)[0]);
        let whole = plain("POST", &path, &key_of(provider), "{\"model\": \"m\"}");
        for length in [1, 20, whole.len() / 2, whole.len() - 1] {
            let mut stream = TcpStream::connect(server.address()).await.unwrap();
            stream.write_all(&whole.as_bytes()[..length]).await.unwrap();
            stream.shutdown().await.unwrap();
            assert!([0, 400].contains(&read(&mut stream).await.status), "{provider}: {length} bytes");
        }
        for nonsense in
            ["\r\n\r\n", "garbage\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0", "POST / HTTP/9.9\r\n\r\n"]
        {
            let mut stream = TcpStream::connect(server.address()).await.unwrap();
            stream.write_all(nonsense.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            assert!([0, 400].contains(&read(&mut stream).await.status), "{nonsense:?}");
        }
        assert_eq!(send(server.address(), whole.as_bytes()).await.status, 200, "{provider}");
    }
    // A body that its transfer coding makes invalid.
    let path = format!("/openai/ok/v1{}", paths_of(Provider::Openai)[0]);
    let broken = plain("POST", &path, &key_of(Provider::Openai), "zz\r\n")
        .replace("Content-Length: 4", "Transfer-Encoding: chunked");
    assert!([0, 400].contains(&send(server.address(), broken.as_bytes()).await.status));
}

/// Waits until there are this many strays, and returns them.
async fn strays(server: &Server, wanted: usize) -> Vec<Stray> {
    loop {
        let answer = ask(server.address(), "GET", "/_upfault/strays", "").await;
        let strays: Vec<Stray> = serde_json::from_value(answer.json()["strays"].clone()).unwrap();
        if strays.len() >= wanted {
            return strays;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn strays_contain_the_kind_of_traffic_and_its_response() {
    let server = start().await;
    let path = "/openai/ok/v1/chat/completions";
    let whole = plain("POST", path, &key_of(Provider::Openai), "{\"model\": \"m\"}");
    let long = plain("POST", path, &[format!("x-long: {}", "a".repeat(600_000))], "{}");
    let tls = "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\r\n\r\n".to_owned();
    let openai = Some(("openai".to_owned(), "ok".to_owned()));
    let half_head = whole[..20].to_owned();
    let half_body = whole[..whole.len() - 3].to_owned();
    for (n, (sent, what, statuses, deployment)) in (1..).zip([
        ("garbage\r\n\r\n".to_owned(), StrayKind::Garbage, [Some(400), None], None),
        (tls, StrayKind::Garbage, [Some(400), None], None),
        (long, StrayKind::Garbage, [Some(431), None], None),
        (half_head, StrayKind::HalfHead, [None, None], None),
        (half_body, StrayKind::HalfBody, [None, None], openai),
    ]) {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        // The mock may close the connection before everything is sent.
        let _ = stream.write_all(sent.as_bytes()).await;
        let _ = stream.shutdown().await;
        let got = read(&mut stream).await.status;
        let strays = strays(&server, n).await;
        let stray = strays.last().unwrap();
        assert_eq!((stray.what, &stray.deployment), (what, &deployment), "{stray:?}");
        assert!(statuses.contains(&stray.status) && stray.bytes > 0, "{stray:?}");
        assert!(got == 0 || stray.status == Some(got), "{got}: {stray:?}");
    }
    server.shutdown().await;
}
