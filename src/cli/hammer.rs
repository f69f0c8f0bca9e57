//! `kamid hammer`.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;
use tokio::sync::Notify;

use super::{Context, Done, Failure, output, serve};
use crate::channel::Channels;
use crate::daemon;
use crate::hammer::limit::{self, Bounds, Step};
use crate::hammer::{
    self, HammerError, Kind, Load, MOST, Mix, Pace, Report, Schedule, Screen, Shape, Show, Stats, Target, Wish,
};
use crate::vault::Vault;

impl From<HammerError> for Failure {
    fn from(error: HammerError) -> Self {
        match error {
            HammerError::Client(error) => error.into(),
            other => Self::new(other.to_string()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// A signed callback for each of the orders that are made before the run
    Callbacks,
    /// Buyers order over the public HTTP, think, are paid for by the gateway's callback, and look until they have their keys
    Sale,
    /// Callbacks as a gateway sends them on a bad day, right and wrong ones (--mix)
    Mix,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Spread {
    /// Evenly
    Steady,
    /// As independent buyers come
    Poisson,
    /// Many at one instant, then nothing (--burst)
    Burst,
    /// From nothing to the rate
    Ramp,
}

#[derive(Debug, Args)]
pub struct HammerArgs {
    /// What is sent [callbacks, or mix where --mix is given]
    #[arg(value_enum)]
    scenario: Option<Scenario>,
    /// Requests a second, each due at its own instant (open loop); without it, as fast as answers come (closed loop)
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// How long, in seconds: 30s, 2m
    #[arg(long = "for", default_value = "10s", value_parser = seconds)]
    lasts: Duration,
    /// How an open loop's requests are spread
    #[arg(long, default_value = "steady")]
    shape: Spread,
    /// Requests at one instant, for --shape burst
    #[arg(long, default_value_t = 100)]
    burst: u32,
    /// Connections: most requests under way at once; in a closed loop, visits [open loop: 256, closed loop: 64]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: Option<u32>,
    /// Kinds and shares [paid=80,duplicate=5,forged=5,wrong-amount=2,unknown=2,late=2,out-of-order=2,slow=2]; also: buyer, unpaid
    #[arg(long)]
    mix: Option<Mix>,
    /// How long a buyer thinks before he pays, on average: 500ms, 2s
    #[arg(long, default_value = "500ms", value_parser = think)]
    think: Duration,
    /// Buyers in a hundred who never pay, for a sale
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    unpaid: u32,
    /// Visits made ready for a closed loop; it ends early when they are used up
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=MOST))]
    visits: u64,
    /// Keys in each order
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    quantity: u32,
    /// Keys in stock; enough for every order where left out
    #[arg(long)]
    stock: Option<u64>,
    /// Channel to pay through
    #[arg(long)]
    channel: Option<String>,
    /// What chance begins with; the same seed is the same load
    #[arg(long)]
    seed: Option<u64>,
    /// Write the latencies' distribution for HdrHistogram's plotters
    #[arg(long, value_name = "FILE")]
    hgrm: Option<PathBuf>,
    /// Raise the rate until a bound breaks, and report the highest that held; each rate is kept for --for
    #[arg(long)]
    find_limit: bool,
    /// Highest p99 in milliseconds, for --find-limit
    #[arg(long, default_value_t = 50.0)]
    p99: f64,
    /// Highest share of failed requests in percent, for --find-limit
    #[arg(long, default_value_t = 0.1)]
    errors: f64,
    /// Do not audit afterwards
    #[arg(long)]
    no_audit: bool,
    /// Load a daemon that is in live mode
    #[arg(long)]
    yes_this_is_live: bool,
    /// Load a daemon on another machine
    #[arg(long)]
    allow_remote: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let (number, unit) = text
        .strip_suffix('s')
        .map_or_else(|| text.strip_suffix('m').map_or((text, 1.0), |number| (number, 60.0)), |number| (number, 1.0));
    let seconds: f64 = number.parse().map_err(|_| "seconds or minutes, such as 30s or 2m".to_owned())?;
    let seconds = seconds * unit;
    if (0.1..=7200.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("from 0.1s to 2h".to_owned())
    }
}

fn think(text: &str) -> Result<Duration, String> {
    let wrong = "milliseconds or seconds up to a minute, such as 500ms or 2s";
    let millis = text.strip_suffix("ms").map(str::parse::<f64>);
    let millis = millis.unwrap_or_else(|| text.strip_suffix('s').unwrap_or(text).parse().map(|s: f64| s * 1000.0));
    let millis = millis.map_err(|_| wrong.to_owned())?;
    if (0.0..=60_000.0).contains(&millis) {
        Ok(Duration::from_secs_f64(millis / 1000.0))
    } else {
        Err(wrong.to_owned())
    }
}

impl HammerArgs {
    /// What is sent, with its name.
    fn mix(&self) -> Result<(&'static str, Mix), Failure> {
        match (self.scenario, &self.mix) {
            (None | Some(Scenario::Mix), Some(mix)) => Ok(("mix", mix.clone())),
            (Some(Scenario::Mix), None) => Ok(("mix", Mix::usual())),
            (None | Some(Scenario::Callbacks), None) => Ok(("callbacks", Mix::only(Kind::Paid))),
            (Some(Scenario::Sale), None) => Ok(("sale", Mix::sale(self.unpaid))),
            (Some(Scenario::Callbacks | Scenario::Sale), Some(_)) => {
                Err(Failure { message: "--mix is for the scenario mix".to_owned(), code: 2 })
            }
        }
    }

