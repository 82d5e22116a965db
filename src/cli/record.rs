//! `upfault record`

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use jiff::tz::TimeZone;
use url::Url;

use super::{
    context::CliContext, explain_catalogue::provider_called, failure::Failure, print,
    record_args::RecordArgs, serve::unbound,
};
use crate::{
    platform::{StopSignal, stop_signal},
    provider,
    record::{
        NotRecorded, PassedEnd, PassedExchange, RecordChoice, RecordStore, Recorder, RecorderError,
        SavedRecording,
    },
    report::{EXIT_BROKE, EXIT_INTERRUPTED, EXIT_OK, plural},
    scenario::Provider,
    shell,
};

/// The default folder of recordings, below the project folder.
pub(super) const RECORDED: &str = "scenarios/recorded";

/// What was recorded so far.
#[derive(Debug, Default)]
struct RecordCounts {
    passed: usize,
    files: Vec<PathBuf>,
    unwritable: usize,
}

/// What is recorded, where, and what was recorded so far.
struct RecordSession {
    choice: RecordChoice,
    store: RecordStore,
    /// The folder of the recordings, for messages.
    shown: PathBuf,
    limit: Option<NonZeroUsize>,
    counts: RecordCounts,
}

impl RecordSession {
    /// Whether there are as many recordings as wanted: then nothing more is recorded.
    fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.counts.files.len() >= limit.get())
    }

    /// Saves an exchange if it is chosen. Returns a line that says what was done with it.
    fn recorded(&mut self, exchange: &PassedExchange) -> String {
        self.counts.passed += 1;
        let result = self.choice.takes(exchange).then(|| {
            let day = jiff::Timestamp::now().to_zoned(TimeZone::UTC).date();
            self.store.save(exchange, day)
        });
        line(exchange, result, &self.shown, &mut self.counts)
    }

    /// Like [`recorded`](Self::recorded) for each of these exchanges, until there are as many recordings as wanted.
    fn recorded_last(&mut self, last: &[PassedExchange]) -> String {
        let mut lines = String::new();
        for exchange in last {
            if self.is_full() {
                break;
            }
            lines.push_str(&self.recorded(exchange));
        }
        lines
    }
}

/// Passes traffic on and records it until a signal or the limit stops it.
pub(super) fn record(context: &CliContext, args: &RecordArgs) -> Result<u8, Failure> {
    let upstream = upstream(&args.upstream)?;
    let provider = match &args.provider {
        Some(name) => provider_called(name)?,
        None => upstream.host_str().and_then(provider::at_host).ok_or_else(|| unknown_provider(&upstream))?,
    };
    let folder = args.out.as_ref().map_or_else(|| context.root.join(RECORDED), |out| context.place(out));
    let shown = folder.strip_prefix(&context.cwd).unwrap_or(&folder).to_owned();
    let store = RecordStore::open(&folder, &args.keep_header, &args.keep_member).map_err(|error| {
        Failure::Usage(format!(
            "cannot write recordings to {}: {error}\nhelp: `--out DIR` chooses another folder",
            shown.display()
        ))
    })?;
    let choice = RecordChoice { status: args.status.clone(), path: args.path.clone(), all: args.all };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::io("cannot start threads"))?;
    runtime.block_on(async {
        let asked = stop_signal().map_err(Failure::io("cannot listen for signals"))?;
        let origin = upstream.origin().ascii_serialization();
        let mut recorder = Recorder::start(args.listen, &origin, provider)
            .await
            .map_err(|error| not_started(args, error))?;
        if !args.listen.ip().is_loopback() {
            print::note(
                "warning: anyone who can reach this address can use it: it is not a loopback address",
            );
        }
        print::out(&started(&recorder, &upstream, provider, args, &shown))?;
        let mut session =
            RecordSession { choice, store, shown, limit: args.limit, counts: RecordCounts::default() };
        tokio::pin!(asked);
        let code = loop {
            let exchange = tokio::select! {
                biased;
                signal = &mut asked => break match signal {
                    StopSignal::Interrupt => EXIT_INTERRUPTED,
                    StopSignal::Terminate => EXIT_OK,
                },
                exchange = recorder.next() => exchange,
            };
            print::out(&session.recorded(&exchange))?;
            if session.is_full() {
                break EXIT_OK;
            }
        };
        let (last, open) = recorder.shutdown().await;
        print::out(&session.recorded_last(&last))?;
        let RecordSession { shown, counts, .. } = session;
        print::out(&ended(&counts, open, &shown))?;
        Ok(if counts.unwritable > 0 { EXIT_BROKE } else { code })
    })
}

fn not_started(args: &RecordArgs, error: RecorderError) -> Failure {
    match error {
        RecorderError::Listen(error) => unbound(args.listen, error),
        RecorderError::Client(reason) => Failure::Usage(format!(
            "cannot send requests to {}: the HTTP client reports: {reason}\nhelp: the client trusts the certificates of the system; install them \
             (on Debian, the package `ca-certificates`), or name a file of certificates with SSL_CERT_FILE",
            args.upstream
        )),
    }
}

