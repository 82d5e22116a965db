//! The URL of the catalogue selects the reply.

use std::io;

use super::client::{ask, key_of, paths_of, plain, send, start};
use crate::{
    provider::{base_path, catalogue_row},
    scenario::{ErrorName, Provider},
    serve::entries,
};

#[tokio::test]
async fn every_provider_succeeds_and_fails_by_url_at_each_of_its_paths() {
    let server = start().await;
    for provider in Provider::ALL.iter().copied() {
        let headers = key_of(provider);
        for path in paths_of(provider) {
            let base = base_path(provider);
            let url = format!("/{provider}/ok{base}{path}");
            let answer = send(server.address(), plain("POST", &url, &headers, "{}").as_bytes()).await;
            assert_eq!(answer.status, 200, "{url}: {answer:?}");
        }
        let path = paths_of(provider).swap_remove(0);
        for name in ErrorName::ALL {
            let url = format!("/{provider}/{name}{}{path}", base_path(provider));
            let answer = send(server.address(), plain("POST", &url, &headers, "{}").as_bytes()).await;
            assert_eq!(answer.status, catalogue_row(provider, *name).status, "{url}");
        }
    }
    server.shutdown().await;
}

#[tokio::test]
async fn the_catalogue_has_no_memory() {
    let server = start().await;
    let path = "/openai/internal/v1/chat/completions";
    let bodies = [
        ask(server.address(), "POST", path, "{}").await.body,
        ask(server.address(), "POST", path, "{}").await.body,
    ];
    assert_eq!(bodies[0], bodies[1]);
    assert!(bodies[0].contains("canary-msg-openai-internal-1"), "{bodies:?}");
}

#[tokio::test]
async fn faults_are_selected_by_name() {
    let server = start().await;
    let stream = r#"{"stream": true}"#;
    let play = async |name: &str| {
        let path = format!("/openai/{name}/v1/chat/completions");
        ask(server.address(), "POST", &path, stream).await
    };
    let reset = play("reset").await;
    assert_eq!((reset.status, reset.end.unwrap_err().kind()), (0, io::ErrorKind::ConnectionReset));
    let close = play("close").await;
    assert_eq!((close.status, close.end.is_ok()), (0, true));
    let cut = play("stream_reset").await;
    assert_eq!(
        (cut.body.matches("data: ").count(), cut.end.unwrap_err().kind()),
        (3, io::ErrorKind::ConnectionReset)
    );
    assert!(play("stream_error").await.body.contains("overloaded"));
    assert!(!play("drop_terminator").await.body.contains("[DONE]"));
    assert!(play("tool_call").await.body.contains("tool_calls"));
    assert_eq!(play("empty").await.body, "");
    assert_eq!(play("garbage").await.status, 0);
    assert!(play("stream_bad_chunk").await.body.contains("ZZ\r\n"));
    assert!(play("gzip_not_sent").await.head.contains("content-encoding: gzip"));
    let redirect = play("redirect").await;
    assert!(redirect.status == 307 && redirect.head.contains("location: http://localhost:"), "{redirect:?}");
}

#[tokio::test]
async fn the_page_shows_every_name_and_every_base_url() {
    let server = start().await;
    let page = ask(server.address(), "GET", "/", "").await;
    assert!(page.head.contains("text/plain"), "{}", page.head);
    for provider in Provider::ALL {
        // The URLs use the host to which the client sent its request.
        let url = format!("http://mock.test:1/{provider}/ok{}", base_path(*provider));
        assert!(page.body.contains(&url), "{url}");
    }
    for entry in entries() {
        assert!(page.body.contains(entry.name), "{}", entry.name);
    }
}

#[tokio::test]
async fn the_error_for_an_unknown_path_suggests_the_right_one() {
    let server = start().await;
    for (path, help) in [
        ("/openai/rate-limit/v1/x", "did you mean /openai/rate_limit?"),
        ("/openai/", "write /openai/NAME, for example /openai/ok; GET / lists the names"),
        ("/opnai/ok/v1", "did you mean /openai/ok?"),
        ("/_upfault/arms", "GET /_upfault/openapi.json lists the paths"),
        (
            "/0123456789abcdef/primary/v1/x",
            "a mock that was armed here may have ended or expired; GET / gives an overview",
        ),
    ] {
        let answer = ask(server.address(), "POST", path, "{}").await;
        assert_eq!((answer.status, answer.json()["error"]["help"].as_str()), (404, Some(help)), "{path}");
    }
}
