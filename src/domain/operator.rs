//! Who works at the admin side, and what they may do.

use serde::{Deserialize, Serialize};

/// What an operator may do; a greater one may do what a smaller one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look, at everything but keys, tokens and raw requests.
    View,
    /// Everything.
    Operate,
}

impl Role {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Operate => "operate",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::View, Self::Operate].into_iter().find(|role| role.as_str() == text).ok_or(())
    }
}

/// One operator. The name has 1 to 32 characters of a-z, 0-9 and -.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    name: String,
    /// What they may do.
    pub role: Role,
}

impl Operator {
    /// The name of who has the token in the data directory.
    pub const ROOT: &str = "root";

    /// Who has the token in the data directory.
    #[must_use]
    pub fn root() -> Self {
        Self { name: Self::ROOT.to_owned(), role: Role::Operate }
    }

    /// One of that name; `None` where it is no name, or the root's.
    #[must_use]
    pub fn new(name: &str, role: Role) -> Option<Self> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let good = (1..=32).contains(&name.len()) && name.bytes().all(fits) && name != Self::ROOT;
        good.then(|| Self { name: name.to_owned(), role })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain_and_not_the_roots() {
        for good in ["a", "night-shift-2", &"x".repeat(32)] {
            assert_eq!(Operator::new(good, Role::View).unwrap().name(), good);
        }
        for bad in ["", "Root", "root", "a b", "a|b", "名", &"x".repeat(33)] {
            assert!(Operator::new(bad, Role::View).is_none(), "{bad}");
        }
        assert_eq!(("view".parse(), "all".parse::<Role>()), (Ok(Role::View), Err(())));
    }
}
