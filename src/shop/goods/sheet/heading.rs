//! What columns are called: a line of such words alone is no key.

/// Words of headings, in English and in Chinese (both scripts), by what stands in the column.
const WORDS: [(&[&str], &[&str]); 12] = [
    // The key itself.
    (
        &[
            "key",
            "keys",
            "code",
            "codes",
            "card",
            "cards",
            "cd",
            "cdk",
            "gift",
            "voucher",
            "coupon",
            "activation",
            "license",
            "licence",
            "serial",
            "sn",
            "redeem",
            "redemption",
            "recharge",
            "token",
            "secret",
            "link",
            "url",
        ],
        &[
            "卡密",
            "卡券",
            "卡号",
            "卡號",
            "密钥",
            "密鑰",
            "秘钥",
            "秘鑰",
            "激活码",
            "激活碼",
            "兑换码",
            "兌換碼",
            "序列号",
            "序列號",
            "序號",
            "注册码",
            "註冊碼",
            "充值码",
            "充值碼",
            "礼品卡",
            "禮品卡",
            "礼品码",
            "禮品碼",
            "点卡",
            "點卡",
            "授权码",
            "授權碼",
            "优惠码",
            "優惠碼",
            "邀请码",
            "邀請碼",
            "提取码",
            "提取碼",
            "验证码",
            "驗證碼",
            "卡",
            "码",
            "碼",
            "链接",
            "鏈接",
            "網址",
            "网址",
            "密文",
            "内容",
            "內容",
        ],
    ),
    // Its second half.
    (&["password", "passwd", "pass", "pwd", "pw", "pin"], &["密码", "密碼", "卡密码", "口令"]),
    // Which one it is.
    (
        &["no", "nr", "num", "number", "numbers", "id", "index", "row", "line"],
        &["编号", "編號", "号码", "號碼", "序号", "号", "號", "行号", "行號"],
    ),
    // Whose it is.
    (
        &["account", "accounts", "user", "username", "login", "name", "mail", "email", "phone", "mobile"],
        &[
            "账号",
            "帐号",
            "賬號",
            "帳號",
            "账户",
            "帐户",
            "賬戶",
            "帳戶",
            "用户名",
            "用戶名",
            "用户",
            "用戶",
            "邮箱",
            "郵箱",
            "手机号",
            "手機號",
            "手机",
            "手機",
            "名称",
            "名稱",
        ],
    ),
    // For what.
    (
        &["product", "products", "item", "goods", "type", "sku"],
        &["商品", "产品", "產品", "类型", "類型", "规格", "規格"],
    ),
    // For how much.
    (&["price", "amount", "value", "currency", "balance"], &["价格", "價格", "面值", "金额", "金額", "余额", "餘額"]),
    // Until when.
    (
        &["date", "time", "expires", "expiry", "expiration", "created", "valid"],
        &["日期", "时间", "時間", "有效期", "到期", "过期", "過期", "到期时间", "到期時間"],
    ),
    // How it stands.
    (&["status", "state", "used", "sold"], &["状态", "狀態", "已用", "已售"]),
    // What else is said of it.
    (
        &["note", "notes", "remark", "remarks", "comment", "comments", "memo", "order", "batch"],
        &["备注", "備註", "备註", "说明", "說明", "订单", "訂單", "批次"],
    ),
    // The product's own.
    (&["windows", "office", "steam", "itunes", "google", "apple"], &[]),
    (&["list", "text"], &["列表", "清单", "清單", "激活", "兑换", "兌換", "礼品", "禮品", "充值"]),
    (&["the", "of", "and"], &["和", "与", "及", "的"]),
];
/// Words that are headings only beside others, as are English words for what stands beside a key: alone they may be anything.
const BESIDE: [&str; 11] = ["gift", "link", "url", "token", "secret", "card", "号", "和", "与", "及", "的"];
/// Rows of [`WORDS`] whose English words are headings alone: the key and its second half.
const ALONE: usize = 2;
/// No heading is longer.
const LONGEST: usize = 60;

