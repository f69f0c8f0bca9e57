//! What the fields of a detail are called in Chinese; in English they are read as the admin API names them.

use super::lang::word;
use crate::domain::Lang;

/// Field and label.
const LABELS: &[(&str, &str)] = &[
    ("error", "错误"),
    ("reason", "原因"),
    ("advice", "建议"),
    ("canonical", "待签名文本"),
    ("state", "状态"),
    ("why", "原因"),
    ("product", "商品"),
    ("quantity", "数量"),
    ("amount", "金额"),
    ("payments", "付款"),
    ("history", "历史"),
    ("currency", "币种"),
    ("contact", "联系方式"),
    ("created_at", "下单时间"),
    ("expires_at", "到期时间"),
    ("paid_at", "付款时间"),
    ("delivered_at", "发货时间"),
    ("attempts", "支付尝试"),
    ("notice", "通知"),
    ("tries", "次数"),
    ("time", "时间"),
    ("by", "方式"),
    ("channel", "渠道"),
    ("trade_no", "交易号"),
    ("number", "单号"),
    ("payment_no", "付款号"),
    ("reference", "网关单号"),
    ("at", "时间"),
    ("action", "操作"),
    ("keys", "卡密"),
    ("address", "地址"),
    ("status", "应答"),
    ("request", "请求"),
    ("method", "方法"),
    ("target", "路径"),
    ("headers", "请求头"),
    ("body_b64", "正文(base64)"),
    ("cut", "已截断"),
    ("kind", "类型"),
    ("payment", "付款"),
    ("name", "名称"),
    ("pool", "库存"),
    ("reserved", "已占用"),
    ("imported", "已导入"),
    ("given", "已售"),
    ("voided", "已作废"),
    ("owed", "待补货"),
    ("low", "警戒线"),
    ("hourly", "每小时售出"),
    ("retired", "已下架"),
    ("order", "订单"),
    ("next", "下次"),
    ("last_callback", "最近回调"),
    ("addresses", "来源地址"),
    ("refused_by_reason_in_a_minute", "最近一分钟按原因"),
    ("counted_since_first_heard", "累计"),
    ("kamid", "版本"),
    ("test", "测试模式"),
    ("started", "启动时间"),
    ("ready", "就绪"),
    ("full", "已满"),
    ("copies_missing", "副本不足"),
    ("careless", "被改的设置"),
    ("other_ring", "密钥环不符"),
    ("ring", "密钥环"),
    ("doubt", "数据存疑"),
    ("cause", "原因"),
    ("since", "自"),
    ("run", "Redis 进程"),
    ("missing", "缺失"),
    ("place", "位置"),
    ("mark", "标记"),
    ("signed", "签名可信"),
    ("only_counted", "仅计数"),
    ("redis_us", "Redis 往返(微秒)"),
    ("skew_ms", "时差(毫秒)"),
    ("skew", "时差"),
    ("stopped_s", "停止过期(秒)"),
    ("outbox_behind", "待处理事件"),
    ("waiting", "等待人工"),
    ("memory_bytes", "内存(字节)"),
    ("channels", "渠道"),
    ("redis", "Redis"),
    ("last", "最近"),
    ("version", "版本"),
    ("used_bytes", "已用内存(字节)"),
    ("max_bytes", "内存上限(字节)"),
    ("aof_bytes", "AOF(字节)"),
    ("replicas", "副本"),
    ("process", "进程"),
    ("relaxed", "宽松持久性"),
    ("commands", "命令/秒"),
    ("clients", "连接"),
    ("delayed_fsyncs", "延迟的 fsync"),
    ("write_failed", "写入失败"),
    ("slow", "慢日志"),
];

/// Fields whose values are words of the daemon's; all others are names, numbers or foreign text.
const WORDS: [&str; 5] = ["state", "why", "reason", "kind", "action"];

/// What a field is called; a counter's is the outcome that it counts, an unknown one's as it is.
#[must_use]
pub fn label(lang: Lang, field: &str) -> String {
    if lang == Lang::En {
        return field.to_owned();
    }
    match LABELS.iter().find(|(name, _)| *name == field) {
        Some((_, zh)) => (*zh).to_owned(),
        None => field.split('/').map(|part| word(lang, part)).collect::<Vec<_>>().join("/"),
    }
}

/// A field's text in that language, as far as it is a word of the daemon's.
#[must_use]
pub fn in_words<'a>(lang: Lang, field: &str, text: &'a str) -> &'a str {
    if lang == Lang::Zh && WORDS.contains(&field) { word(lang, text) } else { text }
}
