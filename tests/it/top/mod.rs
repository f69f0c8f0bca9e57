//! The dashboard: its screens, its keys, its figures, and the real one in a real terminal.

mod figures;
mod hands;
mod scenes;
mod screens;
mod terminal;
