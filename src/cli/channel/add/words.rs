//! What is wrong with an answer, in the language of whoever answers.

use crate::domain::Lang;
use crate::settings::Setting;

/// What stands where something else belongs.
const THINGS: [(&str, &str); 8] = [
    ("a certificate", "这是证书"),
    ("a private key with a password", "这是带密码的私钥,先去掉密码:openssl rsa -in 旧文件 -out 新文件"),
    ("a private key", "这是私钥"),
    ("a public key", "这是公钥"),
    ("a key of elliptic curves", "这是椭圆曲线密钥,不是 RSA"),
    ("a key of ssh", "这是 SSH 密钥"),
    ("no RSA key", "这不是 2048 位以上的 RSA 密钥,或缺了一部分"),
    ("neither PEM nor base64", "这既不是 PEM 也不是 base64"),
];

/// Beginnings of what the settings' readers say, and the same in Chinese.
const SAYINGS: [(&str, &str); 28] = [
    ("is your own key", "这是你自己的公钥(与这里的私钥是一对),此处需要平台的"),
    ("is not the key of", "与证书不是一对"),
    ("is not the certificate of", "与私钥不是一对"),
    ("holds no certificate", "里面没有证书"),
    ("holds several certificates", "里面不止一张证书"),
    ("holds a certificate that is not valid now", "里面有已过期或尚未生效的证书"),
    ("holds a certificate without an RSA key", "证书里不是 2048 位以上的 RSA 密钥"),
    ("holds a certificate whose issuer", "证书的签发者无法读取"),
    ("holds a line's end", "内容含换行或控制字符,应只有一行"),
    ("holds a character that is not seen", "中间有看不见的字符(零宽、不换行空格、全角空格等),请重新复制或手工输入"),
    ("holds nothing but blanks", "只有空白或看不见的字符"),
    ("has blanks or characters that are not seen", "首尾有空白或看不见的字符,已忽略"),
    ("begins with a name and a sign", "前面像是带着名称(如 KEY=…、密钥:…),请只填后面的内容"),
    ("looks like a line of a program", "像是程序或 JSON 里的一行,只填最后一对引号之间的内容"),
    ("only stands for the secret", "这是占位符,请填真正的密钥"),
    ("stands in quotation marks", "带着引号,引号不是内容的一部分,请去掉"),
    ("holds a blank", "含空格或非 ASCII 字符,请重新复制"),
    ("must be letters and digits", "只能是字母和数字"),
    ("must begin with https://", "必须以 https:// 开头,且不带参数"),
    ("must have 32 characters", "必须是 32 个字符:是 APIv3 密钥,不是旧的 API 密钥"),
    ("is the address of one page", "这是某个页面的地址,请只填到它所在的目录"),
    ("names no file", "没有这个文件:请填文件路径,而不是文件内容"),
    ("names a file that is no text", "不是文本文件:.pfx、.der 请先用 openssl 转成 PEM"),
    ("is none that the gateway converts by itself", "网关自己不换算这种货币"),
    ("is not https", "不是 https:途中可能被看到或篡改"),
    ("is not a setting", "没有这个设置项:kamid channel kinds 列出每个种类的设置"),
    ("is missing", "缺少"),
    ("the file is longer than", "文件过大"),
];
/// What a value must be, where it is of no kind's own.
const FORMS: [(&str, &str); 4] = [
    ("true or false", "true 或 false"),
    ("a text in quotes", "文本"),
    ("three capital letters", "三个大写字母"),
    ("networks such as", "网段列表,例如 [\"203.0.113.0/24\"]"),
];

/// A problem's message, for the setting that it is about: one that is asked for, or any other.
pub fn said(row: Option<&Setting>, message: &str, lang: Lang) -> String {
    if lang == Lang::En {
        return message.to_owned();
    }
    if let Some(range) = message.strip_prefix("must be a whole number from ") {
        return format!("必须是整数,范围 {}", range.replace(" to ", " 到 "));
    }
    if let Some((_, close)) = message.split_once("is not a setting; did you mean ") {
        return format!("没有这个设置项,是不是 {}?", close.trim_end_matches('?'));
    }
    let form = message.strip_prefix("must be ").unwrap_or_default();
    if let Some((_, zh)) = FORMS.iter().find(|(en, _)| form.starts_with(en)) {
        return format!("必须是 {zh}");
    }
    let wanted = row.map(|row| format!("。需要:{}", row.help.zh)).unwrap_or_default();
    let thing = message.strip_prefix("is ").filter(|rest| rest.contains("; needed: ")).unwrap_or_default();
    if let Some((_, zh)) = THINGS.iter().find(|(en, _)| thing.starts_with(en)) {
        return format!("{zh}{wanted}");
    }
    if message.starts_with("does not look like") {
        return format!("看起来不对{wanted}");
    }
    let saying = SAYINGS.iter().find(|(en, _)| message.starts_with(en));
    saying.map_or_else(|| message.to_owned(), |(_, zh)| (*zh).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::KINDS;

    fn row(kind: &str, key: &str) -> &'static Setting {
        let kind = KINDS.iter().find(|known| known.name == kind).unwrap();
        kind.settings.iter().find(|row| row.key == key).unwrap()
    }

    #[test]
    fn what_is_wrong_is_said_in_chinese() {
        let key = row("wechat_v3", "merchant_private_key");
        let of = |message: &str| said(Some(key), message, Lang::Zh);
        assert!(of("is a public key; needed: your own").starts_with("这是公钥。需要:"));
        assert!(of("is no RSA key of 2048 bits or more, or a part of it is missing; needed: x").starts_with("这不是"));
        assert!(said(None, "is not a setting; known: pid", Lang::Zh).starts_with("没有这个设置项"));
        assert_eq!(of("must be a whole number from 1 to 9"), "必须是整数,范围 1 到 9");
        assert_eq!(of("must be true or false"), "必须是 true 或 false");
        assert!(of("does not look like a merchant number").starts_with("看起来不对。需要:"));
        assert!(of("names no file that is there: give the path").starts_with("没有这个文件"));
        assert_eq!(
            (of("something new"), said(None, "is x", Lang::En)),
            ("something new".to_owned(), "is x".to_owned())
        );
    }

    /// What nobody says any more would stay English unseen.
    #[test]
    fn every_saying_is_still_said() {
        let mut sources = String::new();
        let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() {
                    folders.push(entry);
                } else if entry.extension().is_some_and(|end| end == "rs") && !entry.ends_with("words.rs") {
                    sources.push_str(&std::fs::read_to_string(entry).unwrap());
                }
            }
        }
        for (en, _) in THINGS.iter().chain(&SAYINGS).chain(&FORMS) {
            assert!(sources.contains(&format!("\"{en}")), "{en}");
        }
    }
}
