//! Where something stands: every call of the store names its place, and several calls go to Redis through one [`Pipe`].
//!
//! A place is a slot or the catalogue. All names of one place share a hash tag, so that whatever is done at one moment (a script, a
//! transaction, a command with several names) is of one place, on one Redis as on a cluster. Which node has which place only
//! [`Topology`] knows: the layout is the same everywhere, only the grouping differs. Builds with debug assertions look at every
//! name of every call: one that is not of the place it was asked of is a bug.

use std::sync::LazyLock;

use redis::{Arg, Cmd, Pipeline, Value};

use crate::domain::Slot;
use crate::vault::Index;

/// A place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum At {
    /// One of the slots: orders with all that they touch, and what is found by a hash.
    Slot(Slot),
    /// What the whole shop has once.
    Catalog,
}

/// The hash tags of the slots.
static TAGS: LazyLock<Vec<String>> = LazyLock::new(|| Slot::all().map(|slot| slot.to_string()).collect());

impl At {
    /// Every place, the catalogue last.
    pub fn all() -> impl Iterator<Item = Self> {
        Slot::all().map(Self::Slot).chain([Self::Catalog])
    }

    /// Its hash tag: `00` to `63`, or `catalog`.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::Slot(slot) => TAGS.get(usize::from(slot.index())).map_or("", String::as_str),
            Self::Catalog => "catalog",
        }
    }

    /// Where a name is. One without a slot's hash tag is the catalogue's.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let tag = name.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
        let slot = |tag: &str| Slot::all().find(|slot| Self::Slot(*slot).tag() == tag);
        tag.and_then(slot).map_or(Self::Catalog, Self::Slot)
    }

    /// Where what is found by a keyed hash is: its first byte says it.
    #[must_use]
    pub const fn of_hash(hash: Index) -> Self {
        Self::Slot(slot_of_hash(hash))
    }
}

/// The slot of what is found by a keyed hash.
pub(super) const fn slot_of_hash(hash: Index) -> Slot {
    Slot::new(hash[0])
}

/// A server with links of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    /// The one that there is.
    Only,
}

/// Which node has which place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Topology {
    /// One Redis has all.
    One,
}

impl Topology {
    /// The node of a place.
    pub const fn node(self, _at: At) -> Node {
        match self {
            Self::One => Node::Only,
        }
    }

    /// Every node, for what each must be asked by itself.
    pub const fn nodes(self) -> [Node; 1] {
        match self {
            Self::One => [Node::Only],
        }
    }
}

/// Several commands, each of a place: those of one node go to it in one write, in the order they were put in.
#[derive(Default)]
pub(super) struct Pipe(Vec<(At, Cmd)>);

/// What one node is asked of a [`Pipe`].
pub(super) struct ToNode<N> {
    pub node: N,
    pub pipe: Pipeline,
    /// Where each command stood.
    positions: Vec<usize>,
}

impl Pipe {
    /// Puts a command in; its names are still to be given.
    pub fn cmd(&mut self, at: At, word: &str) -> &mut Cmd {
        let last = self.0.len();
        self.0.push((at, redis::cmd(word)));
        &mut self.0[last].1
    }

    /// Puts in a command that is whole.
    pub fn add(&mut self, at: At, cmd: Cmd) {
        self.0.push((at, cmd));
    }

    /// What is not of the place it is asked of, if anything is.
    pub fn misplaced(&self) -> Option<String> {
        let mut open = None;
        for (at, cmd) in &self.0 {
            if let Some(name) = misplaced(*at, cmd) {
                return Some(name);
            }
            let word = words(cmd).next().unwrap_or_default();
            if open.is_some_and(|open| open != *at) {
                return Some(format!("{word} in a transaction"));
            }
            open = match word {
                "MULTI" => Some(*at),
                "EXEC" => None,
                _ => open,
            };
        }
        None
    }

    /// The same, by node.
    pub fn by_node<N: Copy + PartialEq>(self, node: impl Fn(At) -> N) -> Vec<ToNode<N>> {
        let (mut nodes, all) = (Vec::<ToNode<N>>::new(), self.0.len());
        for (position, (at, cmd)) in self.0.into_iter().enumerate() {
            let node = node(at);
            let known = nodes.iter().position(|one| one.node == node).unwrap_or_else(|| {
                let (pipe, positions) = (Pipeline::with_capacity(all), Vec::with_capacity(all));
                nodes.push(ToNode { node, pipe, positions });
                nodes.len() - 1
            });
            nodes[known].pipe.add_command(cmd);
            nodes[known].positions.push(position);
        }
        nodes
    }
}

