//! Which faults of one list cannot happen together, or not in this order.

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

/// Why two faults do not go together: what is said of the second, and what to do.
struct Clash {
    what: &'static str,
    help: &'static str,
}

/// The rules, the first of which that speaks of a pair is told.
const RULES: [fn(&Fault, &Fault) -> Option<Clash>; 11] = [
    alone,
    behind_the_end,
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

/// Checks each fault against those before it, and tells the first reason against it.
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

/// A fault without its place: `reset`, `http1: trailing_bytes`.
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

/// Whether it leaves room for other faults, though it strikes before a reply is planned.
fn lets_replies_through(fault: &Fault) -> bool {
    match fault {
        Fault::Connection(ConnectionFault::SlowAccept(_)) => true,
        Fault::Tls(fault) => fault.is_certificate() || *fault == TlsFault::NoCloseNotify,
        fault => fault.stage() == FaultStage::Reply,
    }
}

/// Where no reply is ever sent there is nothing to edit.
fn alone(first: &Fault, second: &Fault) -> Option<Clash> {
    (!lets_replies_through(first) || !lets_replies_through(second)).then_some(Clash {
        what: "cannot stand beside another fault: with one of the two no reply is ever sent",
        help: "let the one that strikes before a reply stand alone in its turn",
    })
}

fn behind_the_end(first: &Fault, _: &Fault) -> Option<Clash> {
    first.is_final().then_some(Clash {
        what: "never happens: the fault before it ends the reply",
        help: "a list may hold one fault that ends the reply, as its last",
    })
}

fn twice(first: &Fault, second: &Fault) -> Option<Clash> {
    let same = match (first, second) {
        (Fault::Http1(Http1Fault::Interim(_)), Fault::Http1(_)) => false,
        (Fault::Http1(first), Fault::Http1(second)) => discriminant(first) == discriminant(second),
        (Fault::Connection(first), Fault::Connection(second)) => discriminant(first) == discriminant(second),
        (Fault::Tls(first), Fault::Tls(second)) if first.is_certificate() && second.is_certificate() => {
            return Some(Clash {
                what: "shows a second certificate",
                help: "a server shows one: give the two a turn each",
            });
        }
        (Fault::Split { .. } | Fault::SplitCharacters, Fault::Split { .. } | Fault::SplitCharacters) => {
            return Some(Clash {
                what: "says a second time into which packets the body goes",
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
    same.then_some(Clash { what: "stands twice", help: "keep one of them" })
}

/// Whether it says how the end of the body is told.
fn ends_the_body(fault: &Fault) -> bool {
    match fault {
        Fault::Http1(fault) => fault.is_about_framing() || *fault == Http1Fault::GarbageStatusLine,
        Fault::Tls(fault) => *fault == TlsFault::NoCloseNotify,
        _ => false,
    }
}

fn one_framing(first: &Fault, second: &Fault) -> Option<Clash> {
    (ends_the_body(first) && ends_the_body(second)).then_some(Clash {
        what: "cannot be told beside another fault of the framing",
        help: "a reply tells in one way where it ends: give the two a turn each",
    })
}

fn one_status(first: &Fault, second: &Fault) -> Option<Clash> {
    let about_status = |fault: &Fault| matches!(fault, Fault::Http1(fault) if fault.is_about_status());
    (about_status(first) && about_status(second)).then_some(Clash {
        what: "writes the status line a second time",
        help: "a reply has one status line: give the two a turn each",
    })
}

/// A connection that is closed behind the reply cannot be used again.
fn one_connection_end(first: &Fault, second: &Fault) -> Option<Clash> {
    let reused = |fault: &Fault| matches!(fault, Fault::Connection(ConnectionFault::ClosedWhenReused));
    ((ends_the_body(first) && reused(second)) || (reused(first) && ends_the_body(second))).then_some(Clash {
        what: "needs a reply that leaves the connection as it should be",
        help: "give the two a turn each",
    })
}

/// Whether what it does stays, whatever is put in the reply's place.
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
            what: "puts another reply in the place of the one that was edited",
            help: "leave the other fault out: a redirect has no body and a status of its own",
        },
        _ => Clash {
            what: "puts another body in the place of the one that was edited",
            help: "put `malform` first: faults are applied in their order",
        },
    })
}

/// Whether it changes the bytes of the body, or takes some away.
fn edits_the_body(fault: &Fault) -> bool {
    edits_events(fault) || matches!(fault, Fault::ContentEncoding(_))
}

/// Whether it changes events, or which there are.
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
        what: "comes too late: the body is encoded already",
        help: "put `content_encoding` behind it: faults are applied in their order",
    })
}

fn counted_already(first: &Fault, second: &Fault) -> Option<Clash> {
    if ends_the_body(first) && edits_the_body(second) {
        return Some(Clash {
            what: "comes too late: the head has told the length of the body already",
            help: "put the fault of the framing behind it: faults are applied in their order",
        });
    }
    let empty = matches!(first, Fault::Malform(MalformedBody::Empty)) && ends_the_body(second);
    empty.then_some(Clash {
        what: "needs a body, and there is none any more",
        help: "give the two a turn each",
    })
}

/// Some faults change events as a whole, which others have cut into parts or moved.
fn broken_events(first: &Fault, second: &Fault) -> Option<Clash> {
    let whole = matches!(second, Fault::MultiLineData | Fault::Crlf | Fault::EventStream(_));
    let cuts = matches!(
        first,
        Fault::Drip { .. }
            | Fault::Delay { at: Point::AfterBytes(_), .. }
            | Fault::Stall { at: Point::AfterBytes(_), .. }
    );
    (whole && cuts).then_some(Clash {
        what: "comes too late: it changes whole events, and these have been cut in parts",
        help: "put it first: faults are applied in their order",
    })
}

/// What a second of computing time can compress, with room to spare.
const COMPRESSIBLE: u32 = 16 * 1024 * 1024;

fn too_long_to_compress(first: &Fault, second: &Fault) -> Option<Clash> {
    let compresses = matches!(
        second,
        Fault::ContentEncoding(ContentEncodingFault::DoubleGzip | ContentEncodingFault::CutGzip)
    );
    let large = matches!(first, Fault::Malform(MalformedBody::VeryLarge(bytes)) if *bytes > COMPRESSIBLE);
    (compresses && large).then_some(Clash {
        what: "compresses the body before it is sent, and there is too much of it",
        help: "16777216 bytes or less can be compressed",
    })
}
