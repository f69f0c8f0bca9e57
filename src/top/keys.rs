//! What each key does: one table, from which keys are looked up and the help is drawn. Panes say which of them they have;
//! their numbers are keys too, and stand in no table but the panes' own.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::domain::Lang;

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Command {
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
    /// Block the address of the chosen callback.
    Block,
    /// Block whoever holds most keys unpaid.
    BlockHolder,
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
pub enum Held {
    /// Everywhere.
    All,
    /// On panes that are lists.
    Lists,
    /// On panes that name what it asks for among their own.
    Own,
    /// While a recording is played.
    Recording,
}

/// Where somebody presses a key.
#[derive(Debug, Clone, Copy)]
pub struct Stand {
    /// What the pane's own keys ask for.
    pub own: &'static [Command],
    /// Whether the pane is a list.
    pub lists: bool,
    /// Whether the token may change something.
    pub may_act: bool,
    /// Whether a recording is played.
    pub recording: bool,
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
    pub held: Held,
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

    /// Whether it is there, for whoever may act or only look, live or from a recording.
    #[must_use]
    pub fn holds(&self, here: &Stand) -> bool {
        let placed = match self.held {
            Held::All => true,
            Held::Lists => here.lists,
            Held::Own => here.own.contains(&self.command),
            Held::Recording => here.recording,
        };
        placed && (here.may_act || !self.acts)
    }
}

const fn look(
    codes: &'static [KeyCode],
    shown: &'static str,
    command: Command,
    held: Held,
    en: &'static str,
    zh: &'static str,
) -> Binding {
    Binding { codes, shown, command, held, acts: false, en, zh }
}

const fn act(
    codes: &'static [KeyCode],
    shown: &'static str,
    command: Command,
    held: Held,
    en: &'static str,
    zh: &'static str,
) -> Binding {
    Binding { codes, shown, command, held, acts: true, en, zh }
}

use KeyCode::{BackTab, Char, Down, End, Enter, Esc, Home, Left, PageDown, PageUp, Right, Up};

/// Every key.
pub const BINDINGS: &[Binding] = &[
    look(&[Right, KeyCode::Tab], "→ Tab", Command::NextTab, Held::All, "next tab", "下一页签"),
    look(&[Left, BackTab], "← S-Tab", Command::PreviousTab, Held::All, "previous tab", "上一页签"),
    look(&[Up], "↑", Command::Up, Held::Lists, "up", "向上"),
    look(&[Down], "↓", Command::Down, Held::Lists, "down", "向下"),
    look(&[PageUp], "PgUp", Command::PageUp, Held::Lists, "a page up", "上翻一页"),
    look(&[PageDown], "PgDn", Command::PageDown, Held::Lists, "a page down", "下翻一页"),
    look(&[Home], "Home", Command::First, Held::Lists, "first row", "首行"),
    look(&[End], "End", Command::Last, Held::Lists, "last row", "末行"),
    look(&[Enter], "Enter", Command::Detail, Held::Lists, "detail", "详情"),
    look(&[Esc], "Esc", Command::Back, Held::All, "back; clears the filter", "返回;清除筛选"),
    look(&[Char('/')], "/", Command::Filter, Held::Own, "filter, search", "筛选、搜索"),
    look(&[Char('s')], "s", Command::Sort, Held::Lists, "sort by the next column", "按下一列排序"),
    look(&[Char('p'), Char(' ')], "p", Command::Pause, Held::All, "pause, go on", "暂停、继续"),
    look(
        &[Char('z')],
        "z",
        Command::Zoom,
        Held::Own,
        "zoom: 15 min, 3 s or 1 s a column",
        "缩放:全部、每列 3 秒或 1 秒",
    ),
    look(&[Char('g')], "g", Command::Group, Held::Own, "group by reason, channel, address", "按原因、渠道、地址分组"),
    look(&[Char('o')], "o", Command::FindOrder, Held::Own, "find the order", "查找订单"),
    act(&[Char('v')], "v", Command::ReplayIncident, Held::Own, "verify again, settles nothing", "重新验证,不结算"),
    act(&[Char('e')], "e", Command::Export, Held::Own, "export the capture to a file", "导出抓包到文件"),
    act(&[Char('b')], "b", Command::Block, Held::Own, "block the address", "封锁该地址"),
    act(&[Char('b')], "b", Command::BlockHolder, Held::Own, "block the address", "封锁该地址"),
    act(&[Char('d')], "d", Command::Redeliver, Held::Own, "deliver again", "重新发货"),
    act(&[Char('m')], "m", Command::MarkPaid, Held::Own, "mark as paid", "标记为已付款"),
    act(&[Char('r')], "r", Command::Replace, Held::Own, "replace a bad key", "更换坏卡密"),
    act(&[Char('u')], "u", Command::Refund, Held::Own, "mark as refunded", "标记为已退款"),
    act(&[Char('a')], "a", Command::Approve, Held::Own, "approve: deliver it", "通过:发货"),
    act(&[Char('x')], "x", Command::Reject, Held::Own, "reject", "拒绝"),
    act(&[Char('t')], "t", Command::Adopt, Held::Own, "take the payment for an order", "把付款用于某订单"),
    act(&[Char('n')], "n", Command::Resend, Held::Own, "tell the buyer again", "重新通知买家"),
    look(&[Char('[')], "[", Command::SeekBack, Held::Recording, "a minute back", "后退一分钟"),
    look(&[Char(']')], "]", Command::SeekForward, Held::Recording, "a minute on", "前进一分钟"),
    look(&[Char('!')], "!", Command::Alarms, Held::All, "everything that is wrong", "所有问题"),
    look(&[Char('?'), Char('h')], "?", Command::Help, Held::All, "help", "帮助"),
    look(&[Char('q')], "q", Command::Quit, Held::All, "quit", "退出"),
];

/// What a key asks for there.
#[must_use]
pub fn command(key: &KeyEvent, here: &Stand) -> Option<Command> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == Char('c')).then_some(Command::Quit);
    }
    if key.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    BINDINGS.iter().find(|it| it.codes.contains(&key.code) && it.holds(here)).map(|it| it.command)
}

/// The number of the pane that a key asks for, from 1.
#[must_use]
pub fn number(key: &KeyEvent) -> Option<usize> {
    let (KeyCode::Char(c), false) = (key.code, key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT))
    else {
        return None;
    };
    c.to_digit(10).filter(|n| *n > 0).and_then(|n| usize::try_from(n).ok())
}
