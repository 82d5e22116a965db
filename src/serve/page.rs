//! The page at the server's address, for people.

use std::fmt::Write as _;

use super::catalogue;
use crate::{
    provider::{base_path, profile},
    scenario::Provider,
};

/// The page as plain text. `host` is the `HOST:PORT` of its URLs.
pub(super) fn index(host: &str) -> String {
    let mut page = format!(
        "upfault {}: mock LLM providers that answer, and fail, as the real ones do\n\n\
         THE CATALOGUE BY URL\n\n\
         Give a client the base URL of its provider, with a name from the lists below in place of `ok`. The server\n\
         sends the same reply to every request: as a stream if the request asks for one. Any key works.\n\n",
        env!("CARGO_PKG_VERSION")
    );
    for provider in Provider::all() {
        let _ = writeln!(
            page,
            "  {:<22} http://{host}/{provider}/ok{}",
            profile(provider).title,
            base_path(provider)
        );
    }
    page.push_str("\nSuccesses and faults:\n\n");
    let entries = catalogue::entries();
    let (errors, others): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.about.is_empty());
    for entry in others {
        let _ = writeln!(page, "  {:<16} {}", entry.name, entry.about);
    }
    page.push_str("\nErrors, in each provider's own form:\n\n");
    for names in errors.chunks(5) {
        let names: Vec<&str> = names.iter().map(|entry| entry.name).collect();
        let _ = writeln!(page, "  {}", names.join(" "));
    }
    let _ = write!(
        page,
        "\nOTHER MOCKS\n\n\
         Arm a mock: you get a base URL that only you know and that ends after a limited time.\n\n\
        \x20 curl http://{host}/_upfault/arm -d '{{\"provider\": \"openai\", \"upstream\": [{{\"error\": \"rate_limit\"}}, {{\"reply\": \"ok\"}}], \"ttl\": \"60s\"}}'\n\
        \x20 curl http://{host}/_upfault/ledger/ID              the requests that it received, and its responses\n\
        \x20 curl http://{host}/_upfault/strays                 traffic that was not a complete request\n\
        \x20 curl http://{host}/_upfault/ca.pem                 the certificate authority for mocks with TLS\n\
        \x20 curl -X POST http://{host}/_upfault/ledger/ID/reset   empty the ledger and restart the turns\n\
        \x20 curl -X DELETE http://{host}/_upfault/arm/ID       end the mock\n\n\
         http://{host}/_upfault/openapi.json describes the control API.\n"
    );
    page
}
