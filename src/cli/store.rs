//! `kamid store`.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::{Context, Done};

#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Say whether Redis is the store that was there, and what is missing where it is not
    #[command(after_help = "Example:\n  kamid store show\nExit code 1 if the store is doubted.")]
    Show,
    /// Take what is in Redis for the store from now on, on every instance
    #[command(
        after_help = "Example:\n  kamid store accept --reason \"the volume is lost, restored from the backup of 03:00\"\nFirst bring back the newest copy that there is: what was sold since then may be in the pools again.\nThen: kamid order reconcile --since 03:00, and void the keys that were sold since."
    )]
    Accept {
        /// Why: it stands in the store and in the trail
        #[arg(long)]
        reason: String,
    },
}

pub async fn run(context: &Context, command: StoreCommand) -> Done {
    let client = context.client()?;
    match command {
        StoreCommand::Show => {
            let standing = client.get("/v1/store", &[]).await?;
            let trusted = standing["doubt"].is_null() && standing["careless"].is_null();
            if context.out.json {
                context.out.value(&standing);
            } else if trusted {
                context.out.line("The store is the one that was there.");
            } else {
                for why in ["why", "careless"].iter().filter_map(|name| standing[name].as_str()) {
                    context.out.line(why);
                }
                context.out.list(&standing["doubt"], "missing", &["place", "mark", "id"]);
            }
            Ok(if trusted { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
        StoreCommand::Accept { reason } => {
            context.out.fields(&client.post("/v1/store/accept", &json!({"reason": reason})).await?);
            Ok(ExitCode::SUCCESS)
        }
    }
}
