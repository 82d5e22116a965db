//! Waits, speeds and packets.

use std::time::Duration;

use super::points::{POINTS, millis, offset};
use crate::{
    scenario::{Fault, Latency, LatencyPlace, LatencyShape, Point, SuccessReply, TurnReply},
    selftest::{Before, ClientView, Exhibit, FaultLayer, MessageFraming, UnfaultedReply, WireClaim},
};

const WHOLE: ClientView = ClientView::Whole { status: 200 };

/// Long enough to be distinguished from the pauses of a busy machine.
const WAIT: Duration = millis(120);

/// The speed in body bytes per second. An answer then takes about a fifth of a second.
const SPEED: u32 = 2000;

fn whole(exhibit: Exhibit) -> Exhibit {
    exhibit.open().claim(WireClaim::whole_body()).claim(WireClaim::framing(MessageFraming::Whole))
}

fn stream(fault: Fault) -> Exhibit {
    whole(Exhibit::stream(FaultLayer::Timing, [fault], WHOLE))
}

pub(super) fn exhibits() -> Vec<Exhibit> {
    [waits(), latencies(), speeds(), packets()].concat()
}

fn waits() -> Vec<Exhibit> {
    let mut exhibits = Vec::new();
    for at in POINTS {
        exhibits.push(waiting(Fault::Delay { at, lasting: WAIT }, at));
        exhibits.push(waiting(Fault::Stall { at, lasting: Some(WAIT) }, at));
    }
    exhibits
}

/// Claims that the byte after the point is late and the bytes before it are not.
fn waiting(fault: Fault, at: Point) -> Exhibit {
    if at == Point::BeforeHeaders {
        return stream(fault).claim(WireClaim::waits(WAIT, |_| Before::FirstByte));
    }
    stream(fault)
        .claim(WireClaim::waits(WAIT, move |base| Before::Byte(offset(base, at))))
        .claim(WireClaim::pause(WAIT, move |base| offset(base, at)))
}

fn latencies() -> Vec<Exhibit> {
    let latency = |before: LatencyPlace, time: LatencyShape| stream(Fault::Latency(Latency { before, time }));
    vec![
        latency(LatencyPlace::FirstByte, LatencyShape::Fixed(WAIT))
            .claim(WireClaim::waits(WAIT, |_| Before::FirstByte)),
        latency(LatencyPlace::End, LatencyShape::Fixed(WAIT))
            .claim(WireClaim::waits(WAIT, |base| Before::Byte(offset(base, Point::BeforeEnd))))
            .claim(WireClaim::pause(WAIT, |base| offset(base, Point::BeforeEnd))),
        latency(LatencyPlace::FirstByte, LatencyShape::Uniform { from: millis(60), to: millis(120) })
            .claim(WireClaim::waits(millis(60), |_| Before::FirstByte))
            .claim(drawn_between(1, millis(60), millis(120)))
            .claim(as_drawn()),
        latency(LatencyPlace::EachEvent, LatencyShape::Uniform { from: millis(10), to: millis(40) })
            .claim(drawn_between(7, millis(10), millis(40)))
            .claim(as_drawn()),
        latency(LatencyPlace::FirstByte, LatencyShape::Normal { mean: millis(80), deviation: millis(10) })
            .claim(drawn_between(1, Duration::ZERO, millis(120)))
            .claim(as_drawn()),
        latency(LatencyPlace::EachEvent, LatencyShape::Normal { mean: millis(20), deviation: millis(5) })
            .claim(drawn_between(7, Duration::ZERO, millis(40)))
            .claim(as_drawn()),
        // There is a wait before seven of eight frames: the first value four times, the second three times.
        latency(LatencyPlace::EachEvent, LatencyShape::List(vec![millis(30), millis(10)]))
            .claim(WireClaim::waits(millis(150), |base| Before::Byte(offset(base, Point::BeforeEnd)))),
    ]
}

/// Claims that the seed gives this number of waits, each within the limits.
fn drawn_between(count: usize, least: Duration, most: Duration) -> WireClaim {
    WireClaim::new(
        format!("the plan has {count} waits of {} to {} ms", least.as_millis(), most.as_millis()),
        move |view| {
            let waits = view.base.single_waits();
            let fit = waits.iter().all(|wait| (least..=most).contains(wait));
            if waits.len() == count && fit { Ok(()) } else { Err(format!("{waits:?}")) }
        },
    )
}

/// Claims that the last frame is as late as all waits of the plan before it.
fn as_drawn() -> WireClaim {
    WireClaim::waits_as("the waits are those of the plan", |base: &UnfaultedReply| {
        let last = offset(base, Point::BeforeEnd);
        let waited = base.waits().into_iter().rev().find(|(at, _)| *at <= last);
        (waited.map_or(Duration::ZERO, |(_, time)| time), Before::Byte(last))
    })
}

fn speeds() -> Vec<Exhibit> {
    let drip = Fault::Drip { bytes_per_second: SPEED };
    let dripped = |exhibit: Exhibit| {
        whole(exhibit)
            .claim(WireClaim::waits_as(format!("the last byte is due at {SPEED} bytes a second"), |base| {
                let bytes = base.body().len();
                (
                    Duration::from_secs_f64(bytes as f64 / f64::from(SPEED)).saturating_sub(millis(1)),
                    Before::Byte(bytes - 1),
                )
            }))
            .claim(WireClaim::that("the body arrives in several parts", |view| {
                view.transcript.body_cuts().len() > 2
            }))
    };
    vec![
        dripped(Exhibit::plain(FaultLayer::Timing, [drip.clone()], WHOLE)),
        dripped(Exhibit::stream(FaultLayer::Timing, [drip], WHOLE)),
    ]
}

/// A text with multi-byte characters.
const CHARACTERS: &str = "caf\u{e9} \u{6f22}\u{5b57} \u{1f600} \u{fc}ber";

fn packets() -> Vec<Exhibit> {
    let literal = TurnReply::Literal {
        status: 200,
        body: Some(serde_json::Value::from(CHARACTERS)),
        bodies: Default::default(),
        chunks: Vec::new(),
    };
    let of = |bytes: u32| {
        move |exhibit: Exhibit| {
            whole(exhibit).claim(WireClaim::packets(&format!("after every {bytes} bytes"), move |_, cut| {
                cut.is_multiple_of(bytes as usize)
            }))
        }
    };
    let split = |bytes: u32| Fault::Split { bytes };
    let inside = |_: &UnfaultedReply, cut: usize| !CHARACTERS.is_char_boundary(cut);
    vec![
        of(1)(Exhibit::stream(FaultLayer::Timing, [split(1)], WHOLE)),
        of(7)(Exhibit::stream(FaultLayer::Timing, [split(7)], WHOLE)),
        of(16)(Exhibit::plain(FaultLayer::Timing, [split(16)], WHOLE)),
        whole(Exhibit::plain(FaultLayer::Timing, [Fault::SplitCharacters], WHOLE).answer(literal))
            .claim(WireClaim::packets("inside a character", inside)),
        whole(Exhibit::stream(FaultLayer::Timing, [split(1)], WHOLE))
            .answer(TurnReply::Reply(SuccessReply::ToolCall))
            .note("a tool call"),
    ]
}
