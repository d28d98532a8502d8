//! Which addresses a webhook may be sent to: the guard against being used as a way in.
//!
//! Whoever may name a callback URL could otherwise make this server knock at its own network: at
//! loopback, at private machines, at a cloud's metadata service. So only addresses that are global
//! unicast pass ([`classify`]), whatever form they come in, unless the operator names a network
//! ([`Guard::allow`]) or everything runs on one machine ([`Guard::allow_loopback`]).
//!
//! A name says nothing; its addresses do, and they can change from one look-up to the next. So the
//! guard is asked at each attempt, not only when an endpoint is registered:
//!
//! 1. [`Guard::permits_url`], before anything is looked up;
//! 2. [`Guard::permits_answers`] with *all* addresses that the name has at this attempt; one bad
//!    address condemns the name;
//! 3. the connection goes to one of those very addresses, without a second look-up, and a redirect
//!    that comes back is not followed.
//!
//! ```
//! use core::net::IpAddr;
//! use dubhook_core::{address::{Cidr, Guard}, url::Url};
//!
//! let allow = [Cidr::parse("10.1.0.0/16").unwrap()];
//! let guard = Guard { allow: &allow, ..Guard::default() };
//! let url = Url::parse("https://hooks.example.com/", 2_048).unwrap();
//! assert!(guard.permits_url(&url));
//!
//! let public: IpAddr = "93.184.215.14".parse().unwrap();
//! let named: IpAddr = "10.1.2.3".parse().unwrap();
//! let private: IpAddr = "10.2.0.1".parse().unwrap();
//! assert!(guard.permits_answers(&url, [public, named]));
//! assert!(!guard.permits_answers(&url, [public, private]));
//! ```
//!
//! A refusal carries no reason, and must show none to who registered the URL: the difference between
//! two refusals would tell what stands where ([`BLOCKED_CODE`] is the one code for all of them).

mod cidr;
mod class;
mod guard;

pub use cidr::{Cidr, CidrError};
pub use class::{Class, classify};
pub use guard::{BLOCKED_CODE, Guard};
