//! The strict reader of parameters beside the careless one: they agree, or the strict one refuses with cause.

use std::collections::HashSet;

use kamid::channel::params::{Params, encode};
use kamid::domain::{Callback, Rejection};

use super::callbacks::WORDS;
use super::drive::Target;
use super::genuine::{self, fields};

/// Whether an escape of the text is none.
fn bent(text: &[u8]) -> bool {
    let hex = |at: usize| text.get(at).is_some_and(u8::is_ascii_hexdigit);
    (0..text.len()).any(|at| text[at] == b'%' && !(hex(at + 1) && hex(at + 2)))
}

fn check(bytes: &[u8]) {
    let Some((method, query, _, body)) = genuine::request(bytes) else { return };
    let post = method == "POST";
    // Line ends behind a form are no part of it.
    let body = body.iter().rposition(|b| !b"\r\n".contains(b)).map_or(&body[..0], |last| &body[..=last]);
    let read = [genuine::fields_of_query(query), if post { fields(body) } else { Vec::new() }].concat();
    let names: HashSet<_> = read.iter().map(|(name, _)| name).collect();
    let all = || read.iter().flat_map(|(name, value)| [name, value]);
    match Params::of(&Callback { method, path: "/", query, headers: &[], body }) {
        Ok(params) => {
            let same: Vec<_> = params.iter().map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec())).collect();
            assert_eq!(same, read);
            assert!(names.len() == read.len() && read.len() <= 100, "a name is there twice, or too many are");
            assert!(!(bent(query.as_bytes()) || post && bent(body)), "an escape is none");
            for (name, value) in params.iter() {
                assert_eq!(
                    (params.get(name), params.need(name).ok()),
                    (Some(value), Some(value).filter(|v| !v.is_empty()))
                );
                assert!(!name.is_empty() && !name.contains(['[', ']', '\0']) && !value.contains('\0'));
            }
            assert_eq!(fields(encode(params.iter()).as_bytes()), read, "what is written reads back");
        }
        Err(Rejection::DuplicateParameter) => assert!(names.len() < read.len()),
        Err(Rejection::NonUtf8) => {
            assert!(all().any(|part| std::str::from_utf8(part).is_err()) || std::str::from_utf8(body).is_err());
        }
        Err(Rejection::MethodNotAllowed) => assert!(method != "GET" && !post),
        Err(Rejection::Malformed) => assert!(
            bent(query.as_bytes())
                || bent(body)
                || read.len() > 100
                || all().any(|part| part.contains(&0))
                || names.iter().any(|name| name.is_empty() || name.iter().any(|b| b"[]".contains(b)))
        ),
        Err(why) => panic!("{why:?} is nothing a reader says"),
    }
}

pub fn parameters_are_read_as_they_stand_or_refused_with_cause() -> Target {
    Target { name: "parameters", seeds: genuine::requests(), words: WORDS, check }
}
