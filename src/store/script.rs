//! The Lua scripts, compiled in, and their replies. Every reply is `{tag, …}`; a tag that is not in its script's row is a bug.

use std::sync::LazyLock;

use redis::{Cmd, Value};

use super::StoreError;

/// What scripts share, by the words of their line `-- include`: functions, and the look at their place.
const SHARED: [(&str, &str); 3] = [
    (PLACE, include_str!("../../lua/include/place.lua")),
    ("draw", include_str!("../../lua/include/draw.lua")),
    ("look", include_str!("../../lua/include/look.lua")),
];
/// The include of a script that draws.
const PLACE: &str = "place";

/// One script: its text as Redis gets it and the hash Redis knows it by.
pub struct Script {
    /// File name without `.lua`.
    pub name: &'static str,
    /// Text, with what it includes behind the first line.
    pub text: String,
    /// Whether it takes keys or stock, or moves money or goods on: not from a store that is doubted, and only from a place
    /// that is who it was known as.
    pub draws: bool,
    /// The first words of its replies.
    pub words: &'static [&'static str],
    sha: String,
}

impl Script {
    fn new(name: &'static str, words: &'static [&'static str], source: &'static str) -> Self {
        let (shebang, rest) = source.split_once('\n').unwrap_or((source, ""));
        let header = rest.lines().take_while(|line| line.starts_with("--"));
        let included: Vec<&str> =
            header.filter_map(|line| line.strip_prefix("-- include ")).flat_map(|names| names.split(' ')).collect();
        let shared: String = SHARED.iter().filter(|(name, _)| included.contains(name)).map(|(_, text)| *text).collect();
        let text = format!("{shebang}\n{shared}{rest}");
        let sha = redis::Script::new(&text).get_hash().to_owned();
        Self { name, text, draws: included.contains(&PLACE), words, sha }
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
    ($($constant:ident $name:literal [$($word:literal)+]),+ $(,)?) => {
        $(#[doc = concat!("`lua/", $name, ".lua`")]
        pub static $constant: LazyLock<Script> =
            LazyLock::new(|| Script::new($name, &[$($word),+], include_str!(concat!("../../lua/", $name, ".lua"))));)+

        /// All of them: loaded when a link is made, so that a syntax error stops the daemon, not the first sale.
        pub fn all() -> Vec<&'static Script> {
            vec![$(LazyLock::force(&$constant)),+]
        }
    };
}

// Behind each its file's name, and the first words of its replies.
scripts! {
    RESERVE "reserve" ["created" "exists" "short"],
    SETTLE "settle" ["delivered" "owed" "held" "extra" "orphan" "replayed"],
    RELEASE "release" ["expired" "waiting" "past"],
    ATTEMPT "attempt" ["added" "taken" "closed"],
    RESTOCK "restock" ["settled" "more" "idle"],
    APPROVE "approve" ["delivered" "owed" "wrong_state"],
    REJECT "reject" ["rejected" "wrong_state"],
    REFUND "refund" ["refunded" "wrong_state"],
    REPLACE "replace" ["replaced" "short" "changed" "wrong_state"],
    PAYMENT "payment" ["done" "wrong_state" "known"],
    STAGE "stage" ["staged" "exists"],
    CLAIM "claim" ["claimed"],
    COMMIT "commit" ["committed" "gone"],
    FINISH "finish" ["finished"],
    VOID "void" ["voided"],
    RESTORE "restore" ["restored"],
    CATALOG "catalog" ["saved" "conflict"],
    COUNT "count" ["counted" "ids" "weight" "more"],
    UNCOUNT "uncount" ["given"],
    FORGET "forget" ["forgotten" "stays"],
    ONCE "once" ["run" "running" "other" "done"],
    PROVE "prove" ["written"],
    NOTICE "notice" ["written" "known" "gone"],
    OPEN "open" ["opened" "closed"],
    FENCE "fence" ["written"],
    TRADE "trade" ["moved" "other"],
}

/// A script's reply, taken apart.
pub struct ScriptReply {
    /// Its tag.
    pub tag: String,
    rest: Vec<Value>,
}

impl ScriptReply {
    /// What a script replied. A word that is none of its own is a bug.
    pub fn of(script: &Script, value: Value) -> Result<Self, StoreError> {
        let bug = |what: &str| StoreError::Bug(format!("a reply of {}.lua {what}", script.name));
        let Value::Array(mut rest) = value else { return Err(bug("is no list")) };
        if rest.is_empty() {
            return Err(bug("is empty"));
        }
        let tag = text_of(&rest.remove(0)).ok_or_else(|| bug("has no word"))?;
        let reply = Self { tag, rest };
        if script.words.contains(&reply.tag.as_str()) { Ok(reply) } else { Err(reply.unknown()) }
    }

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
