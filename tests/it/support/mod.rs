//! What tests start and talk to.

pub mod channel;
pub mod coins;
pub mod gateway;
pub mod mail;
pub mod pair;
pub mod proxy;
pub mod receiver;
pub mod redis;
pub mod seat;
pub mod shop;