/// Whether a field is words of headings alone: `Card No.`, `CD-KEY`, `卡密内容`.
pub(super) fn is_word(field: &str) -> bool {
    if field.len() > 3 * LONGEST || field.bytes().any(|b| b.is_ascii_digit()) {
        return false;
    }
    let small = field.trim().to_lowercase();
    let text: String = small.chars().filter(|c| c.is_alphanumeric()).collect();
    // Signs that headings have between and around their words; others make it something else.
    let signs = small.chars().filter(|c| !c.is_alphanumeric());
    if text.is_empty()
        || text.len() > LONGEST
        || signs.clone().any(|c| !c.is_whitespace() && !" _-.:#/()[]*,\u{ff1a}\u{ff08}\u{ff09}【】、№".contains(c))
    {
        return false;
    }
    // Each by itself: `pass word` is somebody's password, and no heading.
    small.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).all(covered)
}

/// Whether words of headings, all of a line's, make it one: alone they may be anything, and so may words for what stands
/// beside a key without one for the key.
fn make_a_heading(line: &str) -> bool {
    let small = line.to_lowercase();
    let words: Vec<&str> = small.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let beside = |word: &&str| WORDS.iter().skip(ALONE).any(|(english, _)| english.contains(word));
    words.iter().any(|word| !beside(word)) && !(words.len() == 1 && BESIDE.contains(&words[0]))
}

/// Whether a text is words of the table, one behind the other.
fn covered(text: &str) -> bool {
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for at in 0..text.len() {
        let Some(rest) = text.get(at..).filter(|_| reached[at]) else { continue };
        for (english, chinese) in WORDS {
            for word in english.iter().chain(chinese) {
                if rest.starts_with(word) {
                    reached[at + word.len()] = true;
                }
            }
        }
    }
    reached[text.len()]
}

/// Whether a line is a column's heading, or several, however they are parted.
#[must_use]
pub fn is_heading(line: &str) -> bool {
    if line.len() > 400 || line.bytes().any(|b| b.is_ascii_digit()) {
        return false;
    }
    if is_word(line) {
        return make_a_heading(line);
    }
    let parted = line.replace("--", "\t");
    let mut fields = parted
        .split([',', ';', '\t', '|', '\u{ff0c}', '\u{ff1b}', '\u{3000}'])
        .map(|field| field.trim_matches(['-', ' ']));
    let mut words = 0;
    fields.all(|field| {
        words += 1;
        field.is_empty() || is_word(field)
    }) && words > 1
        && make_a_heading(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_told_from_keys() {
        let headings = [
            "卡密",
            "code",
            "CDKEY",
            "序列号",
            "Card No.",
            "卡号\t密码",
            "卡号 密码",
            "account----password",
            "Card\tNote",
            "item,code",
            "Serial Number",
            "cd-key",
            "激活码\u{ff1a}",
            "PIN",
            "#\tCard\tPIN",
            "兑换码/卡密",
            "卡號|密碼",
            "Gift Card Code",
            "Product Key,Expiry Date",
            "license_key",
            "【卡密】",
            "卡密内容",
            "账号,,密码",
            "No.;Key",
            "Windows key",
        ];
        for line in headings {
            assert!(is_heading(line), "{line}");
        }
        let keys = [
            "K-1",
            "CODE-0001",
            "user----password1",
            "A",
            "密",
            "卡密一",
            "steam",
            "KEYBOARD",
            "user@mail",
            "user\tpass word",
            "pass word",
            "link",
            "time",
            "sold",
            "name",
            "pass!word",
            "",
            "----",
            "PINE",
            "ABCD-EFGH",
            "code=1",
            "点卡----K",
            "NoKia",
            "Привет",
            "号",
            "gift",
            "keys to the kingdom",
            "steam,apple",
            "name----word",
        ];
        for line in keys {
            assert!(!is_heading(line), "{line}");
        }
    }

    #[test]
    fn every_word_stands_in_the_table_once_and_as_it_is_compared() {
        let mut seen = std::collections::HashSet::new();
        for word in WORDS.iter().flat_map(|(english, chinese)| english.iter().chain(*chinese)) {
            assert!(seen.insert(word), "{word} twice");
            assert_eq!(word.to_lowercase(), **word);
            assert!(word.chars().all(char::is_alphanumeric) && word.len() <= LONGEST, "{word}");
        }
        for word in BESIDE {
            assert!(seen.contains(&word), "{word}");
        }
    }
}
