//! The loop: messages in, pictures and effects out. The terminal is given back whatever ends it.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyEventKind, MouseButton, MouseEventKind};
use ratatui::crossterm::{queue, style::Print, terminal};
use ratatui::layout::{Position, Rect};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::clock::SteadyClock;
use super::kit::Drawn;
use super::model::ui::Hit;
use super::model::{Connection, Effect, Message, Model};
use super::pane::PANES;
use super::record::{self, Player, PlayerOrder, Recorder};
use super::source::{Feed, ask};
use super::tab::Tab;
use super::theme::Theme;
use super::view::draw;
use crate::client::Client;
use crate::config::Top;
use crate::domain::time::Zone;
use crate::domain::{Lang, Severity};
use crate::tty::{self, Stream, Tty};

/// Between two pictures, unless a key was pressed.
const FRAME: Duration = Duration::from_millis(100);
/// The clock's step.
const TICK: Duration = Duration::from_millis(250);
/// How long a terminal may take to take the last picture after a signal.
const STUCK: Duration = Duration::from_secs(2);
/// Messages handled before a picture is drawn.
const GULP: usize = 2048;

/// How the dashboard begins.
pub struct Options {
    /// Daemons of one shop.
    pub clients: Vec<Client>,
    /// Write the stream down there.
    pub record: Option<PathBuf>,
    /// Play a recording instead.
    pub replay: Option<PathBuf>,
    /// How quickly: 1 is as it was.
    pub speed: f64,
    /// In which language.
    pub lang: Lang,
    /// How it looks.
    pub theme: Theme,
    /// Ring and set the title on an alarm.
    pub bell: bool,
    /// When something is an alarm.
    pub thresholds: Top,
    /// The tab to begin with.
    pub tab: Tab,
    /// What products must hold to be shown.
    pub filter: String,
    /// Plain characters alone.
    pub ascii: bool,
}

impl Options {
    /// The model it begins with.
    #[must_use]
    pub fn model(&self, local: u64) -> Model {
        let mut model = Model::default();
        (model.lang, model.thresholds, model.local) = (self.lang, self.thresholds, local);
        (model.ascii, model.recording) = (self.ascii, self.record.is_some());
        model.zone = Zone::system();
        model.ui.tab = self.tab;
        model.ui.places.entry(Tab::STOCK).or_default().filter.clone_from(&self.filter);
        if self.replay.is_some() {
            model.link = Connection::Recording;
        }
        model
    }
}

/// What ends it from outside.
struct Signals {
    term: Signal,
    hangup: Signal,
    int: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            int: signal(SignalKind::interrupt())?,
        })
    }

    /// The exit code of the one that came.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.term.recv() => 143,
            _ = self.hangup.recv() => 129,
            _ = self.int.recv() => 130,
        }
    }

    /// Tells the loop; and where that is stuck in a terminal that takes nothing more, ends by itself.
    async fn watch(mut self, stop: watch::Sender<bool>) {
        let code = self.next().await;
        let _nobody = stop.send(true);
        tokio::time::sleep(STUCK).await;
        std::process::exit(code);
    }
}

/// The outward side: what effects need.
struct Outside {
    current: watch::Receiver<Option<Client>>,
    filter: watch::Sender<String>,
    orders: Option<mpsc::Sender<PlayerOrder>>,
    messages: mpsc::Sender<Message>,
    recorder: Option<Recorder>,
    bell: bool,
}

