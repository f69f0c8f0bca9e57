//! `kamid channel`.

mod add;
pub mod reconcile;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::channel::capture::{Capture, replay, replay_steps};
use crate::channel::{Channels, KINDS};
use crate::cli::output::Shown;
use crate::cli::product::moment;
use crate::cli::{Context, Done, Failure, config};
use crate::process;
use crate::settings::Section;
use crate::wire::channels::TrialWish;
use crate::wire::{ListChannels, Nothing, TryChannel};

/// Channels as they are listed.
pub const CHANNELS: Shown<4> = Shown { list: "channels", columns: ["name", "kind", "account", "notify_url"] };

/// Kinds as they are listed.
pub const KINDS_SHOWN: Shown<2> = Shown { list: "kinds", columns: ["kind", "about"] };

/// What was tried of a channel, and how it went.
pub const TRIAL: Shown<3> = Shown { list: "steps", columns: ["result", "step", "says"] };

/// How the callbacks of a capture are judged.
pub const JUDGED: Shown<4> = Shown { list: "steps", columns: ["verdict", "reason", "extracted", "answer"] };

#[derive(Debug, Subcommand)]
pub enum ChannelCommand {
    /// List the channels of the running daemon
    #[command(after_help = "Example:\n  kamid channel list")]
    List,
    /// List the kinds of channels there are
    #[command(after_help = "Example:\n  kamid channel kinds")]
    Kinds,
    /// Add a channel to the configuration: asks for what its kind needs, checks it, writes it
    #[command(after_help = add::EXAMPLES)]
    Add(add::AddArgs),
    /// Try a channel: its notify address from outside and inside, and its gateway. Touches no order, moves no money
    #[command(
        after_help = "Example:\n  kamid channel test alipay\n  kamid channel test alipay --open\nExit code 1 if something cannot work."
    )]
    Test {
        /// Its name in the configuration
        name: String,
        /// Open a payment of one cent at the gateway, too: it shows the payment in its console, and nobody need pay it
        #[arg(long)]
        open: bool,
    },
    /// Run a captured callback offline and say what would happen
    #[command(
        after_help = "Examples:\n  kamid channel verify --capture tests/vectors/epay_v1/a01-integer-money.json\n  kamid channel verify --capture incident.json --channel alipay --explain"
    )]
    Verify {
        /// The capture: one JSON file, as `kamid incident export` writes it
        #[arg(long, value_name = "FILE")]
        capture: PathBuf,
        /// The configured channel to use instead of the capture's own settings
        #[arg(long, value_name = "NAME")]
        channel: Option<String>,
        /// Show the signed text too, secrets masked
        #[arg(long)]
        explain: bool,
    },
    /// Compare the gateway's downloaded bill with our orders
    #[command(after_help = reconcile::examples())]
    Reconcile {
        /// Channel
        name: String,
        /// The bill, as the gateway's console gives it
        #[arg(long, value_name = "FILE")]
        bill: PathBuf,
        /// The bill begins here: 2026-12-01T00:00:00+08:00
        #[arg(long, value_parser = moment, requires = "until")]
        from: Option<u64>,
        /// The bill ends before this
        #[arg(long, value_parser = moment, requires = "from")]
        until: Option<u64>,
    },
}

pub async fn run(context: &Context, command: ChannelCommand) -> Done {
    match command {
        ChannelCommand::List => {
            let list = context.client()?.whole::<ListChannels>((), &Nothing).await?;
            context.show(&list, &CHANNELS)
        }
        ChannelCommand::Kinds => context.show(&kinds(), &KINDS_SHOWN),
        ChannelCommand::Add(args) => add::run(context, args).await,
        ChannelCommand::Test { name, open } => {
            let report = context.client()?.call::<TryChannel>(name, &TrialWish { open }).await?;
            context.out.sentences(&report.whole, &TRIAL);
            Ok(if report.works { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
        ChannelCommand::Verify { capture, channel, explain } => verify(context, &capture, channel.as_deref(), explain),
        ChannelCommand::Reconcile { name, bill, from, until } => {
            let period = from.zip(until).map(|(from, until)| reconcile::Period { from, until });
            reconcile::run(context, &name, &bill, period).await
        }
    }
}

/// The channels a capture brings, or those configured.
fn channels(context: &Context, capture: &Capture, named: Option<&str>) -> Result<(Channels, String), Failure> {
    match (&capture.config, named) {
        (Some(settings), None) => {
            let mut settings = settings.clone();
            settings.insert("kind".to_owned(), json!(capture.channel));
            let section = Section::from_json("config", &settings);
            let name = capture.channel.clone();
            let built = Channels::build(&[(name.clone(), section)], true, process::now());
            Ok((built.map_err(config::listed)?, name))
        }
        _ => {
            let name = named.or(capture.channel_name.as_deref()).unwrap_or(&capture.channel).to_owned();
            Ok((config::channels(context)?, name))
        }
    }
}

/// Every kind of channel, and what it is.
pub fn kinds() -> Value {
    let kinds: Vec<_> = KINDS.iter().map(|kind| json!({"kind": kind.name, "about": kind.about})).collect();
    json!({ "kinds": kinds })
}

fn verify(context: &Context, file: &Path, named: Option<&str>, explain: bool) -> Done {
    let fail = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| fail(&error))?;
    let capture: Capture = serde_json::from_str(&text).map_err(|error| fail(&error))?;
    let (channels, name) = match channels(context, &capture, named) {
        // A channel that refuses to start believes nothing.
        Err(problems) if capture.config.is_some() && named.is_none() => {
            let report = json!({
                "verdict": "reject", "reason": "config_invalid", "problems": problems.message,
                "extracted": null, "answer": {"status": 400, "body": "fail"},
            });
            context.out.fields(&report);
            return Ok(ExitCode::SUCCESS);
        }
        found => found?,
    };
    let channel = channels.get(&name).ok_or_else(|| {
        let known: Vec<&str> = channels.list().map(|(name, _)| name).collect();
        Failure::new(format!("there is no channel {name:?} in the configuration; known: {}", known.join(", ")))
    })?;
    let now = capture.at().unwrap_or_else(process::now);
    let terms = channels.terms(&name).cloned().unwrap_or_default();
    if !capture.steps.is_empty() {
        let all = replay_steps(&capture, channel.as_ref(), &terms, now, explain).map_err(|error| fail(&error))?;
        context.out.list(&json!(all), &JUDGED);
        context.out.line(&format!("deliveries: {}", all.deliveries));
        return Ok(ExitCode::SUCCESS);
    }
    let report = replay(&capture, channel.as_ref(), &terms, now, explain).map_err(|error| fail(&error))?;
    context.out.fields(&serde_json::to_value(&report).unwrap_or_default());
    Ok(ExitCode::SUCCESS)
}
