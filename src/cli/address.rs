//! `kamid address`.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::{Context, Done};

#[derive(Debug, Subcommand)]
pub enum AddressCommand {
    /// Refuse all callbacks from an address, on every instance
    #[command(
        after_help = "Example:\n  kamid address block 203.0.113.9 --minutes 60 --reason \"forges callbacks\"\nA gateway behind this address is blocked too: its callbacks hear 429 like all others."
    )]
    Block {
        /// The address; of an IPv6 one its whole /64
        address: String,
        /// For how long: up to a week
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_080))]
        minutes: u32,
        /// Why: it stands in the list and in the trail
        #[arg(long)]
        reason: String,
        /// Even if it is this machine's own or a trusted proxy's
        #[arg(long)]
        force: bool,
    },
    /// Let an address in again
    #[command(after_help = "Example:\n  kamid address unblock 203.0.113.9")]
    Unblock {
        /// The address
        address: String,
    },
    /// List addresses that are blocked by hand
    #[command(after_help = "Example:\n  kamid address list")]
    List,
}

pub async fn run(context: &Context, command: AddressCommand) -> Done {
    let client = context.client()?;
    let done = match command {
        AddressCommand::List => {
            let columns = ["address", "until_at", "since", "by", "reason"];
            return context.show(&client.get("/v1/addresses", &[]).await?, "addresses", &columns);
        }
        AddressCommand::Block { address, minutes, reason, force } => {
            let wish = json!({"address": address, "minutes": minutes, "reason": reason, "force": force});
            client.post("/v1/addresses/block", &wish).await?
        }
        AddressCommand::Unblock { address } => {
            client.post("/v1/addresses/unblock", &json!({"address": address})).await?
        }
    };
    context.out.fields(&done);
    Ok(ExitCode::SUCCESS)
}
