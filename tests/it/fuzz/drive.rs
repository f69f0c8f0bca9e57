//! The driver: seeds bent by random changes until the time is over, and the shortest way to a failure.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::{Duration, Instant};

use fastrand::Rng;

/// A part of an input copied, cut or made up is at most so long.
const PART: usize = 60;
/// Calls to find a shorter input that fails.
const SHORTER: usize = 5000;

/// A target: what it starts from, the words of its trade, and what must hold of any bytes.
pub struct Target {
    pub name: &'static str,
    pub seeds: Vec<Vec<u8>>,
    pub words: &'static [&'static str],
    pub check: fn(&[u8]),
}

fn bytes(chance: &mut Rng, most: usize, letters: bool) -> Vec<u8> {
    let range = if letters { b' '..=b'~' } else { 0..=u8::MAX };
    (0..chance.usize(1..=most)).map(|_| chance.u8(range.clone())).collect()
}

/// One change: other bytes, a word put in, a part left out, moved, repeated, or the end of another seed.
fn bend(input: &mut Vec<u8>, target: &Target, chance: &mut Rng) {
    let at = chance.usize(0..=input.len());
    let part = at..input.len().min(at + chance.usize(1..=PART));
    match chance.u8(0..12) {
        0..=3 => {
            let letters = chance.bool();
            let new = bytes(chance, 3, letters);
            input.splice(at..input.len().min(at + new.len()), new);
        }
        4..=6 => {
            let word = target.words[chance.usize(0..target.words.len())];
            input.splice(at..at, word.bytes());
        }
        7 | 8 => {
            input.drain(part);
        }
        9 => {
            let copied = input[part].to_vec();
            let to = chance.usize(0..=input.len());
            input.splice(to..to, copied);
        }
        10 => {
            let times = chance.usize(2..300);
            let many = input[at..input.len().min(at + chance.usize(1..6))].repeat(times);
            input.splice(at..at, many);
        }
        _ => {
            let other = &target.seeds[chance.usize(0..target.seeds.len())];
            input.truncate(at);
            input.extend_from_slice(&other[chance.usize(0..=other.len())..]);
        }
    }
}

fn input(target: &Target, chance: &mut Rng) -> Vec<u8> {
    if chance.u8(0..20) == 0 {
        return bytes(chance, 300, false);
    }
    let mut input = target.seeds[chance.usize(0..target.seeds.len())].clone();
    for _ in 0..chance.u8(1..6) {
        bend(&mut input, target, chance);
    }
    input
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Whether the input fails its target. Its panic is told when `run` knows the shortest one, not a thousand times before.
fn fails(target: &Target, input: &[u8]) -> bool {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let told = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                told(panic);
            }
        }));
    });
    QUIET.set(true);
    let failed = catch_unwind(AssertUnwindSafe(|| (target.check)(input))).is_err();
    QUIET.set(false);
    failed
}

/// Leaves out what the failure does not need: long parts first, single bytes at last.
fn shortest(target: &Target, mut input: Vec<u8>) -> Vec<u8> {
    let (mut size, mut calls) = (input.len() / 2, 0);
    while size > 0 && calls < SHORTER {
        let mut at = 0;
        while at < input.len() && calls < SHORTER {
            let mut less = input.clone();
            less.drain(at..input.len().min(at + size));
            calls += 1;
            if fails(target, &less) { input = less } else { at += size }
        }
        size /= 2;
    }
    input
}

/// Tries the seeds, then what becomes of them, for `KAMID_FUZZ_SECONDS`, or else for a second.
pub fn run(target: &Target) {
    target.seeds.iter().for_each(|seed| (target.check)(seed));
    let seconds = std::env::var("KAMID_FUZZ_SECONDS").ok().map_or(1.0, |text| text.parse().unwrap());
    let (began, mut tried) = (Instant::now(), target.seeds.len());
    let mut chance = Rng::new();
    while began.elapsed() < Duration::from_secs_f64(seconds) {
        let input = input(target, &mut chance);
        tried += 1;
        if fails(target, &input) {
            let input = shortest(target, input);
            eprintln!("{}: input {tried} fails, in short b\"{}\"", target.name, input.escape_ascii());
            (target.check)(&input);
            panic!("it fails no more when tried again");
        }
    }
    eprintln!("{}: {tried} inputs", target.name);
}

/// The driver finds what is wrong: no seed has two marks together, and this target cannot bear them.
#[test]
#[should_panic = "two together"]
fn a_failure_is_found() {
    let check = |bytes: &[u8]| assert!(!bytes.windows(2).any(|two| two == b"&&"), "two together");
    run(&Target { name: "itself", seeds: vec![b"a&b".to_vec()], words: &["&"], check });
}
