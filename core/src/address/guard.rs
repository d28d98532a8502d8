//! The decision: address, port, name.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Cidr, Class, classify};
use crate::split::rsplit_once;
use crate::url::{Host, Url};

/// The one error code for a callback that the guard refuses.
pub const BLOCKED_CODE: &str = "callback_blocked";

/// Decides where webhooks may go. The default lets only global unicast pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct Guard<'a> {
    /// Networks that may be called whatever they are for.
    pub allow: &'a [Cidr],
    /// Whether loopback may be called: for a server that itself listens on loopback only.
    pub allow_loopback: bool,
    /// Where the server itself listens: never called, so that no webhook feeds on itself. An
    /// unspecified address stands for loopback at that port; other interfaces must be listed.
    pub own: &'a [SocketAddr],
}

impl Guard<'_> {
    /// Whether a connection to `address` and `port` may be made.
    #[must_use]
    pub fn permits(&self, address: IpAddr, port: u16) -> bool {
        self.permits_endpoint(address, port)
            && (classify(address) == Class::Global || self.names(address))
    }

    /// Whether `url` may be called as far as it can be told without looking up its name.
    #[must_use]
    pub fn permits_url(&self, url: &Url<'_>) -> bool {
        match url.host() {
            Host::V4(address) => self.permits(IpAddr::V4(address), url.port()),
            Host::V6(address) => self.permits(IpAddr::V6(address), url.port()),
            Host::Name(name) => {
                let may_be_local = self.allow_loopback || !self.allow.is_empty();
                is_permitted_port(url.port())
                    && (may_be_local || !is_local_name(name))
                    && !is_onion(name)
            }
        }
    }

    /// Whether `url` may be called when `answers` are all the addresses of its host.
    ///
    /// There must be one, and each must pass. Where a network translates (NAT64, RFC 6052), a name server answers with an
    /// IPv4 address in `64:ff9b::/96`: it passes if that address does by itself. A name that only means something inside a network
    /// (`localhost`, `printer.local`, a single label) must lead to addresses the operator allowed.
    #[must_use]
    pub fn permits_answers(
        &self,
        url: &Url<'_>,
        answers: impl IntoIterator<Item = IpAddr>,
    ) -> bool {
        let (is_name, is_local) = match url.host() {
            Host::Name(name) => (true, is_local_name(name)),
            Host::V4(_) | Host::V6(_) => (false, false),
        };
        let mut answered = false;
        self.permits_url(url)
            && answers.into_iter().all(|address| {
                answered = true;
                let permits = self.permits(address, url.port())
                    || is_name && self.permits_translated(address, url.port());
                permits && (!is_local || self.names(address))
            })
            && answered
    }

    /// Whether `address` is a public IPv4 address behind the translator of the network.
    fn permits_translated(&self, address: IpAddr, port: u16) -> bool {
        translated(address).is_some_and(|address| {
            classify(address) == Class::Global && self.permits_endpoint(address, port)
        })
    }

    /// Whether the operator allowed `address` in so many words.
    fn names(&self, address: IpAddr) -> bool {
        self.allow.iter().any(|network| network.contains(address))
            || self.allow_loopback && classify(address) == Class::Loopback
    }

    /// Whether a webhook could be meant for this port, and it is not our own.
    fn permits_endpoint(&self, address: IpAddr, port: u16) -> bool {
        let is_own = self.own.iter().any(|own| {
            let is_any = || own.ip().is_unspecified() && classify(address) == Class::Loopback;
            own.port() == port && (own.ip() == address || is_any())
        });
        is_permitted_port(port) && !is_own
    }
}

/// The IPv4 address in one of `64:ff9b::/96` (RFC 6052, section 2.1).
fn translated(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else {
        return None;
    };
    let bits = address.to_bits();
    let v4 = Ipv4Addr::from_bits(bits as u32);
    (bits >> 32 == NAT64.to_bits() >> 32).then_some(IpAddr::V4(v4))
}

/// The well-known prefix of translators.
const NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);

/// Ports of protocols that can be made to take an HTTP request for one of theirs: the "bad ports" of
/// the WHATWG Fetch Standard.
const BAD_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
];

