//! What can be wrong with one instance. A row holds all that is said of it: the alarm, the word in tab 8, the reason whose row
//! says what to do, and how its row in docs/top.md begins.

use serde_json::{Value, json};

use crate::domain::snapshot::{Snapshot, Surroundings};
use crate::domain::{Cause, Doubt, Lang, Reason, Severity};
use crate::top::model::Model;
use crate::top::model::alarm::Harm;
use crate::top::model::fleet::Instance;
use crate::top::tab::Tab;
use crate::top::text::{apart, clean, lasting};

/// Without expiry for so many seconds, unpaid orders hold what others would buy.
const STOPPED_S: u64 = 600;
/// Events that wait: more than a flash sale leaves behind for a moment.
const BEHIND: u64 = 10_000;
/// How long lost lines of a log are an alarm.
const LOG_MS: u64 = 600_000;
/// Places that are named of those that a doubted store lacks.
const NAMED: usize = 12;

/// One thing that can be wrong with an instance.
pub struct Matter {
    /// The same as long as it is the same matter.
    pub kind: &'static str,
    /// How its row in docs/top.md begins; `…` and `N` stand for what differs.
    pub docs: &'static str,
    /// How bad it is, where to look, and what to do.
    ground: Ground,
    /// What it costs buyers.
    pub harm: Harm,
    /// One matter of the shop, however many instances tell it.
    pub common: bool,
    /// The instance's state in tab 8 where this is so; empty: it is ready all the same.
    pub state: [&'static str; 2],
    /// What is wrong, in both languages, if it is.
    says: fn(&Subject<'_>) -> Option<[String; 2]>,
}

/// Where it stands how bad a matter is, where to look, and what to do.
enum Ground {
    /// In the row of its reason.
    Row(Reason),
    /// Here, as it is no reason; what to do is said by the alarm.
    Own(Severity, Tab),
}

impl Matter {
    /// How bad it is, and where to look.
    #[must_use]
    pub fn place(&self) -> (Severity, Tab) {
        match &self.ground {
            Ground::Row(reason) => (reason.row().severity, reason.row().tab.into()),
            Ground::Own(severity, tab) => (*severity, *tab),
        }
    }

    /// What to do, where the alarm does not say it.
    fn advice(&self, lang: Lang) -> Option<&'static str> {
        match &self.ground {
            Ground::Row(reason) => Some(reason.row().advice.say(lang)),
            Ground::Own(..) => None,
        }
    }
}

/// The instance that is looked at.
struct Subject<'a> {
    model: &'a Model,
    last: &'a Snapshot,
}

impl Subject<'_> {
    fn around(&self) -> &Surroundings {
        &self.last.surroundings
    }

    fn doubt(&self, fits: impl Fn(Cause) -> bool) -> Option<&Doubt> {
        self.around().doubt.as_ref().filter(|doubt| fits(doubt.cause))
    }
}

/// Whether Redis does not answer or cannot write: it is not ready, and for no other reason that is known.
fn no_redis(around: &Surroundings) -> bool {
    let other = around.doubt.is_some() || around.careless.is_some() || around.other_ring.is_some();
    !around.ready && !around.copies_missing && !other
}

