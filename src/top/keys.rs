//! What each key does: one table, from which keys are looked up and the help is drawn.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::domain::{Lang, ShownIn};

/// A tab of the dashboard, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[allow(missing_docs)]
pub enum Tab {
    #[default]
    Overview,
    Stock,
    Failed,
    Orders,
    Review,
    Channels,
    Notices,
    Instances,
}

/// Every tab.
pub const TABS: [Tab; 8] =
    [Tab::Overview, Tab::Stock, Tab::Failed, Tab::Orders, Tab::Review, Tab::Channels, Tab::Notices, Tab::Instances];

impl Tab {
    /// Its title.
    #[must_use]
    pub fn title(self, lang: Lang) -> &'static str {
        match self {
            Self::Overview => lang.say("Overview", "总览"),
            Self::Stock => lang.say("Stock", "库存"),
            Self::Failed => lang.say("Failed", "失败回调"),
            Self::Orders => lang.say("Orders", "订单"),
            Self::Review => lang.say("Review", "审核"),
            Self::Channels => lang.say("Channels", "渠道"),
            Self::Notices => lang.say("Notices", "通知"),
            Self::Instances => lang.say("Instances", "实例"),
        }
    }

    /// From 1 to 8.
    #[must_use]
    pub fn number(self) -> usize {
        self as usize + 1
    }

    /// The tab `by` further, around the corner.
    #[must_use]
    pub fn step(self, by: isize) -> Self {
        let at = (self as isize + by).rem_euclid(TABS.len() as isize);
        TABS.get(usize::try_from(at).unwrap_or(0)).copied().unwrap_or_default()
    }
}

/// Where reasons are shown.
impl From<ShownIn> for Tab {
    fn from(tab: ShownIn) -> Self {
        match tab {
            ShownIn::Failed => Self::Failed,
            ShownIn::Review => Self::Review,
            ShownIn::Notices => Self::Notices,
            ShownIn::Instances => Self::Instances,
        }
    }
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Command {
    Tab(Tab),
    NextTab,
    PreviousTab,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Detail,
    Back,
    Help,
    Alarms,
    Filter,
    Sort,
    Pause,
    Quit,
    Group,
    FindOrder,
    ReplayIncident,
    Export,
    Block,
    Redeliver,
    MarkPaid,
    Replace,
    Refund,
    Approve,
    Reject,
    Adopt,
    /// Tell an order's buyer again.
    Resend,
    Zoom,
    SeekBack,
    SeekForward,
}

/// Where a key has its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Everywhere.
    All,
    /// On these tabs.
    On(&'static [Tab]),
    /// While a recording is played.
    Recording,
}

/// One line of the table.
#[derive(Debug)]
pub struct Binding {
    /// The keys, as crossterm names them.
    pub codes: &'static [KeyCode],
    /// The keys, as the help names them.
    pub shown: &'static str,
    /// What they ask for.
    pub command: Command,
    /// Where.
    pub place: Place,
    /// Whether it changes something, so that a token that may only look has no such key.
    pub acts: bool,
    en: &'static str,
    zh: &'static str,
}

impl Binding {
    /// What it does, in words.
    #[must_use]
    pub fn says(&self, lang: Lang) -> &'static str {
        lang.say(self.en, self.zh)
    }

    /// Whether it is there on that tab, for whoever may act or only look, live or from a recording.
    #[must_use]
    pub fn holds(&self, tab: Tab, may_act: bool, recording: bool) -> bool {
        let placed = match self.place {
            Place::All => true,
            Place::On(tabs) => tabs.contains(&tab),
            Place::Recording => recording,
        };
        placed && (may_act || !self.acts)
    }
}

const fn look(
    codes: &'static [KeyCode],
    shown: &'static str,
    command: Command,
    place: Place,
    en: &'static str,
    zh: &'static str,
) -> Binding {
    Binding { codes, shown, command, place, acts: false, en, zh }
}

const fn act(
    codes: &'static [KeyCode],
    shown: &'static str,
    command: Command,
    place: Place,
    en: &'static str,
    zh: &'static str,
) -> Binding {
    Binding { codes, shown, command, place, acts: true, en, zh }
}

const LISTS: Place =
    Place::On(&[Tab::Stock, Tab::Failed, Tab::Orders, Tab::Review, Tab::Channels, Tab::Notices, Tab::Instances]);
const FILTERED: Place = Place::On(&[Tab::Stock, Tab::Failed, Tab::Orders, Tab::Review, Tab::Notices]);

use KeyCode::{BackTab, Char, Down, End, Enter, Esc, Home, Left, PageDown, PageUp, Right, Up};

