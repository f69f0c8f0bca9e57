//! One picture: as text, or as an SVG to be shown to somebody.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use tokio::sync::{mpsc, watch};

use super::ask::{Ask, Received};
use super::clock::SteadyClock;
use super::model::{Connection, Effect, Lost, Message, Model};
use super::pane::PANES;
use super::record::Player;
use super::run::Options;
use super::source::{Feed, ask};
use super::text::columns;
use super::theme::Theme;
use super::view::draw;

/// How long a second of now may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Clocks of two machines, where a daemon does not tell its own.
const SKEW_MS: u64 = 3000;
/// One character of an SVG.
const CELL: (f64, f64) = (8.4, 17.0);

const FRONT: &str = "#d8d8d8";
const BACK: &str = "#16181d";
const BLOCKS: &str = "▁▂▃▄▅▆▇█";

/// As what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureForm {
    /// Characters alone.
    Text,
    /// A picture with colours.
    Svg,
}

/// What a picture shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shows {
    /// What stands now, or the end of a recording.
    Now,
    /// The stream has nothing newer than that time of day, where it has anything.
    Past(Option<String>),
    /// Why nobody was heard.
    Nobody(Lost),
}

/// One picture of that size of what stands now, or of the end of a recording; and what it shows in truth.
///
/// # Errors
/// The recording cannot be read.
pub async fn once(options: &Options, size: (u16, u16), form: PictureForm) -> io::Result<(String, Shows)> {
    let clock = SteadyClock::start();
    let mut model = options.model(clock.now());
    let shows = if let Some(path) = &options.replay {
        let mut player = Player::open(path, 1.0)?;
        let length = player.length();
        player.all(|line| {
            model.update(Message::Line(line));
        })?;
        model.update(Message::Position(length, length));
        Shows::Now
    } else {
        gather(options, &mut model, clock).await
    };
    let theme = if form == PictureForm::Text { Theme::Mono } else { options.theme };
    let buffer = picture(&model, theme, size)?;
    Ok((if form == PictureForm::Text { text(&buffer) } else { svg(&buffer) }, shows))
}

/// From which instance's second on a picture is one of now: the daemon's own name and clock, as it told them when the
/// stream was open. What comes before is history.
struct Fresh {
    instance: String,
    from: u64,
}

impl Fresh {
    fn read(message: &Message, clock: SteadyClock) -> Option<Self> {
        let Message::Answer(Ask::Info, Ok(Received::Info(info))) = message else { return None };
        let from = info.now.unwrap_or_else(|| clock.now().saturating_sub(SKEW_MS));
        Some(Self { instance: info.instance.clone(), from })
    }

    fn is_here(&self, model: &Model) -> bool {
        model.fleet.instances.get(&self.instance).is_some_and(|instance| instance.last.at >= self.from)
    }
}

/// Follows until a second of now was heard, stock was told and the questions are answered.
async fn gather(options: &Options, model: &mut Model, clock: SteadyClock) -> Shows {
    let (messages, mut inbox) = mpsc::channel(4096);
    let (_filter, filter) = watch::channel(options.filter.clone());
    let (current, using) = watch::channel(None);
    let products = options.thresholds.products;
    let source = Feed { clients: options.clients.clone(), products, filter, current, recorder: None };
    let following = tokio::spawn(source.follow(clock, messages.clone()));
    let (mut open, mut fresh) = (0usize, None::<Fresh>);
    let whole = tokio::time::timeout(PATIENCE, async {
        while let Some(message) = inbox.recv().await {
            let lost = matches!(message, Message::Link(Connection::Lost(_)));
            open = open.saturating_sub(usize::from(matches!(message, Message::Answer(..))));
            fresh = Fresh::read(&message, clock).or(fresh.take());
            model.update(Message::Tick(clock.now()));
            for effect in model.update(message) {
                if let Effect::Ask(what) = effect
                    && let Some(client) = using.borrow().clone()
                {
                    open += 1;
                    tokio::spawn(ask(client, what, messages.clone()));
                }
            }
            if model.stock.known && open == 0 && fresh.as_ref().is_some_and(|fresh| fresh.is_here(model)) {
                return true;
            }
            if lost && options.clients.len() < 2 {
                break;
            }
        }
        false
    })
    .await;
    following.abort();
    // A Redis that is away tells no stock: that is what the picture has to show then.
    let is_now = whole == Ok(true) || fresh.is_some_and(|fresh| fresh.is_here(model));
    match model.link.lost() {
        _ if is_now => Shows::Now,
        Some(lost) => Shows::Nobody(lost.clone()),
        None => Shows::Past((model.fleet.at > 0).then(|| model.clock(model.fleet.at))),
    }
}

