//! `kamid hammer`.

mod args;
mod live;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::channel::Channels;
use crate::cli::{Context, Done, Failure, config, output};
use crate::client::Client;
use crate::hammer::limit::{self, Trial};
use crate::hammer::{self, HammerError, Load, Prepared, RunOptions, RunReport, Stats};
pub use args::HammerArgs;
use live::{Ending, interrupted, log, screen, signals};

/// How long a last request may take.
const LEAVING: Duration = Duration::from_secs(2);
/// Requests from which a p99 says something.
const ENOUGH: f64 = 100.0;

/// What `-h` ends with.
pub const EXAMPLES: &str = "Examples:
  kamid hammer --rate 2000 --for 30s
  kamid hammer --connections 64 --for 20s --visits 500000
  kamid hammer sale --rate 200 --for 10s --stock 1000 --unpaid 10
  kamid hammer mix --rate 500 --mix paid=90,duplicate=5,forged=3,unknown=2
  kamid hammer --find-limit --p99 50 --for 5s
Exit code 1 if there is any violation. It makes a product, keys and orders of its own, in test mode only unless told \
     otherwise. q or Ctrl-C ends early and reports. --help shows what each scenario says.";

/// What `--help` ends with: real runs.
pub const RUNS: &str = include_str!("runs.txt");

impl From<HammerError> for Failure {
    fn from(error: HammerError) -> Self {
        match error {
            HammerError::Client(error) => error.into(),
            other => Self::new(other.to_string()),
        }
    }
}

/// Prepares one load, runs it, and audits it.
async fn once(
    context: &Context,
    args: &HammerArgs,
    channels: &Channels,
    load: &Load,
    ending: &Ending,
) -> Result<RunReport, Failure> {
    let wish = RunOptions {
        channel: args.channel.clone(),
        quantity: args.quantity,
        stock: args.stock,
        live: args.yes_this_is_live,
        remote: args.allow_remote,
        seed: load.seed,
        lasts: args.lasts,
        made: Arc::default(),
    };
    let client = context.client()?;
    let bar = output::bar(100, false);
    let progress = |what: &'static str, done: u64, of: u64| {
        bar.set_message(what);
        bar.set_position(100 * done / of.max(1));
    };
    let target = tokio::select! {
        target = Prepared::prepare(client.clone(), channels, &wish, &load.visits, &progress) => target?,
        // Nothing was sent: there is nothing to report.
        () = ending.asked_times(1) => return Err(left(&client, wish.made.get()).await),
    };
    bar.finish_and_clear();
    let stats = Arc::new(Stats::default());
    let quiet = context.out.json || args.find_limit;
    let screen = if quiet { None } else { screen(args, load, &target, &stats, (ending, context.ascii()))? };
    let mut helpers = tokio::task::JoinSet::new();
    if screen.is_none() && !quiet {
        helpers.spawn(log(Arc::clone(&stats)));
    }
    let report = tokio::select! {
        report = hammer::run(&target, load, &stats, &ending.stop, args.audited()) => Ok(report),
        () = ending.asked_times(2) => Err(left(&client, Some(&target.product)).await),
    };
    // The terminal is as it was before anything is printed.
    drop(screen);
    report
}

/// Who leaves without a report leaves nothing on sale either, as far as the daemon answers at once.
async fn left(client: &Client, product: Option<&String>) -> Failure {
    let mut failure = interrupted();
    if let Some(product) = product {
        let is = tokio::time::timeout(LEAVING, hammer::target::retire(client, product)).await;
        failure.message = format!("{}; {}", failure.message, hammer::report::off_sale(product, is.unwrap_or(false)));
    }
    failure
}

pub async fn run(context: &Context, args: &HammerArgs) -> Done {
    args.check()?;
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..) >> 16);
    let channels = config::channels(context)?;
    let ending = Ending::default();
    let mut helpers = tokio::task::JoinSet::new();
    helpers.spawn(signals(ending.clone()));
    if args.find_limit {
        return find_limit(context, args, &channels, seed, &ending).await;
    }
    let load = args.load(seed, args.rate.map(f64::from))?;
    // Opened first: what cannot be written is known before anything is sent.
    let hgrm = args
        .hgrm
        .as_ref()
        .map(|path| std::fs::File::create(path).map_err(|error| Failure::new(format!("{}: {error}", path.display()))));
    let hgrm = hgrm.transpose()?;
    let report = once(context, args, &channels, &load, &ending).await?;
    finish(context, hgrm, &report)
}

async fn find_limit(context: &Context, args: &HammerArgs, channels: &Channels, seed: u64, ending: &Ending) -> Done {
    let unit = if args.mix()?.0 == "sale" { "visits" } else { "requests" };
    let bounds = args.bounds();
    let mut steps: Vec<Trial> = Vec::new();
    context.out.line(" offered/s  achieved/s    p99 ms  errors %");
    while let Some(rate) = limit::next(&steps, f64::from(args.rate.unwrap_or(200))) {
        if rate * args.lasts.as_secs_f64() < ENOUGH {
            context
                .out
                .line(&format!("{rate:>10.0}  not tried: --for gives fewer than {ENOUGH} requests, too few for a p99"));
            break;
        }
        let load = args.load(seed.wrapping_add(steps.len() as u64), Some(rate))?;
        let report = once(context, args, channels, &load, ending).await?;
        if let Some(why) = report.unaudited {
            return Err(Failure::new(why));
        }
        let step = Trial::of(&report, rate, bounds);
        if ending.asked() {
            // Cut short, it says nothing of its rate.
            break;
        }
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
    let spread = knee.map(|knee| limit::spread(&steps, knee));
    if context.out.json {
        context.out.value(
            &json!({"knee_per_second": knee, "interrupted": ending.asked(), "p99_ms": bounds.p99_ms, "errors_percent": bounds.errors_percent, "spread": spread, "steps": steps}),
        );
    } else {
        let early = if ending.asked() { "; interrupted: it may hold more" } else { "" };
        let kept = format!("p99 ≤ {} ms, errors ≤ {} %{early}", bounds.p99_ms, bounds.errors_percent);
        let found =
            knee.zip(spread).map(|(knee, spread)| format!("holds {knee:.0} {unit}/s ({kept}); {}", apart(spread)));
        context.out.line(&found.unwrap_or_else(|| format!("no rate held ({kept})")));
    }
    let violations: u64 = steps.iter().map(|step| step.violations).sum();
    Ok(if violations == 0 && knee.is_some() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// How far the trials lie apart, in words.
fn apart(spread: limit::TrialSpread) -> String {
    let limit::TrialSpread { trials, held, p99_ms: [low, high], unsure_per_second } = spread;
    let unsure = match unsure_per_second {
        Some([low, high]) if low < high => format!("; trials did not agree from {low:.0} to {high:.0}/s"),
        Some([rate, _]) => format!("; trials did not agree at {rate:.0}/s"),
        None => String::new(),
    };
    format!("{held} of {trials} trials, p99 {low:.2} to {high:.2} ms{unsure}")
}

fn finish(context: &Context, hgrm: Option<std::fs::File>, report: &RunReport) -> Done {
    if context.out.json {
        context.out.value(&report.json());
    } else {
        context.out.line(report.text().trim_end());
    }
    if let Some(mut file) = hgrm {
        use std::io::Write as _;
        file.write_all(report.hgrm().as_bytes()).map_err(|error| Failure::new(format!("the .hgrm file: {error}")))?;
    }
    Ok(if report.clean() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
