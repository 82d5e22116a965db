//! Checks which faults of one list exclude each other, or cannot occur in this order.

use std::mem::discriminant;

use super::{
    diagnostic::Diagnostic,
    fault::{
        ConnectionFault, ContentEncodingFault, Fault, FaultStage, Http1Fault, LatencyPlace, MalformedBody,
        Point, TlsFault,
    },
    file::Located,
    validate::FileChecker,
};

/// The reason why two faults exclude each other: the message about the second, and the help line.
struct Clash {
    what: &'static str,
    help: &'static str,
}

/// The rules; the first one that applies to a pair of faults is reported.
const RULES: [fn(&Fault, &Fault) -> Option<Clash>; 11] = [
    alone,
    after_the_end,
    twice,
    one_framing,
    one_status,
    one_connection_end,
    undone,
    encoded_already,
    counted_already,
    broken_events,
    too_long_to_compress,
];

/// Checks each fault against those before it, and reports the first rule that excludes it.
pub(super) fn together(check: &mut FileChecker<'_>, faults: &[Located<Fault>]) {
    for (i, second) in faults.iter().enumerate() {
        let clash = faults[..i].iter().find_map(|first| {
            RULES.iter().find_map(|rule| rule(&first.value, &second.value)).map(|clash| (first, clash))
        });
        if let Some((first, clash)) = clash {
            conflict(check, first, second, &clash);
        }
    }
}

fn conflict(check: &mut FileChecker<'_>, first: &Located<Fault>, second: &Located<Fault>, clash: &Clash) {
    let error = check.error(&second.range, format!("`{}` {}", called(&second.value), clash.what));
    let labelled: Diagnostic =
        error.clone().also(first.range.clone(), format!("`{}` is here", called(&first.value)));
    *error = labelled.help(clash.help);
}

/// The name of a fault without its point: `reset`, `http1: trailing_bytes`.
fn called(fault: &Fault) -> String {
    let name = fault.name();
    let inner = match fault {
        Fault::Connection(inner) => inner.to_string(),
        Fault::Tls(inner) => inner.to_string(),
        Fault::Http2(inner) => inner.to_string(),
        Fault::Http1(inner) => inner.to_string(),
        Fault::EventStream(inner) => inner.to_string(),
        _ => return name.to_owned(),
    };
    let word = inner.split(' ').next().unwrap_or_default();
    format!("{name}: {word}")
}

/// Whether the mock still sends a response, so that other faults can follow, even if this fault takes effect
/// before the response is planned.
fn lets_replies_through(fault: &Fault) -> bool {
    match fault {
        Fault::Connection(ConnectionFault::SlowAccept(_)) => true,
        Fault::Tls(fault) => fault.is_certificate() || *fault == TlsFault::NoCloseNotify,
        fault => fault.stage() == FaultStage::Reply,
    }
}

/// A fault that prevents every response excludes all other faults.
fn alone(first: &Fault, second: &Fault) -> Option<Clash> {
    (!lets_replies_through(first) || !lets_replies_through(second)).then_some(Clash {
        what: "excludes every other fault: with one of the two no response is ever sent",
        help: "let the one that prevents the response be the only fault of its turn",
    })
}

fn after_the_end(first: &Fault, _: &Fault) -> Option<Clash> {
    first.is_final().then_some(Clash {
        what: "never happens: the fault before it ends the response",
        help: "a list may contain one fault that ends the response, as its last",
    })
}

fn twice(first: &Fault, second: &Fault) -> Option<Clash> {
    let same = match (first, second) {
        (Fault::Http1(Http1Fault::Interim(_)), Fault::Http1(_)) => false,
        (Fault::Http1(first), Fault::Http1(second)) => discriminant(first) == discriminant(second),
        (Fault::Connection(first), Fault::Connection(second)) => discriminant(first) == discriminant(second),
        (Fault::Tls(first), Fault::Tls(second)) if first.is_certificate() && second.is_certificate() => {
            return Some(Clash {
                what: "presents a second certificate",
                help: "a server presents one: put the two into separate turns",
            });
        }
        (Fault::Split { .. } | Fault::SplitCharacters, Fault::Split { .. } | Fault::SplitCharacters) => {
            return Some(Clash {
                what: "specifies a second time how the body is split into packets",
                help: "keep one of `split` and `split_characters`",
            });
        }
        (Fault::DropTerminator, Fault::DuplicateTerminator)
        | (Fault::DuplicateTerminator, Fault::DropTerminator) => {
            return Some(Clash {
                what: "contradicts the other: a stream ends without its terminator, or has two",
                help: "keep one of `drop_terminator` and `duplicate_terminator`",
            });
        }
        (Fault::ErrorEvent { .. }, Fault::DuplicateTerminator)
        | (Fault::DuplicateTerminator, Fault::ErrorEvent { .. }) => {
            return Some(Clash {
                what: "never happens: a stream that ends in an error has no terminator to send twice",
                help: "keep one of `error_event` and `duplicate_terminator`",
            });
        }
        (
            Fault::Drip { .. }
            | Fault::Malform(_)
            | Fault::ErrorEvent { .. }
            | Fault::DropTerminator
            | Fault::DuplicateTerminator
            | Fault::Crlf
            | Fault::MultiLineData
            | Fault::ContentEncoding(_)
            | Fault::ContentType(_),
            _,
        ) => first.name() == second.name(),
        _ => false,
    };
    same.then_some(Clash { what: "is specified twice", help: "keep one of them" })
}