/// What can be wrong; of several that give an instance its state the first does.
pub const MATTERS: &[Matter] = &[
    Matter {
        kind: "doubt",
        docs: "instance …: Redis went back in time",
        ground: Ground::Row(Reason::StoreBehind),
        harm: Harm::Forgotten,
        common: false,
        state: ["went back", "回到过去"],
        says: |it| {
            let lost = it.doubt(|cause| cause == Cause::Behind)?.until();
            // 0: nothing says how far it had got.
            let (en, zh) = match lost {
                0 => (String::new(), String::new()),
                lost => {
                    let lost = it.model.clock(lost);
                    (format!(" (before {lost})"), format!("({lost} 之前)"))
                }
            };
            Some([
                format!("Redis went back in time{en}, nothing is sold: kamid store show; {BRING_BACK}"),
                format!("Redis 回到了过去{zh},已停止发货:kamid store show;{BRING_BACK_ZH}"),
            ])
        },
    },
    Matter {
        kind: "doubt",
        docs: "instance …: Redis is empty or another one",
        ground: Ground::Row(Reason::StoreGone),
        harm: Harm::Forgotten,
        common: false,
        state: ["emptied", "被清空"],
        says: |it| {
            it.doubt(|cause| cause != Cause::Behind)?;
            Some([
                format!("Redis is empty or another one, nothing is sold: kamid store show; {BRING_BACK}"),
                format!("Redis 被清空或换了一个,已停止发货:kamid store show;{BRING_BACK_ZH}"),
            ])
        },
    },
    Matter {
        kind: "ring",
        docs: "instance …: its key ring is not this store's",
        ground: Ground::Row(Reason::OtherRing),
        harm: Harm::Sealed,
        common: false,
        state: ["other ring", "密钥环不符"],
        says: |it| {
            it.around().other_ring.as_ref()?;
            Some([
                "its key ring is not this store's: it sells nothing, callbacks hear 503; give it the right ring.json"
                    .to_owned(),
                "密钥环与 Redis 中的数据不符,已停止销售,回调得到 503;请换上正确的 ring.json".to_owned(),
            ])
        },
    },
    Matter {
        kind: "careless",
        docs: "instance …: Redis was set to …",
        ground: Ground::Row(Reason::SettingsChanged),
        harm: Harm::Unsafe,
        common: false,
        state: ["unsafe", "设置不安全"],
        says: |it| {
            let what = clean(it.around().careless.as_ref()?, 100);
            Some([
                format!("Redis was set to {what}: callbacks hear 503 until it is set back"),
                format!("Redis 设置被改为 {what}:改回之前回调得到 503"),
            ])
        },
    },
    Matter {
        kind: "redis",
        docs: "instance …: a replica is missing",
        ground: Ground::Row(Reason::ReplicaMissing),
        harm: Harm::Stopped,
        common: false,
        state: ["no replica", "缺少副本"],
        says: |it| {
            it.around().copies_missing.then(|| {
                [
                    "a replica is missing: payments wait; callbacks hear 503 and are repeated".to_owned(),
                    "缺少副本:付款在等待;回调得到 503,网关会重发".to_owned(),
                ]
            })
        },
    },
    Matter {
        kind: "redis",
        docs: "instance …: Redis does not answer or cannot write",
        ground: Ground::Own(Severity::Alarm, Tab::INSTANCES),
        harm: Harm::Stopped,
        common: false,
        state: ["no Redis", "无 Redis"],
        says: |it| {
            no_redis(it.around()).then(|| {
                [
                    "Redis does not answer or cannot write; callbacks hear 503 and are repeated".to_owned(),
                    "Redis 不应答或无法写入;回调得到 503,网关会重发".to_owned(),
                ]
            })
        },
    },
    Matter {
        kind: "full",
        docs: "instance …: no new orders or keys are taken",
        ground: Ground::Own(Severity::Alarm, Tab::INSTANCES),
        harm: Harm::Full,
        common: false,
        state: ["full", "已满"],
        says: |it| {
            let full = clean(it.around().full.as_ref()?, 100);
            Some([
                format!("no new orders or keys are taken: {full}; payments go on"),
                format!("不接受新订单和卡密:{full};付款照常"),
            ])
        },
    },
    Matter {
        kind: "write",
        docs: "instance …: Redis could not write its append-only file",
        ground: Ground::Own(Severity::Alarm, Tab::INSTANCES),
        harm: Harm::Unwritten,
        common: false,
        state: ["", ""],
        says: |it| {
            it.around().redis.write_failed.then(|| {
                ["Redis could not write its append-only file".to_owned(), "Redis 无法写入 AOF 文件".to_owned()]
            })
        },
    },
    Matter {
        kind: "relaxed",
        docs: "durability is relaxed",
        ground: Ground::Own(Severity::Warning, Tab::INSTANCES),
        harm: Harm::Risky,
        common: true,
        state: ["", ""],
        says: |it| {
            it.around().redis.relaxed.then(|| {
                [
                    "durability is relaxed: a power cut may sell a key twice".to_owned(),
                    "持久性设为 relaxed:断电可能使同一卡密卖出两次".to_owned(),
                ]
            })
        },
    },
    Matter {
        kind: "stopped",
        docs: "instance …: clocks disagree, no order expires for …",
        ground: Ground::Row(Reason::ClockStopped),
        harm: Harm::Nothing,
        common: false,
        state: ["", ""],
        says: |it| {
            let long = Some(it.around().stopped_s).filter(|seconds| *seconds >= STOPPED_S).map(lasting)?;
            Some([
                format!("clocks disagree, no order expires for {long}; NTP, or kamid clock accept"),
                format!("时钟不一致,{long} 没有订单过期;请校准,或 kamid clock accept"),
            ])
        },
    },
    Matter {
        kind: "skew",
        docs: "instance …: clocks differ by …",
        ground: Ground::Row(Reason::ClockSkew),
        harm: Harm::Nothing,
        common: false,
        state: ["", ""],
        says: |it| {
            let around = it.around();
            (1..STOPPED_S).contains(&around.stopped_s).then(|| {
                let differ = |lang| apart(around.skew_ms, lang);
                [
                    format!("clocks differ by {}, no order expires", differ(Lang::En)),
                    format!("时钟相差 {},订单不会过期", differ(Lang::Zh)),
                ]
            })
        },
    },
    Matter {
        kind: "behind",
        docs: "instance …: N events wait to be handled",
        ground: Ground::Own(Severity::Warning, Tab::NOTICES),
        harm: Harm::Nothing,
        common: false,
        state: ["", ""],
        says: |it| {
            let behind = Some(it.around().outbox_behind).filter(|events| *events > BEHIND)?;
            Some([format!("{behind} events wait to be handled"), format!("有 {behind} 个事件等待处理")])
        },
    },
    Matter {
        kind: "log",
        docs: "instance …: N lines of its log could not be written",
        ground: Ground::Own(Severity::Warning, Tab::INSTANCES),
        harm: Harm::Nothing,
        common: false,
        state: ["", ""],
        says: |it| {
            let Snapshot { log_lost: lost, log_lost_at, .. } = it.last;
            (*lost > 0 && log_lost_at + LOG_MS > it.model.now()).then(|| {
                [
                    format!(
                        "{lost} lines of its log could not be written: see where it goes (disk full, reader gone?)"
                    ),
                    format!("日志有 {lost} 行无法写出:请查看日志去向(磁盘已满、读取程序已退出?)"),
                ]
            })
        },
    },
];

