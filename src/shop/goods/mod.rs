//! Goods: products and their keys, how many there are, and files of keys as suppliers send them.

pub mod board;
pub mod catalog;
pub mod lines;
mod pace;
pub mod sheet;
mod stock;
