//! Models as they are in the middle of something, made of the lines that a daemon would send.

use kamid::domain::{Lang, NoticeState, Reason, RedisHealth, Stock};
use kamid::telemetry::incident::IncidentBrief;
use kamid::telemetry::snapshot::{
    self, ChannelState, Delivery, NoticeCounts, NoticeRow, Snapshot, StockLine, StockRow, Surroundings, encode,
};
use kamid::top::ask::{Ask, Unanswered};
use kamid::top::model::{Connection, Fault, Line, Lost, Message, Model};
use serde_json::{Value, json};

/// 2026-11-25 21:00:00 UTC.
pub const BEGAN: u64 = 1_795_640_400_000;

fn spread(from: u64, count: u64) -> String {
    let mut histogram = snapshot::histogram().unwrap();
    for n in 0..count {
        histogram.record(from + n * 37 % (from * 2)).unwrap();
        if n % 9 == 0 {
            histogram.record(from * 12 + n).unwrap();
        }
    }
    encode(&histogram)
}

/// One second of an instance that has counted so much.
pub fn second(instance: &str, n: u64, paid: u64, bad: u64) -> Snapshot {
    let counters = [
        ("alipay/delivered", paid),
        ("alipay/replayed", paid / 10),
        ("alipay/held", paid / 200),
        ("wxpay/delivered", paid / 3),
        ("alipay/rejected/bad_signature", bad),
        ("orders", paid + paid / 8),
        ("delivered", paid + paid / 3),
    ];
    let state = |kind: &str, addresses| ChannelState { kind: kind.to_owned(), last: BEGAN + n * 1000, addresses };
    Snapshot {
        version: snapshot::FORMAT,
        instance: instance.to_owned(),
        seq: n,
        at: BEGAN + n * 1000,
        counters: counters.map(|(name, count)| (name.to_owned(), count)).into(),
        latency: [("alipay".to_owned(), spread(700 + n % 7 * 40, 40)), ("wxpay".to_owned(), spread(900, 14))].into(),
        delivered: spread(500, 40),
        surroundings: Surroundings {
            kamid: "0.1.0".to_owned(),
            test: true,
            started: BEGAN - 86_400_000,
            ready: true,
            redis_us: 210,
            memory_bytes: 24_000_000,
            channels: [("alipay".to_owned(), state("epay_v1", 3)), ("wxpay".to_owned(), state("epay_v1", 2))].into(),
            redis: RedisHealth {
                version: "7.0.15".to_owned(),
                used_bytes: 91_000_000,
                aof_bytes: 340_000_000,
                commands: 5300,
                clients: 9,
                slow: Some(0),
                ..RedisHealth::default()
            },
            ..Surroundings::default()
        },
        ..Snapshot::default()
    }
}

fn row(product: &str, name: &str, pool: u64, hourly: u64, owed: u64) -> StockRow {
    let stock = Stock { pool, reserved: pool / 20, imported: pool + 4000, given: 4000, voided: 0, owed };
    StockRow { product: product.to_owned(), name: name.to_owned(), stock, low: 50, hourly, retired: false }
}

fn stock(model: &mut Model, at: u64, rows: Vec<StockRow>) {
    let products = rows.len() as u64;
    let line = StockLine { at, products, matching: products, rows, ..StockLine::default() };
    model.update(Message::Line(Line::Stock(Box::new(line))));
}

pub fn tell(model: &mut Model, snapshot: Snapshot) {
    model.update(Message::Tick(snapshot.at));
    model.update(Message::Line(Line::Snapshot(Box::new(snapshot))));
}

fn opened(lang: Lang) -> Model {
    let mut model = Model::default();
    (model.lang, model.may_act, model.operator) = (lang, true, "root".to_owned());
    model.update(Message::Tick(BEGAN));
    model.update(Message::Link(Connection::Open { base: "http://127.0.0.1:9180".to_owned() }));
    model
}

/// A notice of the n-th order, as it stands then.
fn notice(n: u64, state: NoticeState, at: u64, why: &str) -> NoticeRow {
    NoticeRow {
        order: format!("07MIBQ3K2XZ0A1B2C{n:03}"),
        product: "steam-10".to_owned(),
        contact: "bu…st".to_owned(),
        state,
        tries: if state == NoticeState::Dead { 11 } else { 1 },
        at,
        next: if state == NoticeState::Waiting { at + 30_000 } else { 0 },
        by: "mail".to_owned(),
        why: why.to_owned(),
    }
}

/// A daemon that was just started, without anything.
pub fn empty(lang: Lang) -> Model {
    let mut model = opened(lang);
    let mut first = second("a1b2c3d4", 0, 0, 0);
    (first.counters, first.latency, first.delivered) = Default::default();
    first.surroundings.started = BEGAN - 1000;
    first.surroundings.channels.clear();
    tell(&mut model, first);
    stock(&mut model, BEGAN, Vec::new());
    model
}