    fn load(&self, seed: u64, rate: Option<f64>) -> Result<Load, Failure> {
        let shape = match self.shape {
            Spread::Steady => Shape::Steady,
            Spread::Poisson => Shape::Poisson,
            Spread::Burst => Shape::Burst(self.burst.max(1)),
            Spread::Ramp => Shape::Ramp,
        };
        let (pace, wanted, connections) = match rate {
            Some(rate) => {
                let schedule = Schedule { shape, rate, lasts: self.lasts, seed };
                // A tenth more than is due on average: chance may bring more.
                (Pace::Open(schedule), schedule.count() + schedule.count() / 10 + 10, 256)
            }
            None => (Pace::Closed(self.lasts), self.visits, 64),
        };
        if wanted > MOST {
            return Err(Failure::new(format!("{wanted} requests are too many: at most {MOST}")));
        }
        let visits: Vec<Kind> = self.mix()?.1.visits(usize::try_from(wanted).unwrap_or(usize::MAX), seed);
        let connections = self.connections.unwrap_or(connections) as usize;
        Ok(Load { visits, pace, connections, think: self.think, seed })
    }
}

/// The channels that sign: those of the daemon's configuration and ring.
fn signing(context: &Context) -> Result<Channels, Failure> {
    let config = serve::configuration(context)?;
    let ring = context.data.join("ring.json");
    let channels = if ring.exists() {
        let vault = Vault::load(&ring).map_err(|error| Failure::new(error.to_string()))?;
        daemon::channels(&config, &vault)
    } else {
        Channels::build(&config.channels, config.test)
    };
    channels.map_err(|problems| Failure::new(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

/// Prepares one load, runs it, and audits it.
async fn once(context: &Context, args: &HammerArgs, channels: &Channels, load: &Load) -> Result<Report, Failure> {
    let wish = Wish {
        channel: args.channel.clone(),
        quantity: args.quantity,
        stock: args.stock,
        live: args.yes_this_is_live,
        remote: args.allow_remote,
        seed: load.seed,
    };
    let bar = output::bar(100, false);
    let progress = |what: &'static str, done: u64, of: u64| {
        bar.set_message(what);
        bar.set_position(100 * done / of.max(1));
    };
    let target = Target::prepare(context.client()?, channels, &wish, &load.visits, &progress).await?;
    bar.finish_and_clear();
    let (stats, ending) = (Arc::new(Stats::default()), Ending::default());
    let mut helpers = tokio::task::JoinSet::new();
    helpers.spawn(signals(ending.clone()));
    let quiet = context.out.json || args.find_limit;
    let screen = if quiet { None } else { screen(args, load, &target, &stats, &ending)? };
    if screen.is_none() && !quiet {
        helpers.spawn(log(Arc::clone(&stats)));
    }
    let report = tokio::select! {
        report = hammer::run(&target, load, &stats, &ending.stop, !args.no_audit) => Some(report),
        () = ending.leave.notified() => None,
    };
    // The terminal is as it was before anything is printed.
    drop(screen);
    report.map_or_else(|| Err(Failure { message: "interrupted: no report".to_owned(), code: 130 }), |done| Ok(done?))
}

/// How a run is ended by its user: the first time it ends early and reports, the second time it leaves.
#[derive(Clone, Default)]
struct Ending {
    stop: Arc<AtomicBool>,
    leave: Arc<Notify>,
}

impl Ending {
    fn asked(&self) {
        if self.stop.swap(true, Ordering::Relaxed) {
            self.leave.notify_one();
        }
    }
}

/// The live screen, where standard error is a terminal that can show one.
fn screen(
    args: &HammerArgs,
    load: &Load,
    target: &Target,
    stats: &Arc<Stats>,
    ending: &Ending,
) -> Result<Option<Screen>, Failure> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if !std::io::stderr().is_terminal() || set("TERM").is_none_or(|term| term == "dumb") {
        return Ok(None);
    }
    let show = Show {
        scenario: args.mix()?.0,
        channel: target.channel.to_string(),
        seed: load.seed,
        offered: load.pace.offered(),
        lasts: args.lasts,
        colour: set("NO_COLOR").is_none(),
    };
    let ending = ending.clone();
    // A terminal that cannot be opened gets the lines of a pipe.
    Ok(Screen::open(show, Arc::clone(stats), Arc::clone(&ending.stop), move || ending.asked()).ok())
}

pub async fn run(context: &Context, args: &HammerArgs) -> Done {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..) >> 16);
    let channels = signing(context)?;
    if args.find_limit {
        return find_limit(context, args, &channels, seed).await;
    }
    let load = args.load(seed, args.rate.map(f64::from))?;
    let report = once(context, args, &channels, &load).await?;
    finish(context, args, &report)
}

