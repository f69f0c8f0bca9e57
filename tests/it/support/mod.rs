//! What tests start and talk to.

pub mod redis;
pub mod shop;
