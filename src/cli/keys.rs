//! `kamid keys`.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;
use tokio::task::JoinSet;

use super::parts::Parts;
use super::{Context, Done, Failure, output};
use crate::client::{Client, part};
use crate::shop::ImportReport;

/// Bytes of one request; the daemon takes up to `limits.import_bytes`.
const PART_BYTES: usize = 262_144;
/// Requests under way at once.
const PARTS_AT_ONCE: usize = 3;

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Import keys, one a line; what was ever imported, into whatever product, is not imported twice
    #[command(
        after_help = "Examples:\n  kamid keys import steam-10 keys.txt\n  cat keys.txt | kamid keys import steam-10 -\nKilled half-way, run it again: each key is there once."
    )]
    Import {
        /// Product
        product: String,
        /// File, or - for standard input
        file: PathBuf,
    },
    /// Stock of every product
    #[command(after_help = "Example:\n  kamid keys stock --json")]
    Stock,
    /// Take keys out of sale: the oldest, or those in a file
    #[command(after_help = "Example:\n  kamid keys void steam-10 --count 5")]
    Void {
        /// Product
        product: String,
        /// How many of the oldest
        #[arg(long, default_value_t = 0)]
        count: u32,
        /// File with the keys to void, one a line
        #[arg(long, value_name = "FILE", conflicts_with = "count")]
        file: Option<PathBuf>,
    },
    /// Put voided keys back on sale, those voided last first
    #[command(after_help = "Example:\n  kamid keys restore steam-10 --count 5")]
    Restore {
        /// Product
        product: String,
        /// How many; all where left out
        #[arg(long)]
        count: Option<u32>,
    },
}

pub async fn run(context: &Context, command: KeysCommand) -> Done {
    let client = context.client()?;
    match command {
        KeysCommand::Import { product, file } => import(context, client, &product, &file).await,
        KeysCommand::Stock => {
            let columns = [
                "id",
                "stock.available",
                "stock.pool",
                "stock.reserved",
                "stock.given",
                "stock.voided",
                "stock.imported",
                "stock.owed",
            ];
            context.show(&client.get("/v1/products", &[]).await?, "products", &columns)
        }
        KeysCommand::Void { product, count, file } => {
            let keys = file.map(|file| {
                std::fs::read_to_string(&file).map_err(|error| Failure::new(format!("{}: {error}", file.display())))
            });
            let keys = keys.transpose()?.unwrap_or_default();
            if count == 0 && keys.is_empty() {
                return Err(Failure::new("say which keys: --count N or --file FILE"));
            }
            let done = client
                .post(&format!("/v1/products/{}/void", part(&product)?), &json!({"count": count, "keys": keys}))
                .await?;
            context.out.fields(&done);
            Ok(ExitCode::SUCCESS)
        }
        KeysCommand::Restore { product, count } => {
            let done = client
                .post(
                    &format!("/v1/products/{}/restore", part(&product)?),
                    &json!({"count": count.unwrap_or(u32::MAX)}),
                )
                .await?;
            context.out.fields(&done);
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn import(context: &Context, client: Client, product: &str, file: &PathBuf) -> Done {
    let fail = |error: std::io::Error| Failure::new(format!("{}: {error}", file.display()));
    let (input, length): (Box<dyn BufRead + Send>, u64) = if file.as_os_str() == "-" {
        if std::io::stdin().is_terminal() && !context.out.json {
            context.out.line("One key a line; Ctrl-D ends.");
        }
        (Box::new(BufReader::new(std::io::stdin())), 0)
    } else {
        let opened = File::open(file).map_err(fail)?;
        let length = opened.metadata().map_or(0, |meta| meta.len());
        (Box::new(BufReader::with_capacity(262_144, opened)), length)
    };
    let keys = format!("/v1/products/{}/keys", part(product)?);
    let bar = output::bar(length, true);
    let mut parts = Parts::new(input, PART_BYTES);
    let mut jobs: JoinSet<Result<(ImportReport, u64), Failure>> = JoinSet::new();
    let mut total = ImportReport::default();
    loop {
        let next = if jobs.len() < PARTS_AT_ONCE { parts.part().map_err(fail)? } else { None };
        match next {
            Some(next) => {
                let (client, path) = (client.clone(), format!("{keys}?first={}", next.first));
                jobs.spawn(async move { Ok((client.upload::<ImportReport>(&path, next.text).await?, next.read)) });
            }
            None => match jobs.join_next().await {
                Some(done) => {
                    let (report, read) = done.map_err(|error| Failure::new(error.to_string()))??;
                    total.add(&report);
                    bar.inc(read);
                }
                None => break,
            },
        }
    }
    bar.finish_and_clear();
    parts.finish(&mut total);
    show(context, &total);
    let nothing = total.imported == 0 && total.unreadable + total.too_long > 0;
    Ok(ExitCode::from(u8::from(nothing)))
}

fn show(context: &Context, report: &ImportReport) {
    if context.out.json {
        return context.out.value(&serde_json::to_value(report).unwrap_or_default());
    }
    context.out.line(&format!("{} lines: {} keys imported", report.lines, report.imported));
    for (what, count, lines) in [
        ("twice in the file", report.repeated, &report.repeated_lines),
        ("imported before", report.known, &report.known_lines),
        ("too long", report.too_long, &report.too_long_lines),
        ("not UTF-8 text, or with control characters", report.unreadable, &report.unreadable_lines),
        ("blank", report.blank, &Vec::new()),
    ] {
        if count > 0 {
            let named: Vec<String> = lines.iter().take(20).map(u64::to_string).collect();
            let more = if count as usize > named.len() && !named.is_empty() { ", …" } else { "" };
            let lines = if named.is_empty() { String::new() } else { format!(" (lines {}{more})", named.join(", ")) };
            context.out.line(&format!("  {count} {what}{lines}"));
        }
    }
    if report.unreadable > 0 {
        context.out.line("  A file in GBK or UTF-16 is converted with: iconv -f GBK -t UTF-8 keys.txt");
    }
}
