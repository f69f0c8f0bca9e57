//! The rows of each tab, filtered and sorted: what is drawn and what a key acts on are the same.

use std::collections::BTreeMap;

use super::Model;
use super::fleet::{Class, Instance, SECONDS, Tally};
use crate::domain::Brief;
use crate::domain::Lang;
use crate::domain::snapshot::{ChannelState, NoticeRow, StockRow};
use crate::domain::{Danger, NoticeState, Trouble, danger};
use crate::top::ask::Row;
use crate::top::keys::Tab;
use crate::top::lang::word;

/// A failed callback, or several of one kind.
#[derive(Debug, Clone)]
pub struct Failed<'a> {
    /// The newest of them.
    pub brief: &'a Brief,
    /// How many.
    pub count: usize,
    /// The time of the oldest.
    pub since: u64,
}

/// How endangered a row's stock is.
#[must_use]
pub fn danger_of(row: &StockRow) -> Danger {
    danger(&row.stock, row.low, row.hourly, row.retired)
}

/// One channel over the last minute and the last quarter of an hour.
#[derive(Debug, Clone, Default)]
pub struct ChannelRow {
    /// Its name.
    pub name: String,
    /// What the instances say of it.
    pub state: ChannelState,
    /// The last minute.
    pub minute: Tally,
    /// Callbacks a second, over what was heard of the last minute.
    pub rate: f64,
    /// Callbacks by second, the newest last.
    pub seconds: Vec<u64>,
    /// Largest clock skew of the instances, ms.
    pub skew_ms: u64,
}

impl ChannelRow {
    /// The share of a minute's callbacks that were believed and recorded, in percent.
    #[must_use]
    pub fn success(&self) -> Option<f64> {
        let all = self.minute.all();
        let bad = self.minute.classes[Class::Refused as usize] + self.minute.classes[Class::Failed as usize];
        (all > 0).then(|| 100.0 * (all - bad) as f64 / all as f64)
    }
}

/// The columns that a tab's rows can be sorted by, in the order that `s` goes through.
#[must_use]
pub fn sorts(tab: Tab, lang: Lang) -> &'static [&'static str] {
    match (tab, lang) {
        (Tab::Stock, Lang::En) => &["danger", "product", "available", "rate"],
        (Tab::Stock, Lang::Zh) => &["危险", "商品", "可售", "速度"],
        (Tab::Failed, Lang::En) => &["newest", "reason", "channel", "address", "count"],
        (Tab::Failed, Lang::Zh) => &["最新", "原因", "渠道", "地址", "次数"],
        (Tab::Orders, Lang::En) => &["newest", "product", "state"],
        (Tab::Orders, Lang::Zh) => &["最新", "商品", "状态"],
        (Tab::Review, Lang::En) => &["oldest", "kind", "product"],
        (Tab::Review, Lang::Zh) => &["最久", "类别", "商品"],
        (Tab::Channels, Lang::En) => &["channel", "rate", "success"],
        (Tab::Channels, Lang::Zh) => &["渠道", "速度", "成功率"],
        (Tab::Notices, Lang::En) => &["worst", "newest"],
        (Tab::Notices, Lang::Zh) => &["最差", "最新"],
        (Tab::Instances, Lang::En) => &["instance", "rate"],
        (Tab::Instances, Lang::Zh) => &["实例", "速度"],
        _ => &[],
    }
}

fn holds(filter: &str, texts: &[&str]) -> bool {
    filter.is_empty() || {
        let wanted = filter.to_lowercase();
        texts.iter().any(|text| text.to_lowercase().contains(&wanted))
    }
}

impl Model {
    fn sort_of(&self, tab: Tab) -> usize {
        self.ui.places[tab as usize].sort
    }

    fn filter_of(&self, tab: Tab) -> &str {
        &self.ui.places[tab as usize].filter
    }

