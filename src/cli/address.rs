//! `kamid address`.

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::output::Shown;
use crate::cli::{Context, Done, Failure, output};
use crate::client::{Answered, Client};
use crate::wire::operators::{AddressExpired, AddressWish, BlockWish, ExpireWish};
use crate::wire::{BlockAddress, ExpireAddress, ListAddresses, Nothing, UnblockAddress};

/// Addresses as they are listed.
pub const ADDRESSES: Shown<6> =
    Shown { list: "addresses", columns: ["address", "until_at", "since", "by", "orders", "reason"] };

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
            let list = client.whole::<ListAddresses>((), &Nothing).await?;
            return context.show(&list, &ADDRESSES);
        }
        AddressCommand::Block { address, minutes, reason, orders, force } => {
            let (known, why) = (address.clone(), reason.clone());
            let wish = BlockWish { address, minutes: minutes.into(), reason, force, orders };
            let mut done = client.call::<BlockAddress>((), &wish).await?;
            if done.left.is_some_and(|left| left > 0) {
                let more = expire_all(&client, &known, &why).await?;
                done = done.amended(|done| {
                    (done.expired, done.left) = (Some(done.expired.unwrap_or(0) + more.expired), Some(more.left));
                });
            }
            done.whole
        }
        AddressCommand::Unblock { address } => client.whole::<UnblockAddress>((), &AddressWish { address }).await?,
    };
    context.out.fields(&done);
    Ok(ExitCode::SUCCESS)
}

/// Lets every unpaid order of an address or network expire, some at a time.
pub async fn expire_all(client: &Client, address: &str, reason: &str) -> Result<Answered<AddressExpired>, Failure> {
    let (mut expired, mut bar) = (0, None);
    let wish = ExpireWish { address: address.to_owned(), reason: reason.to_owned() };
    loop {
        let part = client.call::<ExpireAddress>((), &wish).await?;
        let (now, left) = (part.expired, part.left);
        expired += now;
        let bar = bar.get_or_insert_with(|| output::bar(now + left, false));
        bar.set_position(expired);
        // What comes in meanwhile is not waited for: a block keeps it out.
        if left == 0 || now == 0 {
            bar.finish_and_clear();
            return Ok(part.amended(|part| part.expired = expired));
        }
    }
}
