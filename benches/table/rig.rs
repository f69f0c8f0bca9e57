//! What a daemon is held against: a bare Redis with the same settle script, and a bare hyper server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use futures_util::{StreamExt as _, stream};
use kamid::channel::Channels;
use kamid::domain::{AttemptNo, Currency, Money, OrderId, Payment, Product, Take};
use kamid::settings::Section;
use kamid::store::embedded::Embedded;
use kamid::store::{At, Chunk, NewOrder, Store, script};
use kamid::vault::{Vault, chance};

use crate::shop::{CHANNEL, store, wait_for};

/// Everything but the daemon.
pub struct Rig {
    hyper: Child,
    bare: Embedded,
    pub socket: PathBuf,
    pub bare_store: Store,
    channels: Channels,
    pub vault: Vault,
    pub hyper_address: SocketAddr,
}

impl Rig {
    /// Starts both in that folder.
    pub async fn start(folder: &Path) -> Self {
        std::fs::write(folder.join("epay.key"), "2T9PRRx0wYIVkBjwDEklFFx89d6Ukl5h").unwrap();
        let port_file = folder.join("hyper");
        let hyper = Command::new(std::env::current_exe().unwrap())
            .env("KAMID_BENCH_HYPER", &port_file)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let hyper_address = wait_for("the bare server", || std::fs::read_to_string(&port_file).ok()?.parse().ok());
        let bare = Embedded::new(&folder.join("b"), "redis-server").unwrap();
        bare.start().unwrap();
        let socket = bare.socket();
        let bare_store = store(&socket).await;
        let mut problems = Vec::new();
        let sections = Section::from_toml(CHANNEL, folder, &mut problems)
            .section("channel", &mut problems)
            .sections(&mut problems);
        let channels = Channels::build(&sections, true, 0).unwrap();
        Self { hyper, bare, socket, bare_store, channels, vault: Vault::ephemeral().unwrap(), hyper_address }
    }

    /// A product of the bare store, with keys.
    pub async fn bare_product(&self, keys: usize) -> Product {
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
        assert!(self.bare_store.save_product(&product).await.unwrap());
        let (vault, store, made) = (&self.vault, &self.bare_store, &product);
        let jobs = (0..keys.div_ceil(250)).map(|at| async move {
            let keys = (0..250).map(|n| vault.seal(format!("KEY-{at:08}-{n:04}").as_bytes()).unwrap()).collect();
            let chunk =
                Chunk { product: &made.id, slot: made.home(), batch: format!("bench.{at}"), keys, stood: Vec::new() };
            store.import(&chunk).await.unwrap();
        });
        stream::iter(jobs).buffer_unordered(8).collect::<Vec<()>>().await;
        product
    }

    /// Fresh orders in a store, of these products in turn.
    pub async fn orders(&self, store: &Store, products: &[Product], count: usize) -> Vec<OrderId> {
        let contact = self.vault.seal(b"bench@example.com").unwrap();
        let now = store.now();
        let (contact, orders) = (&contact, (0..count).map(|n| &products[n % products.len()]));
        let jobs: Vec<_> = orders
            .map(|product| async move {
                let id = OrderId::new(product.home(), now, chance().unwrap());
                let new = NewOrder {
                    id,
                    product,
                    quantity: 1,
                    amount: product.price,
                    attempt: AttemptNo::FIRST,
                    channel: "bench",
                    contact,
                    created: now,
                    expires: now + 36_000_000,
                    unpaid: &[],
                    bought: &[],
                };
                store.reserve(&new).await.unwrap();
                id
            })
            .collect();
        stream::iter(jobs).buffer_unordered(128).collect().await
    }

    /// The callbacks that pay these orders, as a gateway sends them.
    pub fn requests(&self, orders: &[OrderId]) -> Vec<Vec<u8>> {
        let channel = self.channels.get("bench").unwrap();
        let request = |id: &OrderId| {
            let payment = Payment {
                number: format!("{id}01"),
                trade_no: format!("20251123{id}"),
                paid: Money { minor: 990, currency: Currency::CNY },
                channel: "bench".to_owned(),
                paid_at: None,
                reference: None,
            };
            let query = channel.forge(&payment, 0).query;
            format!("GET /pay/bench/notify?{query} HTTP/1.1\r\nHost: shop.example\r\nAccept: */*\r\n\r\n").into_bytes()
        };
        orders.iter().map(request).collect()
    }

    /// The same settle calls that the daemon makes of those callbacks, one payment in each, as bytes on the wire.
    pub fn settle_calls(&self, orders: &[OrderId]) -> Vec<Vec<u8>> {
        let store = &self.bare_store;
        let (n, now) = (store.names, store.now().to_string());
        let call = |id: &OrderId| {
            let (id, slot) = (*id, id.slot());
            let names = [n.due(slot), n.outbox(slot), n.review(slot), n.marks(slot), n.order(id), n.pay(id.as_str())];
            let (field, number) = (format!("bench|20251123{id}"), format!("{id}01"));
            let args: [&[u8]; 10] = [
                now.as_bytes(),
                id.as_str().as_bytes(),
                b"01",
                field.as_bytes(),
                b"bench|990|CNY",
                number.as_bytes(),
                b"",
                b"t",
                b"",
                b"",
            ];
            store
                .command(At::Slot(slot), &script::SETTLE, &names.each_ref().map(String::as_str), &args)
                .get_packed_command()
        };
        orders.iter().map(call).collect()
    }

    /// Ends both.
    pub async fn stop(mut self) {
        self.hyper.kill().unwrap();
        self.hyper.wait().unwrap();
        let process = self.bare_store.health().await.unwrap().process;
        self.bare.stop(Some(process)).await;
    }
}

/// A server that does nothing but answer, as bare as hyper lets it be. Writes its address into a file.
pub fn serve_bare_hyper(port_file: &str) {
    use http_body_util::Full;
    use hyper::body::{Bytes, Incoming};
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let draft = format!("{port_file}.new");
        std::fs::write(&draft, listener.local_addr().unwrap().to_string()).unwrap();
        std::fs::rename(draft, port_file).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let service = hyper::service::service_fn(|_: hyper::Request<Incoming>| async {
                Ok::<_, std::convert::Infallible>(hyper::Response::new(Full::new(Bytes::from_static(b"success"))))
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(hyper_util::rt::TokioIo::new(stream), service),
            );
        }
    });
}
