//! What is said of an instance: each matter stands in docs/top.md, in the words that the dashboard uses, and in both languages.

use kamid::domain::{Cause, Doubt, Lang, Missing};
use kamid::telemetry::snapshot::Snapshot;
use kamid::top::model::Model;
use kamid::top::model::alarm;
use kamid::top::model::alarm::matters::{self, MATTERS};
use kamid::top::model::ui::About;
use kamid::top::tab::Tab;
use kamid::top::{Theme, page, picture};

use super::scenes;

/// An identity as places have them.
const ID: &str = "00112233445566778899aabbccddeeff";

fn doubt(cause: Cause) -> Option<Doubt> {
    let missing = |place: usize| Missing { place: format!("{place:02}"), id: ID.to_owned(), mark: "0-0".to_owned() };
    let missing = (0..64).map(missing).collect();
    Some(Doubt { cause, since: scenes::BEGAN, run: ID.to_owned(), missing })
}

/// What is wrong, one thing after the other, and how its row in the documentation begins.
type Wrong = (&'static str, fn(&mut Snapshot));

const WRONG: &[Wrong] = &[
    ("instance …: Redis went back in time", |it| it.surroundings.doubt = doubt(Cause::Behind)),
    ("instance …: Redis is empty or another one", |it| it.surroundings.doubt = doubt(Cause::Gone)),
    ("instance …: its key ring is not this store's", |it| {
        it.surroundings.other_ring = Some("its key 1 is another one".to_owned());
    }),
    ("instance …: Redis was set to …", |it| it.surroundings.careless = Some("appendonly no".to_owned())),
    ("instance …: a replica is missing", |it| it.surroundings.copies_missing = true),
    ("instance …: Redis does not answer or cannot write", |_| {}),
    ("instance …: no new orders or keys are taken", |it| {
        it.surroundings.ready = true;
        it.surroundings.full = Some("the disk is full".to_owned());
    }),
    ("instance …: Redis could not write its append-only file", |it| {
        it.surroundings.ready = true;
        it.surroundings.redis.write_failed = true;
    }),
    ("durability is relaxed", |it| {
        it.surroundings.ready = true;
        it.surroundings.redis.relaxed = true;
    }),
    ("instance …: clocks disagree, no order expires for …", |it| {
        it.surroundings.ready = true;
        (it.surroundings.stopped_s, it.surroundings.skew_ms) = (700, 10_800_000);
    }),
    ("instance …: clocks differ by …", |it| {
        it.surroundings.ready = true;
        (it.surroundings.stopped_s, it.surroundings.skew_ms) = (5, 10_800_000);
    }),
    ("instance …: N events wait to be handled", |it| {
        it.surroundings.ready = true;
        it.surroundings.outbox_behind = 20_000;
    }),
    ("instance …: N lines of its log could not be written", |it| {
        it.surroundings.ready = true;
        (it.log_lost, it.log_lost_at) = (3, it.at);
    }),
];

/// A shop whose only instance is not ready, and has that.
fn model(lang: Lang, change: fn(&mut Snapshot)) -> Model {
    let mut model = Model::default();
    model.lang = lang;
    let mut second = scenes::second("a1b2c3d4", 10, 0, 0);
    second.surroundings.ready = false;
    change(&mut second);
    scenes::tell(&mut model, second);
    model
}

/// Whether a text has the words that stand around `…` and `N`, one after the other.
fn reads_like(text: &str, row: &str) -> bool {
    let mut rest = text;
    row.replace(" N ", "…").split('…').map(str::trim).all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

fn docs() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/top.md")).unwrap()
}

#[test]
fn each_matter_of_an_instance_is_one_alarm_that_the_documentation_explains() {
    let docs = docs();
    let mut met: Vec<&str> = Vec::new();
    for (row, change) in WRONG {
        let [en, zh] = [Lang::En, Lang::Zh].map(|lang| {
            let model = model(lang, *change);
            assert_eq!(model.alarms.len(), 1, "{row}: {:?}", model.alarms);
            model.alarms[0].clone()
        });
        assert!(reads_like(&en.en, row), "{row}: {}", en.en);
        assert!(!zh.zh.is_ascii() && zh.zh != en.en, "{row}: {}", zh.zh);
        assert!(docs.contains(&format!("| {row}")), "docs/top.md lacks a row: {row}");
        met.push(row);
    }
    for matter in MATTERS {
        assert!(met.contains(&matter.docs), "{} is nowhere tried", matter.docs);
    }
    // Commands that end it are named there, too.
    for command in ["kamid store show", "kamid store accept --reason", "kamid clock accept --reason"] {
        assert!(docs.contains(command), "docs/top.md lacks {command}");
    }
}

fn screen(model: &Model) -> String {
    page(&picture(model, Theme::Mono, (120, 40)).unwrap())
}

#[test]
fn the_tab_of_instances_says_in_words_what_is_wrong_and_what_to_do() {
    let told: [(usize, [&str; 2], [&str; 2]); 3] = [
        (0, ["went back", "回到过去"], ["kamid store show", "kamid store accept --reason"]),
        (1, ["emptied", "被清空"], ["kamid store show", "kamid store accept --reason"]),
        (2, ["other ring", "密钥环不符"], ["ring.json", "KAMID_RING"]),
    ];
    for (at, state, commands) in told {
        for (lang, state, no_redis) in [(Lang::En, state[0], "no Redis"), (Lang::Zh, state[1], "无 Redis")] {
            let mut model = model(lang, WRONG[at].1);
            model.ui.tab = Tab::INSTANCES;
            let list = screen(&model);
            assert!(!list.contains("01-01"), "a time that nobody knows: {list}");
            assert!(commands[0] == "ring.json" || list.contains(commands[0]), "the alarm's line names it: {list}");
            assert!(list.contains(state) && !list.contains(no_redis), "{list}");
            model.ui.open("a1b2c3d4", About::Live);
            let value = matters::detail(&model, &model.fleet.instances["a1b2c3d4"]);
            model.ui.fill("a1b2c3d4", value);
            let detail = screen(&model);
            assert!(!detail.contains(ID), "identities are for programs: {detail}");
            // Lines are broken anywhere in Chinese.
            let joined: String = detail.chars().filter(|c| !c.is_whitespace() && *c != '│').collect();
            for command in commands {
                assert!(joined.contains(&command.replace(' ', "")), "{command}: {detail}");
            }
        }
    }
}

#[test]
fn clocks_that_differ_by_hours_are_told_in_hours() {
    for (lang, says) in [(Lang::En, "3 h"), (Lang::Zh, "3 小时")] {
        let mut model = model(lang, WRONG[10].1);
        assert!(model.alarms[0].says(lang).contains(says), "{:?}", model.alarms);
        model.ui.tab = Tab::named("channels");
        assert!(screen(&model).contains(says), "{}", screen(&model));
        let value = matters::detail(&model, &model.fleet.instances["a1b2c3d4"]).to_string();
        assert!(value.contains(says) && !value.contains("10800000"), "{value}");
    }
}

#[test]
fn of_alarms_of_one_level_that_stands_first_which_costs_buyers_most() {
    let mut model = Model::default();
    for (name, row) in [("a1", 6), ("b2", 4), ("c3", 0)] {
        let mut second = scenes::second(name, 10, 0, 0);
        second.surroundings.ready = false;
        WRONG[row].1(&mut second);
        scenes::tell(&mut model, second);
    }
    let alarms = alarm::judge(&model);
    let ids: Vec<&str> = alarms.iter().map(|alarm| alarm.id.as_str()).collect();
    assert_eq!(ids, ["doubt c3", "redis b2", "full a1"], "not by their names, which stand the other way");
}
