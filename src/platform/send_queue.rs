//! How much of what was sent the peer's kernel has received.

use tokio::net::TcpStream;

/// Returns the number of bytes that the peer's kernel has not acknowledged, from Linux's `/proc/net/tcp`
/// (proc(5): `local_address rem_address st tx_queue:rx_queue`), or `None` if it is unknown.
#[cfg(target_os = "linux")]
pub(crate) fn unacknowledged(stream: &TcpStream) -> Option<u64> {
    let (local, peer) = (stream.local_addr().ok()?.port(), stream.peer_addr().ok()?.port());
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace().skip(1);
        let mut port = || u16::from_str_radix(columns.next()?.rsplit(':').next()?, 16).ok();
        if (port()?, port()?) != (local, peer) {
            return None;
        }
        u64::from_str_radix(columns.nth(1)?.split(':').next()?, 16).ok()
    })
}

/// `None`: other systems do not say it to a program without privileges. A RST can then overtake the end of a large reply.
#[cfg(not(target_os = "linux"))]
pub(crate) fn unacknowledged(_stream: &TcpStream) -> Option<u64> {
    None
}
