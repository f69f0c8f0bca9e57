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

/// What people and links write before a mailbox or a number, as [`plain`] leaves it.
const LABELS: [&str; 14] = [
    "mailto:",
    "email:",
    "e-mail:",
    "mail:",
    "tel:",
    "phone:",
    "mobile:",
    "sms:",
    "callto:",
    "邮箱:",
    "邮件:",
    "电话:",
    "手机:",
    "手机号:",
];

/// What ends a sentence or a list, and no name. (A full width one is narrow by then.)
const ENDS: &[char] = &['.', ',', ';', ':', '!', '?', '。', '、', '…'];
/// What parts the digits of a telephone number, beside ASCII punctuation.
const DASHES: &[char] = &['‐', '‑', '‒', '–', '—', '―', '−', '·', '•', '・', '。', '、'];

/// A contact's one form.
#[must_use]
pub fn folded(contact: &str) -> String {
    let mut form = plain(contact);
    // What was around may hide more of the same: as long as it gets shorter.
    loop {
        let next = without_trimmings(&form);
        let shorter = next.len() < form.len();
        form = next;
        if !shorter {
            return form;
        }
    }
}

fn without_trimmings(text: &str) -> String {
    // A name before an address in angle brackets is no part of it.
    let text = match (text.rfind('<'), text.rfind('>')) {
        (Some(from), Some(to)) if from < to && text[from..to].contains('@') => &text[from + 1..to],
        _ => text,
    };
    let bare = text.trim_matches(ENDS);
    let mut text = if bare.is_empty() { text } else { bare };
    if let Some(rest) = LABELS.iter().find_map(|label| text.strip_prefix(label)) {
        // What a link asks of a mail program or a telephone stands behind the address.
        let rest = rest.trim_start_matches('/').split('?').next().unwrap_or_default();
        text = if rest.is_empty() { text } else { rest };
    }
    mailbox(text).or_else(|| number(text)).unwrap_or_else(|| text.to_owned())
}

/// Without comments in round brackets, which may stand in one another; one that does not end is none.
fn without_comments(text: &str) -> String {
    let (mut kept, mut open) = (String::new(), Vec::new());
    for c in text.chars() {
        match c {
            '(' => open.push(kept.len()),
            ')' if !open.is_empty() => {
                kept.truncate(open.pop().unwrap_or_default());
                continue;
            }
            _ => {}
        }
        kept.push(c);
    }
    kept
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

fn mailbox(text: &str) -> Option<String> {
    let text = without_comments(text);
    let (local, host) = text.rsplit_once('@')?;
    // A host's name in its one form, whatever its dots and letters are; what is no host's name stays as it is.
    let host = idna::domain_to_ascii(host).unwrap_or_else(|_| host.to_owned());
    let host = host.trim_matches(|c: char| c.is_ascii_punctuation() || ENDS.contains(&c));
    let local = local.trim_matches('"');
    if local.is_empty() || host.is_empty() {
        return None;
    }
    let mut name = match local.split_once('+') {
        Some((name, _)) if !name.is_empty() => name.to_owned(),
        _ => local.to_owned(),
    };
    let known = HOSTS.iter().find(|known| known.name == host);
    if let Some(known) = known {
        name.retain(|c| !known.ignores.contains(c));
    }
    Some(format!("{name}@{}", known.map_or(host, |known| known.stands_for)))
}

/// A telephone number without what is written between its digits and without what is dialled before it: the zeros that lead
/// out of a country or a town, and the country, where it is China.
fn number(text: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_digit() || (c.is_ascii_punctuation() && c != '@') || DASHES.contains(&c);
    // What a link says to the telephone stands behind the number; a zero in brackets is dialled within the country only.
    let text = text.split(';').next().unwrap_or_default();
    let text = match text.split_once("(0)") {
        Some((country, rest)) if country.contains(|c: char| c.is_ascii_digit()) => format!("{country}{rest}"),
        _ => text.to_owned(),
    };
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if !text.chars().all(fits) || digits.len() < 7 {
        return None;
    }
    let bare = digits.trim_start_matches('0');
    let home = bare.strip_prefix("86").map(|rest| rest.trim_start_matches('0'));
    let home = home.filter(|rest| (10..=11).contains(&rest.len())).unwrap_or(bare);
    Some(if home.len() < 7 { digits } else { home.to_owned() })
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
            "mailto:buyer@example.com",
            "MAILTO:Buyer@example.com?subject=x&body=a@b.c",
            "邮箱：buyer@example.com",
            "buyer(the one)@example.com",
            "buyer@(at (home))example.com",
            "buyer@example.com (me)",
            "(me) buyer@example.com",
            "buyer@example.com,",
            "buyer@example.com..",
            "buyer@example.com，",
            "buyer@example.com。",
            "buyer@example.com；",
            "buyer@example.com!",
            "<buyer@example.com>.",
            "buyer＠ｅｘａｍｐｌｅ．ｃｏｍ、",
        ] {
            assert_eq!(folded(other), "buyer@example.com", "{other:?}");
        }
        for other in ["j.o.e@gmail.com", "Joe+shop@googlemail.com", "joe@GMAIL.com"] {
            assert_eq!(folded(other), "joe@gmail.com", "{other:?}");
        }
        assert_eq!(folded("STRASSE@example.com"), folded("straße@example.com"));
        assert_eq!(folded("a@bücher.example"), folded("a@xn--bcher-kva.example"));
        assert_eq!(folded("J-o_e@pm.me"), "joe@proton.me");
        for other in [
            "+86 138 0013 8000",
            "138-0013-8000",
            "１３８００１３８０００",
            "＋８６－１３８００１３８０００",
            "008613800138000",
            "8613800138000",
            "013800138000",
            "+86 (0) 138 0013 8000",
            "(+86)138/0013/8000",
            "138_0013_8000",
            "138—0013—8000",
            "138·0013·8000",
            "138,0013,8000.",
            "tel:+86-138-0013-8000",
            "tel:+8613800138000;ext=1",
            "sms:13800138000?body=1",
            "手机：13800138000",
        ] {
            assert_eq!(folded(other), "13800138000", "{other:?}");
        }
        for other in ["010-6552 9988", "+86 10 65529988", "0086(10)65529988", "+86 (0)10/6552-9988"] {
            assert_eq!(folded(other), "1065529988", "{other:?}");
        }
        assert_eq!(folded("+44 (0)20 7946 0958"), folded("0044 20 7946 0958"));
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
            ("_buyer@example.com", "buyer@example.com"),
            ("wechat_id_", "wechat_id"),
            ("tel:", "sms:"),
            ("a(b@example.com", "a@example.com"),
            ("+44 20 7946 0958", "020 7946 0958"),
            ("buyer@a.example/x@b.example", "buyer@a.example"),
            ("...", "???"),
        ] {
            assert_ne!(folded(a), folded(b), "{a} {b}");
        }
        // What was folded stays as it is, whatever it was; and nothing is folded to nothing that was something.
        let pieces =
            ["mailto:", "tel:", "a", "86", "0", "(", ")", "@", ".", "+", "<", ">", "1380013", "8000", "//", "?"];
        for n in 0..pieces.len().pow(4) {
            let at = |power: u32| pieces[n / pieces.len().pow(power) % pieces.len()];
            let text = [at(0), at(1), at(2), at(3)].concat();
            let once = folded(&text);
            assert!(!once.is_empty() && folded(&once) == once, "{text:?} {once:?}");
        }
        assert_eq!(folded(&folded("ＪＯＥ+1@Gmail.com")), "joe@gmail.com");
    }
}
