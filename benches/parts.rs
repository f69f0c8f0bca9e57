//! The parts of a callback, each by itself: verify, seal and open, settle on a real Redis, snapshot. `cargo bench --bench parts`.

#![allow(clippy::unwrap_used, missing_docs)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use kamid::channel::Channels;
use kamid::channel::capture::{Capture, borrowed};
use kamid::config::{Config, StoreUrl};
use kamid::domain::{AttemptNo, Callback, Currency, Money, OrderId, Payment, Product, Take};
use kamid::http::limit::Limiter;
use kamid::settings::{Secret, Section};
use kamid::store::embedded::Embedded;
use kamid::store::{Chunk, NewOrder, Store};
use kamid::telemetry::snapshot::{self, Delivery};
use kamid::telemetry::{Observation, Telemetry};
use kamid::vault::{Vault, chance};

const CHANNEL: &str = "[channel.bench]\nkind = \"epay_v1\"\ngateway_url = \"https://pay.example/\"\npid = \"1001\"\nkey_file = \"epay.key\"\n";

fn paid(id: OrderId) -> Payment {
    Payment {
        number: format!("{id}01"),
        trade_no: format!("20251123{id}"),
        paid: Money { minor: 990, currency: Currency::CNY },
        channel: "bench".to_owned(),
        paid_at: None,
        reference: None,
    }
}

fn verify(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("epay.key"), "2T9PRRx0wYIVkBjwDEklFFx89d6Ukl5h").unwrap();
    let mut problems = Vec::new();
    let sections = Section::from_toml(CHANNEL, folder.path(), &mut problems)
        .section("channel", &mut problems)
        .sections(&mut problems);
    let channels = Channels::build(&sections, true, 0).unwrap();
    let channel = channels.get("bench").unwrap();
    let query = channel.forge(&paid(OrderId::new(kamid::domain::Slot::new(7), 1, 2)), 0).query;
    c.bench_function("verify an epay callback", |b| {
        b.iter(|| {
            let callback =
                Callback { method: "GET", path: "/pay/bench/notify", query: &query, headers: &[], body: b"" };
            channel.verify(&callback, &[], 0).unwrap()
        });
    });
}

/// A captured callback of each kind of signature, as its gateway's SDK signed it.
fn verify_kinds(c: &mut Criterion) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors");
    let cases = [
        ("epay_v2", "a01-basic"),
        ("alipay", "a01-basic"),
        ("wechat_v3", "a01-public-key"),
        ("unionpay", "a01-basic"),
        ("bepusdt", "a01-integer"),
        ("epusdt_gmpay", "a01-integer"),
        ("tokenpay", "a01-integer"),
        ("stripe", "a01-basic"),
        ("standard_webhooks", "a01-basic"),
        ("coinbase_commerce", "a01-basic"),
        ("btcpay", "a01-basic"),
        ("paypal", "a01-basic"),
    ];
    for (kind, name) in cases {
        let text = std::fs::read_to_string(format!("{folder}/{kind}/{name}.json")).unwrap();
        let capture: Capture = serde_json::from_str(&text).unwrap();
        let mut settings = capture.config.clone().unwrap();
        settings.insert("kind".to_owned(), kind.into());
        let section = Section::from_json("config", &settings);
        let channels = Channels::build(&[("pay".to_owned(), section)], true, 0).unwrap();
        // Fetched once a day, and known then.
        let cert = |certs: &serde_json::Map<String, serde_json::Value>| {
            let text = certs.iter().find(|(url, _)| url.ends_with("-good")).unwrap().1;
            kamid::domain::Response { status: 200, headers: Vec::new(), body: text.as_str().unwrap().into() }
        };
        let heard: Vec<_> = capture.fetchable_certs.iter().map(cert).collect();
        let (channel, request) = (channels.get("pay").unwrap(), capture.request.as_ref().unwrap());
        let body = data_encoding::BASE64.decode(request.body_b64.as_bytes()).unwrap();
        let headers = borrowed(&request.headers);
        let query = request.target.split_once('?').map_or("", |(_, query)| query);
        c.bench_function(&format!("verify a callback of {kind}"), |b| {
            b.iter(|| {
                let callback = Callback { method: &request.method, path: "/", query, headers: &headers, body: &body };
                channel.verify(&callback, &heard, 1_763_884_800_000).unwrap()
            });
        });
    }
}

