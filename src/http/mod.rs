//! HTTP in, use cases below, HTTP out: `serve` is a listener and its limits, `public` is what buyers and gateways reach,
//! `admin` what operators reach, `web` what both work with, `problem` what both refuse with.
//!
//! May touch `hyper`, `axum`, `governor` (in `serve/limit`), `minijinja` (in `public/pages`). The callback has its own short
//! way (`public/callback`); everything else goes through axum. Invariant: sizes, times and counts are bounded before
//! anything is read.

mod admin;
mod problem;
mod public;
mod serve;
mod web;

pub use admin::{Errand, Routes, admin_routes, serve_admin};
pub use problem::Problem;
pub use public::serve_public;
pub use serve::address::Proxies;
pub use serve::limit;
pub use web::{Around, Web};
