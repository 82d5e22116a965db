//! Checks which faults of one list exclude each other, or cannot occur in this order.

use super::{
    check::FileChecker,
    diagnostic::Diagnostic,
    fault::{
        ConnectionFault, ContentEncodingFault, Fault, FaultNeed, FaultStage, Http1Fault, LatencyPlace,
        MalformedBody, Point, ReplyPart as Part,
    },
    located::Located,
};

/// Two faults that exclude each other: which they are, the message about the second, and the help line.
struct Clash {
    applies: fn(&Fault, &Fault) -> bool,
    what: &'static str,
    help: &'static str,
}

/// The number of bytes that can safely be compressed in one second of CPU time.
const COMPRESSIBLE: u32 = 16 * 1024 * 1024;

/// All clashes; the first one that applies to a pair of faults is reported. The first fault of a pair is applied before
/// the second.
const CLASHES: &[Clash] = &[
    Clash {
        applies: |first, second| first.prevents_replies() || second.prevents_replies(),
        what: "excludes every other fault: with one of the two no response is ever sent",
        help: "let the one that prevents the response be the only fault of its turn",
    },
    Clash {
        applies: |first, _| first.is_final(),
        what: "never happens: the fault before it ends the response",
        help: "a list may contain one fault that ends the response, as its last",
    },
    Clash {
        applies: |first, second| both_change(first, second, Part::Certificate),
        what: "presents a second certificate",
        help: "a server presents one: put the two into separate turns",
    },
    Clash {
        applies: |first, second| both_change(first, second, Part::Packets),
        what: "specifies a second time how the body is split into packets",
        help: "keep one of `split` and `split_characters`",
    },
    Clash {
        applies: |first, second| are(first, second, [&Fault::DropTerminator, &Fault::DuplicateTerminator]),
        what: "contradicts the other: a stream ends without its terminator, or has two",
        help: "keep one of `drop_terminator` and `duplicate_terminator`",
    },
    Clash {
        applies: |first, second| {
            let fails = |fault: &Fault| matches!(fault, Fault::ErrorEvent { .. });
            let terminates =
                |fault: &Fault| matches!(fault, Fault::DropTerminator | Fault::DuplicateTerminator);
            (fails(first) && terminates(second)) || (terminates(first) && fails(second))
        },
        what: "never happens: a stream that ends in an error has no terminator",
        help: "keep one of the two: after an `error_event` no terminator is sent",
    },
    Clash {
        applies: |first, second| {
            ends_at(second).zip(takes_effect(first)).is_some_and(|(end, point)| end.is_before(point))
        },
        what: "ends the response before the point at which an earlier fault of the list takes effect",
        help: "faults at one point happen in their order: write the same point twice, or put the two into separate turns",
    },
    Clash {
        applies: |first, second| {
            ends_at(second).zip(takes_effect(first)).is_some_and(|(end, point)| point.may_come_after(end))
        },
        what: "may end the response before an earlier fault of the list takes effect: the order of the two points \
               depends on the lengths of the events",
        help: "give both points in events or both in bytes",
    },
    Clash {
        applies: |first, second| {
            *first == Fault::Http1(Http1Fault::TrailingBytes) && ends_at(second).is_some()
        },
        what: "ends the response before the trailing bytes are sent",
        help: "put the two into separate turns",
    },
    Clash {
        applies: |first, second| called(first) == called(second) && !first.traits().repeats,
        what: "is specified twice",
        help: "keep one of them",
    },
    Clash {
        applies: |first, second| both_change(first, second, Part::Framing),
        what: "excludes another fault of the framing",
        help: "a response marks its end in one way only: put the two into separate turns",
    },
    Clash {
        applies: |first, second| both_change(first, second, Part::Status),
        what: "writes the status line a second time",
        help: "a response has one status line: put the two into separate turns",
    },
    Clash {
        applies: |first, second| {
            first.changes(Part::Framing) && *second == Fault::Connection(ConnectionFault::ClosedWhenReused)
        },
        what: "needs a response that leaves the connection in a valid state",
        help: "put the two into separate turns",
    },
    Clash {
        applies: |first, second| second.changes(Part::Whole) && edits_the_reply(first),
        what: "replaces the response that an earlier fault edits",
        help: "leave the other fault out: a redirect has no body and has its own status",
    },
    Clash {
        applies: |first, second| second.changes(Part::Body) && edits_the_reply(first),
        what: "replaces the body that an earlier fault edits",
        help: "put `malform` first: faults are applied in their order",
    },
    Clash {
        applies: |first, second| first.changes(Part::Coding) && second.changes(Part::Events),
        what: "comes too late: the body is already encoded",
        help: "put `content_encoding` after it: faults are applied in their order",
    },
    Clash {
        applies: |first, second| {
            first.changes(Part::Framing) && (second.changes(Part::Events) || second.changes(Part::Coding))
        },
        what: "comes too late: the headers already contain the length of the body",
        help: "put the fault of the framing after it: faults are applied in their order",
    },
    Clash {
        applies: |first, second| {
            *first == Fault::Malform(MalformedBody::Empty) && second.changes(Part::Framing)
        },
        what: "needs a body, and an earlier fault has removed it",
        help: "put the two into separate turns",
    },
    Clash {
        applies: |first, second| first.changes(Part::Pieces) && second.needs(FaultNeed::WholeEvents),
        what: "comes too late: it changes whole events, and an earlier fault has cut them into parts",
        help: "put it first: faults are applied in their order",
    },
    Clash {
        applies: |first, second| {
            let large =
                matches!(first, Fault::Malform(MalformedBody::VeryLarge(bytes)) if *bytes > COMPRESSIBLE);
            let sent_as_it_is = *second == Fault::ContentEncoding(ContentEncodingFault::GzipNotSent);
            large && second.changes(Part::Coding) && !sent_as_it_is
        },
        what: "compresses the body before it is sent, and the body is too large",
        help: "use at most 16777216 bytes",
    },
];

