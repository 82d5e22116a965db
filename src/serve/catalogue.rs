//! The catalogue by URL: `/PROVIDER/NAME` sends the same reply to every request.

use std::{io, sync::Arc, time::Duration};

use indexmap::IndexMap;

use crate::{
    observation::Identity,
    scenario::{
        Api, Combination, ContentEncodingFault, ErrorName, Fault, Http1Fault, MalformedBody, Point, Provider,
        SuccessReply, Transport, Turn, TurnReply,
    },
    upstream::{Armed, ArmedCase, Upstream},
};

/// One entry of the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// The name in the URL.
    pub name: &'static str,
    /// A short description; empty for an error, whose name is clear enough.
    pub about: &'static str,
    /// The turn that every attempt plays.
    pub turn: Turn,
}

/// The names that are not errors.
pub(crate) fn other_names() -> Vec<&'static str> {
    entries()
        .iter()
        .filter(|entry| !matches!(entry.turn.answer, TurnReply::Error(_)))
        .map(|entry| entry.name)
        .collect()
}

/// All entries: successes, then errors, then faults.
pub(crate) fn entries() -> Vec<Entry> {
    let entry = |name, about, answer, faults| Entry {
        name,
        about,
        turn: Turn { answer, headers: IndexMap::new(), faults },
    };
    let ok = || TurnReply::Reply(SuccessReply::Ok);
    let reply = |name, about, reply| entry(name, about, TurnReply::Reply(reply), Vec::new());
    let fault = |name, about, fault| entry(name, about, ok(), vec![fault]);
    // By then the role and a piece of content have been sent.
    let middle = Point::AfterEvents(3);
    let slow = Fault::Delay { at: Point::BeforeHeaders, lasting: Duration::from_secs(2) };

    let mut entries = vec![
        reply("ok", "a short text", SuccessReply::Ok),
        reply("tool_call", "one tool call", SuccessReply::ToolCall),
        reply("max_tokens", "a text that the token limit cut off", SuccessReply::MaxTokens),
    ];
    entries.extend(
        ErrorName::all().into_iter().map(|name| entry(name.as_str(), "", TurnReply::Error(name), Vec::new())),
    );
    entries.extend([
        fault("hang", "no response at all", Fault::Hang { at: Point::BeforeHeaders }),
        fault("reset", "a TCP RST instead of a response", Fault::Reset { at: Point::BeforeHeaders }),
        fault("close", "a FIN instead of a response", Fault::Close { at: Point::BeforeHeaders }),
        fault(
            "stream_hang",
            "a stream that sends nothing more after three events",
            Fault::Hang { at: middle },
        ),
        fault("stream_reset", "a stream with a TCP RST after three events", Fault::Reset { at: middle }),
        fault("stream_close", "a stream with a FIN after three events", Fault::Close { at: middle }),
        fault(
            "stream_error",
            "a stream with an `overloaded` error after three events",
            Fault::ErrorEvent { error: ErrorName::Overloaded, at: middle, form: None },
        ),
        fault("drop_terminator", "a stream that ends without its terminator", Fault::DropTerminator),
        fault("not_json", "a 200 whose body is not JSON", Fault::Malform(MalformedBody::NotJson)),
        fault("cut_json", "a 200 whose JSON is cut off", Fault::Malform(MalformedBody::CutJson)),
        fault("html", "a 200 with an HTML page", Fault::Malform(MalformedBody::Html)),
        fault("empty", "a 200 without a body", Fault::Malform(MalformedBody::Empty)),
        fault("invalid_utf8", "a response with invalid UTF-8", Fault::Malform(MalformedBody::InvalidUtf8)),
        fault(
            "deep_nesting",
            "a response with a member nested 20,000 levels deep",
            Fault::Malform(MalformedBody::DeepNesting(20_000)),
        ),
        fault("slow", "the first byte after two seconds", slow),
        fault("drip", "100 bytes a second", Fault::Drip { bytes_per_second: 100 }),
        fault("byte_by_byte", "every byte in a separate packet", Fault::Split { bytes: 1 }),
        fault("garbage", "bytes that are not a status line", Fault::Http1(Http1Fault::GarbageStatusLine)),
        fault(
            "stream_bad_chunk",
            "a stream with an invalid chunk size after three events",
            Fault::Http1(Http1Fault::BadChunkSize { at: middle }),
        ),
        fault(
            "gzip_not_sent",
            "a body that is labelled as gzip but is not compressed",
            Fault::ContentEncoding(ContentEncodingFault::GzipNotSent),
        ),
        fault("redirect", "a 307 to another origin", Fault::Redirect(307)),
    ]);
    entries
}

/// Arms the whole catalogue for every provider. It stays armed as long as the handles are kept.
pub(super) fn open(upstream: &Upstream) -> io::Result<Vec<ArmedCase>> {
    let entries = entries();
    let case = |provider: &Provider| {
        let turns = entries.iter().map(|entry| (entry.name.to_owned(), vec![entry.turn.clone()]));
        Armed {
            providers: indexmap::IndexMap::new(),
            // The token is the first segment of every path.
            identity: Identity { token: provider.as_str().to_owned() },
            combination: Combination { api: Api::OpenaiChat, provider: *provider, stream: false },
            deployments: Arc::new(turns.collect()),
            transport: Transport::Plain,
            account: None,
            seed: 0,
        }
    };
    upstream.arm_stateless(Provider::all().iter().map(case).collect())
}