/// What ends a doubt, in few words.
const BRING_BACK: &str = "bring the right data back, or kamid store accept --reason …";
const BRING_BACK_ZH: &str = "请恢复原来的数据,或 kamid store accept --reason …";

/// What is wrong with an instance, and what is said of it, without its name.
pub fn of<'a>(model: &'a Model, it: &'a Instance) -> impl Iterator<Item = (&'static Matter, [String; 2])> {
    let subject = Subject { model, last: &it.last };
    MATTERS.iter().filter_map(move |matter| Some((matter, (matter.says)(&subject)?)))
}

/// How an instance that is heard stands, in a word or two, and whether it is well.
#[must_use]
pub fn state(model: &Model, it: &Instance) -> (&'static str, bool) {
    let worst = of(model, it).map(|(matter, _)| matter.state).find(|state| !state[0].is_empty());
    match worst {
        Some([en, zh]) => (model.lang.say(en, zh), false),
        None => (model.lang.say("ready", "就绪"), true),
    }
}

/// An instance in detail: what is wrong and what to do about it come first, and what only programs compare is left out.
#[must_use]
pub fn detail(model: &Model, it: &Instance) -> Value {
    let around = &it.last.surroundings;
    let mut value = json!(around);
    let (mut why, mut advice) = (Vec::new(), Vec::new());
    for (matter, [en, zh]) in of(model, it) {
        why.push(if model.lang == Lang::En { en } else { zh });
        advice.extend(matter.advice(model.lang));
    }
    (value["why"], value["advice"]) = (json!(why), json!(advice));
    if let Some(doubt) = &around.doubt {
        let mut places: Vec<&str> = doubt.missing.iter().map(|missing| missing.place.as_str()).collect();
        let count = places.len();
        places.truncate(NAMED);
        let more = if count > NAMED { " …" } else { "" };
        value["doubt"] = json!({"since": doubt.since, "missing": format!("{count}: {}{more}", places.join(" "))});
    }
    value["skew"] = json!(apart(around.skew_ms, model.lang));
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|name, _| name != "skew_ms");
        if !around.ring.is_empty() {
            let parts: Vec<&str> = around.ring.keys().map(String::as_str).collect();
            fields.insert("ring".to_owned(), json!(parts.join(", ")));
        }
    }
    value
}
