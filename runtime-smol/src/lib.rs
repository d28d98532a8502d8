//! The thin layer that gives dubhook-core sockets, a clock and entropy.
