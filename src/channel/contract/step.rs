//! How a buyer pays, as a gateway says it: an address to go to, a code to scan, a form to send.
//!
//! Invariant: a buyer is led nowhere but to an absolute address of the web or into a wallet: a gateway's answer is foreign
//! text, and what a browser takes for a script or for a page of ours is none of its business.

pub use crate::domain::Step;

/// Wallets that gateways lead to by a scheme of their own.
const WALLETS: [&str; 7] = ["weixin", "alipays", "alipay", "mqqapi", "mqqwpa", "uppaywallet", "upwallet"];
/// Schemes that a browser takes for a script, a page or a file of this machine: no code leads there either.
const NEVER: [&str; 9] =
    ["javascript", "vbscript", "data", "file", "blob", "about", "view-source", "filesystem", "intent"];

/// The scheme of an address, in small letters; empty where it has none.
fn scheme(text: &str) -> String {
    let (scheme, _) = text.split_once(':').unwrap_or_default();
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    if scheme.bytes().all(fits) { scheme.to_ascii_lowercase() } else { String::new() }
}

/// Whether a text is an absolute address of the web: nothing that a browser would read in another way than it stands.
fn is_absolute(text: &str) -> bool {
    let rest = text.get(..8).filter(|start| start.eq_ignore_ascii_case("https://")).and_then(|_| text.get(8..));
    let rest = rest.or_else(|| text.get(..7).filter(|start| start.eq_ignore_ascii_case("http://")).and(text.get(7..)));
    let host = rest.unwrap_or_default().split(['/', '?', '#']).next().unwrap_or_default();
    !host.is_empty() && !host.contains(['@', '\\'])
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

impl Step {
    /// Why no buyer may be sent there, in words; `None` where one may.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        let fits = match self {
            Self::Redirect { url } => is_plain(url) && (is_absolute(url) || WALLETS.contains(&scheme(url).as_str())),
            Self::Form { url, .. } => is_plain(url) && is_absolute(url),
            Self::Qr { text } => {
                let web = matches!(scheme(text).as_str(), "http" | "https");
                let leads = !NEVER.contains(&scheme(text).as_str()) && !text.starts_with(['/', '.', '?', '#']);
                !text.trim().is_empty() && !text.chars().any(char::is_control) && leads && (!web || is_absolute(text))
            }
        };
        let (Self::Redirect { url: text } | Self::Form { url: text, .. } | Self::Qr { text }) = self;
        (!fits).then(|| format!("it leads the buyer to {text:?}, which is no absolute http(s) address"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn buyers_are_led_to_the_web_or_into_a_wallet() {
        let redirect = |url: &str| Step::Redirect { url: url.to_owned() }.refused().is_none();
        let code = |text: &str| Step::Qr { text: text.to_owned() }.refused().is_none();
        for good in [
            "https://pay.example/x?a=b:c#d",
            "HTTP://127.0.0.1:8080",
            "weixin://wxpay/bizpayurl?pr=1",
            "alipays://platformapi/x",
        ] {
            assert!(redirect(good) && code(good), "{good}");
        }
        for wrong in [
            "",
            "/pay/x",
            "//pay.example/x",
            "pay.example/x",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "java\tscript:alert(1)",
            " https://pay.example/",
            "data:text/html,x",
            "https:///x",
            "https://",
            "https://a@pay.example/",
            "https:\\\\pay.example",
            "ftp://x/y",
            "https://pay.example\\@evil.example/",
        ] {
            assert!(!redirect(wrong), "{wrong:?}");
        }
        for good in ["bitcoin:bc1q?amount=1", "00020101021226", "https://qr.alipay.com/bax"] {
            assert!(code(good), "{good}");
        }
        for wrong in ["", "/pay/x", "//pay.example/x", "javascript:alert(1)", "data:text/html,x", "https:///x", "a\nb"]
        {
            assert!(!code(wrong), "{wrong:?}");
        }
        assert!(Step::Form { url: "/front".to_owned(), fields: BTreeMap::new() }.refused().is_some());
    }
}
