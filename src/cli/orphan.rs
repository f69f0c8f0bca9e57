//! `kamid orphan`.

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::output::Shown;
use crate::cli::{Context, Done};
use crate::wire::payments::OrphanWish;
use crate::wire::{AdoptOrphan, ListOrphans, Nothing, RefundOrphan};

/// Payments as they are listed.
pub const PAYMENTS: Shown<6> =
    Shown { list: "payments", columns: ["kind", "id", "payment", "amount", "currency", "since"] };

#[derive(Debug, Subcommand)]
pub enum OrphanCommand {
    /// List payments that wait for a person: second ones, and ones for unknown numbers
    #[command(after_help = "Example:\n  kamid orphan list")]
    List,
    /// Count such a payment for an order
    #[command(
        after_help = "Example:\n  kamid orphan adopt KO2511… 'alipay|2025112316003140799' --order 07MIBQ3K2XZ0A1B2C3D4"
    )]
    Adopt {
        /// The id as listed
        id: String,
        /// The payment as listed: channel|trade number
        payment: String,
        /// The order it is for
        #[arg(long)]
        order: String,
    },
    /// Mark such a payment as paid back
    #[command(after_help = "Example:\n  kamid orphan refund KO2511… 'alipay|2025112316003140799'")]
    Refund {
        /// The id as listed
        id: String,
        /// The payment as listed: channel|trade number
        payment: String,
    },
}

pub async fn run(context: &Context, command: OrphanCommand) -> Done {
    let client = context.client()?;
    let done = match command {
        OrphanCommand::List => {
            let list = client.whole::<ListOrphans>((), &Nothing).await?;
            return context.show(&list, &PAYMENTS);
        }
        OrphanCommand::Adopt { id, payment, order } => {
            client.whole::<AdoptOrphan>((), &OrphanWish { id, payment, order }).await?
        }
        OrphanCommand::Refund { id, payment } => {
            let which = OrphanWish { id, payment, order: String::new() };
            client.whole::<RefundOrphan>((), &which).await?
        }
    };
    context.out.fields(&done);
    Ok(ExitCode::SUCCESS)
}