fn is_permitted_port(port: u16) -> bool {
    BAD_PORTS.iter().all(|bad| *bad != port)
}

/// Whether `name` is below `onion`, which nobody looks up (RFC 7686).
fn is_onion(name: &str) -> bool {
    let last = rsplit_once(name, b'.').map_or(name, |(_, last)| last);
    last.eq_ignore_ascii_case("onion")
}

/// Whether `name` means something only inside a network: one label, or below `localhost` (RFC 6761),
/// `local` (RFC 6762), `internal` (reserved by ICANN) or `home.arpa` (RFC 8375).
fn is_local_name(name: &str) -> bool {
    let Some((parent, last)) = rsplit_once(name, b'.') else {
        return true;
    };
    let is = |wanted: &str| last.eq_ignore_ascii_case(wanted);
    let next = rsplit_once(parent, b'.').map_or(parent, |(_, next)| next);
    is("localhost")
        || is("local")
        || is("internal")
        || is("arpa") && next.eq_ignore_ascii_case("home")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_the_operator_allows_is_allowed_and_no_more() {
        let allow = [Cidr::parse("10.1.0.0/16").unwrap()];
        let own = [
            SocketAddr::new(ip("0.0.0.0"), 8_000),
            SocketAddr::new(ip("10.1.0.1"), 8_000),
        ];
        let none = Guard::default();
        let all = Guard {
            allow: &allow,
            allow_loopback: true,
            own: &own,
        };
        #[track_caller]
        fn check(guard: Guard<'_>, url: &str, answers: &[&str], expect: bool) {
            let url = Url::parse(url, 99).unwrap();
            let answers = answers.iter().map(|answer| ip(answer));
            assert_eq!(guard.permits_answers(&url, answers), expect);
        }
        check(none, "http://localhost:3120/", &["127.0.0.1"], false);
        check(all, "http://localhost:3120/", &["127.0.0.1", "::1"], true);
        check(all, "http://localhost:8000/", &["127.0.0.1", "::1"], false);
        check(all, "http://10.1.0.1:8000/", &["10.1.0.1"], false);
        check(all, "http://10.1.0.1:8001/", &["10.1.0.1"], true);
        check(all, "http://10.2.0.1/", &["10.2.0.1"], false);
        check(all, "http://worker/", &["10.1.9.9"], true);
        check(all, "http://a.internal/", &["10.1.9.9"], true);
        // A local name that leads outside is somebody's trick or mistake.
        check(all, "http://a.internal/", &["93.184.215.14"], false);
        check(none, "http://a.internal.example/", &["93.184.215.14"], true);
        // What a translator makes of a public address is used, and of no other one; nobody means it who writes it.
        check(
            none,
            "http://a.example/",
            &["64:ff9b::5db8:d70e", "93.184.215.14"],
            true,
        );
        check(none, "http://a.example/", &["64:ff9b::a01:1"], false);
        check(all, "http://a.example/", &["64:ff9b::a01:1"], false);
        check(all, "http://a.example/", &["64:ff9b::7f00:1"], false);
        check(none, "http://a.example/", &["64:ff9b::a83f:8110"], false);
        check(none, "http://a.example/", &["64:ff9b:1::5db8:d70e"], false);
        check(
            none,
            "http://[64:ff9b::5db8:d70e]/",
            &["64:ff9b::5db8:d70e"],
            false,
        );
        check(none, "http://a.internal/", &["64:ff9b::5db8:d70e"], false);
        check(none, "http://a.onion/", &["93.184.215.14"], false);
        check(all, "http://b.a.ONION/", &["10.1.9.9"], false);
        check(none, "http://a.home.arpa/", &["93.184.215.14"], false);
        check(none, "http://home.arpa/", &["93.184.215.14"], false);
        check(none, "http://6.in-addr.arpa/", &["93.184.215.14"], true);
        check(
            all,
            "http://[::ffff:10.1.0.1]/",
            &["::ffff:10.1.0.1"],
            false,
        );
        check(all, "http://10.1.0.1:6667/", &["10.1.0.1"], false);
        check(all, "http://a.example/", &[], false);
    }
}
