//! `upfault record`: from traffic to a scenario that repeats it. The provider is a mock of `upfault serve`.

use std::{
    io::Read,
    net::{TcpListener, TcpStream},
    path::Path,
};

use super::{
    listening::{KEY, Listening, RawResponse},
    stage::Stage,
};

const CHAT: &str = "/chat/completions";

/// A reply in which nothing has to be redacted: common words and known codes.
const PUBLIC_ERROR: &str = r#"title: t
why: w
upstream:
  - status: 429
    headers: {x-request-id: null, retry-after: "27", x-should-retry: "true"}
    body: '{"error": {"message": "Rate limit reached", "type": "requests", "param": null, "code": "rate_limit_exceeded"}}'
"#;

/// A stream in which nothing has to be redacted, with chunks that are not events and waits between them.
const PUBLIC_STREAM: &str = r#"title: t
why: w
matrix: {stream: [true]}
upstream:
  - status: 200
    headers: {x-request-id: null, x-ratelimit-limit-requests: "60"}
    chunks:
      - text: "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"del"
      - after: 60ms
        text: "ta\":{\"content\":\"xxx\"}}]}\n\n"
      - {after: 90ms, text: ": x\r\n\r\n"}
      - {text: "data: {\"choices\":[],\"usage\":{\"total_tokens\":31}}\n\n"}
      - {after: 45ms, text: "data: [DONE]\n\n"}
    faults: [{delay: {at: before_headers, for: 120ms}}]
"#;

/// A chunked reply that is not a stream of events.
const PUBLIC_CHUNKS: &str = r#"title: t
why: w
upstream:
  - status: 503
    headers: {x-request-id: null, content-type: text/html, transfer-encoding: chunked}
    chunks: [{text: "<html>\n<body>Service "}, {after: 30ms, text: "Unavailable</body>\n</html>\n"}]
"#;

/// An upstream, and a recorder in front of it that ends after `limit` recordings.
struct Recording {
    upstream: Listening,
    recorder: Listening,
    /// The path of the base URL.
    base: String,
}

impl Recording {
    fn of(stage: &Stage, arm: &str, more: &[&str]) -> Self {
        let upstream = Listening::start(stage, &["serve"]);
        let base = upstream.arm(arm);
        let url = format!("http://{}{base}", upstream.address);
        let recorder = Listening::start(
            stage,
            &[&["record", "--upstream", &url, "--provider", "openai"], more].concat(),
        );
        Self { upstream, recorder, base }
    }

    fn ask(&self, stream: bool) -> RawResponse {
        self.recorder.post(&format!("{}{CHAT}", self.base), &request(stream))
    }
}

fn request(stream: bool) -> String {
    format!(
        r#"{{"model":"acme-internal-7","messages":[{{"role":"user","content":"My PIN is 4711."}}],"stream":{stream}}}"#
    )
}

/// The only recording.
fn recorded(stage: &Stage) -> (String, String) {
    let mut files = stage.tree("scenarios/recorded");
    assert_eq!(files.len(), 1, "{files:?}");
    let (path, bytes) = files.remove(0);
    let id = Path::new("recorded").join(path.file_stem().unwrap());
    (id.display().to_string(), String::from_utf8(bytes).unwrap())
}

/// What a mock sends that is armed with the recording.
fn replayed(stage: &Stage, id: &str, stream: bool) -> RawResponse {
    let serving = Listening::start(stage, &["serve"]);
    let base = serving.arm(&format!("{{\"scenario\": \"{id}\"}}"));
    serving.post(&format!("{base}{CHAT}"), &request(stream))
}

