//! kamid delivers digital keys (卡密) by itself: a signed payment callback becomes a delivered key, exactly once.
//!
//! # The rooms
//!
//! Arrows point down only; each outside package has one door.
//!
//! ```text
//! domain      the trade's words, pure                          settings   text becomes values
//!   ▲
//! config   channel   vault   store   telemetry   outbound   wire, client
//!          bytes↔    seals   redis   metrics     HTTP out   the admin API:
//!          Payment           bb8                            its rows, and asking
//!   ▲
//! shop        the use cases: goods, orders, payments, news, people, alarms; how Redis is (health)
//!   ▲
//! notify      the outbox's people: who is told what, and again (lettre)
//!   ▲
//! http        serve: a listener and its limits (hyper, governor); public, admin: what each side reaches (axum)
//!   ▲
//! daemon      what is built, spawned and drained, in order       hammer   the load tester  ┐ speak HTTP alone;
//! process     signals, files, the clock                          top      the dashboard    ┘ drawn on tty
//!   ▲
//! cli         the commands, a file or a folder each
//! ```
//!
//! Inside `channel`: `contract` (what every channel can do) ◄ `kit` (what gateways share), `kind` (a row) ◄ `gateway` (a file a
//! kind) ◄ `KINDS`; beside them `terms`, `account`, `older` (what holds for any kind), `bill`, `capture`.
//!
//! Inside `http`: `serve` (knows nothing of what it serves), `problem` ◄ `web` (what both sides share) ◄ `public`, `admin`.
//!
//! Where a kind of thing is a table, its row is all there is to it: settings stand in their kind's file or in `config`,
//! reasons in `domain/reason`, words of states in `domain/words`, routes in `wire/routes`, panes in `top/pane`, gateways in
//! `channel/gateway` (`channel::KINDS`),
//! notifiers in `notify::KINDS`.
//!
//! Inside `top`: `model` (what is known) ◄ `kit` (what pictures are made of) ◄ `pane` (a file a tab, `PANES`) ◄ `view` (the whole
//! picture), `update` (what happens).
//!
//! # The life of a callback
//!
//! ```text
//! socket ─ http::serve: caps, head, time-outs ─ http::public::callback: limit, body cap
//!    1  channel.verify(&callback, now)     pure     Err(Rejection) ─┐
//!    2  shop.settle(&payment)              one Redis round trip     │
//!    3  channel.ack(verdict)               pure   ◄─────────────────┘
//!    4  telemetry.record(…)                once, for every ending
//! reply
//! ```
//!
//! The callback path opens no key, sends nothing, reads neither configuration nor catalogue, and asks Redis once.

pub mod channel;
pub mod cli;
pub mod client;
pub mod config;
pub mod daemon;
pub mod domain;
pub mod hammer;
pub mod http;
pub mod notify;
pub mod outbound;
mod process;
pub mod settings;
pub mod shop;
pub mod store;
pub mod telemetry;
pub mod top;
mod tty;
pub mod vault;
pub mod wire;
