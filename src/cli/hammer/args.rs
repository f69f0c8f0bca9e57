//! What `kamid hammer` takes, and the load that it means.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::Failure;
use crate::hammer::limit::Bounds;
use crate::hammer::{Arrivals, Audited, Load, MOST, Mix, Schedule, Shape, VisitKind};

/// How long a buyer thinks.
const THINK: Duration = Duration::from_millis(500);

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
    pub(super) rate: Option<u32>,
    /// How long, in seconds: 30s, 2m
    #[arg(long = "for", default_value = "10s", value_parser = seconds)]
    pub(super) lasts: Duration,
    /// How an open loop's requests are spread [steady]
    #[arg(long)]
    shape: Option<Spread>,
    /// Requests at one instant, for --shape burst [100]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    burst: Option<u32>,
    /// Connections: most requests under way at once; in a closed loop, visits [open loop: 256, closed loop: 64]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: Option<u32>,
    /// Kinds and shares [paid=80,duplicate=5,forged=5,wrong-amount=2,unknown=2,late=2,out-of-order=2,slow=2]; also: buyer, unpaid
    #[arg(long)]
    mix: Option<Mix>,
    /// How long a buyer thinks before he pays, on average: 500ms, 2s [500ms]
    #[arg(long, value_parser = think)]
    think: Option<Duration>,
    /// Buyers in a hundred who never pay, for a sale [0]
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=100))]
    unpaid: Option<u32>,
    /// Visits made ready for a closed loop; it ends early when they are used up [100000]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MOST))]
    visits: Option<u64>,
    /// Keys in each order
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) quantity: u32,
    /// Keys in stock; enough for every order where left out
    #[arg(long)]
    pub(super) stock: Option<u64>,
    /// Channel to pay through
    #[arg(long)]
    pub(super) channel: Option<String>,
    /// What chance begins with; the same seed is the same load
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Write the latencies' distribution for HdrHistogram's plotters
    #[arg(long, value_name = "FILE")]
    pub(super) hgrm: Option<PathBuf>,
    /// Raise the rate until a bound breaks, and report the highest that held; each rate is tried two or three times for --for
    #[arg(long)]
    pub(super) find_limit: bool,
    /// Highest p99 in milliseconds, for --find-limit [50]
    #[arg(long)]
    p99: Option<f64>,
    /// Highest share of failed requests in percent, for --find-limit [0.1]
    #[arg(long)]
    errors: Option<f64>,
    /// Do not audit afterwards
    #[arg(long)]
    no_audit: bool,
    /// Count the whole shop afterwards, not only what the run made: minutes in a large one
    #[arg(long, conflicts_with = "no_audit")]
    audit_shop: bool,
    /// Load a daemon that is in live mode
    #[arg(long)]
    pub(super) yes_this_is_live: bool,
    /// Load a daemon on another machine
    #[arg(long)]
    pub(super) allow_remote: bool,
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

/// A flag that means something in some modes only: its name, whether it is given, whether it means something, and where
/// it does.
type Flag = (&'static str, fn(&HammerArgs) -> bool, fn(&HammerArgs) -> bool, &'static str);

/// Every such flag. Given where it would change nothing, it is refused: nobody shall believe a figure that is not what he
/// asked for.
const FLAGS: &[Flag] = &[
    ("--shape", |it| it.shape.is_some(), HammerArgs::is_open, "an open loop (--rate or --find-limit)"),
    ("--burst", |it| it.burst.is_some(), |it| it.is_open() && matches!(it.shape, Some(Spread::Burst)), "--shape burst"),
    ("--visits", |it| it.visits.is_some(), |it| !it.is_open(), "a closed loop (neither --rate nor --find-limit)"),
    ("--think", |it| it.think.is_some(), HammerArgs::has_buyers, "buyers (the scenario sale, or buyer in --mix)"),
    ("--unpaid", |it| it.unpaid.is_some(), |it| it.scenario == Some(Scenario::Sale), "the scenario sale"),
    ("--p99", |it| it.p99.is_some(), |it| it.find_limit, "--find-limit"),
    ("--errors", |it| it.errors.is_some(), |it| it.find_limit, "--find-limit"),
    ("--hgrm", |it| it.hgrm.is_some(), |it| !it.find_limit, "one run (without --find-limit)"),
];

