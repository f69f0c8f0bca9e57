//! What would be `src/notify/bell.rs`: a notifier that rings, and keeps what it rang for.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use kamid::domain::{News, NewsId, Topic};
use kamid::notify::{Herald, NotifierInputs, NotifierKind, Way};
use kamid::settings::{Form, Setting, Values};
use kamid::shop::Refused;

pub const KIND: NotifierKind =
    NotifierKind { name: "bell", about: "a bell over the door", test_only: true, settings: &[&TIMES], build };

const TIMES: Setting = Setting::optional(Form::Whole(1, 9), "times", "how often it rings", "响几声").or("2");

/// What was rung for in this process.
pub static RUNG: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Bell {
    times: usize,
    topics: BTreeSet<Topic>,
}

fn build(_: &NotifierInputs<'_>, v: &mut Values<'_>) -> Option<Way> {
    Some(Way::Operators(Arc::new(Bell { times: v.whole(&TIMES)?, topics: BTreeSet::from([Topic::Delivered]) })))
}

impl Herald for Bell {
    fn topics(&self) -> &BTreeSet<Topic> {
        &self.topics
    }

    fn tell<'a>(&'a self, id: &'a NewsId, _: &'a News) -> BoxFuture<'a, Result<(), Refused>> {
        Box::pin(async move {
            RUNG.lock().unwrap().push(format!("{} {}{}", id.topic.as_str(), id.about, "!".repeat(self.times)));
            Ok(())
        })
    }
}