/// Two instances that sell as they should.
pub fn normal(lang: Lang) -> Model {
    let mut model = opened(lang);
    for n in 0..900 {
        let busy = n * 40 + n * n / 90;
        tell(&mut model, second("a1b2c3d4", n, busy, n / 40));
        let mut other = second("e5f6a7b8", n, busy * 2 / 3, 0);
        if n % 30 == 0 {
            other.deliveries = vec![Delivery {
                order: format!("07MIBQ3K2XZ0A1B2C{n:03}"),
                product: "steam-10".to_owned(),
                quantity: 1 + (n / 30 % 3) as u32,
                at: other.at,
                took_us: 900,
            }];
        }
        other.notices_waiting = Some(NoticeCounts { waiting: n % 3, dead: 0 });
        other.noticed = spread(300_000, 2);
        other.counters.insert("notices_sent".to_owned(), n * 2);
        other.notices = vec![notice(n, NoticeState::Sent, other.at, "")];
        tell(&mut model, other);
        if n % 5 == 0 {
            stock(
                &mut model,
                BEGAN + n * 1000,
                vec![
                    row("steam-10", "Steam 10 €", 90_000 - n * 7, 25_000, 0),
                    row("netflix-m", "奈飞一个月", 12_400, 300, 0),
                    row("office", "Office 2026", 1_800, 12, 0),
                    row("game-pass", "Game Pass", 700 - n / 9, 400, 0),
                ],
            );
        }
    }
    model
}

pub fn brief(n: u64, reason: &str, address: &str, number: &str) -> IncidentBrief {
    IncidentBrief {
        id: format!("a1b2c3-{n:x}-{}", &reason[..3]),
        at: BEGAN + 840_000 + n * 1000,
        channel: "alipay".to_owned(),
        reason: Reason::parse(reason),
        address: address.to_owned(),
        number: number.to_owned(),
        status: 400,
    }
}

/// The same shop when somebody forges, a product has run out and a power cut would cost something.
pub fn alarm(lang: Lang) -> Model {
    let mut model = normal(lang);
    for n in 900..930 {
        let busy = n * 40 + n * n / 90;
        let mut next = second("a1b2c3d4", n, busy, 22 + (n - 899) * 3);
        next.surroundings.waiting = 3;
        next.surroundings.redis.relaxed = true;
        next.incidents = vec![
            brief(n - 840, "bad_signature", "203.0.113.9", &format!("07MIBQ3K2XZ0A1B2C{n:03}01")),
            brief(n - 840 - 1, "amount_mismatch", "198.51.100.7", "11MIBQ3K2XZ0A1B2C70001"),
        ];
        tell(&mut model, next);
        let mut other = second("e5f6a7b8", n, busy * 2 / 3, 0);
        other.surroundings.ready = n < 910;
        other.surroundings.waiting = 3;
        other.notices_waiting = Some(NoticeCounts { waiting: 31, dead: 2 });
        other.counters.insert("notices_sent".to_owned(), 1798);
        other.counters.insert("notices_failed".to_owned(), (n - 899) * 2);
        other.notices = vec![notice(n, NoticeState::Waiting, other.at, "Connection error: Connection refused")];
        tell(&mut model, other);
    }
    stock(
        &mut model,
        BEGAN + 930_000,
        vec![
            row("steam-10", "Steam 10 €", 0, 25_000, 12),
            row("netflix-m", "奈飞一个月", 0, 300, 0),
            row("office", "Office 2026", 30, 12, 0),
            row("game-pass", "Game Pass", 300, 400, 0),
        ],
    );
    let order = |id: &str, state: &str, why: &str, at: u64| {
        json!({"id": id, "state": state, "product": "steam-10", "quantity": 1, "amount": "9.90", "currency": "CNY",
            "contact": "bu…st", "why": why, "paid": if state == "held" { "8.90 CNY" } else { "" }, "paid_at": BEGAN + at})
    };
    let answers = vec![
        json!({"orders": [order("07MIBQ3K2XZ0A1B2C001", "held", "amount_mismatch", 880_000)]}),
        json!({"orders": [order("07MIBQ3K2XZ0A1B2C002", "owed", "", 900_000)]}),
        json!({"payments": [{"kind": "orphan", "id": "ZZMIBQ3K2XZ0A1B2C00301", "payment": "alipay|2026112522001",
            "since": "2026-11-25T21:10:00Z", "amount": "9.90", "currency": "CNY"}]}),
    ];
    model.update(answered(Ask::Review, &answers));
    let dead = notice(3, NoticeState::Dead, BEGAN + 800_000, "550 5.1.1 no such user");
    let answers = vec![json!({"notices": [dead]})];
    model.update(answered(Ask::Notices, &answers));
    model.update(Message::Tick(BEGAN + 930_000));
    model
}

/// The daemon is gone for some seconds.
pub fn disconnected(lang: Lang) -> Model {
    let mut model = normal(lang);
    let now = BEGAN + 899_000 + 14_000;
    let lost = Lost { fault: Fault::Away, why: "the daemon ended the stream".to_owned(), retry_at: now + 3000 };
    model.update(Message::Link(Connection::Lost(lost)));
    model.update(Message::Tick(now));
    model
}

/// What the daemon's answers come to.
pub fn answered(ask: Ask, answers: &[Value]) -> Message {
    let answer = ask.read(answers).map_err(|error| Unanswered::Unread(error.to_string()));
    Message::Answer(ask, answer)
}
