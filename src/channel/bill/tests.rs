use proptest::prelude::*;

use super::{BadBill, BillLine, Entry, Unread};
use crate::domain::{Currency, Money};

const WECHAT_HEAD: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\r\n";
const WECHAT_PAID: &str = "`2026-12-01 10:00:01,`wx2421b1c4370ec43b,`10000100,`0,`,`4200001001202612010000000001,`0A07MIBQ3K2XZ0A1B2C301,`o1,`NATIVE,`SUCCESS,`OTHERS,`CNY,`8.90,`1.00,`0,`0,`0.00,`0.00,`,`,`say \"hi,`,`0.05000,`0.60%,`9.90,`0.00,`\r\n";
const WECHAT_BACK: &str = "`2026-12-01 11:00:01,`wx2421b1c4370ec43b,`10000100,`0,`,`4200001001202612010000000002,`0A07MIBQ3K2XZ0A1B2C401,`o1,`NATIVE,`REFUND,`OTHERS,`CNY,`0.00,`0.00,`50000001,`R1,`9.90,`0.00,`ORIGINAL,`SUCCESS,`key,`,`-0.06000,`0.60%,`0.00,`9.90,`\r\n";
const WECHAT_END: &str =
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n";

const KINDS: [&str; 4] = ["wechat_v3", "alipay", "epay_v1", "epay_v2"];

fn read(kind: &str, bytes: &[u8]) -> Result<(Vec<BillLine>, Unread), BadBill> {
    super::read(crate::channel::kind_named(kind).and_then(|kind| kind.bill).unwrap(), bytes)
}

fn cny(minor: i64) -> Money {
    Money { minor, currency: Currency::CNY }
}

fn line(number: &str, trade_no: &str, paid: i64, kind: Entry) -> BillLine {
    BillLine { number: number.to_owned(), trade_no: trade_no.to_owned(), paid: cny(paid), kind }
}

fn wechat_bill(rows: &str, count: u32) -> Vec<u8> {
    format!("\u{feff}{WECHAT_HEAD}{rows}{WECHAT_END}`{count},`8.90,`9.90,`0.00,`-0.01000,`9.90,`9.90\r\n").into_bytes()
}

#[test]
fn wechat_rows_lose_mark_and_backticks_and_a_stray_quotation_mark_swallows_nothing() {
    let (lines, unread) = read("wechat_v3", &wechat_bill(&format!("{WECHAT_PAID}{WECHAT_BACK}"), 2)).unwrap();
    assert_eq!(unread, []);
    let paid = line("0A07MIBQ3K2XZ0A1B2C301", "4200001001202612010000000001", 990, Entry::Paid);
    let back = line("0A07MIBQ3K2XZ0A1B2C401", "4200001001202612010000000002", 0, Entry::Refunded(cny(990)));
    assert_eq!(lines, [paid, back]);
}

#[test]
fn wechat_broken_rows_are_told_and_counted() {
    let cut = "`2026-12-01 10:00:02,`wx1,`10000100\r\n";
    let amount = WECHAT_PAID.replace("`9.90,", "`9.9o,");
    let failed = WECHAT_BACK.replace("`ORIGINAL,`SUCCESS", "`ORIGINAL,`CHANGE");
    let odd = WECHAT_PAID.replace("`SUCCESS", "`USERPAYING");
    let rows = format!("{WECHAT_PAID}{cut}{amount}{failed}{odd}");
    let (lines, unread) = read("wechat_v3", &wechat_bill(&rows, 5)).unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(unread.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [3, 4, 5, 6]);
    for ((_, why), part) in unread.iter().zip(["3 values under 27", "9.9o", "CHANGE", "USERPAYING"]) {
        assert!(why.contains(part), "{why}");
    }
}

#[test]
fn a_wechat_bill_that_is_not_whole_is_refused() {
    let wrong = read("wechat_v3", &wechat_bill(WECHAT_PAID, 2));
    assert_eq!(wrong, Err(BadBill::Count { says: 2, holds: 1 }));
    let cut = read("wechat_v3", format!("{WECHAT_HEAD}{WECHAT_PAID}").as_bytes());
    assert_eq!(cut, Err(BadBill::Cut("总交易单数")));
}

#[test]
fn an_older_wechat_bill_in_another_order_of_columns_is_read() {
    let text = format!(
        "交易时间,应结订单金额,退款金额,交易状态,商户订单号,微信订单号\n`t,`9.90,`0.00,`SUCCESS,`N1,`4200\n`t,`0.00,`1.00,`REFUND,`N1,`4200\n{WECHAT_END}`2,`9.90\n"
    );
    let (lines, unread) = read("wechat_v3", text.as_bytes()).unwrap();
    assert_eq!(unread, []);
    let back = line("N1", "4200", 0, Entry::Refunded(cny(100)));
    assert_eq!(lines, [line("N1", "4200", 990, Entry::Paid), back]);
}

