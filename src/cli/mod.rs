//! The commands: types for clap here, one file for each group. Everything but `serve`, `config` and `channel verify`
//! goes through the admin API.
//!
//! Exit codes: 0 done, 1 refused or violations found, 2 wrong usage, 64 the configuration is wrong, 69 no daemon, 74 what was
//! printed could not be written, 130 interrupted.

mod address;
mod channel;
mod clock;
mod config;
mod hammer;
mod incident;
mod keys;
mod notice;
mod order;
mod orphan;
mod output;
mod product;
mod serve;
mod store;
mod token;
mod top;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use serde_json::Value;

use crate::client::{Client, ClientError, Warned};
use crate::tty::utf8_environment;
use crate::wire::ListTrail;
use crate::wire::operators::TrailWish;
pub use keys::parts;
use output::{Output, Shown, Signs};

/// The trail as it is listed.
pub const TRAIL: Shown<7> = Shown { list: "trail", columns: ["at", "by", "what", "on", "change", "reason", "result"] };

/// What an audit found.
pub const VIOLATIONS: Shown<3> = Shown { list: "violations", columns: ["kind", "what", "detail"] };

/// Delivers digital keys (卡密) by itself: a signed payment callback becomes a delivered key, exactly once.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:\n  kamid serve\n  kamid product add demo --price 9.90\n  kamid keys import demo keys.txt\n  kamid order new demo --contact me@example.com --channel sandbox"
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, clap::Args)]
struct Global {
    /// Configuration file; without one, config.toml in the data directory, if there is one, or the defaults
    #[arg(long, global = true, env = "KAMID_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory
    #[arg(long, global = true, env = "KAMID_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Admin address of another machine's daemon, such as http://10.0.0.5:9180; its token is to be named
    #[arg(long, global = true, env = "KAMID_ADMIN", value_name = "URL")]
    admin: Option<String>,
    /// File with the operator's token (or the token itself in KAMID_TOKEN)
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print JSON instead of tables
    #[arg(long, global = true)]
    json: bool,
    /// Plain characters alone, for terminals without UTF-8; auto: as the locale says (LC_ALL, LC_CTYPE, LANG)
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        num_args = 0..=1,
        require_equals = true,
        default_value = "auto",
        default_missing_value = "always"
    )]
    ascii: When,
}

/// When something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon
    #[command(
        after_help = "Example:\n  kamid serve --data ./shop\nWithout any configuration it runs in test mode with an embedded Redis."
    )]
    Serve {
        /// The data folder was moved or restored here, and no other copy of it will be started (embedded Redis)
        #[arg(long, env = "KAMID_MOVED", value_parser = clap::builder::FalseyValueParser::new())]
        moved: bool,
    },
    /// Products: what is sold
    #[command(subcommand, after_help = "Example:\n  kamid product add demo --price 9.90")]
    Product(product::ProductCommand),
    /// Keys: import, stock, void, restore
    #[command(subcommand, after_help = "Example:\n  kamid keys import demo keys.txt")]
    Keys(keys::KeysCommand),
    /// Orders: make, pay, list, show, review
    #[command(subcommand, after_help = "Example:\n  kamid order new demo --contact me@example.com --channel sandbox")]
    Order(order::OrderCommand),
    /// Payments without an order of their own: extra and orphan ones
    #[command(subcommand, after_help = "Example:\n  kamid orphan list")]
    Orphan(orphan::OrphanCommand),
    /// Failed callbacks and what else an operator should see
    #[command(subcommand, after_help = "Example:\n  kamid incident list")]
    Incident(incident::IncidentCommand),
    /// Count everything again from Redis itself and list what does not add up
    #[command(after_help = "Example:\n  kamid audit --json\nExit code 1 if there is any violation.")]
    Audit,
    /// Load a daemon with callbacks or buyers, then audit that nothing was lost or sold twice
    #[command(after_help = hammer::EXAMPLES, after_long_help = hammer::RUNS)]
    Hammer(hammer::HammerArgs),
    /// The live dashboard: latency, stock, failed callbacks, and what to press
    #[command(after_help = top::EXAMPLES)]
    Top(top::TopArgs),
    /// Channels: accounts at payment gateways
    #[command(subcommand, after_help = "Example:\n  kamid channel list")]
    Channel(channel::ChannelCommand),
    /// The configuration
    #[command(subcommand, after_help = "Example:\n  kamid config check --config config.toml")]
    Config(config::ConfigCommand),
    /// Addresses whose callbacks are refused: block, unblock, list
    #[command(
        subcommand,
        after_help = "Example:\n  kamid address block 203.0.113.9 --minutes 60 --reason \"forges callbacks\""
    )]
    Address(address::AddressCommand),
    /// Redis' clock, where it and the daemons' disagree: accept it as it is
    #[command(subcommand, after_help = "Example:\n  kamid clock accept --reason \"Redis' machine was set right\"")]
    Clock(clock::ClockCommand),
    /// What operators did, newest first
    #[command(after_help = "Example:\n  kamid trail --limit 20")]
    Trail {
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Notices to buyers and operators: list, send again, try a notifier
    #[command(subcommand, after_help = "Example:\n  kamid notice list")]
    Notice(notice::NoticeCommand),
    /// The store: whether Redis is the one that was there, and accepting it
    #[command(subcommand, after_help = "Example:\n  kamid store show")]
    Store(store::StoreCommand),
    /// Operators' tokens: who may look, who may act
    #[command(subcommand, after_help = "Example:\n  kamid token add night-shift --role view")]
    Token(token::TokenCommand),
    /// Shell completions
    #[command(after_help = "Example:\n  kamid completions bash > /etc/bash_completion.d/kamid")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Why a command did not do it, and the exit code for it.
#[derive(Debug)]
struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1 }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let code = match error {
            ClientError::NotRunning(_) | ClientError::Unreachable { .. } | ClientError::Stranger(_) => 69,
            _ => 1,
        };
        Self { message: error.to_string(), code }
    }
}

