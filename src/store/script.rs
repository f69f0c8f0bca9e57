//! The Lua scripts, compiled in, and their replies. Every reply is `{tag, …}`; an unknown tag is a bug.

use std::sync::LazyLock;

use redis::{Cmd, Value};

use super::StoreError;

/// Functions that scripts share: their text, and what a script calls of them.
const SHARED: [(&str, &[&str]); 2] = [
    (include_str!("../../lua/include/draw.lua"), &["names(", "free(", "take("]),
    (include_str!("../../lua/include/look.lua"), &["look("]),
];

/// What stands in front of a script that draws.
const PLACE: &str = include_str!("../../lua/include/place.lua");

/// One script: its text as Redis gets it and the hash Redis knows it by.
pub struct Script {
    /// File name without `.lua`.
    pub name: &'static str,
    /// Text, with what scripts share behind the first line where it uses it.
    pub text: String,
    /// Whether it takes keys or stock, or moves money or goods on: not from a store that is doubted, and only from a place
    /// that is who it was known as.
    pub draws: bool,
    sha: String,
}

impl Script {
    fn new(name: &'static str, draws: bool, source: &'static str) -> Self {
        let (shebang, rest) = source.split_once('\n').unwrap_or((source, ""));
        let used = |calls: &[&str]| calls.iter().any(|call| rest.contains(call));
        let shared = SHARED.iter().filter(|(_, calls)| used(calls)).map(|(text, _)| *text);
        let shared: String = draws.then_some(PLACE).into_iter().chain(shared).collect();
        let text = format!("{shebang}\n{shared}{rest}");
        let sha = redis::Script::new(&text).get_hash().to_owned();
        Self { name, text, draws, sha }
    }

    /// The command that runs it. One that draws needs its place behind `keys` and `args`: see [`super::Store::command`].
    pub fn command(&self, keys: &[&str], args: &[&[u8]]) -> Cmd {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(&self.sha).arg(keys.len()).arg(keys).arg(args);
        cmd
    }

    /// As [`Script::command`], with the name of a place behind `keys` and who it is known as behind `args`.
    pub(super) fn command_at(&self, (name, known_as): (&str, &str), keys: &[&str], args: &[&[u8]]) -> Cmd {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(&self.sha).arg(keys.len() + 1).arg(keys).arg(name).arg(args).arg(known_as);
        cmd
    }

    /// The command that makes it known.
    pub fn load(&self) -> Cmd {
        let mut cmd = redis::cmd("SCRIPT");
        cmd.arg("LOAD").arg(&self.text);
        cmd
    }
}

macro_rules! scripts {
    ($($constant:ident $name:literal $draws:literal),+ $(,)?) => {
        $(#[doc = concat!("`lua/", $name, ".lua`")]
        pub static $constant: LazyLock<Script> =
            LazyLock::new(|| Script::new($name, $draws, include_str!(concat!("../../lua/", $name, ".lua"))));)+

        /// All of them: loaded when a link is made, so that a syntax error stops the daemon, not the first sale.
        pub fn all() -> Vec<&'static Script> {
            vec![$(LazyLock::force(&$constant)),+]
        }
    };
}

// Behind each its file's name, and whether it draws.
scripts! {
    RESERVE "reserve" true,
    SETTLE "settle" true,
    RELEASE "release" true,
    ATTEMPT "attempt" true,
    RESTOCK "restock" true,
    APPROVE "approve" true,
    REJECT "reject" true,
    REFUND "refund" true,
    REPLACE "replace" true,
    PAYMENT "payment" true,
    STAGE "stage" true,
    CLAIM "claim" true,
    COMMIT "commit" true,
    FINISH "finish" true,
    // Takes out of sale alone: what was sold since is voided before the store is accepted.
    VOID "void" false,
    RESTORE "restore" true,
    CATALOG "catalog" false,
    COUNT "count" false,
    UNCOUNT "uncount" false,
    FORGET "forget" true,
    ONCE "once" false,
    PROVE "prove" false,
    NOTICE "notice" false,
    OPEN "open" true,
    FENCE "fence" false,
    TRADE "trade" true,
}

/// A script's reply, taken apart.
pub struct Reply {
    /// Its tag.
    pub tag: String,
    rest: Vec<Value>,
}

impl TryFrom<Value> for Reply {
    type Error = StoreError;

    fn try_from(value: Value) -> Result<Self, StoreError> {
        let Value::Array(mut rest) = value else {
            return Err(StoreError::Bug("a script's reply is no list".to_owned()));
        };
        if rest.is_empty() {
            return Err(StoreError::Bug("a script's reply is empty".to_owned()));
        }
        let tag = text_of(&rest.remove(0)).ok_or_else(|| StoreError::Bug("a script's reply has no tag".to_owned()))?;
        Ok(Self { tag, rest })
    }
}

impl Reply {
    /// The text behind the tag at that place, from 0.
    pub fn text(&self, at: usize) -> Result<String, StoreError> {
        self.rest.get(at).and_then(text_of).ok_or_else(|| self.unknown())
    }

    /// The text at that place as something.
    pub fn parsed<T: std::str::FromStr>(&self, at: usize) -> Result<T, StoreError> {
        self.text(at)?.parse().map_err(|_| self.unknown())
    }

    /// The error for a reply that cannot be.
    pub fn unknown(&self) -> StoreError {
        StoreError::Bug(format!("a script replied {:?}", self.tag))
    }
}

/// A reply's text or number as text.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A reply's bytes.
pub fn bytes_of(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

/// A reply's items.
pub fn items_of(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_stands_behind_the_other_names_and_who_it_is_behind_the_other_arguments() {
        for (keys, args) in [(&["a", "b"][..], &[&b"1"[..], b"2"][..]), (&[], &[])] {
            let at = SETTLE.command_at(("place", "id"), keys, args);
            let alone = SETTLE.command(&[keys, &["place"]].concat(), &[args, &[b"id"]].concat());
            assert_eq!(at.get_packed_command(), alone.get_packed_command());
        }
    }
}
