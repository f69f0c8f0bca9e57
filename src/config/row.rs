//! A section whose settings stand each for itself: a row is all there is to one.

use ipnet::IpNet;

use super::Share;
use crate::settings::{Setting, Values};

/// What a row can be read as. Nothing stands in for what cannot be read, so that the other problems are found too; the
/// configuration is refused.
pub(super) trait FromRow {
    fn read(v: &mut Values<'_>, row: &Setting) -> Self;
}

macro_rules! whole {
    ($($type:ty)+) => {
        $(impl FromRow for $type {
            fn read(v: &mut Values<'_>, row: &Setting) -> Self {
                v.whole(row).unwrap_or_default()
            }
        })+
    };
}
whole!(usize u64 u32 u16);

impl FromRow for Share {
    fn read(v: &mut Values<'_>, row: &Setting) -> Self {
        v.parsed(row).unwrap_or(Self::Keys(0))
    }
}

impl FromRow for Vec<IpNet> {
    fn read(v: &mut Values<'_>, row: &Setting) -> Self {
        v.networks(row)
    }
}

/// Makes a section out of its rows: its fields, their rows, and what reads them.
macro_rules! section {
    ($(#[$about:meta])* $name:ident; $($field:ident: $type:ty, $form:expr, $en:literal, $zh:literal;)+) => {
        $(#[$about])*
        pub struct $name {
            $(#[doc = $en] pub $field: $type,)+
        }

        /// Its rows.
        pub const ROWS: &[&crate::settings::Setting] =
            &[$(&crate::settings::Setting::optional($form, stringify!($field), $en, $zh)),+];

        impl $name {
            pub(super) fn read(v: &mut crate::settings::Values<'_>) -> Self {
                Self {
                    $($field: crate::config::row::FromRow::read(
                        v,
                        &crate::settings::Setting::optional($form, stringify!($field), $en, $zh),
                    ),)+
                }
            }
        }
    };
}
pub(super) use section;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::settings::{ConfigProblem, Section};

    /// What adding a setting takes: a row, and its line in `config.toml` where that prints it.
    mod added {
        use crate::config::Share;
        use crate::settings::Form;

        section! {
            /// What the night allows.
            Night;
            moons: u32, Form::Whole(1, 9),
                "moons that may be out at once",
                "同时可见的月亮数";
            moonlight: Share, Form::Parsed("a number of keys, or a share of the pool"),
                "a share of the light, or a number",
                "月光的一部分,或一个数";
        }
    }

    fn read(given: &str) -> (added::Night, Vec<ConfigProblem>) {
        let mut problems = Vec::new();
        let defaults = Section::from_toml("moons = 2\nmoonlight = \"20%\"", Path::new(""), &mut problems);
        let section = Section::from_toml(given, Path::new(""), &mut problems).with_defaults(defaults);
        let mut values = section.values(&[added::ROWS], &mut problems);
        let read = added::Night::read(&mut values);
        values.finish();
        (read, problems)
    }

    #[test]
    fn adding_a_setting_is_a_row() {
        assert_eq!(added::ROWS.iter().map(|row| row.key).collect::<Vec<_>>(), ["moons", "moonlight"]);
        let (limits, problems) = read("moons = 9");
        assert_eq!(
            (limits.moons, limits.moonlight.of(100), problems.len()),
            (9, 20, 0),
            "what it says, or the default"
        );
        for (given, said) in [
            ("moons = 10", "moons: must be a whole number from 1 to 9"),
            ("moonlight = \"half\"", "moonlight: must be a number of keys, or a share of the pool"),
            ("mons = 1", "mons: is not a setting; did you mean moons?"),
        ] {
            let problems = read(given).1;
            assert!(problems.len() == 1 && problems[0].to_string().contains(said), "{problems:?}");
        }
    }
}
