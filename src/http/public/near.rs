//! Addresses of callbacks, as they should be and as people type them: what is a callback's beyond doubt, and what nearly is.

use percent_encoding::percent_decode_str;

use crate::channel::is_signature;

/// The channel whose callback address a path is: `/pay/{channel}/notify`. Slashes too many and the case of the fixed words
/// leave no doubt.
pub fn channel_of(path: &str) -> Option<&str> {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let (pay, name, notify) = (parts.next()?, parts.next()?, parts.next()?);
    let fits = pay.eq_ignore_ascii_case("pay") && notify.eq_ignore_ascii_case("notify") && parts.next().is_none();
    fits.then_some(name)
}

/// An address that is nearly a callback's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// The channel it names, or the only one there is; else empty.
    pub channel: String,
    /// What is wrong with it, and what is right.
    pub says: String,
}

/// Whether what was posted is signed as gateways sign, wherever it was posted to.
pub fn is_signed<'a>(mut headers: impl Iterator<Item = &'a str>, body: &[u8]) -> bool {
    let has = |word: &str| body.windows(word.len()).any(|part| part == word.as_bytes());
    headers.any(is_signature) || (has("sign") && (has("out_trade_no") || has("order_id")))
}

/// Whether a path that leads nowhere was meant for a callback of one of these channels; `signed`: what came is a callback by
/// its looks.
pub fn miss(path: &str, query: &str, signed: bool, channels: &[&str]) -> Option<Miss> {
    let decoded = percent_decode_str(path).decode_utf8_lossy().to_ascii_lowercase();
    let parts: Vec<&str> = decoded
        .split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'))
        .filter(|part| !part.is_empty())
        .collect();
    let pay = parts.iter().position(|part| *part == "pay");
    let named = parts.iter().enumerate().find(|(at, part)| Some(*at) != pay && channels.contains(part));
    let named = named.map(|(_, name)| *name);
    let notify = parts.iter().any(|part| part.starts_with("notif"));
    let nearly = parts.iter().any(|part| steps(part, "notify") <= 2);
    let signed = signed || (query.contains("sign=") && query.contains("out_trade_no="));
    let of_pages = parts.contains(&"checkout");
    let meant = notify
        || signed
        || (nearly && (pay.is_some() || named.is_some()))
        || (pay.is_some() && named.is_some() && !of_pages);
    if !meant {
        return None;
    }
    let only = if let [only] = channels { Some(*only) } else { None };
    let channel = named.or(only).unwrap_or_default().to_owned();
    let right = format!("/pay/{}/notify", if channel.is_empty() { "<channel>" } else { &channel });
    let what = differs(path, &decoded, &right);
    let says = format!(
        "Nothing listens at this address, which looks like a callback's: {what}. Set the notify address in the gateway's console to {right} (`kamid channel list` shows it whole), then ask for what was paid meanwhile: `kamid order reconcile`."
    );
    Some(Miss { channel, says })
}

/// In which way an address differs from the right one.
fn differs(path: &str, decoded: &str, right: &str) -> String {
    let squeezed = |text: &str| {
        let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
        format!("/{}", parts.join("/"))
    };
    let is = squeezed(&path.to_ascii_lowercase());
    let shown = |text: &str| format!("{:?}", crate::domain::text::printable(text, 80));
    if let Some(more) = is.strip_prefix(right) {
        format!("it has {} too much at its end", shown(more))
    } else if let Some(more) = is.strip_suffix(right) {
        format!("it has {} too much at its beginning", shown(more))
    } else if let Some(less) = right.strip_prefix(&is) {
        format!("it lacks {} at its end", shown(less))
    } else if squeezed(decoded) == right {
        "its slashes or letters are percent-encoded".to_owned()
    } else {
        "it is spelled otherwise".to_owned()
    }
}

/// Letters to change, add or leave out, until one word is the other; words of very different length are far apart.
fn steps(a: &str, b: &str) -> usize {
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, letter) in a.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], at + 1);
        for (i, other) in b.iter().enumerate() {
            let changed = before + usize::from(letter != *other);
            before = row[i + 1];
            row[i + 1] = changed.min(before + 1).min(row[i] + 1);
        }
    }
    row[b.len()]
}

/// Method and target of a head that could not be read, as far as they can be told apart.
pub fn first_line(head: &[u8]) -> (String, String) {
    let line = head.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let text = String::from_utf8_lossy(line.trim_ascii()).into_owned();
    let (method, rest) = text.split_once(' ').unwrap_or((&text, ""));
    let target = rest.rsplit_once(" HTTP/").map_or(rest, |(target, _)| target);
    (method.to_owned(), target.to_owned())
}

/// What is spoken to us that is not HTTP/1: how it begins, what it is, and what to do about it.
const OTHERS: [(&[u8], &str, &str); 4] = [
    (
        b"\x16\x03",
        "TLS",
        "the proxy in front must speak plain http to it (`proxy_pass http://…`, not `https://…`), and buyers and gateways https to the proxy",
    ),
    (
        b"PROXY ",
        "the PROXY protocol",
        "it is not spoken here: turn it off in the proxy (`proxy_protocol`, `send-proxy`), which tells whom it speaks for by X-Forwarded-For",
    ),
    (
        b"\r\n\r\n\0\r\nQUIT\n",
        "the PROXY protocol",
        "it is not spoken here: turn it off in the proxy (`proxy_protocol v2`, `send-proxy-v2`), which tells whom it speaks for by X-Forwarded-For",
    ),
    (b"PRI * HTTP/2", "HTTP/2", "it speaks HTTP/1.1: set the proxy to http/1.1 towards it (not h2c or grpc)"),
];

