//! What an address is for: the tables.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is for, as far as it matters to a guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Class {
    /// Global unicast: the only class that passes by itself.
    Global,
    /// "This host": `0.0.0.0/8`, `::` (RFC 1122 section 3.2.1.3).
    ThisHost,
    /// `127.0.0.0/8`, `::1`.
    Loopback,
    /// RFC 1918, and unique local IPv6 (RFC 4193).
    Private,
    /// Shared between a carrier's customers (RFC 6598).
    Shared,
    /// Valid on one link only (RFC 3927, RFC 4291); most metadata services are here.
    LinkLocal,
    /// A public address that is a cloud's metadata service.
    Metadata,
    /// For documents (RFC 5737, RFC 3849, RFC 9637).
    Documentation,
    /// For measuring devices (RFC 2544).
    Benchmarking,
    /// Many receivers at once.
    Multicast,
    /// IPv6 that stands for an IPv4 address: mapped, NAT64, 6to4, Teredo. Who means the IPv4 address
    /// writes it; what a translator answers for a name is for the guard to judge.
    Embedded,
    /// Set aside, unassigned, or used by protocols only.
    Reserved,
}

/// What of IPv4 is not global unicast (IANA special-purpose registry, and `168.63.129.16`).
const V4: [(Ipv4Addr, u32, Class); 17] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, Class::ThisHost),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Class::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Class::Shared),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Class::Loopback),
    (Ipv4Addr::new(168, 63, 129, 16), 32, Class::Metadata),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Class::LinkLocal),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Class::Private),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Class::Reserved),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Class::Documentation),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Class::Reserved),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Class::Private),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Class::Benchmarking),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Class::Documentation),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Class::Documentation),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Class::Multicast),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Class::Reserved),
    // What this table leaves is global.
    (Ipv4Addr::new(0, 0, 0, 0), 0, Class::Global),
];

/// IPv6 with its exceptions before the rule: the first match counts.
const V6: [(Ipv6Addr, u32, Class); 16] = [
    (Ipv6Addr::UNSPECIFIED, 128, Class::ThisHost),
    (Ipv6Addr::LOCALHOST, 128, Class::Loopback),
    (v6(0, 0, 0), 96, Class::Embedded),
    (
        Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0),
        96,
        Class::Embedded,
    ),
    (v6(0x64, 0xff9b, 0), 96, Class::Embedded),
    (v6(0x64, 0xff9b, 1), 48, Class::Embedded),
    (v6(0x2001, 0, 0), 32, Class::Embedded),
    (v6(0x2001, 0, 0), 23, Class::Reserved),
    (v6(0x2001, 0xdb8, 0), 32, Class::Documentation),
    (v6(0x2002, 0, 0), 16, Class::Embedded),
    (v6(0x3fff, 0, 0), 20, Class::Documentation),
    (v6(0x2000, 0, 0), 3, Class::Global),
    (v6(0xfc00, 0, 0), 7, Class::Private),
    (v6(0xfe80, 0, 0), 10, Class::LinkLocal),
    (v6(0xff00, 0, 0), 8, Class::Multicast),
    (v6(0, 0, 0), 0, Class::Reserved),
];

const fn v6(a: u16, b: u16, c: u16) -> Ipv6Addr {
    Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)
}

/// What `address` is for.
#[must_use]
pub fn classify(address: IpAddr) -> Class {
    let class = match address {
        IpAddr::V4(address) => V4
            .iter()
            .find(|(network, len, _)| v4_prefix(address, *network) >= *len)
            .map(|(_, _, class)| *class),
        IpAddr::V6(address) => V6
            .iter()
            .find(|(network, len, _)| v6_prefix(address, *network) >= *len)
            .map(|(_, _, class)| *class),
    };
    class.unwrap_or(Class::Reserved)
}

/// How many bits two addresses share from the left.
pub(super) const fn v4_prefix(a: Ipv4Addr, b: Ipv4Addr) -> u32 {
    (a.to_bits() ^ b.to_bits()).leading_zeros()
}

