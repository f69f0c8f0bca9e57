//! What a route is.

use super::question::{InPath, Payload};
use crate::domain::Role;

/// How a route is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// GET, answered 200: what is asked stands in the query.
    Get,
    /// POST, answered 200.
    Post,
    /// POST that makes something new, answered 201.
    Make,
    /// PATCH, answered 200.
    Patch,
}

impl Verb {
    /// The method of HTTP.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post | Self::Make => "POST",
            Self::Patch => "PATCH",
        }
    }
}

/// What the trail of operators' deeds calls a request, as the command line calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrailWord {
    /// It is not written down: it looks, or changes nothing of a shop's own.
    Unwritten,
    /// By that word.
    Written(&'static str),
    /// By that word and the last part of its path: `order refund`.
    WrittenWithAction(&'static str),
}

/// One request of the admin API and its answer. Each says who may use it: one without a role does not compile.
pub trait Route: Send + 'static {
    /// What its path names.
    type At: InPath;
    /// What is asked: the query of a GET, else the body.
    type In: Payload;
    /// What is answered.
    type Out: Send;
    /// How it is asked.
    const VERB: Verb;
    /// Where.
    const PATH: &'static str;
    /// Who may: that role, and those that may more.
    const ROLE: Role;
    /// What the trail says of it.
    const DEED: TrailWord;
    /// The same as data.
    const ROW: RouteRow = RouteRow { verb: Self::VERB, path: Self::PATH, role: Self::ROLE, deed: Self::DEED };
}

/// A route as data: what guard, trail and docs need of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteRow {
    /// How it is asked.
    pub verb: Verb,
    /// Where.
    pub path: &'static str,
    /// Who may.
    pub role: Role,
    /// What the trail says of it.
    pub deed: TrailWord,
}

/// Nothing is asked: whatever stands there is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Nothing;

/// Bytes as they are: a text, lines that do not end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Raw(pub Vec<u8>);

/// A query beside a body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct With<Q, B> {
    /// The query.
    pub query: Q,
    /// The body.
    pub body: B,
}

/// The table of routes: `Name: Verb "/path", Role, TrailWord, At, In => Out;`, a type and a row each.
macro_rules! routes {
    ($($(#[$doc:meta])* $name:ident: $verb:ident $path:literal, $role:ident, $deed:expr, $at:ty, $in:ty => $out:ty;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub struct $name;

            impl Route for $name {
                type At = $at;
                type In = $in;
                type Out = $out;
                const VERB: Verb = Verb::$verb;
                const PATH: &'static str = $path;
                const ROLE: Role = Role::$role;
                const DEED: TrailWord = $deed;
            }
        )+

        /// All of them.
        pub const ROUTES: &[RouteRow] = &[$($name::ROW),+];
    };
}
pub(super) use routes;
