//! The test channel, as a configuration has it.

use std::path::Path;

use kamid::channel::Channels;
use kamid::domain::Millis;
use kamid::settings::Section;

/// The merchant key of the test channel.
pub const KEY: &str = "2T9PRRx0wYIVkBjwDEklFFx89d6Ukl5h";
/// The test channel; further ones come with a test's own settings.
pub const CHANNEL: &str = "[channel.pay]\nkind = \"epay_v1\"\ngateway_url = \"https://pay.example/\"\npid = \"1001\"\nkey_file = \"epay.key\"\n";
/// When channels are built here.
pub const NOW: Millis = 1_764_000_000_000;

/// The channels of a configuration.
pub fn channels(text: &str, base: &Path) -> Channels {
    let mut problems = Vec::new();
    let section = Section::from_toml(text, base, &mut problems).section("channel", &mut problems);
    Channels::build(&section.sections(&mut problems), true, NOW).unwrap()
}
