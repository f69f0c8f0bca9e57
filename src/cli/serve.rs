//! `kamid serve`.

use std::process::ExitCode;

use crate::cli::config::configuration;
use crate::cli::{Context, Done, Failure};
use crate::daemon;

pub async fn serve(context: &Context, moved: bool) -> Done {
    daemon::start_log();
    let done = run(context, moved).await;
    // A pipe that nobody reads must not hold the end either: what is said then is not waited for.
    let written = daemon::finish_log();
    match done {
        Err(failure) if !written => Ok(ExitCode::from(failure.code)),
        done => done,
    }
}

async fn run(context: &Context, moved: bool) -> Done {
    let config = configuration(context)?;
    let program = std::env::args().next().unwrap_or_else(|| "kamid".to_owned());
    let shell = match &context.global.data {
        Some(data) if std::env::var_os("KAMID_DATA").is_none() => format!("{program} --data {}", data.display()),
        _ => program,
    };
    match daemon::serve(config, &context.data, &shell, moved).await {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            let code = if matches!(error, daemon::DaemonError::Channels(_)) { 64 } else { 1 };
            Err(Failure { message: error.to_string(), code })
        }
    }
}