/// Runs until it is left.
///
/// # Errors
/// The terminal, the recording or its file.
pub async fn run(options: Options) -> io::Result<()> {
    let clock = SteadyClock::start();
    let (stop, mut stopped) = watch::channel(false);
    tokio::spawn(Signals::new()?.watch(stop));
    let (messages, mut inbox) = mpsc::channel(4096);
    let (filter, wanted) = watch::channel(options.filter.clone());
    let (using, current) = watch::channel(None);
    let model = options.model(clock.now());
    let (mut orders, mut recorder) = (None, None);
    if let Some(path) = &options.replay {
        let player = Player::open(path, options.speed)?;
        let (sender, receiver) = mpsc::channel(64);
        orders = Some(sender);
        tokio::spawn(player.play(receiver, messages.clone()));
    } else {
        recorder = options.record.as_deref().map(|path| Recorder::create(path, clock.now())).transpose()?;
        let source = Feed {
            clients: options.clients.clone(),
            products: options.thresholds.products,
            filter: wanted,
            current: using,
            recorder: recorder.clone(),
        };
        tokio::spawn(source.follow(clock, messages.clone()));
    }
    let outside = Outside { current, filter, orders, messages, recorder, bell: options.bell };
    let mut tty = tty::take(Stream::Out)?;
    let (keys, hands) = mpsc::channel(256);
    std::thread::Builder::new().name("keys".to_owned()).spawn(move || listen(&keys))?;
    if options.bell {
        // The title that stood there is put on the terminal's stack.
        queue!(tty.backend_mut(), Print("\x1b[22;0t"))?;
    }
    let mut desk = Desk { tty, model, theme: options.theme, outside, clock, hits: Vec::new(), drawn: Instant::now() };
    let size = desk.tty.size()?;
    desk.model.update(Message::Resize(size.width, size.height));
    let ended = desk.work(&mut inbox, hands, &mut stopped).await;
    if options.bell {
        let screen = desk.tty.backend_mut();
        let _gone = queue!(screen, Print("\x1b[23;0t")).and_then(|()| screen.flush());
    }
    tty::give_back();
    ended
}

/// What the loop works with.
struct Desk {
    tty: Tty,
    model: Model,
    theme: Theme,
    outside: Outside,
    clock: SteadyClock,
    /// What can be clicked on the picture that stands there.
    hits: Vec<(Rect, Hit)>,
    drawn: Instant,
}

impl Desk {
    async fn work(
        &mut self,
        inbox: &mut mpsc::Receiver<Message>,
        mut hands: mpsc::Receiver<Event>,
        stopped: &mut watch::Receiver<bool>,
    ) -> io::Result<()> {
        let mut ticks = tokio::time::interval(TICK);
        let mut due = Some(Instant::now());
        loop {
            let wait = due.map(|due| due.saturating_duration_since(Instant::now()));
            let mut next: Vec<Message> = Vec::new();
            tokio::select! {
                biased;
                _ = stopped.changed() => return Ok(()),
                event = hands.recv() => {
                    // The terminal is gone.
                    let Some(event) = event else { return Ok(()) };
                    next.extend(message(&event, &self.hits));
                    due = Some(Instant::now());
                }
                () = tokio::time::sleep(wait.unwrap_or(TICK)), if wait.is_some() => {
                    let picture = picture(&mut self.tty, &self.model, self.theme)?;
                    self.model.update(Message::Drawn(picture.last));
                    self.hits = picture.hits;
                    (due, self.drawn) = (None, Instant::now());
                }
                message = inbox.recv() => {
                    next.extend(message);
                    while next.len() < GULP {
                        let Ok(message) = inbox.try_recv() else { break };
                        next.push(message);
                    }
                    due = due.or(Some(self.drawn + FRAME));
                }
                _ = ticks.tick() => {
                    let now = self.clock.now();
                    if now / 1000 != self.model.local / 1000 {
                        due = due.or(Some(self.drawn + FRAME));
                    }
                    next.push(Message::Tick(now));
                }
            }
            if self.take(next)? {
                return Ok(());
            }
        }
    }