/// Every key.
pub const BINDINGS: &[Binding] = &[
    look(&[Char('1')], "1", Command::Tab(Tab::Overview), Place::All, "overview", "总览"),
    look(&[Char('2')], "2", Command::Tab(Tab::Stock), Place::All, "stock", "库存"),
    look(&[Char('3')], "3", Command::Tab(Tab::Failed), Place::All, "failed callbacks", "失败回调"),
    look(&[Char('4')], "4", Command::Tab(Tab::Orders), Place::All, "orders", "订单"),
    look(&[Char('5')], "5", Command::Tab(Tab::Review), Place::All, "review", "审核"),
    look(&[Char('6')], "6", Command::Tab(Tab::Channels), Place::All, "channels", "渠道"),
    look(&[Char('7')], "7", Command::Tab(Tab::Notices), Place::All, "notices", "通知"),
    look(&[Char('8')], "8", Command::Tab(Tab::Instances), Place::All, "instances", "实例"),
    look(&[Right, KeyCode::Tab], "→ Tab", Command::NextTab, Place::All, "next tab", "下一页签"),
    look(&[Left, BackTab], "← S-Tab", Command::PreviousTab, Place::All, "previous tab", "上一页签"),
    look(&[Up], "↑", Command::Up, LISTS, "up", "向上"),
    look(&[Down], "↓", Command::Down, LISTS, "down", "向下"),
    look(&[PageUp], "PgUp", Command::PageUp, LISTS, "a page up", "上翻一页"),
    look(&[PageDown], "PgDn", Command::PageDown, LISTS, "a page down", "下翻一页"),
    look(&[Home], "Home", Command::First, LISTS, "first row", "首行"),
    look(&[End], "End", Command::Last, LISTS, "last row", "末行"),
    look(&[Enter], "Enter", Command::Detail, LISTS, "detail", "详情"),
    look(&[Esc], "Esc", Command::Back, Place::All, "back; clears the filter", "返回;清除筛选"),
    look(&[Char('/')], "/", Command::Filter, FILTERED, "filter, search", "筛选、搜索"),
    look(&[Char('s')], "s", Command::Sort, LISTS, "sort by the next column", "按下一列排序"),
    look(&[Char('p'), Char(' ')], "p", Command::Pause, Place::All, "pause, go on", "暂停、继续"),
    look(
        &[Char('z')],
        "z",
        Command::Zoom,
        Place::On(&[Tab::Overview]),
        "zoom: 15 min, 3 s or 1 s a column",
        "缩放:全部、每列 3 秒或 1 秒",
    ),
    look(
        &[Char('g')],
        "g",
        Command::Group,
        Place::On(&[Tab::Failed]),
        "group by reason, channel, address",
        "按原因、渠道、地址分组",
    ),
    look(
        &[Char('o')],
        "o",
        Command::FindOrder,
        Place::On(&[Tab::Failed, Tab::Review, Tab::Notices]),
        "find the order",
        "查找订单",
    ),
    act(
        &[Char('v')],
        "v",
        Command::ReplayIncident,
        Place::On(&[Tab::Failed]),
        "verify again, settles nothing",
        "重新验证,不结算",
    ),
    act(
        &[Char('e')],
        "e",
        Command::Export,
        Place::On(&[Tab::Failed]),
        "export the capture to a file",
        "导出抓包到文件",
    ),
    act(&[Char('b')], "b", Command::Block, Place::On(&[Tab::Stock, Tab::Failed]), "block the address", "封锁该地址"),
    act(&[Char('d')], "d", Command::Redeliver, Place::On(&[Tab::Orders, Tab::Review]), "deliver again", "重新发货"),
    act(&[Char('m')], "m", Command::MarkPaid, Place::On(&[Tab::Orders]), "mark as paid", "标记为已付款"),
    act(&[Char('r')], "r", Command::Replace, Place::On(&[Tab::Orders]), "replace a bad key", "更换坏卡密"),
    act(&[Char('u')], "u", Command::Refund, Place::On(&[Tab::Orders, Tab::Review]), "mark as refunded", "标记为已退款"),
    act(&[Char('a')], "a", Command::Approve, Place::On(&[Tab::Review]), "approve: deliver it", "通过:发货"),
    act(&[Char('x')], "x", Command::Reject, Place::On(&[Tab::Review]), "reject", "拒绝"),
    act(
        &[Char('t')],
        "t",
        Command::Adopt,
        Place::On(&[Tab::Review]),
        "take the payment for an order",
        "把付款用于某订单",
    ),
    act(
        &[Char('n')],
        "n",
        Command::Resend,
        Place::On(&[Tab::Orders, Tab::Notices]),
        "tell the buyer again",
        "重新通知买家",
    ),
    look(&[Char('[')], "[", Command::SeekBack, Place::Recording, "a minute back", "后退一分钟"),
    look(&[Char(']')], "]", Command::SeekForward, Place::Recording, "a minute on", "前进一分钟"),
    look(&[Char('!')], "!", Command::Alarms, Place::All, "everything that is wrong", "所有问题"),
    look(&[Char('?'), Char('h')], "?", Command::Help, Place::All, "help", "帮助"),
    look(&[Char('q')], "q", Command::Quit, Place::All, "quit", "退出"),
];

/// What a key asks for on that tab.
#[must_use]
pub fn command(key: &KeyEvent, tab: Tab, may_act: bool, recording: bool) -> Option<Command> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == Char('c')).then_some(Command::Quit);
    }
    if key.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    let found = BINDINGS.iter().find(|it| it.codes.contains(&key.code) && it.holds(tab, may_act, recording));
    found.map(|it| it.command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_has_two_meanings_in_one_place() {
        for tab in TABS {
            let mut seen = Vec::new();
            for binding in BINDINGS.iter().filter(|it| it.holds(tab, true, true)) {
                for code in binding.codes {
                    assert!(!seen.contains(&code), "{code:?} twice on {tab:?}");
                    seen.push(code);
                }
            }
        }
    }
}
