//! Web pages in headless Chromium.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional, sink},
    net::{TcpListener, TcpStream},
};

use super::{PROMPT, armed, folder, is_wanted, json, mock_with_a_secret, run, serve};

/// A website whose connections go to `server` after its page has loaded: `GET /attack` returns the page, `GET
/// /attack/wait` never returns, and all other connections are forwarded to `server`. To a browser this looks like DNS
/// rebinding.
async fn website(server: SocketAddr) -> SocketAddr {
    let page = std::fs::read_to_string(folder().join("attack.html")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((browser, _)) = listener.accept().await {
            tokio::spawn(visit(browser, server, page.clone()));
        }
    });
    address
}

async fn visit(mut browser: TcpStream, server: SocketAddr, page: String) {
    let mut start = [0; 16];
    // The browser may open connections in advance and never use them.
    if browser.read_exact(&mut start).await.is_err() {
        return;
    }
    match &start {
        b"GET /attack HTTP" => {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length";
            let _ = browser.write_all(format!("{head}: {}\r\n\r\n{page}", page.len()).as_bytes()).await;
            let _ = browser.shutdown().await;
            let _ = copy(&mut browser, &mut sink()).await;
        }
        b"GET /attack/wait" => {
            let _ = copy(&mut browser, &mut sink()).await;
        }
        _ => {
            let mut server = TcpStream::connect(server).await.unwrap();
            if server.write_all(&start).await.is_ok() {
                let _ = copy_bidirectional(&mut browser, &mut server).await;
            }
        }
    }
}

/// Loads a page and returns its DOM. Only `evil.test` resolves, so that no request leaves this machine.
async fn open(url: &str, server: SocketAddr) -> String {
    let profile = tempfile::tempdir().unwrap();
    let profile = format!("--user-data-dir={}", profile.path().display());
    let args = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-proxy-server",
        "--host-resolver-rules=MAP evil.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--dump-dom",
        &profile,
        url,
    ];
    run("chromium", &args, server).await
}

/// The result of an attempt, as the page shows it.
#[track_caller]
fn seen<'a>(dom: &'a str, attempt: &str) -> &'a str {
    let line = dom.lines().find_map(|line| line.split_once(&format!("{attempt}: ")));
    line.unwrap_or_else(|| panic!("no `{attempt}` in {dom}")).1
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_page_of_the_servers_own_origin_can_arm_and_read() {
    if !is_wanted("chromium") {
        return;
    }
    let server = serve(&[]).await;
    let address = server.address();
    let id = mock_with_a_secret(address).await;
    let website = website(address).await;
    let attack = |host: &str| format!("http://{host}:{}/attack#http://{address},{id}", website.port());
    let another_origin = |dom: &str| {
        for attempt in ["arm", "arm, JSON", "disarm", "ledger"] {
            let seen = seen(dom, &format!("another origin: {attempt}"));
            assert!(seen.starts_with("failed "), "{attempt}: {seen}");
        }
        for attempt in ["arm, no-cors", "ledger, no-cors", "reset"] {
            let seen = seen(dom, &format!("another origin: {attempt}"));
            assert!(seen.starts_with("opaque 0") || seen.starts_with("failed "), "{attempt}: {seen}");
        }
        assert_eq!(seen(dom, "another origin: form"), "sent");
    };
    let untouched = async |mocks: u64| {
        assert_eq!(armed(address).await, mocks);
        let ledger = json(address, "GET", &format!("/_upfault/ledger/{id}"), "").await;
        assert_eq!(
            ledger["attempts"].as_array().unwrap().len(),
            1,
            "the mock was disarmed or its ledger was reset: {ledger}"
        );
    };

    // A website that rebinds its name to the server.
    let dom = open(&attack("evil.test"), address).await;
    another_origin(&dom);
    for attempt in ["arm", "ledger", "disarm"] {
        let seen = seen(&dom, &format!("own name: {attempt}"));
        assert!(seen.starts_with("basic 421 "), "{seen}");
    }
    assert!(!dom.contains(PROMPT) && !dom.contains("sk-"), "{dom}");
    untouched(1).await;

    // The same page at the server's own address, through a forwarded port, has the server's origin.
    let dom = open(&attack("127.0.0.1"), address).await;
    another_origin(&dom);
    assert!(seen(&dom, "own name: arm").starts_with("basic 201 "), "{dom}");
    assert!(seen(&dom, "own name: ledger").contains(PROMPT), "{dom}");
    untouched(2).await;

    let page = open(&format!("http://{address}/"), address).await;
    assert!(page.contains("THE CATALOGUE BY URL"), "{page}");
}

/// `--allow-host` allows the name of the website. So the name was the only reason why the test above was rejected.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_under_an_allowed_name_can_use_the_control_api() {
    if !is_wanted("chromium") {
        return;
    }
    let server = serve(&["evil.test"]).await;
    let address = server.address();
    let id = mock_with_a_secret(address).await;
    let port = website(address).await.port();
    let dom = open(&format!("http://evil.test:{port}/attack#http://{address},{id}"), address).await;
    assert!(seen(&dom, "own name: arm").starts_with("basic 201 "), "{dom}");
    assert!(seen(&dom, "own name: ledger").contains(PROMPT), "{dom}");
    assert_eq!(armed(address).await, 2, "requests to the other origin must not arm anything");
}
