//! Fuzzing of whatever meets foreign bytes. Each target is one function of any bytes that says what must hold of them; it
//! starts from real inputs, mostly the captured callbacks, and bends them.
//!
//! A plain `cargo test` gives each target a second; `make fuzz` gives it `KAMID_FUZZ_SECONDS`. What a failure shows
//! becomes one more seed of its target once it is mended, so that it is tried ever after.

mod callbacks;
mod captures;
mod drive;
mod fleet;
mod forwarded;
mod genuine;
mod keys;
mod params;
mod settings;
mod signed;
mod words;