    /// Takes messages in and does what they come to; says whether to leave.
    fn take(&mut self, messages: Vec<Message>) -> io::Result<bool> {
        for message in messages {
            if let (Some(recorder), Some(line)) = (&self.outside.recorder, record::line_of(&message)) {
                // Whoever follows the stream tells that the file takes nothing more.
                let _full = recorder.write(self.clock.now(), &line);
            }
            for effect in self.model.update(message) {
                if effect == Effect::Quit {
                    return Ok(true);
                }
                self.outside.carry_out(effect, &mut self.tty, &self.model)?;
            }
        }
        Ok(false)
    }
}

fn picture(tty: &mut Tty, model: &Model, theme: Theme) -> io::Result<Drawn> {
    let mut drawn = Drawn::default();
    // All at once, where the terminal can: no half-drawn picture over a slow line.
    queue!(tty.backend_mut(), terminal::BeginSynchronizedUpdate)?;
    tty.draw(|frame| drawn = draw(frame, PANES, model, theme))?;
    queue!(tty.backend_mut(), terminal::EndSynchronizedUpdate)?;
    tty.backend_mut().flush()?;
    Ok(drawn)
}

/// Reads keys until the terminal is given back, or gone.
fn listen(keys: &mpsc::Sender<Event>) {
    while tty::taken() {
        match event::poll(TICK) {
            Ok(false) => {}
            Ok(true) => match event::read() {
                Ok(event) => {
                    if keys.blocking_send(event).is_err() {
                        return;
                    }
                }
                Err(_) => return,
            },
            Err(_) => return,
        }
    }
}

/// What an event of the terminal means.
fn message(event: &Event, hits: &[(Rect, Hit)]) -> Option<Message> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(Message::Key(*key)),
        Event::Paste(text) => Some(Message::Paste(text.clone())),
        Event::Resize(width, height) => Some(Message::Resize(*width, *height)),
        Event::Mouse(mouse) => {
            let at = Position { x: mouse.column, y: mouse.row };
            match mouse.kind {
                MouseEventKind::Down(MouseButton::Left) => {
                    hits.iter().find(|(area, _)| area.contains(at)).map(|(_, hit)| Message::Click(*hit))
                }
                MouseEventKind::ScrollDown => Some(Message::Wheel(1)),
                MouseEventKind::ScrollUp => Some(Message::Wheel(-1)),
                _ => None,
            }
        }
        _ => None,
    }
}

impl Outside {
    fn carry_out(&self, effect: Effect, tty: &mut Tty, model: &Model) -> io::Result<()> {
        match effect {
            Effect::Ask(what) => {
                // A recording has nobody to ask.
                if let Some(client) = self.current.borrow().clone() {
                    tokio::spawn(ask(client, what, self.messages.clone()));
                }
            }
            Effect::Filter(text) => {
                let _gone = self.filter.send(text);
            }
            Effect::Export(name, text) => {
                let said = match export(&name, &text) {
                    Ok(()) => {
                        Message::Said(format!("{} {name}", model.lang.say("written:", "已写入:")), Severity::Warning)
                    }
                    Err(error) => Message::Said(format!("{name}: {error}"), Severity::Alarm),
                };
                let _full = self.messages.try_send(said);
            }
            Effect::Seek(by) => self.order(PlayerOrder::Seek(by)),
            Effect::Hold(hold) => self.order(PlayerOrder::Hold(hold)),
            Effect::Ring if self.bell => {
                let count = model.alarms.iter().filter(|alarm| alarm.level == Severity::Alarm).count();
                queue!(tty.backend_mut(), Print("\x07"), terminal::SetTitle(format!("kamid: {count} !")))?;
                tty.backend_mut().flush()?;
            }
            Effect::Ring | Effect::Quit => {}
        }
        Ok(())
    }

    fn order(&self, order: PlayerOrder) {
        if let Some(orders) = &self.orders {
            let _full = orders.try_send(order);
        }
    }
}

/// Writes a new file that only its owner may read: it holds a raw request.
fn export(name: &str, text: &str) -> io::Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if !name.chars().all(fits) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no name for a file"));
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(name)?;
    file.write_all(text.as_bytes())
}
