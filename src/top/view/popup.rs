//! What lies over everything: the help, and the question before something is done.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Wrap};

use crate::domain::{Action, Severity};
use crate::top::keys::{BINDINGS, Held};
use crate::top::kit::View;
use crate::top::model::ui::{Dialog, Intent};
use crate::top::pane::Panes;
use crate::top::text::{clean, columns, left};

/// Columns of a question.
const WIDTH: u16 = 72;

fn middle(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

/// Empties the place of what will lie there. The half of a wide character that is left of it goes too: a terminal draws
/// such a character in both its cells, and the second one is the frame's.
fn clear(frame: &mut Frame<'_>, place: Rect) {
    frame.render_widget(Clear, place);
    let Some(left) = place.x.checked_sub(1) else { return };
    let buffer = frame.buffer_mut();
    for y in place.top()..place.bottom() {
        if let Some(cell) = buffer.cell_mut((left, y)).filter(|cell| columns(cell.symbol()) > 1) {
            cell.set_symbol(" ");
        }
    }
}

/// Every key that works here: the panes' numbers, and what stands in the table that keys are looked up in.
pub fn help(frame: &mut Frame<'_>, area: Rect, panes: Panes, view: &View<'_>) {
    let here = panes.here(view.model);
    let line = |mark: char, shown: &str, says: &str| format!("{mark}{} {says}", left(shown, 8));
    let tabs = panes.0.iter().take(9).zip(1..).map(|(pane, n)| line(' ', &n.to_string(), pane.says().say(view.lang())));
    let others = BINDINGS.iter().filter(|it| it.holds(&here)).map(|it| {
        let mark = if it.held == Held::All { ' ' } else { '·' };
        line(mark, it.shown, it.says(view.lang()))
    });
    let keys: Vec<String> = tabs.chain(others).collect();
    let rows = usize::from(area.height.saturating_sub(4)).max(1);
    let shown = keys.len().div_ceil(2).clamp(1, rows);
    let lines: Vec<Line<'_>> = (0..shown)
        .map(|row| {
            let cell = |at: usize| left(keys.get(at).map_or("", String::as_str), 36);
            Line::raw(format!(" {}{}", cell(row), cell(row + shown)))
        })
        .collect();
    let place = middle(area, 76, shown as u16 + 2);
    let title = format!(
        "{} · {}",
        view.say("keys here", "此处可用的按键"),
        panes.of(view.model.ui.tab).title().say(view.lang())
    );
    clear(frame, place);
    frame.render_widget(Paragraph::new(lines).block(view.block(&title)), place);
}

/// Everything that is wrong, with the tab to press.
pub fn alarms(frame: &mut Frame<'_>, area: Rect, panes: Panes, view: &View<'_>) {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for alarm in &view.model.alarms {
        let style = match alarm.level {
            Severity::Alarm => view.theme.bad(),
            Severity::Warning => view.theme.warn(),
        };
        let when = format!("{} → {} ", view.model.clock(alarm.since), panes.number(alarm.tab));
        lines.push(Line::from(vec![
            Span::styled(when, view.theme.dim()),
            Span::styled(clean(alarm.says(view.lang()), 300), style),
        ]));
    }
    if lines.is_empty() {
        lines.push(Line::raw(view.say("nothing", "没有")));
    }
    let place = middle(area, area.width.saturating_sub(6).min(110), lines.len() as u16 * 2 + 3);
    clear(frame, place);
    let title = view.say("everything that is wrong, the worst first", "所有问题,最严重的在前");
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(view.block(title)), place);
}

/// What is about to be done, in a sentence.
fn says(dialog: &Dialog, view: &View<'_>) -> String {
    match &dialog.deed {
        Intent::Order(action, order) => {
            let what = match *action {
                Action::Approve => view.say("Approve and deliver order", "通过并发货订单"),
                Action::Reject => view.say("Reject the payment of order", "拒绝订单的付款"),
                Action::Refund => {
                    view.say("Mark as refunded (its keys are burned) order", "标记为已退款(卡密作废)订单")
                }
                Action::MarkPaid => view.say("State that it was paid: order", "确认已付款:订单"),
                Action::Replace => view.say("Replace a key of order", "更换卡密:订单"),
                Action::Resend if order.contains(':') => view.say("Tell operators again:", "重新通知店主:"),
                Action::Resend => view.say("Tell its buyer again: order", "重新通知买家:订单"),
                Action::Expire | Action::Query | Action::Redeliver => view.say("Deliver again order", "重新发货订单"),
            };
            format!("{what} {}", clean(order, 80))
        }
        Intent::Payment(id, payment, adopt) => {
            let what = if *adopt {
                view.say("Use this payment for an order", "把此付款用于订单")
            } else {
                view.say("Mark this payment as refunded", "标记此付款为已退款")
            };
            format!("{what}: {} {}", clean(id, 32), clean(payment, 48))
        }
        Intent::Block(address, true) => format!(
            "{} {}; {}",
            view.say(
                "Refuse every order and callback from, and take its unpaid orders back:",
                "拒绝来自此地址的所有订单和回调,并收回其未付款订单:"
            ),
            clean(address, 48),
            view.say("a gateway behind it is refused too", "其后的网关也会被拒绝"),
        ),
        Intent::Block(address, false) => format!(
            "{} {}; {}",
            view.say("Refuse every callback from", "拒绝来自此地址的所有回调:"),
            clean(address, 48),
            view.say("a gateway behind it is refused too", "其后的网关也会被拒绝"),
        ),
    }
}

