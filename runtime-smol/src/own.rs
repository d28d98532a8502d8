//! The addresses of this machine: a server calls none of them at its own port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Where a server that listens at `address` can be reached on this machine, as far as that can be told now.
pub(crate) fn listened_at(address: SocketAddr) -> Vec<SocketAddr> {
    let mut all = vec![address];
    if address.ip().is_unspecified() {
        let read = |file| std::fs::read_to_string(file).unwrap_or_default();
        let [routes, interfaces] = ["/proc/net/fib_trie", "/proc/net/if_inet6"].map(read);
        let interfaces = v4(&routes)
            .map(IpAddr::V4)
            .chain(v6(&interfaces).map(IpAddr::V6));
        all.extend(interfaces.map(|ip| SocketAddr::new(ip, address.port())));
        all.sort_unstable();
        all.dedup();
    }
    all
}

/// Whether a connection to `called` would come to a server that listens at `address`, on whatever interface this machine
/// has by now. No packet is sent.
pub(crate) fn leads_back(address: SocketAddr, called: SocketAddr) -> bool {
    address.port() == called.port()
        && (address.ip() == called.ip() || address.ip().is_unspecified() && is_here(called))
}

/// Whether the machine would call this address from itself, which it does with its own alone.
fn is_here(called: SocketAddr) -> bool {
    let any: IpAddr = match called {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let from = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect(called)?;
        socket.local_addr()
    });
    called.ip().is_loopback() || from.is_ok_and(|from| from.ip() == called.ip())
}

/// The machine's own among what Linux shows of its routes: an address stands on a line, and what it is below it.
fn v4(table: &str) -> impl Iterator<Item = Ipv4Addr> {
    let mut latest = None;
    table.lines().filter_map(move |line| {
        let line = line.trim();
        match line.strip_prefix("|-- ") {
            Some(address) => latest = address.parse().ok(),
            None if line == "/32 host LOCAL" => return latest,
            None => {}
        }
        None
    })
}

/// The addresses that Linux shows of its interfaces.
fn v6(table: &str) -> impl Iterator<Item = Ipv6Addr> {
    table.lines().filter_map(|line| {
        let digits = line.split_whitespace().next()?;
        u128::from_str_radix(digits, 16)
            .ok()
            .map(Ipv6Addr::from_bits)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "Main:
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
        |-- 192.0.2.0
           /24 link UNICAST
        |-- 192.0.2.2
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
";

    #[test]
    fn tables_of_linux_are_read() {
        let found: Vec<_> = v4(ROUTES).collect();
        assert_eq!(found, [Ipv4Addr::LOCALHOST, Ipv4Addr::new(192, 0, 2, 2)]);
        let line = "fe80000000000000000000000000000a 02 40 20 80     eth0\n";
        let found: Vec<_> = v6(line).collect();
        assert_eq!(found, ["fe80::a".parse::<Ipv6Addr>().unwrap()]);
    }

    #[test]
    fn who_listens_everywhere_is_called_at_no_address_of_its_own() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let all = at("0.0.0.0:8000");
        assert!(leads_back(all, at("127.0.0.1:8000")));
        assert!(leads_back(all, at("127.9.9.9:8000")));
        assert!(!leads_back(all, at("127.0.0.1:8001")));
        assert!(!leads_back(at("127.0.0.1:8000"), at("127.9.9.9:8000")));
        assert!(!leads_back(all, at("203.0.113.9:8000")));
        for own in listened_at(all) {
            assert_eq!(own.port(), 8_000);
        }
    }
}
