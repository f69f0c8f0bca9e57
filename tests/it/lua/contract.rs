//! What the scripts' headers say is what their code and their rows are.

use kamid::store::script;

use super::files;

/// Commands that only read: the only ones before `-- Write.`.
const READS: &str =
    "EXISTS GET HEXISTS HGET HGETALL HLEN HMGET LINDEX LLEN LPOS LRANGE SCARD SMISMEMBER XLEN ZCARD ZRANGE ZSCORE";
/// What our names are made of.
const KINDS: &str = "burned claims count dead due ends fence idem kept marks news notices order outbox owed pay place pool quota review seen staged staging \
                     stock trade voided";

/// Which part of a header a line belongs to.
fn part(line: &str) -> usize {
    let starts = ["-- KEYS[", "-- ARGV[", "-- include ", "-- returns "];
    starts.iter().position(|start| line.starts_with(start)).map_or(0, |at| at + 1)
}

/// The lines of a script's header, and its code.
fn header_and_code(text: &str) -> (Vec<&str>, String) {
    let header: Vec<&str> = text.lines().skip(1).take_while(|line| line.starts_with("--")).collect();
    let code = text.lines().skip(1 + header.len()).collect::<Vec<_>>().join("\n");
    (header, code)
}

/// Whether a text names that word by itself.
fn names(code: &str, word: &str) -> bool {
    code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|part| part == word)
}

#[test]
fn every_script_opens_with_its_contract() {
    for (name, text) in files("lua") {
        let shebang = text.lines().next().unwrap_or_default();
        assert!(shebang == "#!lua" || shebang.starts_with("#!lua flags="), "{name}: {shebang}");
        let (header, code) = header_and_code(&text);
        let parts: Vec<usize> = header.iter().map(|line| part(line)).collect();
        assert!(parts.is_sorted(), "{name}: purpose, KEYS, ARGV, include, returns");
        assert_eq!((parts.first(), parts.last()), (Some(&0), Some(&4)), "{name}: purpose first, replies last");
        assert!(parts.iter().filter(|part| **part == 3).count() < 2, "{name}: one line of includes");
        assert_eq!(code.lines().filter(|line| *line == "-- Write.").count(), 1, "{name}: one marker");
        for (at, word) in [(1, "KEYS"), (2, "ARGV")] {
            let lines: Vec<&&str> = header.iter().filter(|line| part(line) == at).collect();
            for (n, line) in (1..).zip(&lines) {
                assert!(line.starts_with(&format!("-- {word}[{n}] ")), "{name}: {line}");
                assert!(line.split_whitespace().count() > 3, "{name}: {line}");
            }
            let undeclared = (lines.len() + 1..30).find(|n| code.contains(&format!("{word}[{n}]")));
            assert_eq!(undeclared, None, "{name}: an undeclared {word}");
            // The last, or the last few, may stand for many: then they are read by a place that is counted.
            let by_number = |rest: &str| {
                let place = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(place, _)| place);
                place.is_some_and(|place| place.parse::<usize>().is_ok())
            };
            let counted = code.match_indices(word).any(|(at, _)| !by_number(&code[at + word.len()..]));
            let named = lines.len() - usize::from(counted && !lines.is_empty());
            let its_name = |n: usize| lines[n - 1].split_whitespace().nth(2).is_some_and(|name| names(&code, name));
            let unread = (1..=named).find(|n| !(code.contains(&format!("{word}[{n}]")) || counted && its_name(*n)));
            assert_eq!(unread, None, "{name}: {word} that nobody reads");
        }
        let locals = code.lines().filter_map(|line| line.trim().strip_prefix("local ")?.split_once(" = "));
        for local in locals.flat_map(|(names, _)| names.split(", ")).filter(|local| *local != "_") {
            let used =
                code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|part| *part == local).count();
            assert!(used > 1, "{name}: {local} is used by nobody");
        }
    }
}

/// What a script includes is what it calls of it, and what it says to reply is what its row holds, no less and no more.
#[test]
fn includes_and_replies_are_what_the_headers_say() {
    let calls = [("draw", &["names", "free", "take", "give"][..]), ("look", &["look"])];
    for (name, text) in files("lua") {
        let (header, code) = header_and_code(&text);
        let says = |start: &str| header.iter().filter_map(|line| line.strip_prefix(start)).collect::<Vec<_>>();
        let script = script::all().into_iter().find(|script| script.name == name).expect("a row");
        let included: Vec<&str> = says("-- include ").first().map_or(Vec::new(), |names| names.split(' ').collect());
        assert_eq!(script.draws, included.contains(&"place"), "{name}");
        for (include, functions) in calls {
            let called =
                functions.iter().any(|function| names(&code, function) && code.contains(&format!("{function}(")));
            assert_eq!(included.contains(&include), called, "{name}: include {include}");
        }
        let words: Vec<&str> = says("-- returns ").iter().filter_map(|reply| reply.split(' ').next()).collect();
        assert_eq!(words, script.words, "{name}: its replies and its row");
        for word in words {
            assert!(code.contains(&format!("'{word}'")), "{name} never replies {word}");
        }
        for reply in code.split("return {'").skip(1).filter_map(|rest| rest.split('\'').next()) {
            assert!(script.words.contains(&reply), "{name} replies {reply}, which it does not declare");
        }
    }
}

#[test]
fn a_script_reads_first_and_builds_no_name() {
    for (name, text) in files("lua") {
        let (read, _) = text.split_once("\n-- Write.\n").expect("the marker");
        for call in read.split("call('").skip(1) {
            let command = call.split('\'').next().unwrap_or_default();
            assert!(READS.split(' ').any(|read| read == command), "{name} calls {command} before it has decided");
        }
        assert!(!read.contains("take(") && !read.contains("give("), "{name} draws before it has decided");
        let code: Vec<&str> = text.lines().skip_while(|line| line.starts_with("--") || line.starts_with('#')).collect();
        let code = code.join("\n");
        for piece in ["k1:", "t1:", "{P}", "}:"] {
            assert!(!code.contains(piece), "{name} builds a name: {piece}");
        }
        for kind in KINDS.split(' ') {
            assert!(!code.contains(&format!(":{kind}:")), "{name} builds a name: {kind}");
        }
    }
    for (name, text) in files("lua/include") {
        // That of the place runs before the script does, and leaves it its own.
        assert!(name == "place" || !text.contains("KEYS") && !text.contains("ARGV"), "{name} must take parameters");
    }
}
