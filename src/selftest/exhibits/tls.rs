//! Names that do not resolve, certificates that clients must refuse, and TLS errors.

use super::points::before;
use crate::{
    scenario::{ConnectionFault, Fault, Point, TlsAlert, TlsFault, Transport},
    selftest::{
        CertificateRefusal, ClientView, ConnectionEnd, Exhibit, FaultLayer, MessageFraming, WireClaim,
    },
};

fn exhibit(fault: TlsFault, seen: ClientView) -> Exhibit {
    Exhibit::stream(FaultLayer::Tls, [Fault::Tls(fault)], seen)
}

fn certificate(fault: TlsFault, refusal: CertificateRefusal) -> Exhibit {
    exhibit(fault, ClientView::NotConnected)
        .ending(ConnectionEnd::Certificate(refusal))
        .claim(WireClaim::no_bytes())
}

pub(super) fn exhibits() -> Vec<Exhibit> {
    let whole = ClientView::Whole { status: 200 };
    let unresolvable = Fault::Connection(ConnectionFault::UnresolvableName);
    let mut exhibits = vec![
        Exhibit::stream(FaultLayer::Tls, [unresolvable], ClientView::NotConnected)
            .ending(ConnectionEnd::NameUnknown)
            .claim(WireClaim::no_bytes()),
        Exhibit::stream(FaultLayer::Tls, [], whole)
            .over(Transport::Tls)
            .note("no fault over TLS")
            .open()
            .claim(WireClaim::whole_body())
            .claim(WireClaim::framing(MessageFraming::Whole)),
        certificate(TlsFault::ExpiredCertificate, CertificateRefusal::Expired),
        certificate(TlsFault::WrongName, CertificateRefusal::WrongName),
        certificate(TlsFault::SelfSigned, CertificateRefusal::SelfSigned),
        certificate(TlsFault::UnknownCa, CertificateRefusal::UnknownIssuer),
        exhibit(TlsFault::HandshakeStall, ClientView::Silent).open().claim(WireClaim::no_bytes()),
    ];
    exhibits.extend(TlsAlert::ALL.iter().map(|&alert| {
        exhibit(TlsFault::Alert(alert), ClientView::NotConnected)
            .ending(ConnectionEnd::Alert(alert.number()))
            .claim(WireClaim::no_bytes())
    }));
    exhibits.push(
        exhibit(TlsFault::NoCloseNotify, ClientView::Doubtful)
            .ending(ConnectionEnd::Truncated)
            .claim(WireClaim::whole_body())
            .claim(WireClaim::that("no header specifies a length", |view| {
                view.reply().all("content-length").is_empty()
                    && view.reply().all("transfer-encoding").is_empty()
            })),
    );
    let at = Point::AfterEvents(3);
    for (fault, ending) in
        [(Fault::Reset { at }, ConnectionEnd::Reset), (Fault::Close { at }, ConnectionEnd::Fin)]
    {
        exhibits.push(
            Exhibit::stream(FaultLayer::Tls, [fault], ClientView::BrokenAfterHead)
                .over(Transport::Tls)
                .note("over TLS")
                .ending(ending)
                .claim(WireClaim::body("the first 3 events", move |base| before(base, at)))
                .claim(WireClaim::framing(MessageFraming::Cut)),
        );
    }
    exhibits
}