/// Checks each fault against those before it, and reports the first clash.
pub(super) fn together(check: &mut FileChecker<'_>, faults: &[Located<Fault>]) {
    for (i, second) in faults.iter().enumerate() {
        let clash = faults[..i].iter().find_map(|first| {
            let clash = CLASHES.iter().find(|clash| (clash.applies)(&first.value, &second.value));
            clash.map(|clash| (first, clash))
        });
        if let Some((first, clash)) = clash {
            let error = check.error(&second.range, format!("`{}` {}", called(&second.value), clash.what));
            let labelled: Diagnostic =
                error.clone().also(first.range.clone(), format!("`{}` is here", called(&first.value)));
            *error = labelled.help(clash.help);
        }
    }
}

/// The name of a fault in messages: with its group if that is a layer (`http1: trailing_bytes`), else only the group
/// (`malform`).
fn called(fault: &Fault) -> &'static str {
    match fault {
        Fault::Malform(_) | Fault::ContentEncoding(_) | Fault::ContentType(_) => fault.name(),
        _ => fault.traits().name,
    }
}

fn both_change(first: &Fault, second: &Fault, part: Part) -> bool {
    first.changes(part) && second.changes(part)
}

/// Whether two faults are these, in any order.
fn are(first: &Fault, second: &Fault, these: [&Fault; 2]) -> bool {
    [first, second] == these || [second, first] == these
}

/// The point at which a fault ends the response, or the stream of a response.
fn ends_at(fault: &Fault) -> Option<Point> {
    fault.at().filter(|_| fault.is_final() || matches!(fault, Fault::ErrorEvent { .. }))
}

/// The point at which a fault takes effect, if it is the same in every response.
fn takes_effect(fault: &Fault) -> Option<Point> {
    match fault {
        Fault::DropTerminator | Fault::DuplicateTerminator => Some(Point::BeforeEnd),
        Fault::Latency(latency) => match latency.before {
            LatencyPlace::FirstByte => None,
            LatencyPlace::EachEvent => Some(Point::AfterEvents(1)),
            LatencyPlace::End => Some(Point::BeforeEnd),
        },
        _ if fault.at().is_some() => fault.at(),
        _ if [Part::Pieces, Part::Packets, Part::Events, Part::Body]
            .iter()
            .any(|part| fault.changes(*part)) =>
        {
            Some(Point::AfterBytes(1))
        }
        _ => edits_the_reply(fault).then_some(Point::AfterHeaders),
    }
}

/// Whether it changes something that a later fault can replace.
fn edits_the_reply(fault: &Fault) -> bool {
    fault.stage() == FaultStage::Reply && !fault.traits().changes.is_empty()
}