    /// Rows of a tab's list.
    #[must_use]
    pub fn len(&self, tab: Tab) -> usize {
        match tab {
            Tab::Stock => self.stock_rows().len(),
            Tab::Failed => self.failed_rows().len(),
            Tab::Orders => self.order_rows().len(),
            Tab::Review => self.review_rows().len(),
            Tab::Channels => self.channel_rows().len(),
            Tab::Instances => self.instance_rows().len(),
            Tab::Notices => self.notice_rows().len(),
            Tab::Overview => 0,
        }
    }

    /// What is the matter with a product's stock.
    #[must_use]
    pub fn trouble(&self, row: &StockRow) -> Option<Trouble> {
        danger_of(row).trouble(self.thresholds.empty_minutes * 60)
    }

    /// What a row of a tab's list is called, whichever place it has.
    fn name_of(&self, tab: Tab, row: usize) -> Option<String> {
        match tab {
            Tab::Overview => None,
            Tab::Stock => self.stock_rows().get(row).map(|row| row.product.clone()),
            Tab::Failed => self.failed_rows().get(row).map(|row| self.name_of_failed(row)),
            Tab::Orders => self.order_rows().get(row).map(Row::name),
            Tab::Review => self.review_rows().get(row).map(|row| row.name()),
            Tab::Channels => self.channel_rows().get(row).map(|row| row.name.clone()),
            Tab::Notices => self.notice_rows().get(row).map(|row| row.order.clone()),
            Tab::Instances => self.instance_rows().get(row).map(|(name, _)| (*name).clone()),
        }
    }

    fn name_of_failed(&self, row: &Failed<'_>) -> String {
        let Brief { id, reason, channel, address, .. } = row.brief;
        if self.ui.grouped { format!("{reason} {channel} {address}") } else { id.clone() }
    }

    fn place_of(&self, tab: Tab, name: &str) -> Option<usize> {
        match tab {
            Tab::Overview => None,
            Tab::Stock => self.stock_rows().iter().position(|row| row.product == name),
            Tab::Failed => self.failed_rows().iter().position(|row| self.name_of_failed(row) == name),
            Tab::Orders => self.order_rows().iter().position(|row| row.name() == name),
            Tab::Review => self.review_rows().iter().position(|row| row.name() == name),
            Tab::Channels => self.channel_rows().iter().position(|row| row.name == name),
            Tab::Notices => self.notice_rows().iter().position(|row| row.order == name),
            Tab::Instances => self.instance_rows().iter().position(|(known, _)| *known == name),
        }
    }

    /// What is open, as its row is called.
    fn opened(&self) -> Option<String> {
        let detail = self.ui.detail.as_ref()?;
        Some(match (self.ui.tab, detail.row()) {
            (Tab::Failed, _) if self.ui.grouped => {
                let brief = self.incidents.iter().find(|brief| brief.id == detail.id)?;
                self.name_of_failed(&Failed { brief, count: 1, since: brief.at })
            }
            (Tab::Orders | Tab::Review, Some(row)) => row.name(),
            _ => detail.id.clone(),
        })
    }

    /// The row that is marked: what is open, if it is still in the list, or where the operator is.
    #[must_use]
    pub fn marked(&self, tab: Tab) -> Option<usize> {
        if self.ui.tab == tab && self.ui.detail.is_some() {
            return self.opened().and_then(|name| self.place_of(tab, &name));
        }
        Some(self.ui.places[tab as usize].row)
    }

    /// Changes what a tab lists: a row that was chosen stays chosen, wherever it stands then. The first one is whatever
    /// comes first, unless it is open.
    pub(super) fn keeping(&mut self, tab: Tab, change: impl FnOnce(&mut Self)) {
        let row = self.ui.places[tab as usize].row;
        let open = self.ui.tab == tab && self.ui.detail.is_some();
        let chosen = match (open, row) {
            (true, _) => self.opened(),
            (false, 0) => None,
            (false, row) => self.name_of(tab, row),
        };
        change(self);
        if let Some(place) = chosen.and_then(|name| self.place_of(tab, &name)) {
            self.ui.places[tab as usize].row = place;
        }
        self.clamp(tab);
    }

