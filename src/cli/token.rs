//! `kamid token`.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::{Context, Done};
use crate::client::part;

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Add an operator and print their token, which is shown only now
    #[command(
        after_help = "Example:\n  kamid token add night-shift --role view\nThen, on their machine: KAMID_TOKEN=… kamid --admin http://… order list"
    )]
    Add {
        /// Their name: a-z, 0-9 and -; it stands in the history of what they do
        name: String,
        /// What they may do
        #[arg(long)]
        role: RoleArg,
    },
    /// List operators
    #[command(after_help = "Example:\n  kamid token list")]
    List,
    /// Remove an operator; their token stops within two seconds
    #[command(after_help = "Example:\n  kamid token remove night-shift")]
    Remove {
        /// Their name
        name: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleArg {
    /// Look at everything but keys, tokens and raw requests
    View,
    /// Everything
    Operate,
}

pub async fn run(context: &Context, command: TokenCommand) -> Done {
    let client = context.client()?;
    let done = match command {
        TokenCommand::List => {
            return context.show(&client.get("/v1/tokens", &[]).await?, "tokens", &["name", "role", "created_at"]);
        }
        TokenCommand::Add { name, role } => {
            let role = match role {
                RoleArg::View => "view",
                RoleArg::Operate => "operate",
            };
            client.post("/v1/tokens", &json!({"name": name, "role": role})).await?
        }
        TokenCommand::Remove { name } => {
            client.post(&format!("/v1/tokens/{}/remove", part(&name)?), &json!({})).await?
        }
    };
    context.out.fields(&done);
    Ok(ExitCode::SUCCESS)
}
