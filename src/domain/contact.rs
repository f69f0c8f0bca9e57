//! A contact as limits see it: the many spellings of one mailbox or number are one. Whoever wants to see an order must write
//! it exactly; this form is for counting alone.

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizer;

use super::text::is_invisible;

/// A mail host that ignores some characters of a mailbox's name, and the one it stands for.
struct Host {
    name: &'static str,
    stands_for: &'static str,
    ignores: &'static str,
}

const fn host(name: &'static str, stands_for: &'static str, ignores: &'static str) -> Host {
    Host { name, stands_for, ignores }
}

const HOSTS: [Host; 5] = [
    host("gmail.com", "gmail.com", "."),
    host("googlemail.com", "gmail.com", "."),
    host("proton.me", "proton.me", ".-_"),
    host("protonmail.com", "proton.me", ".-_"),
    host("pm.me", "proton.me", ".-_"),
];

/// A contact's one form.
#[must_use]
pub fn folded(contact: &str) -> String {
    let text = plain(contact);
    // A name before an address in angle brackets is no part of it.
    let text = match (text.rfind('<'), text.rfind('>')) {
        (Some(from), Some(to)) if from < to && text[from..to].contains('@') => text[from + 1..to].to_owned(),
        _ => text,
    };
    match text.rsplit_once('@') {
        Some((local, host)) if !local.is_empty() && !host.is_empty() => mailbox(local, host),
        _ => number(&text).unwrap_or(text),
    }
}

/// Without case, width and other compatible forms, and without what cannot be seen.
fn plain(text: &str) -> String {
    let (nfkc, case) = (ComposingNormalizer::new_nfkc(), CaseMapper::new());
    let shown = |text: &str| -> String {
        let seen = |c: &char| !c.is_whitespace() && !c.is_control() && !is_invisible(*c);
        text.chars().filter(seen).collect()
    };
    let once = case.fold_string(&nfkc.normalize(&shown(text))).into_owned();
    // Folding may leave what normalises further, and normalising what is not seen.
    shown(&nfkc.normalize(&once))
}

fn mailbox(local: &str, host: &str) -> String {
    // A host's name in its one form, whatever its dots and letters are; what is no host's name stays as it is.
    let host = idna::domain_to_ascii(host).unwrap_or_else(|_| host.to_owned());
    let host = host.trim_end_matches('.');
    let local = local.trim_matches('"');
    let mut name = match local.split_once('+') {
        Some((name, _)) if !name.is_empty() => name.to_owned(),
        _ => local.to_owned(),
    };
    let known = HOSTS.iter().find(|known| known.name == host);
    if let Some(known) = known {
        name.retain(|c| !known.ignores.contains(c));
    }
    format!("{name}@{}", known.map_or(host, |known| known.stands_for))
}

/// A telephone number without what is written between its digits, a Chinese mobile one without its country.
fn number(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let fits = text.chars().all(|c| c.is_ascii_digit() || "+-().".contains(c));
    if !fits || digits.len() < 7 {
        return None;
    }
    let home = digits.strip_prefix("0086").or_else(|| digits.strip_prefix("86"));
    let mobile = home.filter(|rest| rest.len() == 11 && rest.starts_with('1'));
    Some(mobile.map(str::to_owned).unwrap_or(digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_mailbox_are_one() {
        for other in [
            "Buyer@Example.COM",
            "buyer@example.com\u{200b}",
            "\u{feff}buyer@example.com",
            "ｂuyer@example.com",
            "buyer＠example．com",
            "buyer@example。com",
            "buyer@example.com\u{a0}",
            "bu\u{ad}yer@exam\u{2060}ple.com",
            "buyer\u{e0020}@example.com",
            "\u{202e}buyer@example.com",
            "buyer@example.com.",
            "buyer+1@example.com",
            "\"buyer\"@example.com",
            "somebody <Buyer+x@example.com>",
            "buyer @ example.com",
            "𝐛𝐮𝐲𝐞𝐫@example.com",
        ] {
            assert_eq!(folded(other), "buyer@example.com", "{other:?}");
        }
        for other in ["j.o.e@gmail.com", "Joe+shop@googlemail.com", "joe@GMAIL.com"] {
            assert_eq!(folded(other), "joe@gmail.com", "{other:?}");
        }
        assert_eq!(folded("STRASSE@example.com"), folded("straße@example.com"));
        assert_eq!(folded("a@bücher.example"), folded("a@xn--bcher-kva.example"));
        assert_eq!(folded("J-o_e@pm.me"), "joe@proton.me");
        for other in ["+86 138 0013 8000", "138-0013-8000", "１３８００１３８０００", "008613800138000"] {
            assert_eq!(folded(other), "13800138000", "{other:?}");
        }
    }

    #[test]
    fn others_stay_others() {
        for (a, b) in [
            ("buyer@example.com", "buyer@example.org"),
            ("b.uyer@example.com", "buyer@example.com"),
            ("buyer1@example.com", "buyer@example.com"),
            ("10001", "10002"),
            ("+1 138 0013 8000", "138 0013 8000"),
            ("微信 abc", "微信 abd"),
            ("+tag@example.com", "@example.com"),
        ] {
            assert_ne!(folded(a), folded(b), "{a} {b}");
        }
        assert_eq!(folded(&folded("ＪＯＥ+1@Gmail.com")), "joe@gmail.com");
    }
}