    /// Products, the most endangered first.
    #[must_use]
    pub fn stock_rows(&self) -> Vec<&StockRow> {
        let filter = self.filter_of(Tab::Stock);
        let mut rows: Vec<&StockRow> =
            self.stock.rows.values().filter(|row| holds(filter, &[&row.product, &row.name])).collect();
        match self.sort_of(Tab::Stock) {
            1 => rows.sort_by(|a, b| a.product.cmp(&b.product)),
            2 => rows.sort_by_key(|row| row.stock.available()),
            3 => rows.sort_by_key(|row| std::cmp::Reverse(row.hourly)),
            _ => rows.sort_by_cached_key(|row| std::cmp::Reverse(danger_of(row))),
        }
        rows
    }

    /// Failed callbacks, the newest first, or grouped.
    #[must_use]
    pub fn failed_rows(&self) -> Vec<Failed<'_>> {
        let filter = self.filter_of(Tab::Failed);
        let fits = |brief: &&Brief| {
            let shown = brief.reason.text(self.lang);
            holds(filter, &[brief.reason.as_str(), shown, &brief.channel, &brief.address, &brief.number, &brief.id])
        };
        let found = self.incidents.iter().filter(fits);
        let mut rows: Vec<Failed<'_>> = if self.ui.grouped {
            let mut groups: BTreeMap<(&str, &str, &str), Failed<'_>> = BTreeMap::new();
            for brief in found {
                let group = groups.entry((brief.reason.as_str(), &brief.channel, &brief.address));
                let group = group.or_insert(Failed { brief, count: 0, since: brief.at });
                group.count += 1;
                group.since = group.since.min(brief.at);
            }
            groups.into_values().collect()
        } else {
            // How often the same callback was repeated, all in all.
            let mut repeats: BTreeMap<(&str, &str, &str), (usize, u64)> = BTreeMap::new();
            for brief in &self.incidents {
                let known =
                    repeats.entry((brief.reason.as_str(), &brief.channel, &brief.number)).or_insert((0, brief.at));
                *known = (known.0 + 1, known.1.min(brief.at));
            }
            let count = |brief: &Brief| {
                let key = (brief.reason.as_str(), brief.channel.as_str(), brief.number.as_str());
                repeats.get(&key).filter(|_| !brief.number.is_empty()).copied().unwrap_or((1, brief.at))
            };
            found.map(|brief| Failed { brief, count: count(brief).0, since: count(brief).1 }).collect()
        };
        rows.sort_by_key(|row| std::cmp::Reverse(row.brief.at));
        match self.sort_of(Tab::Failed) {
            1 => rows.sort_by(|a, b| a.brief.reason.as_str().cmp(b.brief.reason.as_str())),
            2 => rows.sort_by(|a, b| a.brief.channel.cmp(&b.brief.channel)),
            3 => rows.sort_by(|a, b| a.brief.address.cmp(&b.brief.address)),
            4 => rows.sort_by_key(|row| std::cmp::Reverse(row.count)),
            _ => {}
        }
        rows
    }

    /// Orders that were searched for, or the newest deliveries.
    #[must_use]
    pub fn order_rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = match &self.found {
            Some(found) => found.clone(),
            None => self
                .deliveries
                .iter()
                .map(|delivery| Row {
                    kind: "delivered".to_owned(),
                    id: delivery.order.clone(),
                    product: delivery.product.clone(),
                    quantity: u64::from(delivery.quantity),
                    since: delivery.at,
                    ..Row::default()
                })
                .collect(),
        };
        match self.sort_of(Tab::Orders) {
            1 => rows.sort_by(|a, b| a.product.cmp(&b.product)),
            2 => rows.sort_by(|a, b| a.kind.cmp(&b.kind)),
            _ => rows.sort_by_key(|row| std::cmp::Reverse(row.since)),
        }
        rows
    }

    /// What waits for a person, the oldest first.
    #[must_use]
    pub fn review_rows(&self) -> Vec<&Row> {
        let filter = self.filter_of(Tab::Review);
        let fits =
            |row: &&Row| holds(filter, &[&row.id, &row.kind, &row.product, &row.contact, &row.payment, &row.why]);
        let mut rows: Vec<&Row> = self.review.iter().filter(fits).collect();
        rows.sort_by_key(|row| row.since);
        match self.sort_of(Tab::Review) {
            1 => rows.sort_by(|a, b| a.kind.cmp(&b.kind)),
            2 => rows.sort_by(|a, b| a.product.cmp(&b.product)),
            _ => {}
        }
        rows
    }

    /// Notices: given up, then put off, then sent, each the newest first; of one order only where it stands now.
    #[must_use]
    pub fn notice_rows(&self) -> Vec<&NoticeRow> {
        let filter = self.filter_of(Tab::Notices);
        let mut newest: BTreeMap<&str, &NoticeRow> = BTreeMap::new();
        for row in self.notices.iter().chain(&self.unsent) {
            let known = newest.entry(&row.order).or_insert(row);
            if row.at > known.at {
                *known = row;
            }
        }
        let fits = |row: &&NoticeRow| {
            let state = word(self.lang, row.state.as_str());
            holds(filter, &[&row.order, &row.product, &row.contact, &row.by, &row.why, row.state.as_str(), state])
        };
        let mut rows: Vec<&NoticeRow> = newest.into_values().filter(fits).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.at));
        if self.sort_of(Tab::Notices) == 0 {
            rows.sort_by_key(|row| match row.state {
                NoticeState::Dead => 0,
                NoticeState::Waiting => 1,
                NoticeState::Sent | NoticeState::Dropped => 2,
            });
        }
        rows
    }

    /// Every channel that is configured or was called.
    #[must_use]
    pub fn channel_rows(&self) -> Vec<ChannelRow> {
        let mut rows: BTreeMap<String, ChannelRow> = BTreeMap::new();
        for instance in self.fleet.instances.values() {
            let around = &instance.last.surroundings;
            for (name, state) in &around.channels {
                let row = rows.entry(name.clone()).or_default();
                row.state.kind.clone_from(&state.kind);
                row.state.last = row.state.last.max(state.last);
                // Instances see the same gateways: the one that saw most is nearest.
                row.state.addresses = row.state.addresses.max(state.addresses);
                row.skew_ms = row.skew_ms.max(around.skew_ms);
            }
        }
        let heard = self.fleet.newest(60).count().max(1) as f64;
        for (name, tally) in self.fleet.by_channel(60) {
            let row = rows.entry(name).or_default();
            row.rate = tally.all() as f64 / heard;
            row.minute = tally;
        }
        let newest = self.fleet.at / 1000;
        for (name, row) in &mut rows {
            row.name.clone_from(name);
            row.seconds = vec![0; SECONDS];
            for second in &self.fleet.seconds {
                let back = newest.saturating_sub(second.at) as usize;
                let count = second.channels.get(name).map_or(0, Tally::all);
                if let Some(place) = SECONDS.checked_sub(back + 1).and_then(|at| row.seconds.get_mut(at)) {
                    *place += count;
                }
            }
        }
        let mut rows: Vec<ChannelRow> = rows.into_values().collect();
        match self.sort_of(Tab::Channels) {
            1 => rows.sort_by_key(|row| std::cmp::Reverse(row.minute.all())),
            2 => rows.sort_by(|a, b| a.success().unwrap_or(101.0).total_cmp(&b.success().unwrap_or(101.0))),
            _ => {}
        }
        rows
    }

    /// Every daemon that was heard lately.
    #[must_use]
    pub fn instance_rows(&self) -> Vec<(&String, &Instance)> {
        let mut rows: Vec<(&String, &Instance)> = self.fleet.instances.iter().collect();
        if self.sort_of(Tab::Instances) == 1 {
            rows.sort_by_key(|(_, instance)| std::cmp::Reverse(instance.rates.back().map_or(0, |(_, count)| *count)));
        }
        rows
    }
}
