//! `kamid config`, and the configuration that other commands read.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use crate::channel::Channels;
use crate::cli::{Context, Done, Failure, output};
use crate::config::{self, Config};
use crate::daemon;
use crate::notify::Notifiers;
use crate::outbound::{Outbound, OutboundConfig};
use crate::process;
use crate::settings::{ConfigProblem, Section};
use crate::vault::Vault;

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the complete default configuration, with comments
    #[command(after_help = "Example:\n  kamid config default > config.toml")]
    Default,
    /// Check a configuration: every problem at once, with its path and line
    #[command(after_help = "Example:\n  kamid config check --config config.toml\nExit code 64 if it cannot be used.")]
    Check,
}

/// The configuration a command uses, with what may be better about it.
fn load(context: &Context) -> Result<(Config, Vec<ConfigProblem>), Vec<ConfigProblem>> {
    let beside = context.data.join("config.toml");
    match &context.global.config {
        Some(path) => Config::load(path),
        None if beside.exists() => Config::load(&beside),
        None => Ok((Config::defaults()?, Vec::new())),
    }
}

/// Every problem of a file, those of its channels too.
fn all_problems(context: &Context, problems: Vec<ConfigProblem>) -> Vec<ConfigProblem> {
    let mut all = [problems, sections_alone(context)].concat();
    all.sort_by_key(|problem| problem.line);
    all
}

/// A configuration that cannot be used.
pub fn wrong(problems: &[ConfigProblem]) -> Failure {
    let lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
    Failure { message: format!("the configuration cannot be used:\n{}", lines.join("\n")), code: 64 }
}

/// The configuration, or a failure that lists every problem.
pub fn configuration(context: &Context) -> Result<Config, Failure> {
    let (config, warnings) = load(context).map_err(|problems| wrong(&all_problems(context, problems)))?;
    for warning in &warnings {
        tracing::warn!(problem = %warning, "The configuration could be better.");
    }
    Ok(config)
}

/// Problems of channels, a line each.
pub fn listed(problems: Vec<ConfigProblem>) -> Failure {
    Failure::new(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// The channels of the daemon's configuration, as it has them.
pub fn channels(context: &Context) -> Result<Channels, Failure> {
    let config = configuration(context)?;
    let ring = context.data.join("ring.json");
    // Without a ring there is no sandbox secret; none is made here.
    let channels = if ring.exists() {
        let vault = Vault::load(&ring).map_err(|error| Failure::new(error.to_string()))?;
        daemon::channels(&config, &vault)
    } else {
        Channels::build(&config.channels, config.test, process::now())
    };
    channels.map_err(listed)
}

/// What is wrong with the channels of a file that cannot be used for other reasons.
fn sections_alone(context: &Context) -> Vec<ConfigProblem> {
    let path = context.global.config.clone().unwrap_or_else(|| context.data.join("config.toml"));
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut known = Vec::new();
    let file = Section::from_toml(&text, &base, &mut known);
    let test = config::is_test(&file);
    let channels = file.section("channel", &mut known).sections(&mut known);
    let notify = file.section("notify", &mut known).sections(&mut known);
    let outbound = Outbound::build(&OutboundConfig::default());
    let notify = outbound.map(|outbound| Notifiers::build(&notify, &outbound, &context.data, test).err());
    let channels = Channels::build(&channels, test, process::now()).err();
    [channels, notify.ok().flatten()].into_iter().flatten().flatten().collect()
}

pub fn run(context: &Context, command: &ConfigCommand) -> Done {
    match command {
        ConfigCommand::Default => {
            output::put(config::DEFAULT.as_bytes());
            Ok(ExitCode::SUCCESS)
        }
        ConfigCommand::Check => {
            let (usable, problems) = match load(context) {
                Ok((config, warnings)) => {
                    let channels = Channels::build(&config.channels, config.test, process::now());
                    let channels = channels.map(|channels| channels.warnings);
                    let notifiers = Outbound::build(&config.outbound)
                        .map_err(|problem| vec![problem])
                        .and_then(|out| Notifiers::build(&config.notify, &out, &context.data, config.test));
                    let notifiers = notifiers.map(|(_, warnings)| warnings);
                    let usable = channels.is_ok() && notifiers.is_ok();
                    let found =
                        |these: Result<Vec<ConfigProblem>, Vec<ConfigProblem>>| these.unwrap_or_else(|found| found);
                    (usable, [warnings, found(channels), found(notifiers)].concat())
                }
                Err(problems) => (false, all_problems(context, problems)),
            };
            let beside = Some(context.data.join("config.toml")).filter(|path| path.exists());
            let path: Option<PathBuf> = context.global.config.clone().or(beside);
            let report = json!({"usable": usable, "file": path, "problems": problems});
            if context.out.json {
                context.out.value(&report);
            } else {
                if path.is_none() {
                    context
                        .out
                        .line(&format!("no config.toml in {}: this is about the defaults", context.data.display()));
                }
                for problem in &problems {
                    context.out.line(&problem.to_string());
                }
                context.out.line(if usable {
                    "The configuration can be used."
                } else {
                    "The configuration cannot be used."
                });
            }
            Ok(if usable { ExitCode::SUCCESS } else { ExitCode::from(64) })
        }
    }
}
