//! `kamid token`.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};

use crate::cli::output::Shown;
use crate::cli::{Context, Done};
use crate::domain::Role;
use crate::wire::operators::NewToken;
use crate::wire::{AddToken, ListTokens, Nothing, RemoveToken};

/// Operators as they are listed.
pub const TOKENS: Shown<3> = Shown { list: "tokens", columns: ["name", "role", "created_at"] };

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
            let list = client.whole::<ListTokens>((), &Nothing).await?;
            return context.show(&list, &TOKENS);
        }
        TokenCommand::Add { name, role } => {
            let role = match role {
                RoleArg::View => Role::View,
                RoleArg::Operate => Role::Operate,
            };
            client.whole::<AddToken>((), &NewToken { name, role }).await?
        }
        TokenCommand::Remove { name } => client.whole::<RemoveToken>(name, &Nothing).await?,
    };
    context.out.fields(&done);
    Ok(ExitCode::SUCCESS)
}