const ALIPAY: &str = "#支付宝业务明细查询\r\n#账号：[20881021xxxx0156]\r\n#起始日期：[2026年12月01日 00:00:00]   终止日期：[2026年12月02日 00:00:00]\r\n#-----------------------------------------业务明细列表----------------------------------------\r\n支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,订单金额（元）,商家实收（元）,备注\r\n2026120122001400000000000001\t,0A07MIBQ3K2XZ0A1B2C301\t,交易    ,\"卡密, 十元\",2026-12-01 10:00:00,2026-12-01 10:00:05,9.90\t,9.90,\t\r\n2026120122001400000000000002\t,  0A07MIBQ3K2XZ0A1B2C401\t,退款    ,卡密,2026-12-01 10:00:00,2026-12-01 10:00:05,-5.00,-5.00,\t\r\n2026120122001400000000000003\t,0A07MIBQ3K2XZ0A1B2C501\t,充值    ,卡密,2026-12-01 10:00:00,2026-12-01 10:00:05,5.00,5.00,\t\r\n#-----------------------------------------业务明细列表结束------------------------------------\r\n#交易合计：2笔，商家实收共14.90元\r\n#退款合计：1笔，商家实收退款共-5.00元\r\n";

#[test]
fn alipay_in_gbk_with_comments_and_padding_is_read() {
    let (gbk, _, _) = encoding_rs::GBK.encode(ALIPAY);
    assert!(std::str::from_utf8(&gbk).is_err());
    for bytes in [gbk.as_ref(), ALIPAY.as_bytes()] {
        let (lines, unread) = read("alipay", bytes).unwrap();
        let paid = line("0A07MIBQ3K2XZ0A1B2C301", "2026120122001400000000000001", 990, Entry::Paid);
        let back = line("0A07MIBQ3K2XZ0A1B2C401", "2026120122001400000000000002", 0, Entry::Refunded(cny(500)));
        assert_eq!(lines, [paid, back]);
        assert_eq!(unread.len(), 1);
        assert_eq!(unread[0].0, 8);
        assert!(unread[0].1.contains("充值"), "{unread:?}");
    }
    let wrong = ALIPAY.replace("退款合计：1笔", "退款合计：3笔");
    assert_eq!(read("alipay", wrong.as_bytes()), Err(BadBill::Count { says: 5, holds: 3 }));
}

#[test]
fn epay_exports_in_either_language_and_coding_are_read() {
    let chinese =
        "状态,金额,商户订单号,系统订单号\n已支付,9.90,N1,T1\n已退款,5,N2,T2\n未支付,1.00,N3,T3\n已冻结,1.00,N4,T4\n";
    let english = "trade_no,out_trade_no,name,money,status\n=\"T1\",'N1,x,9.90,1\nT2,N2,x,5.00,2\nT3,N3,x,1.00,0\nT4,N4,x,1.00,3\n";
    let (gbk, _, _) = encoding_rs::GBK.encode(chinese);
    for (kind, bytes) in [("epay_v1", chinese.as_bytes()), ("epay_v2", gbk.as_ref()), ("epay_v1", english.as_bytes())] {
        let (lines, unread) = read(kind, bytes).unwrap();
        assert_eq!(lines, [line("N1", "T1", 990, Entry::Paid), line("N2", "T2", 500, Entry::Refunded(cny(500)))]);
        assert_eq!(unread.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [5], "{unread:?}");
    }
}

#[test]
fn an_unclosed_quotation_mark_hides_no_row() {
    let text = "trade_no,out_trade_no,name,money,status\nT1,N1,\"x,9.90,1\nT2,N2,x,5.00,1\n";
    let (lines, unread) = read("epay_v1", text.as_bytes()).unwrap();
    assert_eq!((lines.len(), unread.len(), unread[0].0), (0, 1, 2), "{unread:?}");
}

#[test]
fn what_is_no_bill_is_refused_in_words_that_help() {
    let other = read("alipay", b"a,b,c\n1,2,3\n").unwrap_err().to_string();
    for name in ["支付宝交易号", "商户订单号", "业务类型", "订单金额（元）"] {
        assert!(other.contains(name), "{other}");
    }
    assert_eq!(read("epay_v1", b"\n \n"), Err(BadBill::Empty));
    assert!(matches!(read("epay_v1", b"a,b\n"), Err(BadBill::Header(_))));
    assert_eq!(read("epay_v1", b"PK\x03\x04\xff\xff"), Err(BadBill::Bytes));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_bytes_make_it_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        at in 0usize..2000,
        kind in proptest::sample::select(KINDS.to_vec()),
    ) {
        let _any = read(kind, &bytes);
        let mut bent = match kind {
            "wechat_v3" => wechat_bill(&format!("{WECHAT_PAID}{WECHAT_BACK}"), 2),
            "alipay" => ALIPAY.as_bytes().to_vec(),
            _ => "trade_no,out_trade_no,money,status\nT1,N1,9.90,1\n".into(),
        };
        let at = at % bent.len();
        bent.splice(at..(at + bytes.len() / 8).min(bent.len()), bytes.iter().copied().take(5));
        let _any = read(kind, &bent);
    }
}
