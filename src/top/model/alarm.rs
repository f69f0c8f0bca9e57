//! What is wrong now, since when, and where to press: in words.

pub mod matters;

use std::collections::BTreeMap;

use super::fleet::Class;
use super::{Fault, Model};
use crate::domain::snapshot::NoticeCounts;
use crate::domain::{Lang, Millis, NoticeState, Reason, Severity, Trouble};
use crate::top::tab::Tab;
use crate::top::text::{clean, lasting, millis};

/// What a matter costs buyers, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harm {
    /// Nothing is seen any more: anything may be wrong.
    Unseen,
    /// What was sold may be sold again.
    Forgotten,
    /// The keys cannot be opened.
    Sealed,
    /// What is paid from now on may be lost.
    Unsafe,
    /// Nothing can be paid or delivered.
    Stopped,
    /// What is paid is not on the disk.
    Unwritten,
    /// Payments wait until their gateway repeats them.
    Delayed,
    /// Somebody paid and has no key.
    Owed,
    /// A power cut may cost keys.
    Risky,
    /// Nobody can order.
    Full,
    /// Keys are held by somebody who does not pay.
    HeldBack,
    /// Payments are not believed.
    Refused,
    /// A product is sold out.
    SoldOut,
    /// No buyer loses by it yet.
    Nothing,
}

/// Something that is wrong now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// The same as long as it is the same matter.
    pub id: String,
    /// How bad.
    pub level: Severity,
    /// What it costs buyers, by which alarms of one level stand.
    pub harm: Harm,
    /// Since when.
    pub since: Millis,
    /// It was so already when that was first heard: it began before.
    pub before: bool,
    /// In English.
    pub en: String,
    /// 中文。
    pub zh: String,
    /// Where to look.
    pub tab: Tab,
}

impl Alarm {
    /// In words.
    #[must_use]
    pub fn says(&self, lang: Lang) -> &str {
        lang.say(&self.en, &self.zh)
    }
}

/// What is wrong so soon after it was first heard of was wrong before.
const FIRST_MS: u64 = 2000;
/// Callbacks in a minute below which a slow one says nothing.
const FEW: u64 = 20;

/// How bad, what it costs, and where to look.
type Place = (Severity, Harm, Tab);

struct Judge<'a> {
    model: &'a Model,
    found: Vec<Alarm>,
}

/// Everything that is wrong, the worst first; what was known keeps its time.
#[must_use]
pub fn judge(model: &Model) -> Vec<Alarm> {
    let mut judge = Judge { model, found: Vec::new() };
    judge.link();
    judge.instances();
    judge.callbacks();
    judge.stock();
    judge.waiting();
    judge.holder();
    judge.notices();
    let mut found = judge.found;
    for alarm in &mut found {
        if let Some(known) = model.alarms.iter().find(|known| known.id == alarm.id) {
            (alarm.since, alarm.before) = (known.since, known.before);
        }
    }
    found.sort_by(|a, b| {
        let place = |alarm: &Alarm| (alarm.level, alarm.harm, alarm.since);
        place(a).cmp(&place(b)).then_with(|| a.id.cmp(&b.id))
    });
    found
}

