//! What a person sees who opens the server's address.

use std::fmt::Write as _;

use super::catalogue;
use crate::{
    provider::{base_path, profile},
    scenario::Provider,
};

/// The page, for who has come by this host (`127.0.0.1:PORT`).
pub(super) fn index(host: &str) -> String {
    let mut page = format!(
        "upfault {}: mock LLM providers that answer, and fail, as the real ones do\n\n\
         THE CATALOGUE BY URL\n\n\
         Give a client the base URL of its provider with a name from the lists below in it. It always gets that\n\
         answer, whatever it asks for, as a stream where it asks for one. Any key will do.\n\n",
        env!("CARGO_PKG_VERSION")
    );
    for provider in Provider::ALL {
        let _ = writeln!(
            page,
            "  {:<22} http://{host}/{provider}/ok{}",
            profile(*provider).title,
            base_path(*provider)
        );
    }
    page.push_str("\nNames, in place of `ok`:\n\n");
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
        "\nANYTHING ELSE\n\n\
         Arm it: you get a base URL of your own, which nobody else sees, and which ends by itself.\n\n\
        \x20 curl http://{host}/_upfault/arm -d '{{\"provider\": \"openai\", \"upstream\": [{{\"error\": \"rate_limit\"}}, {{\"reply\": \"ok\"}}], \"ttl\": \"60s\"}}'\n\
        \x20 curl http://{host}/_upfault/ledger/ID              what arrived there, and what it got\n\
        \x20 curl http://{host}/_upfault/strays                 what came and was no request\n\
        \x20 curl http://{host}/_upfault/ca.pem                 the authority of what is armed with TLS\n\
        \x20 curl -X POST http://{host}/_upfault/ledger/ID/reset   ledger and turns from the start\n\
        \x20 curl -X DELETE http://{host}/_upfault/arm/ID       the end of it\n\n\
         http://{host}/_upfault/openapi.json describes all of it.\n"
    );
    page
}
