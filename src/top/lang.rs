//! Which language whoever sits here reads, and the daemon's words in it.

use crate::domain::Lang;

/// The language of the environment: Chinese only where the terminal can show it.
#[must_use]
pub fn language() -> Lang {
    let named = first_set(["LC_ALL", "LC_MESSAGES", "LANG"]).filter(|_| utf8_environment());
    named.map_or(Lang::En, |it| Lang::of_locale(&it))
}

/// The first of these that the environment sets.
fn first_set(names: [&str; 3]) -> Option<String> {
    names.into_iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// Whether the environment's locale says that text is UTF-8. Where it says nothing it is `POSIX`, which is not.
#[must_use]
pub fn utf8_environment() -> bool {
    first_set(["LC_ALL", "LC_CTYPE", "LANG"]).is_some_and(|locale| is_utf8(&locale))
}

/// Whether a locale such as `zh_CN.UTF-8@pinyin` is one of UTF-8.
fn is_utf8(locale: &str) -> bool {
    let locale = locale.split('@').next().unwrap_or_default();
    let charset = locale.rsplit('.').next().unwrap_or_default();
    charset.replace(['-', '_'], "").eq_ignore_ascii_case("utf8")
}

/// A word of the daemon's that operators read, in both languages; the Chinese advice stands beside the daemon's English.
struct Term {
    word: &'static str,
    en: &'static str,
    zh: &'static str,
    advice: &'static str,
}

const fn term(word: &'static str, en: &'static str, zh: &'static str, advice: &'static str) -> Term {
    Term { word, en, zh, advice }
}

/// Reasons, states and kinds, as the daemon writes them.
const TERMS: &[Term] = &[
    term(
        "bad_signature",
        "bad signatures",
        "签名错误",
        "签名与本渠道的密钥不符:请核对商户后台的密钥;若大量来自同一地址,多半是伪造。密钥改正后,对期间付款的订单执行 kamid order query ID。",
    ),
    term("missing_signature", "without signature", "缺少签名", "没有签名:不是网关发来的,或代理丢掉了查询串。"),
    term(
        "missing_field",
        "missing fields",
        "缺少字段",
        "必需字段缺失或为空:代理可能截断了查询串,或网关使用另一协议版本。",
    ),
    term(
        "duplicate_parameter",
        "repeated parameters",
        "参数重复",
        "同一参数出现两次,不同读者会有不同理解:无论签名如何一律拒绝。",
    ),
    term("malformed", "malformed", "格式错误", "字段含有不允许的字符:可能有人试图移动签名内的字段边界。"),
    term("non_utf8", "not UTF-8", "非 UTF-8", "文本不是 UTF-8。"),
    term("too_large", "too large", "过大", "请求超过大小限制。"),
    term(
        "incomplete",
        "incomplete",
        "正文不完整",
        "正文没有在 limits.read_seconds 之内完整到达:到网关或代理的线路太慢或中断;网关会重发。",
    ),
    term("merchant_mismatch", "other merchant", "商户号不符", "是给另一商户号的:请检查渠道的 pid。"),
    term("type_mismatch", "other pay type", "支付方式不符", "实际支付方式与下单时不同。"),
    term("amount_malformed", "unreadable amounts", "金额无法读取", "金额不是准确的数字。"),
    term("amount_mismatch", "wrong amounts", "金额不符", "付款金额与应付不同:请通过或退款该订单。"),
    term("currency_mismatch", "wrong currency", "币种不符", "付款币种与应付不同:请通过或退款该订单。"),
    term("sign_type_mismatch", "other algorithm", "算法不符", "指明的签名算法与配置不同。"),
    term("stale_timestamp", "stale", "过期", "过旧或来自未来:请检查本机时钟。"),
    term(
        "cert_untrusted",
        "untrusted certificate",
        "证书不可信",
        "证书不能追溯到受信任的根、不属于网关或已过期:请检查配置的证书。",
    ),
    term("key_unknown", "unknown key", "未知密钥", "所用密钥或证书没有配置:网关可能换了新的,请与商户后台核对。"),
    term("decrypt_failed", "cannot be opened", "解密失败", "签名正确,但内容无法解密:请检查 API 密钥。"),
    term("status_not_paid", "not paid", "未付款", "自称付款通知,但状态是未付款。"),
    term(
        "order_mismatch",
        "other session",
        "与下单不符",
        "签名正确,但会话、发票、地址或时间与下单时不同。已作为无主付款保留:请认领或退款。",
    ),
    term(
        "order_unknown",
        "unknown orders",
        "订单不存在",
        "签名正确,但没有此订单:可能到得太早、订单早已过期,或属于同一账户的另一家店。已作为无主付款保留:请认领或退款。",
    ),
    term(
        "channel_mismatch",
        "other channel",
        "渠道不符",
        "签名正确,但订单本应走另一渠道。已作为无主付款保留:请认领或退款。",
    ),
    term(
        "source_refused",
        "other source",
        "来源地址不符",
        "来自渠道 sources 之外的地址:伪造,或网关启用了新地址。若前面有自己的代理,请写入 server.trusted_proxies。",
    ),
    term(
        "source_unlisted",
        "unlisted source",
        "来源未列出",
        "真实回调来自未列出的地址:请核对网关公布的地址,或把它写入 sources。",
    ),
    term(
        "status_unknown",
        "unknown status",
        "状态未知",
        "真实回调里的状态词不在网关文档之列:没有发货,已向网关回答收到。请到商户后台查看这笔付款;若确已支付,用 kamid order query 或 kamid order mark-paid 发货。",
    ),
    term(
        "gateway_misused",
        "gateway misused",
        "网关被滥用",
        "一个曾发来真实付款的地址发来大量被拒的回调:可能有人借同一网关乱发,或这里的密钥已过期。它的回调仍会读取并验签:请查明被拒原因,并告知网关方。",
    ),
    term(
        "other_protocol",
        "not HTTP",
        "协议不符",
        "有人向明文端口说 TLS、PROXY 协议或 HTTP/2。若是自己的代理:转发到本机要用 http://(不是 https://)、HTTP/1.1,并关闭 proxy_protocol。",
    ),
    term("method_not_allowed", "other method", "方法不符", "网关不用这种请求方法,或正文类型未知。"),
    term(
        "no_such_channel",
        "no such channel",
        "渠道未配置",
        "回调发到了没有配置的渠道:请把商户后台的通知地址与 kamid channel list 核对。",
    ),
    term(
        "wrong_address",
        "wrong notify addresses",
        "通知地址写错",
        "请求发到了不存在的地址,但很像回调地址:请把商户后台的通知地址与 kamid channel list 逐字核对;改正后用 kamid order reconcile 查询期间的付款。",
    ),
    term(
        "unreadable_request",
        "unreadable requests",
        "请求无法解析",
        "发往回调地址的请求不是合法的 HTTP:地址里有未编码的空格或引号,或请求头太多(limits.headers):请检查网关与本机之间的代理。",
    ),
    term(
        "crowded",
        "crowded",
        "连接拥挤",
        "连接数已满,沉默最久的连接已被断开:若最多的地址是自己的代理,请写入 server.trusted_proxies;否则请在防火墙上限制它。",
    ),
    term("no_channel", "no such channel", "渠道未配置", ""),
    term("limited", "callbacks from blocked addresses", "来自被封地址的回调", ""),
    term(
        "address_blocked",
        "address blocked",
        "地址被封",
        "此地址被拒的回调太多:在停止之前一律回答 429,真实回调也一样。若是自己的代理,请写入 server.trusted_proxies;若是网关,请查明其回调被拒的原因。",
    ),
    term("unavailable", "Redis away", "Redis 不可用", ""),
    term(
        "unconfirmed",
        "not confirmed by the gateway",
        "网关未确认",
        "签名正确,但网关自己说没有付款:密钥可能泄露,请在商户后台更换。",
    ),
    term("silent", "gateway silent", "网关无应答", ""),
    term("timeout", "Redis too slow", "Redis 超时", ""),
    term("full", "Redis full", "Redis 已满", ""),
    term("sent", "sent", "已发送", ""),
    term("waiting", "put off", "推迟", ""),
    term("dead", "given up", "已放弃", ""),
    term("dropped", "dropped", "已取消", ""),
    term(
        "extra_payment",
        "second payment",
        "重复付款",
        "订单的第二笔付款:退还(kamid orphan refund)或用于另一订单(kamid orphan adopt)。",
    ),
    term(
        "callback_lost",
        "lost callbacks",
        "回调丢失",
        "已付款但没有收到回调,经向网关查询后已结算。若反复出现,说明网关访问不到通知地址:请与 kamid channel list 核对,并检查前面的代理。",
    ),
    term(
        "payment_not_opened",
        "payments not opened",
        "无法下单付款",
        "网关没有为订单打开付款,买家只能换一种付款方式:请运行 kamid channel test 渠道名 --open 查看原因。",
    ),
    term(
        "aof_cut",
        "Redis cut its file",
        "Redis 截断文件",
        "Redis 读不出 AOF 文件的末尾,启动时把它截掉了。崩溃之后不足一条记录的,是没有确认过的写入;更多则是丢失:最新的订单和付款不见了,已售出的卡密重新上架。请先停售,运行 kamid audit 与 kamid order reconcile,并参阅 docs/operations.md。",
    ),
    term("held", "held", "待审", "已付款,但与应付不符:通过、拒绝或退款。"),
    term(
        "trade_twice",
        "one trade, two orders",
        "一笔交易两个订单",
        "该交易号已属于另一订单:一笔付款可能买了两次,请到网关后台核对。",
    ),
    term(
        "clock_skew",
        "clocks disagree",
        "时钟不一致",
        "Redis 与本机的时钟不一致,或其中一个停过:请检查 NTP。一致之前没有订单会过期。",
    ),
    term(
        "store_gone",
        "store emptied",
        "数据被清空",
        "Redis 被清空,或换成了另一个:已停止发货,回调得到 503,网关会重发。请恢复原来的数据卷、文件或最新备份;确实丢失时先把期间卖出的卡密作废(kamid keys void),再用 kamid store accept --reason … 接受现状,并用 kamid channel reconcile 核对账单。",
    ),
    term(
        "store_behind",
        "store went back",
        "数据回到过去",
        "Redis 缺少已确认的事件:已停止发货,回调得到 503,网关会重发。请恢复最新的数据;确实丢失时先把期间卖出的卡密作废(kamid keys void),再用 kamid store accept --reason … 接受现状,并用 kamid channel reconcile 核对账单。",
    ),
    term(
        "master_behind",
        "fail-over lost events",
        "主从切换丢失数据",
        "副本在同步完成前成为主库:最后时刻的付款可能丢失,其卡密可能又回到库存。未付订单会自动向网关查询;请核对 kamid order reconcile,并设置 store.replicas。",
    ),
    term(
        "damaged_record",
        "damaged record",
        "记录损坏",
        "该订单在 Redis 里的一条记录无法读取:它的后续通知和索引不会自动进行。请用 kamid order show 和 kamid audit 查看。",
    ),
    term(
        "settings_changed",
        "Redis settings changed",
        "Redis 设置被改",
        "Redis 的持久化或淘汰设置在启动后被改动,付款可能丢失:改回之前回调得到 503,网关会重发;操作员的操作照常进行,但可能丢失。",
    ),
    term(
        "replica_missing",
        "replica missing",
        "缺少副本",
        "副本不在或跟不上:付款在等待(503),卡密暂不显示,网关会重发。请重新启动副本,或调低 store.replicas 后重启。",
    ),
    term(
        "clock_stopped",
        "no order expires",
        "订单不过期",
        "Redis 与本机的时钟不一致已有十分钟以上,期间没有订单过期,未付款的订单占着卡密。请校准时钟(NTP);若确定以 Redis 的时间为准:kamid clock accept --reason …",
    ),
    term(
        "other_ring",
        "other key ring",
        "密钥环不符",
        "本机的密钥环与 Redis 中的数据不符:本实例停止销售,回调一律回答 503。请换上封存这些卡密的 ring.json(或 KAMID_RING)后重启。",
    ),
    term(
        "ring_waits",
        "ring key waits",
        "新密钥等待启用",
        "密钥环里的新密钥要等本店所有实例都持有后才启用:请把同一份 ring.json 交给其余实例并重启它们。",
    ),
    term("query_mismatch", "odd query answer", "查询结果不符", "网关的回答是关于别的订单,或无法读取:请到其后台查看。"),
    term("delivered", "delivered", "已发货", ""),
    term("pending", "pending", "待付款", ""),
    term("owed", "owed", "待补货", ""),
    term("extra", "extra payment", "重复付款", ""),
    term("orphan", "orphan payment", "无主付款", ""),
    term("expired", "expired", "已过期", ""),
    term("blocked", "callbacks from addresses you blocked", "来自您封锁的地址的回调", ""),
    term(
        "untrusted_proxy",
        "untrusted proxy",
        "代理未受信任",
        "有代理发来 X-Forwarded-For,但它不在 server.trusted_proxies 中:所有买家和网关因此共用它的地址。若是自己的代理,请写入该设置。",
    ),
    term(
        "notice_given_up",
        "notice given up",
        "通知已放弃",
        "某个通知渠道没有收下要告诉店主的消息:请用 kamid notice list 查看原因,改正后重新发送。",
    ),
    term(
        "notifier_gone",
        "notifier gone",
        "通知渠道已失效",
        "某个通知渠道回答 410,在 kamid 重启之前不再向它发送:请用 kamid notice list 查看。",
    ),
    term("approve", "approve", "通过", ""),
    term("reject", "reject", "拒绝", ""),
    term("refund", "refund", "退款", ""),
    term("redeliver", "redeliver", "重新发货", ""),
    term("mark-paid", "mark-paid", "标记已付款", ""),
    term("replace", "replace", "更换卡密", ""),
    term("resend", "resend", "重新通知", ""),
    term("expire", "expire", "使其过期", ""),
    term("query", "query", "向网关查询", ""),
    term("adopt", "adopt", "认领", ""),
    term("block", "block", "封锁", ""),
    term("unpaid", "unpaid", "未付款", ""),
    term("unknown", "unknown", "未知", ""),
    term("mismatch", "mismatch", "不符", ""),
    term("accept", "accept", "接受", ""),
    term("done", "done", "已完成", ""),
    term("rejected", "rejected", "已拒绝", ""),
    term("refunded", "refunded", "已退款", ""),
    term("settled", "settled", "已结算", ""),
];

fn find(word: &str) -> Option<&'static Term> {
    TERMS.iter().find(|term| term.word == word)
}

