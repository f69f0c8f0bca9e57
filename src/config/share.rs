//! A part of a pool, as a setting says it.

/// How many keys of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// So many.
    Keys(u64),
    /// A part of it.
    Percent(u64),
}

impl Share {
    /// Of a pool of that size.
    #[must_use]
    pub fn of(self, pool: u64) -> u64 {
        match self {
            Self::Keys(keys) => keys,
            Self::Percent(percent) => pool.saturating_mul(percent).div_ceil(100),
        }
    }
}

impl std::str::FromStr for Share {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |text: &str| text.trim().parse::<u32>().map(u64::from).map_err(|_| ());
        match text.strip_suffix('%') {
            Some(percent) => {
                number(percent).ok().filter(|percent| (1..=100).contains(percent)).map(Self::Percent).ok_or(())
            }
            None => number(text).map(Self::Keys),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_number_or_a_part_of_a_pool_and_never_nothing_of_one() {
        let of = |text: &str, pool| text.parse::<Share>().map(|share| share.of(pool));
        assert_eq!([of("20%", 500), of("20%", 4), of("1%", 1), of("20%", 0)], [Ok(100), Ok(1), Ok(1), Ok(0)]);
        assert_eq!([of("50", 500), of("100%", 7), of(" 7 ", 1)], [Ok(50), Ok(7), Ok(7)]);
        for wrong in ["", "%", "0%", "101%", "-1", "2.5%", "a fifth"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }
}
