//! `kamid incident`.

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::output::Shown;
use crate::cli::product::moment;
use crate::cli::{Context, Done};
use crate::wire::incidents::IncidentSearch;
use crate::wire::{CaptureIncident, ListIncidents, Nothing, ReplayIncident, ShowIncident};

/// Incidents as they are listed.
pub const INCIDENTS: Shown<7> =
    Shown { list: "incidents", columns: ["at", "id", "reason", "channel", "address", "number", "status"] };

#[derive(Debug, Subcommand)]
pub enum IncidentCommand {
    /// List incidents, newest first
    #[command(after_help = "Example:\n  kamid incident list --reason bad_signature")]
    List {
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Of this reason only: bad_signature, order_unknown, …
        #[arg(long)]
        reason: Option<String>,
        /// Of this channel only
        #[arg(long)]
        channel: Option<String>,
        /// From this address only
        #[arg(long)]
        address: Option<String>,
        /// Before this moment: 2026-12-01T10:00:00+08:00
        #[arg(long, value_parser = moment)]
        before: Option<u64>,
    },
    /// Show one, with its request, what it means and what to do
    #[command(after_help = "Example:\n  kamid incident show 1a2b3c-19a1-7")]
    Show {
        /// Its id
        id: String,
    },
    /// Ask what the running configuration would say of its request now; nothing is settled
    #[command(
        after_help = "Example:\n  kamid incident replay 1a2b3c-19a1-7\nWhen it says accept, the gateway's repeat will settle; or: kamid order query ID."
    )]
    Replay {
        /// Its id
        id: String,
    },
    /// Write one as a capture, to be replayed with `kamid channel verify`
    #[command(after_help = "Example:\n  kamid incident export 1a2b3c-19a1-7 > incident.json")]
    Export {
        /// Its id
        id: String,
    },
}

pub async fn run(context: &Context, command: IncidentCommand) -> Done {
    let client = context.client()?;
    match command {
        IncidentCommand::List { limit, reason, channel, address, before } => {
            let search = IncidentSearch { limit: limit as usize, reason, channel, address, before };
            context.show(&client.whole::<ListIncidents>((), &search).await?, &INCIDENTS)
        }
        IncidentCommand::Show { id } => {
            context.out.fields(&client.whole::<ShowIncident>(id, &Nothing).await?);
            Ok(ExitCode::SUCCESS)
        }
        IncidentCommand::Replay { id } => {
            context.out.fields(&client.whole::<ReplayIncident>(id, &Nothing).await?);
            Ok(ExitCode::SUCCESS)
        }
        IncidentCommand::Export { id } => {
            context.out.value(&client.whole::<CaptureIncident>(id, &Nothing).await?);
            Ok(ExitCode::SUCCESS)
        }
    }
}