/// How many bits two addresses share from the left.
pub(super) const fn v6_prefix(a: Ipv6Addr, b: Ipv6Addr) -> u32 {
    (a.to_bits() ^ b.to_bits()).leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// The first and the last address of a range are of `class`, their neighbours outside are not.
    #[track_caller]
    fn check_range(before: &str, first: &str, last: &str, after: &str, class: Class) {
        assert_eq!(classify(ip(first)), class, "{first}");
        assert_eq!(classify(ip(last)), class, "{last}");
        assert_ne!(classify(ip(before)), class, "{before}");
        assert_ne!(classify(ip(after)), class, "{after}");
    }

    #[test]
    fn ipv4_ranges_have_exact_edges() {
        use Class::{Benchmarking, Global, LinkLocal, Metadata, Multicast, Private, Shared};
        check_range(
            "9.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "11.0.0.0",
            Private,
        );
        check_range(
            "100.63.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "100.128.0.0",
            Shared,
        );
        check_range(
            "126.255.255.255",
            "127.0.0.0",
            "127.255.255.255",
            "128.0.0.0",
            Class::Loopback,
        );
        check_range(
            "168.63.129.15",
            "168.63.129.16",
            "168.63.129.16",
            "168.63.129.17",
            Metadata,
        );
        check_range(
            "169.253.255.255",
            "169.254.0.0",
            "169.254.255.255",
            "169.255.0.0",
            LinkLocal,
        );
        check_range(
            "172.15.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "172.32.0.0",
            Private,
        );
        check_range(
            "191.255.255.255",
            "192.0.0.0",
            "192.0.0.255",
            "192.0.1.0",
            Class::Reserved,
        );
        check_range(
            "192.0.1.255",
            "192.0.2.0",
            "192.0.2.255",
            "192.0.3.0",
            Class::Documentation,
        );
        check_range(
            "192.88.98.255",
            "192.88.99.0",
            "192.88.99.255",
            "192.88.100.0",
            Class::Reserved,
        );
        check_range(
            "192.167.255.255",
            "192.168.0.0",
            "192.168.255.255",
            "192.169.0.0",
            Private,
        );
        check_range(
            "198.17.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.20.0.0",
            Benchmarking,
        );
        check_range(
            "198.51.99.255",
            "198.51.100.0",
            "198.51.100.255",
            "198.51.101.0",
            Class::Documentation,
        );
        check_range(
            "203.0.112.255",
            "203.0.113.0",
            "203.0.113.255",
            "203.0.114.0",
            Class::Documentation,
        );
        check_range(
            "0.255.255.255",
            "1.0.0.0",
            "9.255.255.255",
            "10.0.0.0",
            Global,
        );
        check_range(
            "203.0.113.255",
            "203.0.114.0",
            "223.255.255.255",
            "224.0.0.0",
            Global,
        );
        check_range(
            "223.255.255.255",
            "224.0.0.0",
            "239.255.255.255",
            "240.0.0.0",
            Multicast,
        );
        check_range(
            "239.255.255.255",
            "240.0.0.0",
            "255.255.255.255",
            "223.0.0.0",
            Class::Reserved,
        );
    }

    #[test]
    fn ipv6_passes_only_global_unicast() {
        use Class::{Documentation, Embedded, Global, LinkLocal, Multicast, Private, Reserved};
        check_range("1fff:ffff::", "2000::", "2000:ffff::", "2001::", Global);
        check_range(
            "2001:1ff:ffff::",
            "2001:200::",
            "2001:db7:ffff::",
            "2001:db8::",
            Global,
        );
        check_range("2002:ffff::", "2003::", "3ffe:ffff::", "3fff::", Global);
        check_range(
            "3fff:fff:ffff::",
            "3fff:1000::",
            "3fff:ffff::",
            "4000::",
            Global,
        );
        check_range(
            "::fffe:ffff:ffff",
            "::ffff:0:0",
            "::ffff:ffff:ffff",
            "::1:0:0:0",
            Embedded,
        );
        check_range(
            "64:ff9a:ffff::",
            "64:ff9b::",
            "64:ff9b::ffff:ffff",
            "64:ff9b:0:1::",
            Embedded,
        );
        check_range(
            "64:ff9b:0:ffff::",
            "64:ff9b:1::",
            "64:ff9b:1:ffff::",
            "64:ff9b:2::",
            Embedded,
        );
        check_range("2001:1::", "2001::", "2001:0:ffff::", "2001:2::", Embedded);
        check_range(
            "2001:0:ffff::",
            "2001:1::",
            "2001:1ff:ffff::",
            "2001:200::",
            Reserved,
        );
        check_range(
            "2001:db7:ffff::",
            "2001:db8::",
            "2001:db8:ffff::",
            "2001:db9::",
            Documentation,
        );
        check_range("fbff:ffff::", "fc00::", "fdff:ffff::", "fe00::", Private);
        check_range("fe7f:ffff::", "fe80::", "febf:ffff::", "fec0::", LinkLocal);
        check_range("feff:ffff::", "ff00::", "ffff:ffff::", "fe00::", Multicast);
        assert_eq!(classify(ip("::")), Class::ThisHost);
        assert_eq!(classify(ip("::1")), Class::Loopback);
        assert_eq!(classify(ip("::2")), Embedded);
    }
}