type Done = Result<ExitCode, Failure>;

/// What a command works with.
struct Context {
    global: Global,
    data: PathBuf,
    out: Output,
    /// What answers of the daemon warn of.
    warned: Warned,
}

impl Context {
    fn client(&self) -> Result<Client, Failure> {
        let client = Client::find(&self.data, self.global.admin.as_deref(), self.global.token_file.as_deref())?;
        Ok(client.warning(&self.warned))
    }

    /// A report that is made here of the daemon's answers: it says what they warn of.
    fn report(&self, mut report: Value) -> Value {
        if let Some(warning) = self.warned.get() {
            report["warning"] = Value::from(warning.as_str());
        }
        report
    }

    /// Whether screens are drawn with plain characters alone.
    fn ascii(&self) -> bool {
        match self.global.ascii {
            When::Auto => !utf8_environment(),
            When::Always => true,
            When::Never => false,
        }
    }

    fn show<const N: usize>(&self, value: &Value, shown: &Shown<N>) -> Done {
        self.out.list(value, shown);
        Ok(ExitCode::SUCCESS)
    }
}

/// What standard output that takes nothing more ends a command with: sysexits' `EX_IOERR`.
const NOT_WRITTEN: u8 = 74;

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(help) if !help.use_stderr() => {
            let coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let text = help.render();
            output::put(if coloured { text.ansi().to_string() } else { text.to_string() }.as_bytes());
            return ended(Output { json: false, signs: Signs::Own }, ExitCode::SUCCESS);
        }
        Err(error) => error.exit(),
    };
    let out = output_of(&cli.global);
    match run(cli) {
        Ok(code) => ended(out, code),
        Err(failure) => {
            out.error(&failure.message);
            ended(out, ExitCode::from(failure.code))
        }
    }
}

/// The exit code of a command, once it is known whether what it printed was written.
fn ended(out: Output, code: ExitCode) -> ExitCode {
    let Some(why) = output::lost() else { return code };
    out.error(&format!("what was printed could not be written: {why}"));
    if code == ExitCode::SUCCESS { ExitCode::from(NOT_WRITTEN) } else { code }
}

/// How a command shows what it found. Foreign text is only replaced where it would be garbage: on a terminal that cannot show
/// it, or where that is asked for; what a pipe is given stays whole.
fn output_of(global: &Global) -> Output {
    let signs = match global.ascii {
        When::Never => Signs::All,
        When::Always => Signs::Plain,
        When::Auto if utf8_environment() => Signs::All,
        When::Auto if std::io::stdout().is_terminal() => Signs::Plain,
        When::Auto => Signs::Own,
    };
    Output { json: global.json, signs }
}

fn run(cli: Cli) -> Done {
    let Cli { global, command } = cli;
    let data = match &global.data {
        Some(data) => data.clone(),
        None => dirs::state_dir()
            .or_else(dirs::data_local_dir)
            .ok_or_else(|| Failure::new("there is no home for a data directory here: name one with --data"))?
            .join("kamid"),
    };
    let context = Context { out: output_of(&global), global, data, warned: Warned::default() };
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::new(error.to_string()))?;
    let done = runtime.block_on(async {
        match command {
            Command::Serve { moved } => serve::serve(&context, moved).await,
            Command::Product(command) => product::run(&context, command).await,
            Command::Keys(command) => keys::run(&context, command).await,
            Command::Order(command) => order::run(&context, command).await,
            Command::Orphan(command) => orphan::run(&context, command).await,
            Command::Incident(command) => incident::run(&context, command).await,
            Command::Audit => audit(&context).await,
            Command::Hammer(args) => hammer::run(&context, &args).await,
            Command::Top(args) => top::execute(&context, args).await,
            Command::Channel(command) => channel::run(&context, command).await,
            Command::Address(command) => address::run(&context, command).await,
            Command::Clock(command) => clock::run(&context, command).await,
            Command::Trail { limit } => {
                let trail = context.client()?.whole::<ListTrail>((), &TrailWish { limit: limit as usize }).await?;
                context.show(&trail, &TRAIL)
            }
            Command::Notice(command) => notice::run(&context, command).await,
            Command::Store(command) => store::run(&context, command).await,
            Command::Token(command) => token::run(&context, command).await,
            Command::Config(command) => config::run(&context, &command),
            Command::Completions { shell } => {
                // Into memory first: it panics where a reader went away.
                let mut text = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "kamid", &mut text);
                output::put(&text);
                Ok(ExitCode::SUCCESS)
            }
        }
    });
    // A reader of standard input may still wait for a key press; the process ends all the same.
    runtime.shutdown_background();
    if let Some(warning) = context.warned.get() {
        context.out.warning(warning);
    }
    done
}

async fn audit(context: &Context) -> Done {
    let bar = output::spinner("counting");
    let progress = |what: &str, done: u64, of: u64| bar.set_message(format!("{what}: {} %", 100 * done / of.max(1)));
    let report = context.client()?.audit(progress).await;
    bar.finish_and_clear();
    let report = report?;
    let violations = report.violations.len();
    context.out.list(&serde_json::to_value(&report).unwrap_or_default(), &VIOLATIONS);
    if !context.out.json {
        context.out.line(&format!(
            "{} products, {} orders, {} keys, {} payments: {}",
            report.products,
            report.orders,
            report.keys,
            report.payments,
            if violations == 0 { "everything adds up".to_owned() } else { format!("{violations} violations") },
        ));
    }
    Ok(if violations == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
