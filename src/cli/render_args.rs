//! The options of `upfault proxy render`, as clap parses them.

use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use clap::Args as ClapArgs;

use super::{listen::listen_address, run_args::SelectArgs};
use crate::wire::loopback::is_loopback;

/// Options of `upfault proxy render`.
#[derive(Debug, ClapArgs)]
pub(crate) struct RenderArgs {
    /// NAME[@VERSION][:VARIANT] or a folder
    pub proxy: String,
    /// The cases to configure
    #[command(flatten)]
    pub select: SelectArgs,
    /// Write the configuration, and everything needed to start the proxy by hand, to this folder; its README.md says what to
    /// do next [default: print the configuration files]
    #[arg(long, value_name = "FOLDER")]
    pub to: Option<PathBuf>,
    /// Which instance to configure, if the cases need several; `--instances` lists them
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub instance: usize,
    /// List the instances that the cases need, and write nothing
    #[arg(long, conflicts_with_all = ["to", "instance"])]
    pub instances: bool,
    /// Address on which the mock providers will listen [default: 127.0.0.1:9400]
    #[arg(long, value_name = "ADDR", value_parser = listen_address)]
    pub listen: Option<SocketAddr>,
    /// Host and port by which the proxy reaches the mock providers, if it is in a container or on another machine: for
    /// example host.docker.internal:9400 [default: as for --listen]
    #[arg(long, value_name = "HOST:PORT")]
    pub mocks_at: Option<HostAndPort>,
    /// Port on which the proxy will listen
    #[arg(long, value_name = "N", default_value_t = 4000)]
    pub port: u16,
    /// Key with which callers authenticate [default: the one in FOLDER/proxy.env, or a new one]
    #[arg(long, value_name = "KEY", env = "UPFAULT_PROXY_KEY", hide_env_values = true)]
    pub proxy_key: Option<String>,
    /// Seed of the later run [default: 0]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// `HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostAndPort(pub String);

impl FromStr for HostAndPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_host = |host: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
            let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            match bracketed {
                Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
                None => !host.is_empty() && host.chars().all(plain),
            }
        };
        match text.rsplit_once(':') {
            Some((host, port)) if is_host(host) && port.parse::<u16>().is_ok_and(|port| port > 0) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err("write HOST:PORT, for example `host.docker.internal:9400`".to_owned()),
        }
    }
}

impl HostAndPort {
    /// Whether it can be reached only from the same machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.0.rsplit_once(':').is_some_and(|(host, _)| is_loopback(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_are_not_a_url() {
        for good in ["host.docker.internal:9400", "172.17.0.1:9400", "[::1]:9400", "upfault:80"] {
            assert_eq!(good.parse(), Ok(HostAndPort(good.to_owned())));
        }
        for bad in
            ["http://host:9400", "host", "host:", ":9400", "host:0", "host:70000", "::1:9400", "h/x:1", ""]
        {
            assert!(bad.parse::<HostAndPort>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_addresses_of_the_same_machine_are_loopback() {
        let is_loopback = |text: &str| text.parse::<HostAndPort>().unwrap().is_loopback();
        assert!(["127.0.0.1:1", "localhost:1", "[::1]:1"].into_iter().all(is_loopback));
        assert!(!["host.docker.internal:1", "172.17.0.1:1", "0.0.0.0:1"].into_iter().any(is_loopback));
    }
}
