//! The catalogue by URL: `/PROVIDER/NAME` always answers in one way.

use std::{io, time::Duration};

use indexmap::IndexMap;

use crate::{
    observation::Identity,
    scenario::{
        Api, Combination, ContentEncodingFault, ErrorName, Fault, Http1Fault, MalformedBody, Point, Provider,
        SuccessReply, Transport, Turn, TurnReply,
    },
    upstream::{Armed, ArmedCase, Upstream},
};

/// One name of the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// As it stands in the URL.
    pub name: &'static str,
    /// What it does, in a few words; empty for an error, which its name explains.
    pub about: &'static str,
    /// What is played, whatever the number of the attempt.
    pub turn: Turn,
}

/// Every name, successes first, then the errors, then faults.
pub fn entries() -> Vec<Entry> {
    let entry = |name, about, answer, faults| Entry {
        name,
        about,
        turn: Turn { answer, headers: IndexMap::new(), faults },
    };
    let ok = || TurnReply::Reply(SuccessReply::Ok);
    let reply = |name, about, reply| entry(name, about, TurnReply::Reply(reply), Vec::new());
    let fault = |name, about, fault| entry(name, about, ok(), vec![fault]);
    // The role is out by then, and a piece of content.
    let middle = Point::AfterEvents(3);
    let slow = Fault::Delay { at: Point::BeforeHeaders, lasting: Duration::from_secs(2) };

    let mut entries = vec![
        reply("ok", "a short text", SuccessReply::Ok),
        reply("tool_call", "one tool call", SuccessReply::ToolCall),
        reply("max_tokens", "a text that the limit of tokens cut off", SuccessReply::MaxTokens),
    ];
    entries.extend(
        ErrorName::ALL.iter().map(|name| entry(name.as_str(), "", TurnReply::Error(*name), Vec::new())),
    );
    entries.extend([
        fault("hang", "no answer at all", Fault::Hang { at: Point::BeforeHeaders }),
        fault("reset", "a TCP RST in place of an answer", Fault::Reset { at: Point::BeforeHeaders }),
        fault("close", "a FIN in place of an answer", Fault::Close { at: Point::BeforeHeaders }),
        fault("stream_hang", "a stream that falls silent after three events", Fault::Hang { at: middle }),
        fault("stream_reset", "a stream with a TCP RST after three events", Fault::Reset { at: middle }),
        fault("stream_close", "a stream with a FIN after three events", Fault::Close { at: middle }),
        fault(
            "stream_error",
            "a stream with an `overloaded` error after three events",
            Fault::ErrorEvent { error: ErrorName::Overloaded, at: middle, form: None },
        ),
        fault("drop_terminator", "a stream that ends without saying so", Fault::DropTerminator),
        fault("not_json", "a 200 whose body is no JSON", Fault::Malform(MalformedBody::NotJson)),
        fault("cut_json", "a 200 whose JSON is cut off", Fault::Malform(MalformedBody::CutJson)),
        fault("html", "a 200 with a page", Fault::Malform(MalformedBody::Html)),
        fault("empty", "a 200 without a body", Fault::Malform(MalformedBody::Empty)),
        fault(
            "invalid_utf8",
            "an answer with bytes that are no UTF-8",
            Fault::Malform(MalformedBody::InvalidUtf8),
        ),
        fault(
            "deep_nesting",
            "an answer with a member nested 20,000 deep",
            Fault::Malform(MalformedBody::DeepNesting(20_000)),
        ),
        fault("slow", "a first byte after two seconds", slow),
        fault("drip", "100 bytes a second", Fault::Drip { bytes_per_second: 100 }),
        fault("byte_by_byte", "every byte in a packet of its own", Fault::Split { bytes: 1 }),
        fault("garbage", "no status line", Fault::Http1(Http1Fault::GarbageStatusLine)),
        fault(
            "stream_bad_chunk",
            "a stream with a chunk size that is no number after three events",
            Fault::Http1(Http1Fault::BadChunkSize { at: middle }),
        ),
        fault(
            "gzip_not_sent",
            "a body that says gzip and is not",
            Fault::ContentEncoding(ContentEncodingFault::GzipNotSent),
        ),
        fault("redirect", "a 307 to another origin", Fault::Redirect(307)),
    ]);
    entries
}

/// Has the mock answer for all of it. It stays as long as the handles are kept.
pub(super) fn open(upstream: &Upstream) -> io::Result<Vec<ArmedCase>> {
    let entries = entries();
    let case = |provider: &Provider| {
        let turns = entries.iter().map(|entry| (entry.name.to_owned(), vec![entry.turn.clone()]));
        upstream.arm_stateless(Armed {
            // The token is the first segment of every path.
            identity: Identity { token: provider.as_str().to_owned() },
            combination: Combination { api: Api::OpenaiChat, provider: *provider, stream: false },
            deployments: turns.collect(),
            transport: Transport::Plain,
            account: None,
            seed: 0,
        })
    };
    Provider::ALL.iter().map(case).collect()
}
