//! Any target of tests/it/fuzz, led by the code that an input reaches:
//!
//! ```text
//! cargo install cargo-fuzz
//! KAMID_FUZZ_TARGET=a_callback_that_was_not_signed_is_never_believed cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none any
//! ```
//!
//! Its seeds are written to `tests/fuzz/corpus/any` before it starts; use another folder, or empty it, for another target.
#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)]

#[path = "../../it/fuzz/mod.rs"]
mod fuzz;

#[path = "../../it/support/channel.rs"]
mod channel;

/// Where the targets look for it.
mod support {
    pub(crate) use crate::channel;
}

use std::sync::LazyLock;

use fuzz::drive::Target;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let names = || fuzz::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join("\n");
    let wanted = std::env::var("KAMID_FUZZ_TARGET").unwrap_or_default();
    let found = fuzz::ALL.iter().find(|(name, _)| *name == wanted);
    found.unwrap_or_else(|| panic!("KAMID_FUZZ_TARGET must be one of:\n{}", names())).1()
});

libfuzzer_sys::fuzz_target!(
    init: {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/any");
        std::fs::create_dir_all(&folder).unwrap();
        for (number, seed) in TARGET.seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed).unwrap();
        }
    },
    |bytes: &[u8]| (TARGET.check)(bytes)
);
