//! `kamid notice`.

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::output::Shown;
use crate::cli::{Context, Done};
use crate::client::resend;
use crate::wire::notices::{NoticeTest, NoticesWish};
use crate::wire::{ListNotices, TryNotifier};

/// Notices as they are listed.
pub const NOTICES: Shown<7> =
    Shown { list: "notices", columns: ["order", "state", "tries", "next_time", "by", "contact", "why"] };

#[derive(Debug, Subcommand)]
pub enum NoticeCommand {
    /// List notices that were given up or are still to be sent
    #[command(after_help = "Example:\n  kamid notice list")]
    List {
        /// At most so many of each
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Tell an order's buyer again, or an operator some news
    #[command(
        after_help = "Examples:\n  kamid notice resend 2K0MB1Q3ZJ0A7C8H5E9T\n  kamid notice resend order.delivered:hook:2K0MB1Q3ZJ0A7C8H5E9T"
    )]
    Resend {
        /// The order's number, or the news as `kamid notice list` names them
        order: String,
    },
    /// Send a message without an order, to see whether a notifier works
    #[command(after_help = "Examples:\n  kamid notice test mail --to me@example.com\n  kamid notice test hook")]
    Test {
        /// The notifier: its name in the configuration
        notifier: String,
        /// Where to, if it tells buyers
        #[arg(long)]
        to: Option<String>,
    },
}

pub async fn run(context: &Context, command: NoticeCommand) -> Done {
    let client = context.client()?;
    let done = match command {
        NoticeCommand::List { limit } => {
            let list = client.call::<ListNotices>((), &NoticesWish { limit: limit as usize }).await?;
            return context.show(&list.whole, &NOTICES);
        }
        NoticeCommand::Resend { order } => client.ask(&resend(&order)).await?,
        NoticeCommand::Test { notifier, to } => client.whole::<TryNotifier>((), &NoticeTest { notifier, to }).await?,
    };
    context.out.fields(&done);
    Ok(ExitCode::SUCCESS)
}
