//! `kamid top`.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::config::configuration;
use crate::cli::{Context, Done, Failure, When, output};
use crate::client::Client;
use crate::domain::Lang;
use crate::top::model::{Fault, Lost};
use crate::top::pane::PANES;
use crate::top::tab::Tab;
use crate::top::{FILTER_BYTES, Options, PictureForm, Shows, Theme, language, once, run, terminal_size};
use crate::wire::Follow;
use crate::wire::shop::StreamWish;

pub const EXAMPLES: &str = "Examples:
  kamid top
  kamid top https://shop.example:9180 --token-file operator.token
  kamid top --once --tab stock
  kamid top --record night.ndjson
  kamid top --replay night.ndjson --speed 10
Press ? for the keys. docs/top.md says what to do when.";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LangArg {
    En,
    Zh,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ThemeArg {
    Dark,
    Light,
    Mono,
}

#[derive(Debug, Args)]
pub struct TopArgs {
    /// Admin addresses of one shop's daemons, the first that answers is used; none: the daemon of this data directory
    #[arg(value_name = "URL")]
    addresses: Vec<String>,
    /// Print one picture and end
    #[arg(long)]
    once: bool,
    /// With --once: the picture as an SVG
    #[arg(long, requires = "once", conflicts_with = "json")]
    svg: bool,
    /// Size of that picture, COLUMNSxROWS; without it the terminal's, or 120x40
    #[arg(long, requires = "once", value_parser = size)]
    size: Option<(u16, u16)>,
    #[arg(long, value_parser = tab, help = tab_help())]
    tab: Option<Tab>,
    /// Show products that hold this text
    #[arg(long, value_name = "TEXT", default_value = "", value_parser = filter)]
    filter: String,
    /// Write what comes to a new file, to be played again
    #[arg(long, value_name = "FILE", conflicts_with_all = ["replay", "once"])]
    record: Option<PathBuf>,
    /// Play a recording
    #[arg(long, value_name = "FILE", conflicts_with = "addresses")]
    replay: Option<PathBuf>,
    /// How quickly it is played
    #[arg(long, default_value_t = 1.0, requires = "replay", value_parser = speed)]
    speed: f64,
    /// Language; without it the locale's, and English where the terminal is not one of UTF-8
    #[arg(long)]
    lang: Option<LangArg>,
    /// Colours; NO_COLOR means mono
    #[arg(long)]
    theme: Option<ThemeArg>,
    /// Ring and set the window's title when something goes wrong
    #[arg(long)]
    bell: bool,
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let parsed = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let fits = |(width, height): &(u16, u16)| (20..=500).contains(width) && (5..=300).contains(height);
    parsed.filter(fits).ok_or_else(|| "a size such as 120x40, from 20x5 to 500x300".to_owned())
}

fn filter(text: &str) -> Result<String, String> {
    if text.len() > FILTER_BYTES {
        return Err(format!("at most {FILTER_BYTES} bytes"));
    }
    Ok(text.to_owned())
}

fn speed(text: &str) -> Result<f64, String> {
    let parsed: Option<f64> = text.parse().ok();
    parsed.filter(|speed| (0.1..=1000.0).contains(speed)).ok_or_else(|| "from 0.1 to 1000".to_owned())
}

fn tab_help() -> String {
    let names: Vec<&str> = PANES.0.iter().map(|pane| pane.tab().name()).collect();
    format!("Begin with this tab, by its number or name ({})", names.join(", "))
}

fn tab(text: &str) -> Result<Tab, String> {
    let named = PANES.0.iter().map(|pane| pane.tab()).find(|tab| text.eq_ignore_ascii_case(tab.name()));
    let tab = named.or_else(|| PANES.numbered(text.parse().ok()?));
    tab.ok_or_else(|| format!("1 to {}, or a tab's name", PANES.0.len()))
}

