//! `kamid top`: the dashboard an operator works from at night.
//!
//! ```text
//! source  one stream, reconnecting ┐             update ─────┐► view  pure: a model in, a picture out
//! record  a recording, played      ├► Message ►  model, panes │
//! run     keys, mouse, clock       ┘             pure         └► Effect ► run: ask the admin API, write a file, leave
//! ```
//!
//! What is shown is a list of panes ([`pane::PANES`]): each a value in a file of its own.
//!
//! ```text
//! model   what is known  ◄ kit   what pictures are made of  ◄ pane  one file a pane  ◄ view    the whole picture
//!                                                                                    ◄ update  what happens
//! ```
//!
//! Speaks to daemons through [`crate::client`] alone. Invariant: every change goes through the admin API with the
//! operator's token, and is asked about first; foreign text is cleaned where it becomes a cell ([`text`]).

pub mod ask;
mod clock;
pub mod keys;
pub mod kit;
pub mod labels;
pub mod lang;
pub mod model;
mod once;
pub mod pane;
mod record;
mod run;
mod source;
pub mod tab;
pub mod text;
pub mod theme;
pub mod update;
pub mod view;

pub use crate::domain::snapshot::FILTER_BYTES;
pub use lang::language;
pub use once::{PictureForm, Shows, once, picture, svg, text as page};
pub use record::{Player, Recorder};
pub use run::{Options, run};
pub use theme::Theme;

/// The terminal's columns and rows, if standard output is one.
#[must_use]
pub fn terminal_size() -> Option<(u16, u16)> {
    use std::io::IsTerminal as _;
    ratatui::crossterm::terminal::size().ok().filter(|_| std::io::stdout().is_terminal())
}