impl HammerArgs {
    fn is_open(&self) -> bool {
        self.rate.is_some() || self.find_limit
    }

    fn has_buyers(&self) -> bool {
        self.scenario == Some(Scenario::Sale) || self.mix.as_ref().is_some_and(|mix| mix.has(VisitKind::Buyer))
    }

    /// Refuses what would change nothing.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match FLAGS.iter().find(|(_, given, means, _)| given(self) && !means(self)) {
            Some((name, _, _, only)) => {
                Err(Failure { message: format!("{name} means nothing here: it is for {only}"), code: 2 })
            }
            None => Ok(()),
        }
    }

    /// What a rate must keep to.
    pub(super) fn bounds(&self) -> Bounds {
        Bounds { p99_ms: self.p99.unwrap_or(50.0), errors_percent: self.errors.unwrap_or(0.1) }
    }

    /// What is counted again afterwards.
    pub(super) fn audited(&self) -> Audited {
        match (self.no_audit, self.audit_shop) {
            (true, _) => Audited::No,
            (false, true) => Audited::Shop,
            (false, false) => Audited::Run,
        }
    }

    /// What is sent, with its name.
    pub(super) fn mix(&self) -> Result<(&'static str, Mix), Failure> {
        match (self.scenario, &self.mix) {
            (None | Some(Scenario::Mix), Some(mix)) => Ok(("mix", mix.clone())),
            (Some(Scenario::Mix), None) => Ok(("mix", Mix::usual())),
            (None | Some(Scenario::Callbacks), None) => Ok(("callbacks", Mix::only(VisitKind::Paid))),
            (Some(Scenario::Sale), None) => Ok(("sale", Mix::sale(self.unpaid.unwrap_or(0)))),
            (Some(Scenario::Callbacks | Scenario::Sale), Some(_)) => {
                Err(Failure { message: "--mix is for the scenario mix".to_owned(), code: 2 })
            }
        }
    }

    pub(super) fn load(&self, seed: u64, rate: Option<f64>) -> Result<Load, Failure> {
        let shape = match self.shape {
            None | Some(Spread::Steady) => Shape::Steady,
            Some(Spread::Poisson) => Shape::Poisson,
            Some(Spread::Burst) => Shape::Burst(self.burst.unwrap_or(100)),
            Some(Spread::Ramp) => Shape::Ramp,
        };
        let (arrivals, wanted, connections) = match rate {
            Some(rate) => {
                let schedule = Schedule { shape, rate, lasts: self.lasts, seed };
                // A tenth more than is due on average: chance may bring more.
                (Arrivals::Open(schedule), schedule.count() + schedule.count() / 10 + 10, 256)
            }
            None => (Arrivals::Closed(self.lasts), self.visits.unwrap_or(100_000), 64),
        };
        if wanted > MOST {
            return Err(Failure::new(format!("{wanted} requests are too many: at most {MOST}")));
        }
        let mut visits: Vec<VisitKind> = self.mix()?.1.visits(usize::try_from(wanted).unwrap_or(usize::MAX), seed);
        if let Arrivals::Open(schedule) = arrivals {
            // As many as all their requests are due: none is left half done.
            let mut left = schedule.dues().count();
            let whole = visits.iter().take_while(|kind| {
                let fits = kind.requests().len() <= left;
                left = left.saturating_sub(kind.requests().len());
                fits
            });
            let whole = whole.count();
            visits.truncate(whole);
        }
        let connections = self.connections.unwrap_or(connections) as usize;
        Ok(Load { visits, arrivals, connections, think: self.think.unwrap_or(THINK), seed })
    }
}