/// The answers of all nodes, in the order in which the commands were put in.
pub(super) fn in_order<N>(nodes: &[ToNode<N>], mut answers: Vec<Vec<Value>>) -> Vec<Value> {
    if nodes.len() < 2 {
        return answers.pop().unwrap_or_default();
    }
    let positions = nodes.iter().flat_map(|one| one.positions.iter().copied());
    let mut all: Vec<(usize, Value)> = positions.zip(answers.into_iter().flatten()).collect();
    all.sort_unstable_by_key(|(position, _)| *position);
    all.into_iter().map(|(_, answer)| answer).collect()
}

/// Commands that have no name in them.
const NAMELESS: [&str; 6] = ["MULTI", "EXEC", "TIME", "DBSIZE", "SCAN", "PUBLISH"];

/// The words of a command; one that is no text is an empty one.
fn words(cmd: &Cmd) -> impl Iterator<Item = &str> {
    cmd.args_iter()
        .map(|arg| if let Arg::Simple(word) = arg { std::str::from_utf8(word).unwrap_or_default() } else { "" })
}

/// The names that a command has.
fn names_of(cmd: &Cmd) -> Vec<&str> {
    let mut words = words(cmd);
    match words.next().unwrap_or_default() {
        "EVALSHA" => {
            let count = words.nth(1).and_then(|count| count.parse().ok()).unwrap_or(0);
            words.take(count).collect()
        }
        "MGET" | "DEL" => words.collect(),
        word if NAMELESS.contains(&word) => Vec::new(),
        _ => words.take(1).collect(),
    }
}

/// A name of a command that is not of this place.
pub(super) fn misplaced(at: At, cmd: &Cmd) -> Option<String> {
    names_of(cmd).into_iter().find(|name| At::of(name) != at).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Names, script};

    const SEVEN: At = At::Slot(Slot::new(7));

    #[test]
    fn a_tag_says_where_a_name_is() {
        assert_eq!(At::all().count(), 65);
        for at in At::all() {
            assert_eq!(At::of(&Names::new(true).place(at)), at);
        }
        for name in ["k1:snapshots", "k1:{64}:due", "k1:{7}:due", "k1:{07", ""] {
            assert_eq!(At::of(name), At::Catalog, "{name}");
        }
    }

    #[test]
    fn answers_come_in_the_order_of_the_questions_whichever_nodes_they_are_of() {
        let mut pipe = Pipe::default();
        for number in 0..200u8 {
            pipe.cmd(At::Slot(Slot::new(number)), "GET").arg(number);
        }
        // Three nodes; what one is asked keeps its order, and each answers with what it was asked for.
        let nodes = pipe.by_node(|at| match at {
            At::Slot(slot) => slot.index() % 3,
            At::Catalog => 0,
        });
        assert_eq!(nodes.iter().map(|one| one.node).collect::<Vec<_>>(), [0, 1, 2]);
        let asked = |cmd: &Cmd| words(cmd).nth(1).and_then(|number| number.parse().ok()).map(Value::Int);
        let answers = nodes.iter().map(|one| one.pipe.cmd_iter().filter_map(asked).collect()).collect();
        let expected: Vec<Value> = (0..200).map(Value::Int).collect();
        assert_eq!(in_order(&nodes, answers), expected);
        assert!(in_order::<Node>(&[], Vec::new()).is_empty());
    }

    #[test]
    fn a_name_of_another_place_is_found_however_it_is_asked_for() {
        let (ours, other) = ("t1:{07}:due", "t1:{08}:due");
        for (words, found) in [
            (&["ZCARD", ours][..], None),
            (&["ZCARD", other], Some(other)),
            (&["GET", "t1:{catalog}:clock"], Some("t1:{catalog}:clock")),
            // What is written may look like a name.
            (&["SET", ours, other], None),
            (&["MGET", ours, other], Some(other)),
            (&["TIME"], None),
        ] {
            let mut cmd = Cmd::new();
            cmd.arg(words);
            assert_eq!(misplaced(SEVEN, &cmd).as_deref(), found, "{words:?}");
        }
        let call = |keys: &[&str]| misplaced(SEVEN, &script::RELEASE.command(keys, &[other.as_bytes()]));
        assert_eq!((call(&[ours]), call(&[ours, other])), (None, Some(other.to_owned())));
    }

    #[test]
    fn a_transaction_is_of_one_place() {
        let mut pipe = Pipe::default();
        for at in [SEVEN, At::Catalog] {
            pipe.cmd(at, "MULTI");
            pipe.cmd(at, "EXEC");
        }
        assert_eq!(pipe.misplaced(), None);
        pipe.cmd(SEVEN, "MULTI");
        pipe.cmd(At::Catalog, "GET").arg("t1:{catalog}:clock");
        assert_eq!(pipe.misplaced().as_deref(), Some("GET in a transaction"));
    }
}
