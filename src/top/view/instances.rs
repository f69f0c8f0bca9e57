//! Channels and instances.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::table::{self, Cell, Column, List, figure, text};
use super::{View, charts};
use crate::top::keys::Tab;
use crate::top::model::Model;
use crate::top::model::alarm::matters;
use crate::top::model::fleet::Instance;
use crate::top::model::lists::ChannelRow;
use crate::top::text::{apart, bytes, count, lasting, millis, rate};
use crate::top::theme::Theme;

const CHANNELS: &[Column] = &[
    text("channel", "渠道", 12, 0),
    text("kind", "类型", 9, 5),
    figure("a second", "每秒", 8, 0),
    figure("success", "成功率", 8, 0),
    figure("p50 ms", "p50 毫秒", 8, 3),
    figure("p99 ms", "p99 毫秒", 8, 1),
    text("last callback", "最近回调", 13, 0),
    figure("skew", "时差", 9, 6),
    figure("addresses", "来源地址", 9, 4),
    text("15 min", "15 分钟", 15, 2),
];

fn channel(row: &ChannelRow, model: &Model, theme: Theme) -> Vec<Cell> {
    let plain = Style::new();
    let name = if row.name.is_empty() { model.lang.say("(none)", "(无)").to_owned() } else { row.name.clone() };
    let success = row.success();
    let look = match success {
        Some(share) if share < 90.0 => theme.bad(),
        Some(share) if share < 99.0 => theme.warn(),
        _ => plain,
    };
    let [p50, _, p99, ..] = charts::figures(&row.minute.latency);
    let last = match row.state.last {
        0 => "–".to_owned(),
        at => model.clock(at),
    };
    vec![
        (name, plain),
        (row.state.kind.clone(), theme.dim()),
        (rate(row.rate), plain),
        (success.map_or_else(|| "–".to_owned(), |share| format!("{share:.1} %")), look),
        (p50, plain),
        (p99, plain),
        (last, plain),
        (apart(row.skew_ms, model.lang), plain),
        (count(u64::from(row.state.addresses)), plain),
        (charts::spark(row.seconds.iter().copied(), 15), theme.good()),
    ]
}

pub fn channels(frame: &mut Frame<'_>, area: Rect, view: &mut View<'_>) {
    let (model, theme) = (view.model, view.theme);
    let rows = model.channel_rows();
    let inner = view.panel(frame, area, view.say("channels · last minute", "渠道 · 最近一分钟"));
    let empty = view.say(
        "no channel is configured: nobody can pay ([channel.<name>] in the configuration)",
        "没有配置渠道:无法付款(配置中的 [channel.<name>])",
    );
    let chosen = model.marked(Tab::Channels);
    let list = List { columns: CHANNELS, grows: 0, rows: rows.len(), chosen, empty };
    table::draw(frame, inner, view, &list, |at| channel(&rows[at], model, theme));
}

const INSTANCES: &[Column] = &[
    text("instance", "实例", 10, 0),
    text("state", "状态", 10, 0),
    figure("a second", "每秒", 8, 0),
    figure("up", "运行", 7, 1),
    text("version", "版本", 8, 7),
    figure("memory", "内存", 8, 2),
    figure("Redis ms", "Redis毫秒", 9, 0),
    text("durability", "持久性", 10, 0),
    figure("Redis mem", "Redis内存", 9, 3),
    figure("AOF", "AOF", 8, 5),
    figure("cmds/s", "命令/秒", 7, 6),
    figure("replicas", "副本", 8, 8),
    figure("slow", "慢日志", 6, 4),
    text("15 min", "15 分钟", 15, 9),
];

fn instance(name: &str, it: &Instance, model: &Model, theme: Theme) -> Vec<Cell> {
    let around = &it.last.surroundings;
    let silent = model.silence(it);
    let lost = silent >= model.thresholds.lost_seconds;
    let plain = if lost { theme.dim() } else { Style::new() };
    let retry = model.link.lost().map(|lost| lost.retry_at.saturating_sub(model.local).div_ceil(1000));
    let (state, look) = if lost {
        let next = retry.map_or_else(String::new, |left| format!(" {} {left}s", model.lang.say("retry", "重试")));
        (format!("{} {}{next}", model.lang.say("lost", "失联"), lasting(silent)), theme.dim())
    } else {
        let (state, well) = matters::state(model, it);
        (state.to_owned(), if well { theme.good() } else { theme.bad() })
    };
    let redis = &around.redis;
    let relaxed = if redis.relaxed { ("relaxed".to_owned(), theme.bad()) } else { ("strict".to_owned(), plain) };
    let recent: u64 = it.rates.iter().rev().take(5).map(|(_, count)| count).sum();
    // Of a Redis that does not answer the last figures are old.
    let known = |text: String| if around.ready && !lost { text } else { "–".to_owned() };
    let rates: Vec<u64> = it.rates.iter().map(|(_, count)| *count).collect();
    vec![
        (name.to_owned(), plain),
        (state, look),
        (if lost { "–".to_owned() } else { rate(recent as f64 / 5.0) }, plain),
        (lasting(it.last.at.saturating_sub(around.started) / 1000), plain),
        (around.kamid.clone(), theme.dim()),
        (bytes(around.memory_bytes), plain),
        (known(millis(around.redis_us as f64)), plain),
        relaxed,
        (known(bytes(redis.used_bytes)), plain),
        (known(bytes(redis.aof_bytes)), plain),
        (known(count(redis.commands)), plain),
        (redis.replicas.to_string(), plain),
        (redis.slow.map_or_else(|| "?".to_owned(), |slow| slow.to_string()), plain),
        (charts::spark(rates.into_iter(), 15), theme.good()),
    ]
}

pub fn draw(frame: &mut Frame<'_>, area: Rect, view: &mut View<'_>) {
    let (model, theme) = (view.model, view.theme);
    let rows = model.instance_rows();
    let inner = view.panel(frame, area, &format!("{} {}", view.say("instances", "实例"), rows.len()));
    let empty = view.say("no daemon was heard yet", "还没有收到守护进程的消息");
    let chosen = model.marked(Tab::Instances);
    let list = List { columns: INSTANCES, grows: 1, rows: rows.len(), chosen, empty };
    table::draw(frame, inner, view, &list, |at| instance(rows[at].0, rows[at].1, model, theme));
}