pub async fn execute(context: &Context, args: TopArgs) -> Done {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let theme = match args.theme {
        Some(ThemeArg::Dark) => Theme::Dark,
        Some(ThemeArg::Light) => Theme::Light,
        Some(ThemeArg::Mono) => Theme::Mono,
        None if set("NO_COLOR") => Theme::Mono,
        None => Theme::Dark,
    };
    // Who asks for Chinese has a terminal for it, whatever the locale says; a picture of its own needs none.
    let ascii = match (context.global.ascii, args.lang) {
        (When::Always, Some(LangArg::Zh)) => {
            return Err(Failure { message: "--lang zh cannot be shown with --ascii".to_owned(), code: 2 });
        }
        (When::Auto, Some(LangArg::Zh)) => false,
        _ => context.ascii() && !args.svg,
    };
    let lang = match args.lang {
        Some(LangArg::En) => Lang::En,
        Some(LangArg::Zh) => Lang::Zh,
        None if ascii => Lang::En,
        None => language(),
    };
    let clients = match (&args.replay, args.addresses.as_slice()) {
        (Some(_), _) => Vec::new(),
        (None, []) => vec![context.client()?],
        (None, urls) => {
            let find = |url: &String| Client::find(&context.data, Some(url), context.global.token_file.as_deref());
            urls.iter().map(find).collect::<Result<Vec<_>, _>>()?
        }
    };
    let options = Options {
        clients,
        record: args.record,
        replay: args.replay,
        speed: args.speed,
        lang,
        theme,
        bell: args.bell,
        thresholds: configuration(context)?.top,
        tab: args.tab.unwrap_or_default(),
        filter: args.filter,
        ascii,
    };
    if context.out.json {
        if options.record.is_some() {
            let message =
                "--record is for the dashboard: kamid top --json > FILE keeps the lines themselves".to_owned();
            return Err(Failure { message, code: 2 });
        }
        return lines(&options, args.once).await;
    }
    if args.once {
        let size = args.size.or_else(terminal_size);
        let form = if args.svg { PictureForm::Svg } else { PictureForm::Text };
        let (text, shows) = once(&options, size.unwrap_or((120, 40)), form).await.map_err(failure)?;
        return picture(&text, shows);
    }
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(Failure {
            message: "this is no terminal: kamid top --once prints one picture, --json the figures".to_owned(),
            code: 2,
        });
    }
    run(options).await.map_err(failure)?;
    Ok(ExitCode::SUCCESS)
}

fn failure(error: std::io::Error) -> Failure {
    Failure::new(error.to_string())
}

/// Prints a picture of what stands now; of what does not, why there is none.
fn picture(text: &str, shows: Shows) -> Done {
    match shows {
        Shows::Now => {
            output::put(text.as_bytes());
            Ok(ExitCode::SUCCESS)
        }
        Shows::Nobody(Lost { fault: Fault::Away, why, .. }) => {
            output::put(text.as_bytes());
            Err(Failure { message: why, code: 69 })
        }
        Shows::Nobody(Lost { fault: Fault::Token, why, .. }) => {
            Err(Failure::new(format!("the token is not accepted: {why}")))
        }
        Shows::Nobody(Lost { why, .. }) => Err(Failure::new(why)),
        Shows::Past(newest) => {
            let newest = newest.map_or_else(String::new, |at| format!("; the newest is of {at}"));
            let message =
                format!("the daemon said nothing of now within some seconds{newest}: is its Redis slow or away?");
            Err(Failure { message, code: 69 })
        }
    }
}

/// A daemon tells something each second.
const SILENCE: Duration = Duration::from_secs(10);

/// The stream as it comes: snapshots and stock, a JSON line each; once, until one of each was there.
async fn lines(options: &Options, once: bool) -> Done {
    let Some(client) = options.clients.first() else {
        return Err(Failure { message: "a recording is JSON lines already".to_owned(), code: 2 });
    };
    let stock = Some(options.thresholds.products);
    let wish = StreamWish { history: 0, stock, filter: options.filter.clone() };
    let mut lines = client.follow::<Follow>(&wish).await?;
    let (mut snapshot, mut stock) = (false, false);
    loop {
        let line = match tokio::time::timeout(SILENCE, lines.next()).await {
            Ok(line) => line?,
            Err(_) => return Err(Failure { message: "the daemon was silent for 10 s".to_owned(), code: 69 }),
        };
        let Some(line) = line else { break };
        if !output::put(format!("{line}\n").as_bytes()) {
            break;
        }
        let is_stock = line.starts_with("{\"stock\"");
        (snapshot, stock) = (snapshot || !is_stock, stock || is_stock);
        if once && snapshot && stock {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}
