//! The dashboard: its screens, its keys, its figures, and the real one in a real terminal.

mod alarms;
mod figures;
mod hands;
mod locale;
mod once;
mod panes;
mod prompts;
mod recording;
mod scenes;
mod screens;
mod stock;
mod terminal;
mod words;