fn seal(c: &mut Criterion) {
    let vault = Vault::ephemeral().unwrap();
    let sealed = vault.seal(b"ABCDE-FGHIJ-KLMNO-PQRS").unwrap();
    c.bench_function("seal a key of 22 bytes", |b| b.iter(|| vault.seal(b"ABCDE-FGHIJ-KLMNO-PQRS").unwrap()));
    c.bench_function("open a key of 22 bytes", |b| b.iter(|| vault.open(&sealed.0).unwrap()));
}

/// A store with a product.
async fn shop(socket: &std::path::Path) -> (Store, Product) {
    let mut config = Config::defaults().unwrap().store;
    config.url = StoreUrl::Remote(Secret::new(format!("unix://{}", socket.display())));
    let store = loop {
        match Store::connect(&config, None, true).await {
            Ok(store) => break store,
            Err(error) => assert!(error.retry(), "{error}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let product = Product {
        id: "bench".parse().unwrap(),
        name: "bench".to_owned(),
        price: Money { minor: 990, currency: Currency::CNY },
        take: Take::Order,
        slot: 7,
        per_order: 100,
        per_address: None,
        per_contact: None,
        sale_from: None,
        sale_until: None,
        expires_minutes: 600,
        low: 0,
        retired: false,
        revision: 1,
        created: 0,
    };
    assert!(store.save_product(&product).await.unwrap());
    (store, product)
}

/// So many orders, with keys for them.
async fn orders(store: &Store, product: &Product, vault: &Vault, count: usize) -> Vec<Payment> {
    let number = chance().unwrap();
    let keys = (0..count).map(|n| vault.seal(format!("{number:x}-{n}").as_bytes()).unwrap()).collect();
    let chunk =
        Chunk { product: &product.id, slot: product.home(), batch: format!("{number:x}"), keys, stood: Vec::new() };
    store.import(&chunk).await.unwrap();
    let (contact, now) = (vault.seal(b"bench").unwrap(), store.now());
    let mut payments = Vec::new();
    for _ in 0..count {
        let id = OrderId::new(product.home(), now, chance().unwrap());
        let new = NewOrder {
            id,
            product,
            quantity: 1,
            amount: product.price,
            attempt: AttemptNo::FIRST,
            channel: "bench",
            contact: &contact,
            created: now,
            expires: now + 36_000_000,
            unpaid: &[],
            bought: &[],
        };
        store.reserve(&new).await.unwrap();
        payments.push(paid(id));
    }
    payments
}

fn settle(c: &mut Criterion) {
    let folder = tempfile::Builder::new().prefix("kb").tempdir().unwrap();
    let redis = Embedded::new(folder.path(), "redis-server").unwrap();
    redis.start().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (store, product) = runtime.block_on(shop(&redis.socket()));
    let vault = Vault::ephemeral().unwrap();
    let mut group = c.benchmark_group("settle, appendfsync always");
    for count in [1, 64] {
        group.throughput(Throughput::Elements(count));
        group.bench_function(format!("{count} at once"), |b| {
            b.iter_batched(
                || runtime.block_on(orders(&store, &product, &vault, count as usize)),
                |payments| runtime.block_on(join_all(payments.iter().map(|payment| store.settle(payment, "")))),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
    let process = runtime.block_on(store.health()).unwrap().process;
    runtime.block_on(redis.stop(Some(process)));
}

fn snapshots(c: &mut Criterion) {
    let limits = Config::defaults().unwrap().limits;
    let telemetry = Telemetry::new("bench".to_owned(), None, &limits);
    for n in 0..5_000u64 {
        telemetry.record(Observation::Delivered(Delivery {
            order: format!("{n:020}"),
            product: "bench".to_owned(),
            quantity: 1,
            at: n,
            took_us: 300 + n % 700,
        }));
    }
    c.bench_function("write a snapshot", |b| {
        b.iter(|| serde_json::to_string(&telemetry.tick(1, snapshot::Surroundings::default())).unwrap());
    });
}

/// What a charge costs while ever more addresses come than are remembered.
fn limit(c: &mut Criterion) {
    let limiter = Limiter::new(&Config::defaults().unwrap().limits);
    let mut n = 0x0100_0000_u32;
    let mut charge = || {
        n += 1;
        limiter.lookup(std::net::Ipv4Addr::from(n).into())
    };
    for _ in 0..100_000 {
        charge().unwrap();
    }
    c.bench_function("charge a new address, past all that are remembered", |b| b.iter(&mut charge));
}

criterion_group!(parts, verify, verify_kinds, seal, settle, snapshots, limit);
criterion_main!(parts);