pub fn dialog(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let Some(dialog) = &view.model.ui.dialog else { return };
    let mut lines = vec![Line::styled(says(dialog, view), view.theme.accent())];
    if !dialog.about.is_empty() {
        lines.push(Line::raw(clean(&dialog.about, 140)));
    }
    lines.push(Line::raw(""));
    for (at, field) in dialog.fields.iter().enumerate() {
        let here = at == dialog.at;
        let style = if here { view.theme.accent() } else { view.theme.dim() };
        let name = format!("{}: ", field.name.asks(view.lang()));
        let room = usize::from(WIDTH.min(area.width)).saturating_sub(columns(&name) + 3);
        let text = if here {
            let (before, behind) = field.text.around(room);
            format!("{before}▏{behind}")
        } else {
            clean(field.text.text(), room)
        };
        lines.push(Line::from(vec![Span::styled(name, style), Span::raw(text)]));
    }
    lines.push(Line::raw(""));
    lines.push(if dialog.asks() {
        let ask = view.say("It cannot be undone. y: do it · any other key: leave it", "无法撤销。y:执行 · 其他键:放弃");
        Line::styled(ask, view.theme.warn())
    } else {
        Line::styled(view.say("Enter: next · Esc: leave it", "回车:下一步 · Esc:放弃"), view.theme.dim())
    });
    // Wrapped lines need rows too: the question must never be cut off.
    let inside = usize::from(WIDTH.min(area.width)).saturating_sub(2).max(1);
    let rows: usize = lines.iter().map(|line| line.width().div_ceil(inside).max(1)).sum();
    let place = middle(area, WIDTH, rows as u16 + 4);
    clear(frame, place);
    let text = Paragraph::new(lines).wrap(Wrap { trim: false }).block(view.block(view.say("sure?", "确认")));
    frame.render_widget(text, place);
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::top::kit::Drawn;
    use crate::top::model::Model;
    use crate::top::pane::PANES;
    use crate::top::theme::Theme;

    #[test]
    fn a_wide_character_at_its_left_edge_does_not_take_its_frame() {
        let model = Model::default();
        let view = View { model: &model, theme: Theme::Mono, drawn: Drawn::default() };
        // Wherever the wide characters begin, one of the two has its second half under the frame.
        for (beginning, width) in [("", 100), (" ", 100), ("", 101), (" ", 101)] {
            let line = format!("{beginning}{}", "宽".repeat(60));
            let behind = |frame: &mut Frame<'_>| {
                frame.render_widget(Paragraph::new(vec![Line::raw(line.as_str()); 24]), frame.area());
            };
            let mut terminal = Terminal::new(TestBackend::new(width, 24)).unwrap();
            terminal.draw(behind).unwrap();
            let lie = |frame: &mut Frame<'_>| {
                behind(frame);
                help(frame, frame.area(), PANES, &view);
            };
            terminal.draw(lie).unwrap();
            // What the terminal was given, not what was meant.
            let shown = terminal.backend().buffer();
            let x = middle(shown.area, 76, 1).x;
            let edge: Vec<&str> = (0..24).map(|y| shown.cell((x, y)).unwrap().symbol()).collect();
            let (first, last) =
                (edge.iter().position(|it| *it == "┌").unwrap(), edge.iter().position(|it| *it == "└").unwrap());
            assert!(edge[first + 1..last].iter().all(|it| *it == "│"), "{beginning:?} {width}: {edge:?}");
            for y in first..=last {
                assert!(columns(shown.cell((x - 1, y as u16)).unwrap().symbol()) < 2, "{beginning:?} {width}");
            }
        }
    }
}
