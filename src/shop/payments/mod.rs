//! Payments: they settle orders, wait for a person, or are asked for where no callback came.

pub mod lost;
mod orphans;
mod sandbox;
pub mod settle;
mod trades;
pub mod trial;
