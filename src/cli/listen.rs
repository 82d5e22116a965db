//! The address of `--listen`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Reads an address to listen on: `127.0.0.1:4777`, `[::1]:4777`, `localhost:4777`, `:4777` or `4777`. Without a host it is
/// 127.0.0.1, as for `localhost`.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Err(format!(
            "the port is missing; write `{}`, or port 0 for a free one",
            SocketAddr::new(ip, 4777)
        ));
    }
    let Ok(port) = port.parse::<u16>() else {
        return Err(format!(
            "`{port}` is not a port (0 to 65535); write for example `127.0.0.1:4777`, or `4777`"
        ));
    };
    match host {
        "" | "localhost" => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        _ => Err(format!(
            "`{host}` is not an IP address; write `127.0.0.1:{port}` for this machine, or `0.0.0.0:{port}` for every network"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_and_localhost_mean_loopback() {
        let read = |text: &str| listen_address(text).map(|address| address.to_string());
        for text in ["4777", ":4777", "localhost:4777", "127.0.0.1:4777"] {
            assert_eq!(read(text).as_deref(), Ok("127.0.0.1:4777"), "{text}");
        }
        assert_eq!(read("0.0.0.0:80").as_deref(), Ok("0.0.0.0:80"));
        assert_eq!(read("[::1]:80").as_deref(), Ok("[::1]:80"));
        assert_eq!(read("0").as_deref(), Ok("127.0.0.1:0"));
    }

    #[test]
    fn a_wrong_address_is_named_with_what_to_write() {
        let why = |text: &str| listen_address(text).unwrap_err();
        assert!(why("127.0.0.1").contains("127.0.0.1:4777") && why("[::1]").contains("[::1]:4777"));
        assert!(why("gateway:80").contains("`gateway` is not an IP address"));
        assert!(
            why("localhost:99999").contains("`99999` is not a port") && why("").contains("is not a port")
        );
        assert!(why("localhost").contains("`localhost` is not a port"));
    }
}
