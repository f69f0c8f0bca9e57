//! `kamid address`.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Context, Done, Failure, output};
use crate::client::Client;

#[derive(Debug, Subcommand)]
pub enum AddressCommand {
    /// Refuse all callbacks from an address, on every instance
    #[command(
        after_help = "Examples:\n  kamid address block 203.0.113.9 --minutes 60 --reason \"forges callbacks\"\n  kamid address block 203.0.113.9 --orders --reason \"orders and never pays\"\nA gateway behind this address is blocked too: its callbacks hear 429 like all others."
    )]
    Block {
        /// The address; of an IPv6 one its whole /64. No larger network: that is the firewall's
        address: String,
        /// For how long: up to a week
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_080))]
        minutes: u32,
        /// Why: it stands in the list and in the trail
        #[arg(long)]
        reason: String,
        /// Refuse its orders too, and let its unpaid ones expire
        #[arg(long)]
        orders: bool,
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
            let columns = ["address", "until_at", "since", "by", "orders", "reason"];
            return context.show(&client.get("/v1/addresses", &[]).await?, "addresses", &columns);
        }
        AddressCommand::Block { address, minutes, reason, orders, force } => {
            let wish = json!({
                "address": address, "minutes": minutes, "reason": reason, "orders": orders, "force": force,
            });
            let mut done = client.post("/v1/addresses/block", &wish).await?;
            if done["left"].as_u64().is_some_and(|left| left > 0) {
                let more = expire_all(&client, &address, &reason).await?;
                let expired = done["expired"].as_u64().unwrap_or(0) + more["expired"].as_u64().unwrap_or(0);
                (done["expired"], done["left"]) = (json!(expired), more["left"].clone());
            }
            done
        }
        AddressCommand::Unblock { address } => {
            client.post("/v1/addresses/unblock", &json!({"address": address})).await?
        }
    };
    context.out.fields(&done);
    Ok(ExitCode::SUCCESS)
}

/// Lets every unpaid order of an address or network expire, some at a time.
pub async fn expire_all(client: &Client, address: &str, reason: &str) -> Result<Value, Failure> {
    let (mut expired, mut bar) = (0, None);
    loop {
        let wish = json!({"address": address, "reason": reason});
        let mut part = client.post("/v1/addresses/expire", &wish).await?;
        let number = |name: &str| part[name].as_u64().unwrap_or(0);
        let (now, left) = (number("expired"), number("left"));
        expired += now;
        let bar = bar.get_or_insert_with(|| output::bar(now + left, false));
        bar.set_position(expired);
        // What comes in meanwhile is not waited for: a block keeps it out.
        if left == 0 || now == 0 {
            bar.finish_and_clear();
            part["expired"] = json!(expired);
            return Ok(part);
        }
    }
}
