//! The integration tests: one binary, against real Redis servers and real daemons of its own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod config;
mod layers;
mod limits;
mod lua;
mod model;
mod money;
mod stores;
mod support;
mod vectors;