#[test]
fn what_needs_no_redaction_is_replayed_byte_for_byte() {
    for (name, text, stream) in
        [("error", PUBLIC_ERROR, false), ("stream", PUBLIC_STREAM, true), ("chunks", PUBLIC_CHUNKS, false)]
    {
        let stage = Stage::new().scenario("real/it", text);
        let mut recording = Recording::of(&stage, r#"{"scenario": "real/it"}"#, &["--all", "--limit", "1"]);
        let passed = recording.ask(stream);
        assert_eq!(recording.recorder.code(), Some(0), "{name}");
        let direct = recording.upstream.post(&format!("{}{CHAT}", recording.base), &request(stream));
        let (id, file) = recorded(&stage);
        stage.upfault(&["check", "scenarios/recorded"]).code(0).out_has(&["1 scenario, 1 case: valid"]);
        let replayed = replayed(&stage, &id, stream);
        assert_eq!(replayed.undated(), direct.undated(), "{name}: {file}");
        assert!(passed.undated().contains("HTTP/1.1"), "{name}");
        assert!(file.contains("\nrecorded: 20"), "{file}");
        stage.upfault(&["run", "scenarios/recorded"]).code(0);
    }
}

#[test]
fn keys_and_content_do_not_reach_the_disk() {
    let stage = Stage::new();
    let arm = r#"{"provider": "openai", "upstream": [{"reply": "ok"}, {"error": "invalid_api_key"}, {"error": "rate_limit"}]}"#;
    let mut recording = Recording::of(&stage, arm, &["--all", "--limit", "3"]);
    let passed: Vec<String> =
        [true, false, false].iter().map(|stream| recording.ask(*stream).undated()).collect();
    assert_eq!(recording.recorder.code(), Some(0), "{:?}", recording.recorder.seen);
    assert!(passed[0].contains("canary") && passed[0].contains("acme-internal-7"), "{}", passed[0]);
    let files = stage.tree("");
    let texts: Vec<String> =
        files.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect();
    assert_eq!(texts.len(), 3, "{files:?}");
    let printed = recording.recorder.seen.join("\n");
    for text in texts.iter().chain([&printed]) {
        for secret in [KEY, "4711", "PIN", "acme-internal", "canary-"] {
            assert!(!text.contains(secret), "`{secret}` is in\n{text}");
        }
    }
    let all = texts.join("\n");
    for kept in [
        "finish_reason",
        "\"stop\"",
        "[DONE]",
        "rate_limit_exceeded",
        "retry-after: \"7\"",
        "Rate limit reached",
    ] {
        assert!(all.contains(kept), "`{kept}` is not in\n{all}");
    }
    // The ids of requests are planted again by the mock, so that a rule can follow them.
    assert!(all.contains("x-request-id: \"{{canary.request_id}}\""), "{all}");
    stage.upfault(&["run", "scenarios/recorded"]).code(0);
}

#[test]
fn only_chosen_exchanges_are_recorded_and_each_kind_once() {
    let stage = Stage::new();
    let arm = r#"{"provider": "openai", "upstream": [{"reply": "ok"}, {"error": "rate_limit"}, {"error": "internal"}, {"error": "rate_limit"}]}"#;
    let mut recording = Recording::of(&stage, arm, &["--status", "429,418", "--path", "*/chat/*"]);
    for _ in 0..4 {
        recording.ask(false);
    }
    recording.recorder.post(&format!("{}/models", recording.base), "{}");
    recording.recorder.line_with("like scenarios/recorded/");
    recording.recorder.line_with("/models");
    assert_eq!(recording.recorder.end("TERM"), Some(0));
    assert!(recorded(&stage).0.ends_with("openai-chat-429"));
    let printed = recording.recorder.seen.join("\n");
    assert!(printed.contains("5 exchanges passed, 1 scenario recorded"), "{printed}");
    // Without a choice, failures are recorded: also an error in a stream that began with 200.
    let stage = Stage::new();
    let arm = r#"{"provider": "openai", "upstream": [{"reply": "ok"}, {"reply": "ok", "faults": [{"error_event": {"error": "overloaded", "at": {"after_events": 2}}}]}]}"#;
    let mut recording = Recording::of(&stage, arm, &["--limit", "1"]);
    recording.ask(true);
    recording.ask(true);
    assert_eq!(recording.recorder.code(), Some(0));
    assert!(recorded(&stage).0.ends_with("openai-chat-200"));
}

#[test]
fn a_connection_that_ends_early_ends_early_in_the_replay() {
    for (fault, end, ending) in [
        (r#"{"close": {"at": {"after_events": 3}}}"#, "200-closed", "{close: {at: {after_bytes: "),
        (r#"{"reset": {"at": {"after_events": 3}}}"#, "200-reset", "{reset: {at: {after_bytes: "),
        (r#"{"close": {"at": "before_headers"}}"#, "-closed", "{close: {at: before_headers}}"),
    ] {
        let stage = Stage::new();
        let arm =
            format!(r#"{{"provider": "openai", "upstream": [{{"reply": "ok", "faults": [{fault}]}}]}}"#);
        let mut recording = Recording::of(&stage, &arm, &["--limit", "1"]);
        let passed = recording.ask(true);
        assert_eq!(recording.recorder.code(), Some(0), "{fault}");
        let (id, file) = recorded(&stage);
        assert!(id.ends_with(end) && file.contains(ending), "{id}: {file}");
        assert!(!passed.undated().ends_with("0\r\n\r\n"), "the client sees it too");
        let replayed = replayed(&stage, &id, true);
        let direct = recording.upstream.post(&format!("{}{CHAT}", recording.base), &request(true));
        assert_eq!(replayed.bytes.is_empty(), direct.bytes.is_empty(), "{fault}");
        assert!(!replayed.undated().ends_with("0\r\n\r\n"), "{fault}");
        stage.upfault(&["run", "scenarios/recorded"]).code(0);
    }
}

#[test]
fn an_upstream_that_is_gone_is_a_refused_connection() {
    let stage = Stage::new();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{gone}/v1");
    let mut recorder =
        Listening::start(&stage, &["record", "--upstream", &url, "--provider", "groq", "--limit", "1"]);
    let answer = recorder.post("/openai/v1/chat/completions", &request(false)).undated();
    assert!(answer.starts_with("HTTP/1.1 502") && answer.contains("cannot reach the upstream"), "{answer}");
    assert_eq!(recorder.code(), Some(0));
    let (id, file) = recorded(&stage);
    assert!(id.ends_with("openai-chat-refused") && file.ends_with("    faults: [refuse]\n"), "{file}");
}

#[test]
fn an_interrupted_exchange_leaves_no_file() {
    let stage = Stage::new();
    let arm = r#"{"provider": "openai", "upstream": [{"reply": "ok", "faults": [{"hang": {"at": {"after_events": 2}}}]}]}"#;
    let mut recording = Recording::of(&stage, arm, &["--all"]);
    let mut stream = TcpStream::connect(&recording.recorder.address).unwrap();
    recording.recorder.send(&mut stream, &format!("{}{CHAT}", recording.base), &request(true));
    assert!(stream.read(&mut [0; 100]).unwrap() > 0, "the exchange has begun");
    assert_eq!(recording.recorder.end("INT"), Some(130));
    assert_eq!(stage.tree("scenarios"), [], "{:?}", recording.recorder.seen);
    let printed = recording.recorder.seen.join("\n");
    assert!(printed.contains("1 exchange had not ended and left no file"), "{printed}");
}

#[test]
fn a_client_that_leaves_makes_the_provider_silent() {
    let stage = Stage::new();
    let arm = r#"{"provider": "openai", "upstream": [{"reply": "ok", "faults": [{"hang": {"at": {"after_events": 2}}}]}]}"#;
    let mut recording = Recording::of(&stage, arm, &["--limit", "1"]);
    let mut stream = TcpStream::connect(&recording.recorder.address).unwrap();
    recording.recorder.send(&mut stream, &format!("{}{CHAT}", recording.base), &request(true));
    assert!(stream.read(&mut [0; 100]).unwrap() > 0, "the exchange has begun");
    drop(stream);
    assert_eq!(recording.recorder.code(), Some(0));
    let (id, file) = recorded(&stage);
    assert!(id.ends_with("200-silent") && file.contains("{hang: {at: {after_bytes: "), "{file}");
    assert!(file.contains("# The client left before the end."), "{file}");
}

#[test]
fn a_full_disk_leaves_no_file_and_the_traffic_goes_on() {
    let stage = Stage::small();
    let upstream = Listening::start(&stage, &["serve"]);
    let url = format!("http://{}/openai/rate_limit/v1", upstream.address);
    // No file may become longer than 0 bytes: writing fails as on a full disk.
    let line = format!(
        "trap '' XFSZ; ulimit -f 0; exec upfault record --upstream {url} --provider openai --out full"
    );
    let mut recorder = Listening::of(stage.shell(&line));
    for _ in 0..2 {
        let answer = recorder.post("/openai/rate_limit/v1/chat/completions", &request(false));
        assert!(answer.undated().starts_with("HTTP/1.1 429"));
        recorder.line_with("not recorded: cannot write full/");
    }
    assert_eq!(recorder.end("TERM"), Some(4), "{:?}", recorder.seen);
    assert_eq!(stage.tree("full"), []);
    stage.write("file", "");
    stage
        .upfault(&["record", "--upstream", "https://api.openai.com/v1", "--out", "file"])
        .code(2)
        .err_has(&["cannot write recordings to file", "help: `--out DIR` chooses another folder"]);
}

#[test]
fn arguments_are_checked_before_anything_starts() {
    let stage = Stage::new();
    for (args, part) in [
        (&["--upstream", "api.openai.com"][..], "is not the URL of a provider"),
        (&["--upstream", "https://api.openai.com/v1?key=x"], "keys and parameters belong in the requests"),
        (&["--upstream", "https://llm.example/v1"], "no provider is known at llm.example"),
        (&["--upstream", "https://api.openai.com/v1", "--status", "6xx"], "`6xx` is not a status"),
        (&["--upstream", "https://api.openai.com/v1", "--status", "429", "--all"], "cannot be used with"),
    ] {
        stage.upfault(&[&["record"], args].concat()).code(2).err_has(&[part]);
    }
    assert_eq!(stage.tree(""), []);
}

#[test]
fn check_warns_of_recordings_that_are_old_or_that_no_run_plays() {
    let text = "title: t\nwhy: w\nrecorded: 2020-02-29\nupstream: [{error: rate_limit}]\n";
    let stage = Stage::small().scenario("recorded/old", text);
    let old = "scenarios/recorded/old.yaml: warning: recorded on 2020-02-29, ";
    stage.upfault(&["check"]).code(0).out_has(&[old]);
    stage.write("upfault.toml", "scenarios = [\"scenarios/t\"]\nrecording_max_age = \"100000d\"\n");
    let printed = stage.upfault(&["check"]).code(0).out_has(&[
        "scenarios/recorded/old.yaml: warning: no run plays this recording: `scenarios` in upfault.toml does not include it",
    ]);
    assert!(!printed.out.contains(old), "{}", printed.out);
    stage.write("upfault.toml", "filter = \"t/*\"\n");
    stage.upfault(&["check"]).code(0).out_has(&[old, "the `filter` in upfault.toml excludes it"]);
}

/// Elsewhere the client trusts the certificates of the system, whatever the variable says.
#[cfg(target_os = "linux")]
#[test]
fn a_system_without_certificates_is_not_an_address_in_use() {
    let stage = Stage::new();
    stage.write("empty.pem", "");
    let mut command = stage.command(&["record", "--upstream", "https://api.openai.com/v1"]);
    command.env("SSL_CERT_FILE", "empty.pem").env_remove("SSL_CERT_DIR");
    stage.ended(command).code(2).err_has(&[
        "cannot send requests to https://api.openai.com/v1",
        "help: ",
        "SSL_CERT_FILE",
    ]);
}
