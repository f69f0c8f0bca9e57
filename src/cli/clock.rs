//! `kamid clock`.

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::{Context, Done};
use crate::domain::text::{UNITS, span};
use crate::wire::AcceptClock;
use crate::wire::shop::Why;

#[derive(Debug, Subcommand)]
pub enum ClockCommand {
    /// Take Redis' time as it is: orders expire by it again
    #[command(
        after_help = "Example:\n  kamid clock accept --reason \"Redis' machine was set right, this one's clock is slow\"\nWhile Redis' clock and the daemons' disagree no order expires. If Redis' clock is the wrong one, set it right instead: once they agree, orders expire again by themselves. Accepting it expires at once what is past by it."
    )]
    Accept {
        /// Why: it stands in the trail
        #[arg(long)]
        reason: String,
    },
}

pub async fn run(context: &Context, command: ClockCommand) -> Done {
    let ClockCommand::Accept { reason } = command;
    let done = context.client()?.call::<AcceptClock>((), &Why { reason }).await?;
    if context.out.json {
        context.out.value(&done.whole);
    } else {
        let ahead = done.ahead_ms;
        let (apart, way) = (span(ahead.unsigned_abs(), &UNITS), if ahead < 0 { "behind" } else { "ahead of" });
        context.out.line(&format!("Accepted: orders expire by Redis' clock, which is {apart} {way} this machine's."));
    }
    Ok(ExitCode::SUCCESS)
}
