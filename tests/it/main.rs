//! The integration tests: one binary, against real Redis servers, real daemons of its own, and a real browser.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod browser;
mod config;
mod disk;
mod faults;
mod floods;
mod fuzz;
mod hammer;
mod imports;
mod incidents;
mod laws;
mod layers;
mod life;
mod limits;
mod lua;
mod million;
mod model;
mod money;
mod operators;
mod power;
mod secrets;
mod stores;
mod stream;
mod support;
mod tour;
mod vectors;
