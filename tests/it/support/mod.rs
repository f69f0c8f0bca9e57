//! What tests start and talk to.

pub mod browser;
pub mod channel;
pub mod cluster;
pub mod coins;
pub mod delivery;
pub mod gateway;
pub mod launch;
pub mod mail;
pub mod pair;
pub mod paypal;
pub mod port;
pub mod proxy;
pub mod receiver;
pub mod redis;
pub mod schedule;
pub mod seat;
pub mod shop;
pub mod tunnel;