fn upstream(text: &str) -> Result<Url, Failure> {
    let usage = |what: &str| {
        Failure::Usage(format!(
            "`{text}` is not the URL of a provider: {what}\nhelp: write the base URL that clients use, for example \
             `--upstream https://api.openai.com/v1`"
        ))
    };
    let url = Url::parse(text).map_err(|error| usage(&error.to_string()))?;
    match url {
        _ if !matches!(url.scheme(), "http" | "https") => Err(usage("it begins with http:// or https://")),
        _ if !url.has_host() => Err(usage("it has no host")),
        _ if url.query().is_some() || !url.username().is_empty() => {
            Err(usage("keys and parameters belong in the requests of the client"))
        }
        url => Ok(url),
    }
}

fn unknown_provider(upstream: &Url) -> Failure {
    let host = upstream.host_str().unwrap_or_default();
    Failure::Usage(format!(
        "no provider is known at {host}\nhelp: say whose API it is with `--provider NAME`; a server with OpenAI's API is \
         `--provider openai`. Possible values: {}",
        Provider::names().join(", ")
    ))
}

/// The first line contains only the address, for programs that start this one.
fn started(
    recorder: &Recorder,
    upstream: &Url,
    provider: Provider,
    args: &RecordArgs,
    folder: &Path,
) -> String {
    let address = recorder.address();
    let path = upstream.path().trim_end_matches('/');
    let what = match (&args.status, args.all) {
        (Some(set), _) => format!("exchanges with status {set}"),
        (None, true) => "every exchange".to_owned(),
        (None, false) => "exchanges that fail".to_owned(),
    };
    format!(
        "listening on http://{address}\n\n\
         use http://{address}{path} as the base URL of a client or a gateway, in place of {}\n\
         recording {what} with {provider} to {}; Ctrl-C ends it\n\n",
        upstream.as_str().trim_end_matches('/'),
        folder.display()
    )
}

/// The line about an exchange: `429 POST /v1/chat/completions  1.2 s  recorded: FILE`.
fn line(
    exchange: &PassedExchange,
    result: Option<Result<SavedRecording, NotRecorded>>,
    folder: &Path,
    counts: &mut RecordCounts,
) -> String {
    let name = |path: &Path| folder.join(path.file_name().unwrap_or_default()).display().to_string();
    let became = match result {
        None => "passed".to_owned(),
        Some(Ok(SavedRecording::New(path))) => {
            let name = name(&path);
            counts.files.push(path);
            format!("recorded: {name}")
        }
        Some(Ok(SavedRecording::Same(path))) => format!("like {}", name(&path)),
        Some(Err(NotRecorded::Unwritable { name, source })) => {
            counts.unwritable += 1;
            // The library adds the path of its temporary file.
            let cause = source.to_string();
            let cause = cause.split(" at path ").next().unwrap_or_default();
            format!("not recorded: cannot write {}: {cause}", folder.join(name).display())
        }
        Some(Err(error)) => format!("not recorded: {error}"),
    };
    let end = match &exchange.end {
        PassedEnd::Complete => "",
        PassedEnd::Refused => " (connection refused)",
        PassedEnd::Reset => " (reset)",
        PassedEnd::Closed => " (closed too early)",
        PassedEnd::ClientLeft => " (the client left)",
        PassedEnd::NotRepeatable(_) => " (no complete response)",
    };
    let status = exchange.status().map_or("---".to_owned(), |status| status.to_string());
    let PassedExchange { method, path, first, .. } = exchange;
    format!("{status} {method} {path}{end}  {:.1} s  {became}\n", first.as_secs_f64())
}

/// The last lines: what there is now, and what to do with it.
fn ended(counts: &RecordCounts, open: usize, folder: &Path) -> String {
    let mut text = format!(
        "\n{} passed, {} recorded\n",
        plural(counts.passed, "exchange"),
        plural(counts.files.len(), "scenario")
    );
    if open > 0 {
        text.push_str(&format!("{} had not ended and left no file\n", plural(open, "exchange")));
    }
    if !counts.files.is_empty() {
        let folder = folder.display().to_string();
        text.push_str(&format!(
            "read them before you commit them, then play them:\n  {}\n  {}\n",
            shell::command(&["upfault", "check", &folder]),
            shell::command(&["upfault", "run", &folder, "--proxy", "litellm"]),
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_before_a_signal_is_recorded_up_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let mut session = RecordSession {
            choice: RecordChoice::default(),
            store: RecordStore::open(folder.path(), &[], &[]).unwrap(),
            shown: "recorded".into(),
            limit: NonZeroUsize::new(2),
            counts: RecordCounts::default(),
        };
        session.recorded(&PassedExchange::without_reply(PassedEnd::Refused));
        assert!(!session.is_full());
        let lines = session.recorded_last(&[
            PassedExchange::without_reply(PassedEnd::Reset),
            PassedExchange::without_reply(PassedEnd::Closed),
        ]);
        assert!(lines.contains("(reset)") && lines.lines().count() == 1, "{lines}");
        assert_eq!((session.counts.passed, std::fs::read_dir(folder.path()).unwrap().count()), (2, 2));
    }
}
