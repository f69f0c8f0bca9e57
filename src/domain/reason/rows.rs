//! Every reason: a row is its name here, its word, how bad it is and where the dashboard shows it; then the few words of a
//! table and what to do, in both languages, and what an alarm asks behind its count, where it asks something.

use super::{OTHER, ReasonRow, Severity, ShownIn};
use crate::domain::Text;

reasons! {
    rejections {
        BadSignature "bad_signature" Alarm Failed {
            en "bad signatures" => "The signature does not fit the channel's key: compare the key here with the one in the merchant's console; many from one address are a forger. Who paid meanwhile: `kamid order query ID` once the key is right.";
            zh "签名错误" => "签名与本渠道的密钥不符:请核对商户后台的密钥;若大量来自同一地址,多半是伪造。密钥改正后,对期间付款的订单执行 kamid order query ID。";
            hint "; key changed, or a forger?" ";密钥变了,还是伪造?";
        }
        MissingSignature "missing_signature" Alarm Failed {
            en "without signature" => "There is no signature: not from the gateway, or a proxy dropped the query.";
            zh "缺少签名" => "没有签名:不是网关发来的,或代理丢掉了查询串。";
        }
        MissingField "missing_field" Alarm Failed {
            en "missing fields" => "A required field is missing or empty: a proxy may cut the query, or the gateway speaks another protocol version.";
            zh "缺少字段" => "必需字段缺失或为空:代理可能截断了查询串,或网关使用另一协议版本。";
        }
        DuplicateParameter "duplicate_parameter" Alarm Failed {
            en "repeated parameters" => "A parameter came twice, so two readers could disagree: refused whatever its signature.";
            zh "参数重复" => "同一参数出现两次,不同读者会有不同理解:无论签名如何一律拒绝。";
        }
        Malformed "malformed" Alarm Failed {
            en "malformed" => "A field holds characters it may not have: someone may be moving field borders inside the signed text.";
            zh "格式错误" => "字段含有不允许的字符:可能有人试图移动签名内的字段边界。";
        }
        NonUtf8 "non_utf8" Alarm Failed {
            en "not UTF-8" => "The text is not UTF-8.";
            zh "非 UTF-8" => "文本不是 UTF-8。";
        }
        TooLarge "too_large" Alarm Failed {
            en "too large" => "The request is past its size limit.";
            zh "过大" => "请求超过大小限制。";
        }
        Incomplete "incomplete" Alarm Failed {
            en "incomplete" => "Its body did not come whole within limits.read_seconds: the line to the gateway or to a proxy is slow or breaks; the gateway will repeat it.";
            zh "正文不完整" => "正文没有在 limits.read_seconds 之内完整到达:到网关或代理的线路太慢或中断;网关会重发。";
        }
        MerchantMismatch "merchant_mismatch" Alarm Failed {
            en "other merchant" => "It is for another merchant account: check the channel's pid.";
            zh "商户号不符" => "是给另一商户号的:请检查渠道的 pid。";
            hint "; wrong pid?" ";商户号配置错了?";
        }
        TypeMismatch "type_mismatch" Alarm Failed {
            en "other pay type" => "It was paid another way than was asked for.";
            zh "支付方式不符" => "实际支付方式与下单时不同。";
        }
        AmountMalformed "amount_malformed" Alarm Failed {
            en "unreadable amounts" => "The amount is not exact digits.";
            zh "金额无法读取" => "金额不是准确的数字。";
        }
        AmountMismatch "amount_mismatch" Alarm Review {
            en "wrong amounts" => "Another amount than is due was paid: approve or refund the order.";
            zh "金额不符" => "付款金额与应付不同:请通过或退款该订单。";
        }
        CurrencyMismatch "currency_mismatch" Alarm Review {
            en "wrong currency" => "Another currency than is due was paid: approve or refund the order.";
            zh "币种不符" => "付款币种与应付不同:请通过或退款该订单。";
        }
        SignTypeMismatch "sign_type_mismatch" Alarm Failed {
            en "other algorithm" => "It names a signature algorithm other than the configured one.";
            zh "算法不符" => "指明的签名算法与配置不同。";
        }
        CertUntrusted "cert_untrusted" Alarm Failed {
            en "untrusted certificate" => "Its certificate leads to no root we believe, is not the gateway's or has run out: check the configured certificates.";
            zh "证书不可信" => "证书不能追溯到受信任的根、不属于网关或已过期:请检查配置的证书。";
        }
        KeyUnknown "key_unknown" Alarm Failed {
            en "unknown key" => "It is signed with a key or certificate that is not configured: the gateway may have changed to a new one. Compare with its console.";
            zh "未知密钥" => "所用密钥或证书没有配置:网关可能换了新的,请与商户后台核对。";
        }
        DecryptFailed "decrypt_failed" Alarm Failed {
            en "cannot be opened" => "It is signed, but what is inside cannot be opened: check the API key it is sealed with.";
            zh "解密失败" => "签名正确,但内容无法解密:请检查 API 密钥。";
        }
        StaleTimestamp "stale_timestamp" Alarm Failed {
            en "stale" => "It is too old or from the future: check this machine's clock.";
            zh "过期" => "过旧或来自未来:请检查本机时钟。";
        }
        StatusNotPaid "status_not_paid" Alarm Failed {
            en "not paid" => "It calls itself a payment and says that nothing was paid.";
            zh "未付款" => "自称付款通知,但状态是未付款。";
        }
        OrderMismatch "order_mismatch" Alarm Failed {
            en "other session" => "Genuine, but made for another session, invoice, address or time than the order was opened with. It is kept as an orphan: adopt or refund it.";
            zh "与下单不符" => "签名正确,但会话、发票、地址或时间与下单时不同。已作为无主付款保留:请认领或退款。";
        }
        OrderUnknown "order_unknown" Alarm Failed {
            en "unknown orders" => "Genuine, but no such order: it may be early, long expired, or for another shop on the same account. It is kept as an orphan: adopt or refund it.";
            zh "订单不存在" => "签名正确,但没有此订单:可能到得太早、订单早已过期,或属于同一账户的另一家店。已作为无主付款保留:请认领或退款。";
            hint "; another shop on this account?" ";同一账户还有别的店?";
        }
        ChannelMismatch "channel_mismatch" Alarm Failed {
            en "other channel" => "Genuine, but the order was to be paid through another channel. It is kept as an orphan: adopt or refund it.";
            zh "渠道不符" => "签名正确,但订单本应走另一渠道。已作为无主付款保留:请认领或退款。";
        }
        SourceRefused "source_refused" Alarm Failed {
            en "other source" => "It comes from an address that is not among the channel's sources: a forger, or the gateway has new ones. If a proxy of yours stands in front, name it in server.trusted_proxies.";
            zh "来源地址不符" => "来自渠道 sources 之外的地址:伪造,或网关启用了新地址。若前面有自己的代理,请写入 server.trusted_proxies。";
        }
        Unconfirmed "unconfirmed" Alarm Failed {
            en "not confirmed by the gateway" => "It is signed, and the gateway itself says that it was not paid: somebody may have the key. Change it in the gateway's console.";
            zh "网关未确认" => "签名正确,但网关自己说没有付款:密钥可能泄露,请在商户后台更换。";
        }
        MethodNotAllowed "method_not_allowed" Alarm Failed {
            en "other method" => "Another method than the gateway uses, or a body of an unknown type.";
            zh "方法不符" => "网关不用这种请求方法,或正文类型未知。";
        }
    }
    others {
        RefundNotice "refund_notice" Warning Failed {
            en "refund notices" => "A genuine callback tells of a refund: nothing is delivered or taken back for it. `kamid order refund` writes one down.";
            zh "退款通知" => "真实回调,内容是退款:不因此发货或收回。用 kamid order refund 记下退款。";
        }
        EventNotHandled "event_not_handled" Warning Failed {
            en "other events" => "A genuine callback tells of something that is no payment: nothing follows from it.";
            zh "其他事件" => "真实回调,但说的不是付款:不作处理。";
        }
        Held "held" Warning Review {
            en "held" => "Paid, but not what was due: `kamid order approve`, `reject` or `refund`.";
            zh "待审" => "已付款,但与应付不符:kamid order approve(通过)、reject(拒绝)或 refund(退款)。";
        }
        ExtraPayment "extra_payment" Warning Review {
            en "second payment" => "A second payment for an order that has its own: give it back (`kamid orphan refund`) or use it for another (`kamid orphan adopt`).";
            zh "重复付款" => "订单的第二笔付款:退还(kamid orphan refund)或用于另一订单(kamid orphan adopt)。";
        }
        Orphan "orphan" Warning Review {
            en "orphan payment" => "Paid under a number that is no order's here: `kamid orphan list`, then adopt or refund.";
            zh "无主付款" => "付款的单号不属于这里的任何订单:请运行 kamid orphan list,再认领或退款。";
        }
        TradeTwice "trade_twice" Warning Review {
            en "one trade, two orders" => "One trade number stands with two orders: one payment may have bought twice. Look at it in the gateway's console.";
            zh "一笔交易两个订单" => "该交易号已属于另一订单:一笔付款可能买了两次,请到网关后台核对。";
        }
        CallbackLost "callback_lost" Warning Failed {
            en "lost callbacks" => "Paid, and no callback came; it was found by asking the gateway and is settled. If this repeats, the gateway cannot reach the notify address: compare it with `kamid channel list`, and look at the proxy in front.";
            zh "回调丢失" => "已付款但没有收到回调,经向网关查询后已结算。若反复出现,说明网关访问不到通知地址:请与 kamid channel list 核对,并检查前面的代理。";
        }
        QueryMismatch "query_mismatch" Warning Failed {
            en "odd query answer" => "The gateway's answer is about something else or cannot be read: look at the order in its console.";
            zh "查询结果不符" => "网关的回答是关于别的订单,或无法读取:请到其后台查看。";
        }
        PaymentNotOpened "payment_not_opened" Warning Failed {
            en "payments not opened" => "Its gateway opened no payment, and the buyer had to choose another way: `kamid channel test NAME --open` says why.";
            zh "无法下单付款" => "网关没有为订单打开付款,买家只能换一种付款方式:请运行 kamid channel test 渠道名 --open 查看原因。";
        }
        StatusUnknown "status_unknown" Alarm Failed {
            en "unknown status" => "A genuine callback has a status that the documents of this kind of gateway do not name: nothing was delivered, and the gateway heard that it came. See in its console what became of the payment; if it was made, `kamid order query ID` or `kamid order mark-paid ID` delivers.";
            zh "状态未知" => "真实回调里的状态词不在网关文档之列:没有发货,已向网关回答收到。请到商户后台查看这笔付款;若确已支付,用 kamid order query 或 kamid order mark-paid 发货。";
        }
        SourceUnlisted "source_unlisted" Warning Failed {
            en "unlisted source" => "A genuine callback came from an address that is not among the channel's sources: add it, or see whether a proxy hides the gateway's own.";
            zh "来源未列出" => "真实回调来自渠道 sources 之外的地址:请写入 sources,或查看是否有代理遮住了网关自己的地址。";
        }
        NoSuchChannel "no_such_channel" Alarm Failed {
            en "no such channel" => "A callback came for a channel that is not configured: compare the notify address in the gateway's console with `kamid channel list`.";
            zh "渠道未配置" => "回调发到了没有配置的渠道:请把商户后台的通知地址与 kamid channel list 核对。";
        }
        WrongAddress "wrong_address" Alarm Failed {
            en "wrong notify addresses" => "Nothing listens at this address, which looks like a callback's: compare the notify address in the gateway's console with `kamid channel list`, letter by letter, then ask for what was paid meanwhile: `kamid order reconcile`.";
            zh "通知地址写错" => "请求发到了不存在的地址,但很像回调地址:请把商户后台的通知地址与 kamid channel list 逐字核对;改正后用 kamid order reconcile 查询期间的付款。";
        }
        UnreadableRequest "unreadable_request" Alarm Failed {
            en "unreadable requests" => "A request to a callback's address was not read, and if it was genuine, it is lost: a raw blank or quote in its address, too many headers (limits.headers) or two hosts. See the proxy in between, then ask for what was paid meanwhile: `kamid order reconcile`.";
            zh "请求无法解析" => "发往回调地址的请求没有被读取,若是真实回调就已丢失:地址里有未编码的空格或引号、请求头太多(limits.headers),或有两个 Host。请检查网关与本机之间的代理,再用 kamid order reconcile 查询期间的付款。";
        }
        OtherProtocol "other_protocol" Warning Failed {
            en "not HTTP" => "Somebody speaks TLS, the PROXY protocol or HTTP/2 to the plain port. If it is your own proxy: http:// (not https://) and HTTP/1.1 towards this machine, and `proxy_protocol` off.";
            zh "协议不符" => "有人向明文端口说 TLS、PROXY 协议或 HTTP/2。若是自己的代理:转发到本机要用 http://(不是 https://)、HTTP/1.1,并关闭 proxy_protocol。";
        }
        AddressBlocked "address_blocked" Warning Failed {
            en "address blocked" => "Too many rejected callbacks, or requests that did not come whole in time, came from this address: its callbacks hear 429 until they stop, genuine ones too. If it is your own proxy's, name it in server.trusted_proxies; if it is the gateway's, see why its callbacks are rejected.";
            zh "地址被封" => "此地址被拒的回调、或没有及时完整到达的请求太多:在停止之前它的回调一律得到 429,真实回调也一样。若是自己的代理,请写入 server.trusted_proxies;若是网关,请查明其回调被拒的原因。";
        }
        GatewayMisused "gateway_misused" Warning Failed {
            en "gateway misused" => "Many rejected callbacks come from an address that genuine ones come from too: others may make this gateway send what is not for you, or the key here is an old one. Its callbacks are still read and checked: see why they are rejected, and tell whoever runs the gateway.";
            zh "网关被滥用" => "一个曾发来真实付款的地址发来大量被拒的回调:可能有人借同一网关乱发,或这里的密钥已过期。它的回调仍会读取并验签:请查明被拒原因,并告知网关方。";
        }
        Crowded "crowded" Warning Failed {
            en "crowded" => "Connections are short, and those silent for longest are closed for newcomers. If the address with most of them is your own proxy's, name it in server.trusted_proxies; if not, and it goes on, stop it at the firewall.";
            zh "连接拥挤" => "连接数已满,沉默最久的连接已被断开:若最多的地址是自己的代理,请写入 server.trusted_proxies;否则请在防火墙上限制它。";
        }
        UntrustedProxy "untrusted_proxy" Warning Failed {
            en "untrusted proxy" => "A proxy sends X-Forwarded-For and is not trusted: all buyers and gateways look like one address. Add it to server.trusted_proxies, if it is yours.";
            zh "代理未受信任" => "有代理发来 X-Forwarded-For,但它不在 server.trusted_proxies 中:所有买家和网关因此共用它的地址。若是自己的代理,请写入该设置。";
        }
        NoChannel "no_channel" Alarm Failed {
            en "no such channel" => "Callbacks for a channel that is not configured, counted: the incident no_such_channel says which.";
            zh "渠道未配置" => "发往未配置渠道的回调数:异常 no_such_channel 说明是哪个渠道。";
        }
        Limited "limited" Alarm Failed {
            en "callbacks from blocked addresses" => "Callbacks of an address that was refused too often, which hears 429: the incident address_blocked says which, and what to do.";
            zh "来自被封地址的回调" => "来自被拒过多、一律得到 429 的地址:异常 address_blocked 说明是哪个地址、怎么办。";
        }
        Blocked "blocked" Warning Failed {
            en "callbacks from addresses you blocked" => "An operator shut these addresses out (`kamid address list`): nothing is to be done, unless a gateway is behind one (`kamid address unblock`).";
            zh "来自您封锁的地址的回调" => "操作员封锁了这些地址(kamid address list):除非其中有网关(kamid address unblock),否则不必处理。";
        }
        Unavailable "unavailable" Alarm Instances {
            en "Redis away" => "Redis did not answer or could not write: the gateway heard 503 and repeats the callback. The daemon's log says more.";
            zh "Redis 不可用" => "Redis 不应答或无法写入:网关得到 503,会重发。详情见守护进程的日志。";
        }
        Timeout "timeout" Alarm Instances {
            en "Redis too slow" => "Redis did not answer in time: the gateway heard 503 and repeats the callback. The disk is the usual cause.";
            zh "Redis 超时" => "Redis 没有及时应答:网关得到 503,会重发。多半是磁盘太慢。";
        }
        Full "full" Alarm Instances {
            en "Redis full" => "Redis has no room for what was paid: the gateway heard 503 and repeats the callback. Make room.";
            zh "Redis 已满" => "Redis 没有空间记下付款:网关得到 503,会重发。请腾出空间。";
        }
        Silent "silent" Alarm Instances {
            en "gateway silent" => "The gateway was to be asked first, and did not answer: it heard 503 and repeats the callback. `kamid channel test NAME` tries it.";
            zh "网关无应答" => "须先向网关查询,而它没有应答:网关得到 503,会重发。请运行 kamid channel test 渠道名。";
        }
        NoticeGivenUp "notice_given_up" Warning Notices {
            en "notice given up" => "A notifier did not take what operators are to be told: `kamid notice list` says why; mend it and send it again.";
            zh "通知已放弃" => "某个通知渠道没有收下要告诉店主的消息:请用 kamid notice list 查看原因,改正后重新发送。";
        }
        NotifierGone "notifier_gone" Warning Notices {
            en "notifier gone" => "A notifier answered 410 and is told nothing more until kamid starts again: `kamid notice list`.";
            zh "通知渠道已失效" => "某个通知渠道回答 410,在 kamid 重启之前不再向它发送:请用 kamid notice list 查看。";
        }
        ClockSkew "clock_skew" Warning Instances {
            en "clocks disagree" => "Redis' clock and this machine's disagree, or one of them stood still: check NTP. No order expires until they agree.";
            zh "时钟不一致" => "Redis 与本机的时钟不一致,或其中一个停过:请检查 NTP。一致之前没有订单会过期。";
        }
        ClockStopped "clock_stopped" Alarm Instances {
            en "no order expires" => "No order expires here since ten minutes or more, as Redis' clock and this machine's disagree: unpaid orders hold keys. Set them right (NTP); or, if Redis' time is to be taken as it is: `kamid clock accept --reason …`.";
            zh "订单不过期" => "Redis 与本机的时钟不一致已有十分钟以上,期间没有订单过期,未付款的订单占着卡密。请校准时钟(NTP);若确定以 Redis 的时间为准:kamid clock accept --reason …";
        }
        StoreGone "store_gone" Alarm Instances {
            en "store emptied" => "Redis was emptied, or is another one: nothing is sold, and callbacks hear 503, which gateways repeat. kamid store show says which places are missing. Bring the right volume, files or newest backup back, and all goes on by itself. If what is lost is lost: void the keys that were sold meanwhile (kamid keys void), then kamid store accept --reason …, then kamid channel reconcile for the orders that are lost with it.";
            zh "数据被清空" => "Redis 被清空,或换成了另一个:已停止发货,回调得到 503,网关会重发。kamid store show 列出缺少的部分。请恢复原来的数据卷、文件或最新备份,之后自动继续;确实丢失时先把期间卖出的卡密作废(kamid keys void),再用 kamid store accept --reason … 接受现状,并用 kamid channel reconcile 核对账单。";
        }
        StoreBehind "store_behind" Alarm Instances {
            en "store went back" => "Redis lacks events that were acknowledged: nothing is sold, and callbacks hear 503, which gateways repeat. kamid store show says which places are missing. Bring the right volume, files or newest backup back, and all goes on by itself. If what is lost is lost: void the keys that were sold meanwhile (kamid keys void), then kamid store accept --reason …, then kamid channel reconcile for the orders that are lost with it.";
            zh "数据回到过去" => "Redis 缺少已确认的事件:已停止发货,回调得到 503,网关会重发。kamid store show 列出缺少的部分。请恢复原来的数据卷、文件或最新备份,之后自动继续;确实丢失时先把期间卖出的卡密作废(kamid keys void),再用 kamid store accept --reason … 接受现状,并用 kamid channel reconcile 核对账单。";
        }
        MasterBehind "master_behind" Alarm Instances {
            en "fail-over lost events" => "A replica became the master before it had everything: payments of the last moments may be missing, and their keys in the pool again. Open orders are asked about at their gateways by themselves; look at `kamid order reconcile`, and set store.replicas so that a payment is acknowledged with its copies only.";
            zh "主从切换丢失数据" => "副本在同步完成前成为主库:最后时刻的付款可能丢失,其卡密可能又回到库存。未付订单会自动向网关查询;请核对 kamid order reconcile,并设置 store.replicas,使付款有了副本才确认。";
        }
        ReplicaMissing "replica_missing" Alarm Instances {
            en "replica missing" => "A replica is missing or does not keep up: payments wait (503) and no key is shown until it is back; gateways repeat what they heard 503 for. Start it again, or lower store.replicas and restart.";
            zh "缺少副本" => "副本不在或跟不上:付款在等待(503),卡密暂不显示,网关会重发。请重新启动副本,或调低 store.replicas 后重启。";
        }
        SettingsChanged "settings_changed" Alarm Instances {
            en "Redis settings changed" => "Redis was set so that payments may be lost: callbacks hear 503 and are repeated until it is set back (redis-cli CONFIG SET …, then redis-cli CONFIG REWRITE); what operators do goes on and may be lost. kamid store show says what it was set to.";
            zh "Redis 设置被改" => "Redis 的持久化或淘汰设置在启动后被改动,付款可能丢失:改回(redis-cli CONFIG SET …,再 redis-cli CONFIG REWRITE)之前回调得到 503,网关会重发;操作员的操作照常进行,但可能丢失。kamid store show 说明被改成了什么。";
        }
        AofCut "aof_cut" Alarm Instances {
            en "Redis cut its file" => "Redis could not read the end of its append-only file and cut it off when it started. After a crash, less than one entry is a write that nobody was told of. More is a loss: the newest orders and payments are forgotten and keys that were sold are for sale again; stop selling, run kamid audit and kamid order reconcile, and see docs/operations.md.";
            zh "Redis 截断文件" => "Redis 读不出 AOF 文件的末尾,启动时把它截掉了。崩溃之后不足一条记录的,是没有确认过的写入;更多则是丢失:最新的订单和付款不见了,已售出的卡密重新上架。请先停售,运行 kamid audit 与 kamid order reconcile,并参阅 docs/operations.md。";
        }
        DamagedRecord "damaged_record" Alarm Failed {
            en "damaged record" => "A record in Redis cannot be read: what follows of its order is not told or indexed by itself. Look at it with `kamid order show` and `kamid audit`.";
            zh "记录损坏" => "该订单在 Redis 里的一条记录无法读取:它的后续通知和索引不会自动进行。请用 kamid order show 和 kamid audit 查看。";
        }
        OtherRing "other_ring" Alarm Instances {
            en "other key ring" => "The key ring here is not the one of what stands in Redis: this daemon sells nothing, and callbacks hear 503. Give it the ring.json (or KAMID_RING) that the other daemons have, which the keys in this Redis are sealed with, and start it again.";
            zh "密钥环不符" => "本机的密钥环与 Redis 中的数据不符:本实例停止销售,回调一律回答 503。请换上其余实例所用、封存这些卡密的 ring.json(或 KAMID_RING)后重启。";
        }
        RingWaits "ring_waits" Warning Instances {
            en "ring key waits" => "A new key of the ring is sealed under once every daemon of the shop holds it: give the others the same ring.json (or KAMID_RING) and start them again.";
            zh "新密钥等待启用" => "密钥环里的新密钥要等本店所有实例都持有后才启用:请把同一份 ring.json(或 KAMID_RING)交给其余实例并重启它们。";
        }
    }
}