/// A word of the daemon's in that language; an unknown one as it is.
#[must_use]
pub fn word(lang: Lang, word: &str) -> &str {
    find(word).map_or(word, |term| lang.say(term.en, term.zh))
}

/// What to do about an incident, if it is told in that language.
#[must_use]
pub fn advice(lang: Lang, word: &str) -> Option<&'static str> {
    find(word).filter(|term| lang == Lang::Zh && !term.advice.is_empty()).map(|term| term.advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Rejection;

    #[test]
    fn every_word_stands_there_once_and_is_chinese_in_chinese() {
        let mut seen = std::collections::HashSet::new();
        for term in TERMS {
            assert!(seen.insert(term.word), "{} twice", term.word);
            assert!(!term.zh.is_ascii(), "{}", term.word);
        }
    }

    #[test]
    fn every_reason_has_both_languages() {
        for reason in Rejection::ALL {
            assert!(advice(Lang::Zh, reason.as_str()).is_some(), "{reason}");
            assert_ne!(word(Lang::Zh, reason.as_str()), reason.as_str());
        }
        for yes in ["zh_CN.UTF-8", "C.utf8", "en_US.UTF8@euro", "UTF-8"] {
            assert!(is_utf8(yes), "{yes}");
        }
        for no in ["C", "POSIX", "zh_CN.GBK", "zh_CN", "zh_CN.GB18030", "de_DE@euro", "en_US.ISO-8859-1"] {
            assert!(!is_utf8(no), "{no}");
        }
        assert_eq!([Lang::of_locale("zh_TW.UTF-8"), Lang::of_locale("C")], [Lang::Zh, Lang::En]);
    }
}