/// Whether it changes how the response marks the end of its body.
fn ends_the_body(fault: &Fault) -> bool {
    match fault {
        Fault::Http1(fault) => fault.is_about_framing() || *fault == Http1Fault::GarbageStatusLine,
        Fault::Tls(fault) => *fault == TlsFault::NoCloseNotify,
        _ => false,
    }
}

fn one_framing(first: &Fault, second: &Fault) -> Option<Clash> {
    (ends_the_body(first) && ends_the_body(second)).then_some(Clash {
        what: "excludes another fault of the framing",
        help: "a response marks its end in one way only: put the two into separate turns",
    })
}

fn one_status(first: &Fault, second: &Fault) -> Option<Clash> {
    let about_status = |fault: &Fault| matches!(fault, Fault::Http1(fault) if fault.is_about_status());
    (about_status(first) && about_status(second)).then_some(Clash {
        what: "writes the status line a second time",
        help: "a response has one status line: put the two into separate turns",
    })
}

/// A connection that is closed after the response cannot be reused.
fn one_connection_end(first: &Fault, second: &Fault) -> Option<Clash> {
    let reused = |fault: &Fault| matches!(fault, Fault::Connection(ConnectionFault::ClosedWhenReused));
    ((ends_the_body(first) && reused(second)) || (reused(first) && ends_the_body(second))).then_some(Clash {
        what: "needs a response that leaves the connection in a valid state",
        help: "put the two into separate turns",
    })
}

/// Whether its effect remains when a later fault replaces the response.
fn outlasts_the_reply(fault: &Fault) -> bool {
    match fault {
        Fault::Delay { at, .. } | Fault::Stall { at, .. } => *at == Point::BeforeHeaders,
        Fault::Latency(latency) => latency.before == LatencyPlace::FirstByte,
        Fault::Http1(fault) => matches!(fault, Http1Fault::Interim(_)),
        fault => fault.stage() != FaultStage::Reply,
    }
}

fn undone(first: &Fault, second: &Fault) -> Option<Clash> {
    let replaces = matches!(second, Fault::Malform(_) | Fault::Redirect(_));
    if !replaces || outlasts_the_reply(first) {
        return None;
    }
    Some(match second {
        Fault::Redirect(_) => Clash {
            what: "replaces the response that an earlier fault edits",
            help: "leave the other fault out: a redirect has no body and has its own status",
        },
        _ => Clash {
            what: "replaces the body that an earlier fault edits",
            help: "put `malform` first: faults are applied in their order",
        },
    })
}

/// Whether it changes or removes bytes of the body.
fn edits_the_body(fault: &Fault) -> bool {
    edits_events(fault) || matches!(fault, Fault::ContentEncoding(_))
}

/// Whether it changes, adds or removes events.
fn edits_events(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::ErrorEvent { .. }
            | Fault::UnknownEvent { .. }
            | Fault::Comment { .. }
            | Fault::Ping { .. }
            | Fault::Crlf
            | Fault::MultiLineData
            | Fault::DropTerminator
            | Fault::DuplicateTerminator
            | Fault::EventStream(_)
    )
}

fn encoded_already(first: &Fault, second: &Fault) -> Option<Clash> {
    (matches!(first, Fault::ContentEncoding(_)) && edits_events(second)).then_some(Clash {
        what: "comes too late: the body is already encoded",
        help: "put `content_encoding` after it: faults are applied in their order",
    })
}

fn counted_already(first: &Fault, second: &Fault) -> Option<Clash> {
    if ends_the_body(first) && edits_the_body(second) {
        return Some(Clash {
            what: "comes too late: the headers already contain the length of the body",
            help: "put the fault of the framing after it: faults are applied in their order",
        });
    }
    let empty = matches!(first, Fault::Malform(MalformedBody::Empty)) && ends_the_body(second);
    empty.then_some(Clash {
        what: "needs a body, and an earlier fault has removed it",
        help: "put the two into separate turns",
    })
}

/// Some faults change whole events, which an earlier fault has cut into parts or moved.
fn broken_events(first: &Fault, second: &Fault) -> Option<Clash> {
    let whole = matches!(second, Fault::MultiLineData | Fault::Crlf | Fault::EventStream(_));
    let cuts = matches!(
        first,
        Fault::Drip { .. }
            | Fault::Delay { at: Point::AfterBytes(_), .. }
            | Fault::Stall { at: Point::AfterBytes(_), .. }
    );
    (whole && cuts).then_some(Clash {
        what: "comes too late: it changes whole events, and an earlier fault has cut them into parts",
        help: "put it first: faults are applied in their order",
    })
}

/// The number of bytes that can safely be compressed in one second of CPU time.
const COMPRESSIBLE: u32 = 16 * 1024 * 1024;

fn too_long_to_compress(first: &Fault, second: &Fault) -> Option<Clash> {
    let compresses = matches!(
        second,
        Fault::ContentEncoding(ContentEncodingFault::DoubleGzip | ContentEncodingFault::CutGzip)
    );
    let large = matches!(first, Fault::Malform(MalformedBody::VeryLarge(bytes)) if *bytes > COMPRESSIBLE);
    (compresses && large).then_some(Clash {
        what: "compresses the body before it is sent, and the body is too large",
        help: "use at most 16777216 bytes",
    })
}
