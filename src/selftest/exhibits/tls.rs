//! Names that do not resolve, certificates that nobody should take, TLS that goes wrong.

use super::catalogue::before;
use crate::{
    scenario::{ConnectionFault, Fault, Point, TlsAlert, TlsFault, Transport},
    selftest::{CertificateRefusal, Claim, Ending, Exhibit, Family, Framing, Seen},
};

fn exhibit(fault: TlsFault, seen: Seen) -> Exhibit {
    Exhibit::stream(Family::Tls, [Fault::Tls(fault)], seen)
}

fn certificate(fault: TlsFault, refusal: CertificateRefusal) -> Exhibit {
    exhibit(fault, Seen::NotConnected).ending(Ending::Certificate(refusal)).claim(Claim::no_bytes())
}

pub(super) fn exhibits() -> Vec<Exhibit> {
    let whole = Seen::Whole { status: 200 };
    let unresolvable = Fault::Connection(ConnectionFault::UnresolvableName);
    let mut exhibits = vec![
        Exhibit::stream(Family::Tls, [unresolvable], Seen::NotConnected)
            .ending(Ending::NameUnknown)
            .claim(Claim::no_bytes()),
        Exhibit::stream(Family::Tls, [], whole)
            .over(Transport::Tls)
            .note("no fault over TLS")
            .open()
            .claim(Claim::whole_body())
            .claim(Claim::framing(Framing::Whole)),
        certificate(TlsFault::ExpiredCertificate, CertificateRefusal::Expired),
        certificate(TlsFault::WrongName, CertificateRefusal::WrongName),
        certificate(TlsFault::SelfSigned, CertificateRefusal::SelfSigned),
        certificate(TlsFault::UnknownCa, CertificateRefusal::UnknownIssuer),
        exhibit(TlsFault::HandshakeStall, Seen::Silent).open().claim(Claim::no_bytes()),
    ];
    exhibits.extend(TlsAlert::ALL.into_iter().map(|alert| {
        exhibit(TlsFault::Alert(alert), Seen::NotConnected)
            .ending(Ending::Alert(alert.number()))
            .claim(Claim::no_bytes())
    }));
    exhibits.push(
        exhibit(TlsFault::NoCloseNotify, Seen::Doubtful)
            .ending(Ending::Truncated)
            .claim(Claim::whole_body())
            .claim(Claim::that("no length is told", |sight| {
                sight.reply().all("content-length").is_empty()
                    && sight.reply().all("transfer-encoding").is_empty()
            })),
    );
    let at = Point::AfterEvents(3);
    for (fault, ending) in [(Fault::Reset { at }, Ending::Reset), (Fault::Close { at }, Ending::Fin)] {
        exhibits.push(
            Exhibit::stream(Family::Tls, [fault], Seen::BrokenAfterHead)
                .over(Transport::Tls)
                .note("over TLS")
                .ending(ending)
                .claim(Claim::body("the first 3 events", move |base| before(base, at)))
                .claim(Claim::framing(Framing::Cut)),
        );
    }
    exhibits
}
