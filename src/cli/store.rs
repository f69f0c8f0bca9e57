//! `kamid store`.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::cli::output::Shown;
use crate::cli::{Context, Done};
use crate::domain::{Doubt, Missing};
use crate::wire::shop::Why;
use crate::wire::{AcceptStore, Nothing, ShowStore};

/// Up to when each slot was acknowledged.
pub const SLOTS: Shown<2> = Shown { list: "slots", columns: ["slot", "acknowledged_until_at"] };

#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Say whether Redis is the store that was there, and what is missing where it is not
    #[command(after_help = "Example:\n  kamid store show\nExit code 1 if the store is doubted.")]
    Show,
    /// Take what is in Redis for the store from now on, on every instance
    #[command(
        after_help = "Example:\n  kamid store accept --reason \"the volume is lost, restored from the backup of 03:00\"\nFirst bring back the newest copy that there is, and void the keys that were sold since then: kamid keys void demo --file sold.txt\nThen: kamid order reconcile --since 2026-12-01T03:00:00+08:00 for orders that are there, kamid channel reconcile NAME --bill FILE for those that are not."
    )]
    Accept {
        /// Why: it stands in the store and in the trail
        #[arg(long)]
        reason: String,
    },
}

/// Of the slots that are not as they were and had events: up to when those were acknowledged.
pub fn last_known(doubt: &Doubt) -> Value {
    let row = |missing: &Missing| {
        let ms = missing.mark.split('-').next()?.parse::<u64>().ok().filter(|ms| *ms > 0)?;
        Some(json!({"slot": missing.place, "acknowledged_until_at": ms}))
    };
    json!({"slots": doubt.missing.iter().filter_map(row).collect::<Vec<_>>()})
}

pub async fn run(context: &Context, command: StoreCommand) -> Done {
    let client = context.client()?;
    match command {
        StoreCommand::Show => {
            let standing = client.call::<ShowStore>((), &Nothing).await?;
            let trusted = standing.doubt.is_none() && standing.careless.is_none();
            if context.out.json {
                context.out.value(&standing.whole);
            } else if trusted {
                context.out.line("The store is the one that was there.");
            } else {
                for why in [&standing.why, &standing.careless].into_iter().flatten() {
                    context.out.line(why);
                }
                if let Some(doubt) = &standing.doubt {
                    let known = last_known(doubt);
                    if known["slots"] != json!([]) {
                        context.out.list(&known, &SLOTS);
                    }
                    context.out.line("Bring the right files back, and all goes on by itself; or, if what is lost is lost: kamid store accept --help");
                } else {
                    context.out.line(
                        "Callbacks hear 503 until it is set back: redis-cli CONFIG SET …; redis-cli CONFIG REWRITE",
                    );
                }
            }
            Ok(if trusted { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
        StoreCommand::Accept { reason } => {
            context.out.fields(&client.whole::<AcceptStore>((), &Why { reason }).await?);
            Ok(ExitCode::SUCCESS)
        }
    }
}