/// A model drawn on no terminal.
///
/// # Errors
/// Never: a buffer takes everything.
pub fn picture(model: &Model, theme: Theme, (width, height): (u16, u16)) -> io::Result<Buffer> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).map_err(io::Error::other)?;
    terminal.draw(|frame| drop(draw(frame, PANES, model, theme))).map_err(io::Error::other)?;
    Ok(terminal.backend().buffer().clone())
}

/// The cells of each row; what a wide character covers is no cell.
fn cells(buffer: &Buffer, y: u16) -> impl Iterator<Item = (u16, &Cell)> {
    let mut covered = 0;
    (buffer.area.left()..buffer.area.right()).filter_map(move |x| {
        let cell = buffer.cell((x, y))?;
        if covered > 0 {
            covered -= 1;
            return None;
        }
        covered = columns(cell.symbol()).saturating_sub(1);
        Some((x, cell))
    })
}

/// A picture as lines of text.
#[must_use]
pub fn text(buffer: &Buffer) -> String {
    let line = |y| cells(buffer, y).map(|(_, cell)| cell.symbol()).collect::<String>();
    (buffer.area.top()..buffer.area.bottom()).map(|y| line(y).trim_end().to_owned() + "\n").collect()
}

/// A colour of the xterm palette, as SVG names it.
fn colour(colour: Color, otherwise: &str) -> String {
    let Color::Indexed(at) = colour else { return otherwise.to_owned() };
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let (r, g, b) = match at {
        16..=231 => {
            let n = usize::from(at - 16);
            (STEPS[n / 36], STEPS[n / 6 % 6], STEPS[n % 6])
        }
        232..=255 => {
            let grey = 8 + 10 * (at - 232);
            (grey, grey, grey)
        }
        _ => return otherwise.to_owned(),
    };
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Text of one look, in one row.
#[derive(Default)]
struct Run {
    at: u16,
    text: String,
    columns: usize,
    front: String,
    bold: bool,
}

impl Run {
    /// Writes it, as wide as its cells are, and begins anew.
    fn write(&mut self, out: &mut String, y: u16) {
        let text = self.text.trim_end();
        if !text.is_empty() {
            let (left, base) = (f64::from(self.at) * CELL.0, f64::from(y) * CELL.1 + 13.0);
            let width = columns(text) as f64 * CELL.0;
            let weight = if self.bold { " font-weight=\"bold\"" } else { "" };
            let _never = writeln!(
                out,
                "<text x=\"{left:.1}\" y=\"{base:.1}\" textLength=\"{width:.1}\" fill=\"{}\"{weight}>{}</text>",
                self.front,
                escape(text)
            );
        }
        *self = Self::default();
    }
}

/// A picture as an SVG.
#[must_use]
pub fn svg(buffer: &Buffer) -> String {
    let (width, height) = (f64::from(buffer.area.width) * CELL.0, f64::from(buffer.area.height) * CELL.1);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">\n<rect width=\"100%\" height=\"100%\" fill=\"#16181d\"/>\n<g font-family=\"DejaVu Sans Mono, Menlo, Consolas, Noto Sans Mono CJK SC, monospace\" font-size=\"14\" xml:space=\"preserve\">\n"
    );
    for y in buffer.area.top()..buffer.area.bottom() {
        let mut run = Run::default();
        for (x, cell) in cells(buffer, y) {
            let reversed = cell.modifier.contains(Modifier::REVERSED);
            let (front, back) = (colour(cell.fg, FRONT), colour(cell.bg, BACK));
            let (front, back) = if reversed { (back, front) } else { (front, back) };
            let bold = cell.modifier.contains(Modifier::BOLD);
            let (left, top, wide) = (f64::from(x) * CELL.0, f64::from(y) * CELL.1, columns(cell.symbol()).max(1));
            // Block characters are drawn, so that they meet whatever the font.
            let block = BLOCKS.chars().position(|block| cell.symbol().starts_with(block));
            if back != BACK {
                let width = wide as f64 * CELL.0 + 0.2;
                let _never = writeln!(
                    out,
                    "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{}\" fill=\"{back}\"/>",
                    CELL.1
                );
            }
            if let Some(eighths) = block {
                let (tall, width) = (CELL.1 * (eighths + 1) as f64 / 8.0, CELL.0 + 0.2);
                let _never = writeln!(
                    out,
                    "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{tall:.1}\" fill=\"{front}\"/>",
                    top + CELL.1 - tall
                );
            }
            let symbol = if block.is_some() { " " } else { cell.symbol() };
            if run.columns > 0 && (run.front != front || run.bold != bold) {
                run.write(&mut out, y);
            }
            // Renderers fold spaces: a run holds none but single ones inside.
            if symbol == " " && (run.columns == 0 || run.text.ends_with(' ')) {
                run.write(&mut out, y);
                continue;
            }
            if run.columns == 0 {
                run = Run { at: x, front, bold, ..Run::default() };
            }
            run.text.push_str(symbol);
            run.columns += wide;
        }
        run.write(&mut out, y);
    }
    out + "</g>\n</svg>\n"
}
