//! What a shop with real money should be told of its configuration.

use super::{ConfigProblem, Section, Server, is_local};

/// What is allowed, and will not work with real money.
pub(super) fn warn(s: &Section, server: Option<&Server>, no_channels: bool, problems: &mut Vec<ConfigProblem>) {
    if server.is_some_and(|server| is_local(&server.public_url)) {
        s.warn(
            "public_url",
            "is this machine's own address: no gateway can call back there. Set what the world calls",
            problems,
        );
    } else if server.is_some_and(|server| server.public_url.starts_with("http://")) {
        s.warn("public_url", "is not https: tokens and keys would cross the net in the clear", problems);
    }
    // The world calls https and we listen on this machine alone: something stands in between, and says who calls.
    let fronted = |server: &Server| {
        server.public_url.starts_with("https://") && !is_local(&server.public_url) && server.public.ip().is_loopback()
    };
    if server.is_some_and(|server| fronted(server) && server.trusted_proxies.is_empty()) {
        s.warn(
            "trusted_proxies",
            "names no proxy, and one must stand in front: without its name all buyers look like one address, and the limits of one address stop them all",
            problems,
        );
    }
    if no_channels {
        let message = "there is none: nobody can pay. `kamid channel add` adds one".to_owned();
        problems.push(ConfigProblem { path: "channel".to_owned(), line: None, message, warning: true });
    }
}
