//! `[limits]`: each a row, with its line in `config.toml`.

use ipnet::IpNet;

use super::Share;
use super::row::section;
use crate::settings::Form;

/// A share of a pool, or a number.
const SHARE: Form = Form::Parsed("a number of keys, or a share of the pool such as \"20%\"");

section! {
    /// What has a limit.
    #[derive(Debug, Clone)]
    Limits;
    connections: usize, Form::Whole(1, 1_000_000),
        "open connections, public side; fewer where this process may not open so many files",
        "公网侧的连接数上限;进程能打开的文件更少时更少";
    connections_per_address: usize, Form::Whole(1, 1_000_000),
        "of one address (IPv4 /32, IPv6 /64; a /48 has twice that); trusted proxies have no such limit",
        "一个地址的连接数(IPv4 /32,IPv6 /64;/48 为两倍);可信代理不受此限";
    body_bytes: usize, Form::Whole(1024, 1_048_576),
        "a request's body",
        "请求体的大小";
    query_bytes: usize, Form::Whole(256, 65_536),
        "a request's query; its whole head may have 16384 bytes more",
        "查询串的大小;整个请求头可以再多 16384 字节";
    headers: usize, Form::Whole(16, 256),
        "a request's headers",
        "请求头的个数";
    read_seconds: u64, Form::Whole(1, 60),
        "a request's body must be here by then",
        "请求体必须在多少秒内到齐";
    orders_per_minute: u32, Form::Whole(1, 1_000_000),
        "new orders from one address (IPv4 /32, IPv6 /64)",
        "一个地址每分钟的新订单数(IPv4 /32,IPv6 /64)";
    lookups_per_minute: u32, Form::Whole(1, 1_000_000),
        "order look-ups from one address; by code or contact a sixtieth of it, and three times that for one order from all addresses",
        "一个地址每分钟查询订单的次数;用口令或联系方式查询为其六十分之一,所有地址对同一订单合计为其三倍";
    rejected_per_minute: u32, Form::Whole(1, 1_000_000),
        "rejected callbacks from one address, and requests that do not come whole in time, before all of its callbacks hear 429; verified ones are not counted, and a gateway's address may send 50 times as many",
        "一个地址每分钟被拒绝的回调数及未按时到齐的请求数,超过后它的所有回调得到 429;验签通过的不计,网关的地址可发 50 倍";
    unpaid_per_address: u32, Form::Whole(1, 1_000_000),
        "unpaid orders of one address (IPv4 /32, IPv6 /64; a /48 has ten times that)",
        "一个地址的未付订单数(IPv4 /32,IPv6 /64;/48 为十倍)";
    unpaid_per_contact: u32, Form::Whole(1, 1_000_000),
        "unpaid orders of one contact",
        "一个联系方式的未付订单数";
    unpaid_keys_per_contact: u32, Form::Whole(1, 1_000_000),
        "keys in several unpaid orders of one contact; one order alone may have what its product allows",
        "一个联系方式在多笔未付订单中的卡密数;单独一笔不受此限";
    unpaid_keys_per_address: Share, SHARE,
        "keys of one product in several unpaid orders of one address: a share of its pool, or a number (\"50\"); one order alone is never refused for it",
        "一个地址在多笔未付订单中占用同一商品的卡密数:卡池的一部分,或一个数(\"50\");单独一笔不会因此被拒";
    unpaid_keys_per_64: Share, SHARE,
        "the same for the /64 of an IPv6 address",
        "同上,按 IPv6 地址的 /64";
    unpaid_keys_per_48: Share, SHARE,
        "and for its /48",
        "同上,按其 /48";
    unpaid_keys_per_order: Share, SHARE,
        "keys of one unpaid order, where less than its product allows: a share of what is free (\"50%\"), or a number, and never fewer than unpaid_keys_per_contact",
        "一笔未付订单的卡密数(小于商品允许的数时):可售部分的比例(\"50%\")或一个数,不低于 unpaid_keys_per_contact";
    unpaid_alarm_keys: u64, Form::Whole(1, 1_000_000_000),
        "keys in unpaid orders of one address (IPv6: /64) of which `kamid top` tells",
        "一个地址(IPv6:/64)的未付订单占用多少卡密时 `kamid top` 提醒";
    bulk_from: Vec<IpNet>, Form::Networks("203.0.113.0/24"),
        "networks that buy in bulk: no limit on unpaid orders and keys concerns them: [\"203.0.113.0/24\"]",
        "批量采购的网段,不受未付订单和卡密数的限制:[\"203.0.113.0/24\"]";
    order_quantity: u32, Form::Whole(1, 100_000),
        "keys in one order, whatever its product allows",
        "一笔订单的卡密数,无论商品允许多少";
    order_attempts: u16, Form::Whole(1, 1_000),
        "ways to pay tried for one order",
        "一笔订单可以尝试的付款方式数";
    contact_bytes: usize, Form::Whole(8, 1024),
        "length of a contact",
        "联系方式的长度";
    key_bytes: usize, Form::Whole(1, 65_536),
        "length of one key",
        "一张卡密的长度";
    import_bytes: usize, Form::Whole(65_536, 67_108_864),
        "body of one import request; the command line cuts longer files",
        "一次导入请求的大小;命令行会把更长的文件分开";
    memory_percent: u64, Form::Whole(10, 99),
        "of Redis' maxmemory: above it new orders and imports are refused, payments go on",
        "Redis maxmemory 的百分比:超过后拒绝新订单和导入,付款照常";
    disk_free_bytes: u64, Form::Whole(0, i64::MAX),
        "less free disk than this (embedded): the same",
        "空闲磁盘少于此数(embedded)时同上";
    keep_expired_hours: u64, Form::Whole(25, 8760),
        "unpaid orders are forgotten that long after expiry; a later payment is an orphan",
        "未付订单过期多少小时后被遗忘;之后到的付款成为无主付款";
    keep_expired_orders: u64, Form::Whole(100, 1_000_000_000),
        "of more of them, some 90 MB, the oldest are forgotten earlier",
        "超过此数(约 90 MB)时,最旧的更早被遗忘";
    outbox_hours: u64, Form::Whole(1, 720),
        "how long handled events stay readable",
        "处理过的事件保留多少小时";
    incidents: usize, Form::Whole(1, 100_000),
        "refused requests kept in memory, and as many other incidents; more are in the files below",
        "内存中保留的被拒请求数,其他事件同样多;更多的在下面的文件里";
    incident_file_bytes: u64, Form::Whole(65_536, i64::MAX),
        "refused.ndjson and incidents.ndjson in the data directory, each with one older one",
        "数据目录中 refused.ndjson 和 incidents.ndjson 的大小,各另有一个旧文件";
    incidents_per_second: u32, Form::Whole(1, 10_000),
        "refused requests written to that file; more are only counted",
        "每秒写入该文件的被拒请求数;更多的只计数";
    stream_clients: usize, Form::Whole(1, 10_000),
        "readers of /v1/stream",
        "/v1/stream 的读者数";
    asks_per_second: u32, Form::Whole(0, 1000),
        "questions to one channel's gateway about orders near their expiry whose callback may be lost; 0: none",
        "每秒向一个渠道的网关询问多少次(临近过期、回调可能丢失的订单);0:不问";
}
