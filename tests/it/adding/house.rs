//! A shop in this process, put together as the daemon does it, of kinds that a test hands in.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kamid::channel::{Channels, Kind};
use kamid::client::Client;
use kamid::config::{Config, OutboundConfig};
use kamid::http::{self, Around, Routes, Web};
use kamid::notify::{self, NotifierInputs, NotifierKind, Notifiers};
use kamid::outbound::Outbound;
use kamid::settings::Section;
use kamid::shop::{Loops, Parts, Shop};
use kamid::telemetry::Telemetry;
use kamid::vault::{self, Vault};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::channel::NOW;
use crate::support::redis::TestRedis;

/// The sections of that name in a text.
pub fn sections(text: &str, name: &str) -> Vec<(String, Section)> {
    let mut problems = Vec::new();
    let section = Section::from_toml(text, Path::new(""), &mut problems).section(name, &mut problems);
    let sections = section.sections(&mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    sections
}

/// It serves until it is dropped.
pub struct Shophouse {
    pub client: Client,
    /// Where buyers and gateways come.
    pub public: String,
    /// Where operators come.
    pub admin: String,
    pub channels: Arc<Channels>,
    data: TempDir,
    _jobs: JoinSet<()>,
    _stop: watch::Sender<bool>,
    _redis: TestRedis,
}

impl Shophouse {
    /// Opens one of that configuration.
    pub async fn open(
        config: &str,
        channel_kinds: &[&'static Kind],
        notifier_kinds: &[NotifierKind],
        more: impl FnOnce(Routes) -> Routes,
    ) -> Self {
        let (redis, data) = (TestRedis::start(), tempfile::tempdir().unwrap());
        let limits = Config::defaults().unwrap().limits;
        let outbound = Outbound::build(&OutboundConfig::default()).unwrap();
        let channels = Channels::of_kinds(channel_kinds, &sections(config, "channel"), true, NOW);
        let channels = Arc::new(channels.unwrap_or_else(|problems| panic!("{problems:?}")));
        let inputs = NotifierInputs { outbound: &outbound, data: data.path() };
        let notifiers = Notifiers::of_kinds(notifier_kinds, &sections(config, "notify"), &inputs, true);
        let (notifiers, _) = notifiers.unwrap_or_else(|problems| panic!("{problems:?}"));
        let listen = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (public, admin) = (listen().await, listen().await);
        let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let (public_url, admin_url) = (url(&public), url(&admin));

        let telemetry = Arc::new(Telemetry::new("adding01".to_owned(), None, &limits));
        let store = redis.store().await.of_accounts(channels.accounts());
        let vault = Vault::ephemeral().unwrap();
        store.check_ring(&vault).await.unwrap();
        let started = store.now();
        let shop = Arc::new(Shop::new(Parts {
            store,
            vault,
            channels: Arc::clone(&channels),
            outbound,
            limits: limits.clone(),
            public_url: public_url.clone(),
            test: true,
            telemetry: Arc::clone(&telemetry),
        }));
        shop.reaches(notifiers.reaches());
        shop.listeners(notifiers.listeners());
        shop.listens_at(&public_url);
        let web = Arc::new(Web::new(
            Arc::clone(&shop),
            Around {
                channels: Arc::clone(&channels),
                limits,
                telemetry,
                notifiers: notifiers.clone(),
                trusted_proxies: Vec::new(),
                admin_token: vault::load_token(&data.path().join("admin.token")).unwrap(),
            },
        ));
        let ((stop, stopped), mut jobs) = (watch::channel(false), JoinSet::new());
        shop.start(&mut jobs, Loops { started, disk: None, soon_minutes: 60 }, &stopped);
        jobs.spawn(notify::run(shop, notifiers, stopped.clone()));
        let routes = more(http::admin_routes(Arc::clone(&web), stopped.clone()));
        let drain = Duration::from_secs(1);
        jobs.spawn(http::serve_public(public, web, stopped.clone(), drain));
        jobs.spawn(http::serve_admin(admin, routes, 64, stopped, drain));
        let client = Client::find(data.path(), Some(&admin_url), None).unwrap();
        Self { client, public: public_url, admin: admin_url, channels, data, _jobs: jobs, _stop: stop, _redis: redis }
    }

    /// The file with the token of its own.
    pub fn token_file(&self) -> PathBuf {
        self.data.path().join("admin.token")
    }

    /// The client of an operator with that token.
    pub fn as_operator(&self, token: &str) -> Client {
        let file = self.data.path().join("their.token");
        std::fs::write(&file, token).unwrap();
        Client::find(self.data.path(), Some(&self.admin), Some(&file)).unwrap()
    }
}
