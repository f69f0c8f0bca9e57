//! What the targets of channels share: the captured callbacks as seeds, and a second, careless reader to compare with.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use data_encoding::{BASE64, HEXLOWER};
use kamid::channel::{Channel, Channels};
use kamid::domain::{Callback, Currency, Money, Payment};
use md5::{Digest as _, Md5};
use serde_json::Value;

use crate::support::channel::{CHANNEL, KEY, channels};

/// Every captured callback but the huge one, as its file.
pub static VECTORS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    // From the package itself, and from `fuzz/` below it.
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("tests/vectors/epay_v1"));
    let folder = above.into_iter().find(|folder| folder.is_dir()).unwrap();
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    paths.iter().filter(|path| !path.ends_with("r18-huge.json")).map(read).collect()
});

static CHANNELS: LazyLock<Channels> = LazyLock::new(|| {
    let text = format!("{CHANNEL}[channel.box]\nkind = \"sandbox\"\nkey_file = \"epay.key\"\n");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("epay.key"), KEY).unwrap();
    channels(&text, folder.path())
});

/// The channel that the vectors were captured for (`pay`), or the sandbox (`box`).
pub fn channel(name: &str) -> &'static Arc<dyn Channel> {
    CHANNELS.get(name).unwrap()
}

/// A request as the bytes of an input: method and query, the sandbox's header, and the body.
pub fn written(method: &str, query: &str, header: &str, body: &[u8]) -> Vec<u8> {
    [format!("{method} {query}\n{header}\n").as_bytes(), body].concat()
}

/// The captured requests, as inputs.
pub fn requests() -> Vec<Vec<u8>> {
    let captured = VECTORS.iter().filter_map(|vector| vector["request"].as_object());
    captured
        .map(|request| {
            let body = BASE64.decode(request["body_b64"].as_str().unwrap().as_bytes()).unwrap();
            written(request["method"].as_str().unwrap(), request["query"].as_str().unwrap(), "", &body)
        })
        .collect()
}

/// Payments for the sandbox to sign.
pub fn payments() -> Vec<Payment> {
    let paid = |minor, code: &str| Money { minor, currency: code.parse::<Currency>().unwrap() };
    [
        ("KO251123160000L7U2REDP", paid(990, "CNY")),
        ("KO2511231600005RATXNNJ", paid(0, "JPY")),
        ("A|b._-", paid(1, "KWD")),
    ]
    .map(|(number, paid)| Payment {
        number: number.to_owned(),
        trade_no: "T:1.2_3-4".to_owned(),
        paid,
        channel: String::new(),
        paid_at: None,
        reference: None,
    })
    .into()
}

/// An input as a request: method, query, header, body. `None` where an HTTP library would not hand it on.
pub fn request(bytes: &[u8]) -> Option<(&str, &str, &str, &[u8])> {
    let mut lines = bytes.splitn(3, |b| *b == b'\n');
    let (first, header) = (lines.next()?, lines.next().unwrap_or_default());
    let (method, query) = std::str::from_utf8(first).ok()?.split_once(' ')?;
    Some((method, query, std::str::from_utf8(header).ok()?, lines.next().unwrap_or_default()))
}

/// What a channel says of a request; what it says for people must hold no secret.
pub fn verified(
    name: &str,
    (method, query, header, body): (&str, &str, &str, &[u8]),
) -> Result<kamid::channel::Claim, kamid::domain::Rejection> {
    let headers = [(Cow::from("X-Sandbox-Signature"), Cow::from(header))];
    let callback = Callback { method, path: "/", query, headers: &headers, body };
    let channel = channel(name);
    if let Some(number) = channel.names(&callback) {
        assert!(kamid::channel::is_number(&number), "{number:?} is shown as a number");
    }
    // An engine that learned the key from a comparison may send it itself.
    let sent = [query.as_bytes(), body].concat();
    let holds = |text: &[u8]| text.windows(KEY.len()).any(|part| part == KEY.as_bytes());
    if !holds(&sent) && !holds(&percent_encoding::percent_decode(&sent).collect::<Vec<u8>>()) {
        assert!(!channel.explain(&callback).is_some_and(|words| words.contains(KEY)), "the key is shown");
    }
    channel.verify(&callback, &[], 0)
}

/// Names and values.
pub type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// The signed text by the rule in docs/channels.md: what has a value, sorted by name, joined.
pub fn canonical(fields: &Fields) -> Vec<u8> {
    let blank = |value: &[u8]| value.iter().all(|b| b" \t\n\r\x0b".contains(b));
    let signed = fields.iter().filter(|(name, value)| name != b"sign" && name != b"sign_type" && !blank(value));
    let signed: BTreeMap<_, _> = signed.cloned().collect();
    let pairs: Vec<Vec<u8>> = signed.iter().map(|(name, value)| [name, &b"="[..], value].concat()).collect();
    pairs.join(&b'&')
}

/// The signature of that text with the test channel's key.
pub fn signature(fields: &Fields) -> String {
    HEXLOWER.encode(&Md5::new().chain_update(canonical(fields)).chain_update(KEY).finalize())
}

/// No border of the signed text can be moved to make other fields of it.
pub fn assert_whole(fields: &Fields) {
    let moved = ["money", "out_trade_no", "trade_no", "pid", "trade_status", "type", "name", "param"];
    for (name, value) in fields {
        let value = String::from_utf8_lossy(value);
        assert!(!moved.iter().any(|field| value.contains(&format!("&{field}="))), "{value} hides a field");
        assert!(!name.iter().any(|b| b"&=[]\0".contains(b)), "{}", name.escape_ascii());
    }
}

/// Names and values by a careless reader: wrong escapes stay, repeats stay, bytes are bytes.
pub fn fields(text: &[u8]) -> Fields {
    let plain = |part: &[u8]| -> Vec<u8> {
        let spaced: Vec<u8> = part.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
        percent_encoding::percent_decode(&spaced).collect()
    };
    text.split(|b| *b == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let at = pair.iter().position(|b| *b == b'=');
            (plain(&pair[..at.unwrap_or(pair.len())]), at.map_or_else(Vec::new, |at| plain(&pair[at + 1..])))
        })
        .collect()
}

/// The same of a form, without the line ends behind it.
pub fn fields_of_form(body: &[u8]) -> Fields {
    let end = body.iter().rposition(|b| !b"\r\n".contains(b)).map_or(0, |last| last + 1);
    fields(&body[..end])
}

/// The same of a query, whose broken separators are mended before anything is read.
pub fn fields_of_query(query: &str) -> Fields {
    let mended = if query.contains('&') { query.replace("&amp;", "&") } else { query.replace(';', "&") };
    fields(mended.as_bytes())
}

/// The careless reader's value of a name, the last one where there are more.
pub fn text(fields: &Fields, name: &str) -> String {
    let found = fields.iter().rev().find(|(key, _)| key == name.as_bytes());
    found.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
}

/// Minor units of a decimal text by another way than the product's: digits moved, no arithmetic on parts.
pub fn minor(text: &str, places: usize) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    let rest = fraction.get(places..).unwrap_or("");
    if whole.is_empty() || !all(whole) || !all(fraction) || rest.contains(|c| c != '0') {
        return None;
    }
    let exact = whole.parse::<i128>().ok()? * 10i128.pow(places as u32);
    let kept = format!("{fraction:0<places$}");
    i64::try_from(exact + kept.get(..places)?.parse::<i128>().unwrap_or(0)).ok()
}