async fn find_limit(context: &Context, args: &HammerArgs, channels: &Channels, seed: u64) -> Done {
    let bounds = Bounds { p99_ms: args.p99, errors_percent: args.errors };
    let mut steps: Vec<Step> = Vec::new();
    context.out.line(" offered/s  achieved/s    p99 ms  errors %");
    while let Some(rate) = limit::next(&steps, f64::from(args.rate.unwrap_or(200))) {
        let load = args.load(seed.wrapping_add(steps.len() as u64), Some(rate))?;
        let step = Step::of(&once(context, args, channels, &load).await?, rate, bounds);
        let word = match (step.held, step.load_was_the_bottleneck) {
            (true, _) => "held",
            (false, false) => "broke",
            (false, true) => "broke: the load itself was the bottleneck",
        };
        context.out.line(&format!(
            "{:>10.0}  {:>10.0}  {:>8.2}  {:>8.3}  {word}",
            step.offered, step.achieved, step.p99_ms, step.errors_percent
        ));
        steps.push(step);
    }
    let knee = limit::knee(&steps);
    if context.out.json {
        context.out.value(
            &json!({"knee_per_second": knee, "p99_ms": args.p99, "errors_percent": args.errors, "steps": steps}),
        );
    } else {
        let kept = format!("p99 ≤ {} ms, errors ≤ {} %", args.p99, args.errors);
        context.out.line(
            &knee.map_or_else(
                || format!("no rate held ({kept})"),
                |knee| format!("holds {knee:.0} callbacks/s ({kept})"),
            ),
        );
    }
    let violations: u64 = steps.iter().map(|step| step.violations).sum();
    Ok(if violations == 0 && knee.is_some() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Ctrl-C or SIGTERM ends the load early, and it still reports; a second one leaves.
async fn signals(ending: Ending) {
    let Ok(mut terminated) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else { return };
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        ending.asked();
    }
}

/// A line a second says how it goes.
async fn log(stats: Arc<Stats>) {
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let glance = stats.glance();
        if glance.answered > before {
            let p99 = glance.latency.first().map_or(0.0, |(_, values)| values[2]);
            let (rate, answered) = (glance.answered - before, glance.answered);
            let line = format_args!("{rate:>8}/s   {answered:>9} answered   p99 {p99:.2} ms\n");
            let _gone = std::io::Write::write_fmt(&mut std::io::stderr(), line);
        }
        before = glance.answered;
    }
}

fn finish(context: &Context, args: &HammerArgs, report: &Report) -> Done {
    if let Some(file) = &args.hgrm {
        std::fs::write(file, report.hgrm()).map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    }
    if context.out.json {
        context.out.value(&report.json());
    } else {
        context.out.line(report.text().trim_end());
    }
    Ok(if report.violations() == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
