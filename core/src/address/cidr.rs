//! Networks as an operator writes them.

use core::net::IpAddr;

use super::class::{v4_prefix, v6_prefix};
use crate::{digits::canonical, ip, split::split_once};

/// A network: an address and how many of its bits count (RFC 4632 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    /// At most 32 or 128.
    prefix_len: u8,
}

/// Why a text is no [`Cidr`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum CidrError {
    /// What stands before the slash is not a canonical address.
    Address,
    /// What stands after the slash is not a length, or longer than the address.
    PrefixLength,
    /// Bits past the prefix are set: the network meant is not the one written.
    HostBits,
}

impl CidrError {
    /// A sentence for people, without the full stop.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "the network does not start with an IP address",
            Self::PrefixLength => "the prefix length of the network is no number that fits it",
            Self::HostBits => "the network's address has bits set past its prefix",
        }
    }
}

impl core::fmt::Display for CidrError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for CidrError {}

impl Cidr {
    /// Reads `10.0.0.0/8`, `fd00::/8`, or one address without a length.
    ///
    /// # Errors
    ///
    /// [`CidrError`] says what is wrong with `text`.
    pub fn parse(text: &str) -> Result<Self, CidrError> {
        let (address, prefix_len) = match split_once(text, b'/') {
            Some((address, prefix_len)) => (address, Some(prefix_len)),
            None => (text, None),
        };
        let network = ip::parse(address).ok_or(CidrError::Address)?;
        let (bits, shared_with_zeros) = match network {
            IpAddr::V4(v4) => (32, v4.to_bits().trailing_zeros()),
            IpAddr::V6(v6) => (128, v6.to_bits().trailing_zeros()),
        };
        let prefix_len = match prefix_len {
            Some(digits) => parse_prefix_len(digits)
                .filter(|len| *len <= bits)
                .ok_or(CidrError::PrefixLength)?,
            None => bits,
        };
        if shared_with_zeros < u32::from(bits - prefix_len) {
            return Err(CidrError::HostBits);
        }
        Ok(Self {
            network,
            prefix_len,
        })
    }

    /// Whether `address` lies in this network. The two families never match each other.
    #[must_use]
    pub const fn contains(&self, address: IpAddr) -> bool {
        let shared = match (self.network, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => v4_prefix(a, b),
            (IpAddr::V6(a), IpAddr::V6(b)) => v6_prefix(a, b),
            _ => return false,
        };
        shared >= self.prefix_len as u32
    }
}

/// A decimal number of up to three digits without leading zeros.
fn parse_prefix_len(digits: &str) -> Option<u8> {
    canonical(digits.as_bytes())?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_are_read_exactly() {
        #[track_caller]
        fn check(text: &str, expect: Result<(&str, &str), CidrError>) {
            match (Cidr::parse(text), expect) {
                (Ok(network), Ok((inside, outside))) => {
                    assert!(network.contains(ip(inside)), "{text}");
                    assert!(!network.contains(ip(outside)), "{text}");
                }
                (network, expect) => assert_eq!(network.err(), expect.err(), "{text}"),
            }
        }
        use CidrError::{Address, HostBits, PrefixLength};
        check("10.0.0.0/8", Ok(("10.255.0.1", "11.0.0.0")));
        check("0.0.0.0/0", Ok(("255.255.255.255", "::")));
        check("192.0.2.1", Ok(("192.0.2.1", "192.0.2.0")));
        check("192.0.2.1/32", Ok(("192.0.2.1", "::ffff:192.0.2.1")));
        check("fd00::/8", Ok(("fdff::1", "fe00::")));
        check("::/0", Ok(("ffff::", "0.0.0.0")));
        check("::1/128", Ok(("::1", "::")));
        for (error, texts) in [
            (
                Address,
                ["", "/8", "10/8", "010.0.0.0/8", "a/8", "fe80::%1/10"],
            ),
            (
                PrefixLength,
                [
                    "10.0.0.0/",
                    "10.0.0.0/33",
                    "::/129",
                    "::/08",
                    "::/+8",
                    "::/256",
                ],
            ),
            (
                HostBits,
                [
                    "10.0.0.1/8",
                    "0.0.0.1/0",
                    "::1/127",
                    "fd00::1/8",
                    "1.1.1.1/31",
                    "1::/15",
                ],
            ),
        ] {
            for text in texts {
                check(text, Err(error));
            }
        }
    }
}