impl Judge<'_> {
    fn add(&mut self, id: impl Into<String>, (level, harm, tab): Place, [en, zh]: [String; 2]) {
        let first = if tab == Tab::STOCK { self.model.stock.first } else { self.model.first };
        let before = self.model.now() < first + FIRST_MS;
        self.found.push(Alarm { id: id.into(), level, harm, since: self.model.now(), before, en, zh, tab });
    }

    fn link(&mut self) {
        if let Some(lost) = self.model.link.lost() {
            let (why, left) = (clean(&lost.why, 120), lost.retry_at.saturating_sub(self.model.local).div_ceil(1000));
            // Where nothing was seen yet, nothing is old.
            let (en_seen, zh_seen) = match self.model.fleet.at {
                0 => Default::default(),
                at => {
                    let seen = self.model.clock(at);
                    (format!("; what you see is from {seen}"), format!(";所见数据为 {seen}"))
                }
            };
            let (en, zh) = match lost.fault {
                Fault::Away => (
                    format!("no daemon answers{en_seen}; next try in {left}s ({why}); buyers may still be served"),
                    format!("守护进程没有应答{zh_seen};{left} 秒后重试({why});买家可能仍可购买"),
                ),
                Fault::Token => (
                    format!("the token is not accepted: another one with --token-file{en_seen}; next try in {left}s"),
                    format!("令牌不被接受:请用 --token-file 换一个{zh_seen};{left} 秒后重试"),
                ),
                Fault::Refused => (
                    format!("the daemon refuses: {why}{en_seen}; next try in {left}s"),
                    format!("守护进程拒绝:{why}{zh_seen};{left} 秒后重试"),
                ),
            };
            self.add("link", (Severity::Alarm, Harm::Unseen, Tab::INSTANCES), [en, zh]);
        }
    }

    fn instances(&mut self) {
        let model = self.model;
        for (name, instance) in &model.fleet.instances {
            let name = clean(name, 16);
            let silent = model.silence(instance);
            if silent >= model.thresholds.lost_seconds {
                if model.link.lost().is_none() {
                    let (en, zh) = (
                        format!("instance {name} was not heard for {}", lasting(silent)),
                        format!("实例 {name} 已 {} 没有消息", lasting(silent)),
                    );
                    self.add(format!("silent {name}"), (Severity::Warning, Harm::Nothing, Tab::INSTANCES), [en, zh]);
                }
                continue;
            }
            for (matter, [en, zh]) in matters::of(model, instance) {
                let (level, tab) = matter.place();
                let place = (level, matter.harm, tab);
                if matter.common {
                    if self.found.iter().all(|known| known.id != matter.kind) {
                        self.add(matter.kind, place, [en, zh]);
                    }
                    continue;
                }
                let (en, zh) = (format!("instance {name}: {en}"), format!("实例 {name}:{zh}"));
                self.add(format!("{} {name}", matter.kind), place, [en, zh]);
            }
        }
    }

    fn callbacks(&mut self) {
        let model = self.model;
        let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        let mut failed: BTreeMap<&str, u64> = BTreeMap::new();
        for second in model.fleet.newest(60) {
            for (channel, tally) in &second.channels {
                for (reason, count) in &tally.reasons {
                    *counts.entry((channel, reason)).or_default() += count;
                }
                *failed.entry(channel).or_default() += tally.classes[Class::Failed as usize];
            }
        }
        for ((channel, reason), count) in counts {
            if count < model.thresholds.rejected_per_minute || Class::of(reason) == Class::Failed {
                continue;
            }
            let name = clean(channel, 32);
            let of = |lang: Lang| match (name.as_str(), lang) {
                ("", _) => String::new(),
                (name, Lang::En) => format!("channel {name}: "),
                (name, Lang::Zh) => format!("渠道 {name}:"),
            };
            let known = Reason::parse(reason);
            let row = known.row();
            let en = format!("{}{count} {} in 1 min{}", of(Lang::En), known.text(Lang::En), row.hint.en);
            let zh = format!("{}1 分钟内 {count} 次{}{}", of(Lang::Zh), known.text(Lang::Zh), row.hint.zh);
            self.add(format!("rejected {name} {reason}"), (row.severity, Harm::Refused, row.tab.into()), [en, zh]);
        }
        for (channel, count) in failed.into_iter().filter(|(_, count)| *count > 0) {
            let name = clean(channel, 32);
            let en = format!("channel {name}: {count} callbacks heard 503 in 1 min; their gateway repeats them");
            let zh = format!("渠道 {name}:1 分钟内 {count} 次回调得到 503,网关会重发");
            self.add(format!("failed {name}"), (Severity::Alarm, Harm::Delayed, Tab::INSTANCES), [en, zh]);
        }
        let latency = &model.minute;
        if let Some(p99) = latency.quantile(0.99).filter(|p99| *p99 > model.thresholds.slow_ms * 1000)
            && latency.count() >= FEW
        {
            let en = format!("slow: p99 of the last minute is {} ms", millis(p99 as f64));
            let zh = format!("缓慢:最近一分钟 p99 为 {} 毫秒", millis(p99 as f64));
            self.add("slow", (Severity::Warning, Harm::Nothing, Tab::INSTANCES), [en, zh]);
        }
    }

    fn stock(&mut self) {
        for trouble in Trouble::ALL {
            let Some(alarm) = self.model.stock.alarms.0.get(trouble.as_str()).cloned() else { continue };
            let (level, harm) = match trouble {
                Trouble::Owed => (Severity::Alarm, Harm::Owed),
                Trouble::Empty => (Severity::Alarm, Harm::SoldOut),
                Trouble::Reserved | Trouble::Low | Trouble::Soon => (Severity::Warning, Harm::Nothing),
            };
            let (en, zh) = match trouble {
                Trouble::Owed => ("{product}: {n} paid orders wait for keys", "{product}:{n} 个已付款订单在等卡密"),
                Trouble::Empty => ("{product}: sold out", "{product}:已售完"),
                Trouble::Reserved => (
                    "{product}: its last {n} keys are held by unpaid orders",
                    "{product}:剩余 {n} 个卡密被未付款订单占用",
                ),
                Trouble::Low => ("{product}: only {n} keys left", "{product}:仅剩 {n} 个卡密"),
                Trouble::Soon => ("{product}: empty in {n} at this rate", "{product}:照此速度 {n} 后售完"),
            };
            let figure = if trouble == Trouble::Soon { lasting(alarm.figure) } else { alarm.figure.to_string() };
            let more = alarm.products.saturating_sub(1);
            let fill = |form: &str, others: &str| {
                let others = if more == 0 { String::new() } else { others.replace("{}", &more.to_string()) };
                form.replace("{n}", &figure).replace("{product}", &clean(&alarm.product, 32)) + &others
            };
            let (en, zh) = (fill(en, " (and {} more)"), fill(zh, "(另有 {} 个)"));
            self.add(trouble.as_str(), (level, harm, Tab::STOCK), [en, zh]);
        }
    }

    fn notices(&mut self) {
        let model = self.model;
        let [sent, failed, _] =
            model.fleet.newest(60).fold([0; 3], |sums, second| std::array::from_fn(|at| sums[at] + second.notices[at]));
        let why = model.notices.iter().find(|row| row.state == NoticeState::Waiting).map_or("", |row| &row.why);
        if failed > 0 && sent == 0 {
            let why = clean(why, 80);
            let en = format!("notices: {failed} failed in 1 min and none was sent: {why}; they are tried again");
            let zh = format!("通知:1 分钟内 {failed} 次失败、无一成功:{why};会自动重试");
            self.add("notices", (Severity::Alarm, Harm::Nothing, Tab::NOTICES), [en, zh]);
        }
        if let Some(NoticeCounts { dead, .. }) = model.fleet.waiting().filter(|counts| counts.dead > 0) {
            let en = format!("{dead} notices were given up: whom they were for was not told");
            let zh = format!("{dead} 条通知已放弃:对方未收到");
            self.add("dead", (Severity::Warning, Harm::Nothing, Tab::NOTICES), [en, zh]);
        }
    }

    /// Somebody holds much and does not pay.
    fn holder(&mut self) {
        let Some(holder) = self.model.fleet.holder() else { return };
        let (keys, orders, who) = (holder.keys, holder.orders, clean(&holder.network, 40));
        let en = format!("{keys} keys held unpaid by {who} in {orders} orders; b there blocks it and takes them back");
        let zh = format!("{who} 占着 {keys} 个未付款的卡密({orders} 个订单);在该页按 b 封锁并收回");
        self.add("holder", (Severity::Alarm, Harm::HeldBack, Tab::STOCK), [en, zh]);
    }

    fn waiting(&mut self) {
        let freshest = self.model.fleet.instances.values().max_by_key(|instance| instance.last.at);
        let waiting = freshest.map_or(0, |instance| instance.last.surroundings.waiting);
        if waiting > 0 {
            let en = format!("{waiting} held, extra or orphan payments wait for a person");
            let zh = format!("{waiting} 笔待审、重复或无主付款等待人工处理");
            self.add("waiting", (Severity::Warning, Harm::Nothing, Tab::REVIEW), [en, zh]);
        }
    }
}
