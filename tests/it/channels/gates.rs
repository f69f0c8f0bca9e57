//! A gateway of each kind, played, and a shop whose channel leads to it.

use std::sync::Arc;
use std::time::Duration;

use super::{coins, whole};
use crate::support::coins::{Coins, Kind};
use crate::support::delivery::Simulator;
use crate::support::gateway::{Family, Gateway};
use crate::support::paypal::PayPal;
use crate::support::port::held_port;
use crate::support::shop::Daemon;

/// One test of each kind, named after it.
macro_rules! of_each_kind {
    ($check:ident: $($kind:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $kind() {
            $check(stringify!($kind)).await;
        })*
    };
}
pub(crate) use of_each_kind;

/// A gateway, and where the shop keeps its data.
pub struct Gate {
    pub simulator: Arc<dyn Simulator>,
    /// The simulator, where events are posted to an address that no request names.
    pub coins: Option<Arc<Coins>>,
    pub paypal: Option<Arc<PayPal>>,
    section: String,
    /// What lets a load sign as the gateway does, where that takes the gateway's own key.
    signing: String,
    folder: tempfile::TempDir,
}

impl Gate {
    pub async fn of(kind: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
        let data = folder.path().join("d");
        if let Some(family) = Family::ALL.into_iter().find(|family| family.word() == kind) {
            let gateway = Gateway::start(family).await;
            let section = format!("[channel.gate]\n{}\n", whole::settings(&gateway, &data));
            let signing = whole::signing(&gateway, &data);
            return Self { simulator: gateway, coins: None, paypal: None, section, signing, folder };
        }
        if kind == "paypal" {
            let paypal = PayPal::start().await;
            let (section, signing) = (super::paypal::section(&paypal, &data), super::paypal::signing(&paypal, &data));
            return Self { simulator: paypal.clone(), coins: None, paypal: Some(paypal), section, signing, folder };
        }
        let known = Kind::ALL.into_iter().find(|known| known.word() == kind);
        let coins = Coins::start(known.unwrap_or_else(|| panic!("nobody plays {kind}"))).await;
        coins::files(&data);
        let section = coins::settings(&coins, "gate", "token");
        Self { simulator: coins.clone(), coins: Some(coins), paypal: None, section, signing: String::new(), folder }
    }

    /// A shop that comes back to the same address when it is started again.
    pub fn shop(&self) -> Daemon {
        self.started("")
    }

    /// One whose channel a load can sign for.
    pub fn loaded(&self) -> Daemon {
        self.started(&self.signing)
    }

    fn started(&self, more: &str) -> Daemon {
        let [public, admin] = [held_port(), held_port()];
        let server = format!("[server]\npublic = \"127.0.0.1:{public}\"\nadmin = \"127.0.0.1:{admin}\"\n");
        let shop = Daemon::at(&self.folder.path().join("d"), &format!("{server}{}{more}", self.section));
        if let Some(paypal) = &self.paypal {
            *paypal.console.lock().unwrap() = format!("{}/pay/gate/notify", shop.public);
        }
        if let Some(coins) = &self.coins {
            *coins.console.lock().unwrap() = format!("{}/pay/gate/notify", shop.public);
        }
        shop
    }
}

/// Starts a shop again; it is there when it can settle.
pub async fn started(mut shop: Daemon) -> Daemon {
    tokio::task::block_in_place(|| shop.run());
    while !shop.is_ready().await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    shop
}