/// Whether a head that could not be read is another protocol's: what it is called, and what to do.
pub fn spoken(head: &[u8]) -> Option<(&'static str, &'static str)> {
    OTHERS.iter().find(|(start, ..)| head.starts_with(start)).map(|(_, what, todo)| (*what, *todo))
}

/// Why a request's head could not be read.
pub fn unreadable(target: &str, status: u16) -> String {
    // What may stand in no address as it is.
    let odd = target.chars().find(|c| " \"<>`{}|^\\\t".contains(*c));
    match (status, odd) {
        (431, _) => "it has more headers than limits.headers, or its head is longer than limits.query_bytes and 16384 bytes: raise them, if the gateway needs it".to_owned(),
        (_, Some(' ' | '\t')) => "there is a raw blank in its address, which ends there: it must come as %20. A proxy or the gateway sends it so".to_owned(),
        (_, Some(c)) => format!("there is a raw {c:?} in its address, which must be percent-encoded. A proxy or the gateway sends it so"),
        _ => "its head is no HTTP: see what stands between the gateway and here".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_and_the_case_of_fixed_words_leave_no_doubt() {
        for path in
            ["/pay/shop/notify", "/pay/shop/notify/", "//pay/shop/notify", "/pay//shop/notify//", "/Pay/shop/NOTIFY"]
        {
            assert_eq!(channel_of(path), Some("shop"), "{path}");
        }
        for path in ["/pay/shop", "/pay/shop/notify/x", "/x/pay/shop/notify", "/pay/shop/notify%20", "/pay/notify", "/"]
        {
            assert_eq!(channel_of(path), None, "{path}");
        }
    }

    #[test]
    fn a_near_miss_is_named_and_a_strangers_wandering_is_none() {
        let says = |path: &str| miss(path, "", false, &["shop", "wechat"]).map(|miss| (miss.channel, miss.says));
        for (path, channel, hint) in [
            ("/pay/shop", "shop", "lacks \"/notify\" at its end"),
            ("/pay/shop/", "shop", "lacks"),
            ("/pay/shop/notify%20", "shop", "\"%20\" too much at its end"),
            ("/pay/shop/notify.php", "shop", "\".php\" too much"),
            ("/pay/shop/notify/wechat", "shop", "\"/wechat\" too much"),
            ("/pay/shop/notify&a=1", "shop", "\"&a=1\" too much"),
            ("/index.php/pay/shop/notify", "shop", "\"/index.php\" too much at its beginning"),
            ("/pay%2Fshop%2Fnotify", "shop", "percent-encoded"),
            ("/pay/shop/notifi", "shop", "spelled otherwise"),
            ("/pay/wechat/nofity", "wechat", "spelled otherwise"),
            ("/notify/wechat", "wechat", "spelled otherwise"),
            ("/pay/notify", "", "spelled otherwise"),
            ("/notify_url.php", "", "spelled otherwise"),
        ] {
            let (named, text) = says(path).unwrap_or_else(|| panic!("{path} is no near miss"));
            assert!(named == channel && text.contains(hint), "{path}: {named} {text}");
        }
        for path in [
            "/favicon.ico",
            "/wp-login.php",
            "/pay",
            "/shop",
            "/modify",
            "/pay/shop/checkout/1",
            "/o/x",
            "/",
            "/payment",
        ] {
            assert_eq!(says(path), None, "{path}");
        }
        assert!(miss("/", "out_trade_no=1&sign=2", false, &["shop"]).is_some_and(|miss| miss.channel == "shop"));
    }

    #[test]
    fn another_protocol_is_known_by_its_first_bytes() {
        for (head, what) in [
            (&b"\x16\x03\x01\x02\x00\x01\x00"[..], Some("TLS")),
            (b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\nGET / HTTP/1.1\r\n", Some("the PROXY protocol")),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", Some("the PROXY protocol")),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some("HTTP/2")),
            (b"GET /pay/shop/notify?a=\"b HTTP/1.1\r\n", None),
            (b"PROXYGET / HTTP/1.1\r\n", None),
            (b"", None),
        ] {
            assert_eq!(spoken(head).map(|(what, _)| what), what, "{:?}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let (method, target) = first_line(b"\r\nGET /pay/shop/notify?name=a b HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!((method.as_str(), target.as_str()), ("GET", "/pay/shop/notify?name=a b"));
        assert!(unreadable(&target, 400).contains("blank"));
        assert!(unreadable("/x?a=\"b\"", 400).contains("raw '\"'"));
        assert!(unreadable("/x", 431).contains("limits.headers"));
        assert_eq!(first_line(b"\x16\x03\x01"), ("\u{16}\u{3}\u{1}".to_owned(), String::new()));
    }
}
