//! Hosts on the same machine.

use std::net::IpAddr;

/// Whether a host of a URL can be reached only from the same machine: `localhost`, `127.0.0.1`, `[::1]`.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_and_addresses_of_the_same_machine_are_loopback() {
        assert!(
            ["127.0.0.1", "127.8.0.1", "localhost", "Localhost", "[::1]", "::1"].into_iter().all(is_loopback)
        );
        let others = [
            "host.docker.internal",
            "172.17.0.1",
            "0.0.0.0",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "",
        ];
        assert!(!others.into_iter().any(is_loopback));
    }
}
