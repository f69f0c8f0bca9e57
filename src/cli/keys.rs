//! `kamid keys`.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher as _;
use std::io::{BufRead, BufReader, IsTerminal as _, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;
use tokio::task::JoinSet;

use super::{Context, Done, Failure, output};
use crate::client::{Client, part};
use crate::shop::ImportReport;

/// Bytes of one request; the daemon takes up to `limits.import_bytes`.
const PART_BYTES: usize = 262_144;
/// Longest line read; what is longer is reported, not kept.
const LINE_BYTES: u64 = 131_072;
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

/// Reads a file a part at a time: whole lines, and the number of the first.
struct Parts {
    input: Box<dyn BufRead + Send>,
    /// Nothing more comes: a terminal would wait for another key press.
    ended: bool,
    line: u64,
    seen: HashSet<(u64, u64)>,
    hashers: (RandomState, RandomState),
    report: ImportReport,
}

struct Part {
    first: u64,
    text: Vec<u8>,
    read: u64,
}

impl Parts {
    /// The next part. A key that stood earlier in the file is counted here and its line sent empty, so that line numbers
    /// stay what they are.
    fn next(&mut self) -> std::io::Result<Option<Part>> {
        let mut part = Part { first: self.line + 1, text: Vec::new(), read: 0 };
        let mut line = Vec::new();
        while part.text.len() < PART_BYTES && !self.ended {
            line.clear();
            let read = self.input.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line)? as u64;
            if read == 0 {
                self.ended = true;
                break;
            }
            part.read += read;
            if read == LINE_BYTES && line.last() != Some(&b'\n') {
                part.read += self.skip_line()?;
                line.push(b'\n');
            }
            self.line += 1;
            let key = line.trim_ascii();
            let key = if self.line == 1 { key.strip_prefix(b"\xef\xbb\xbf").unwrap_or(key) } else { key };
            // 128 bits: two lines that are taken for one would lose a key.
            let hash = (self.hashers.0.hash_one(key), self.hashers.1.hash_one(key));
            if !key.is_empty() && !self.seen.insert(hash) {
                self.report.repeated += 1;
                if self.report.repeated_lines.len() < 1000 {
                    self.report.repeated_lines.push(self.line);
                }
                self.report.blank = self.report.blank.wrapping_sub(1);
                part.text.push(b'\n');
            } else {
                part.text.extend_from_slice(&line);
                if part.text.last() != Some(&b'\n') {
                    part.text.push(b'\n');
                }
            }
        }
        Ok((part.read > 0).then_some(part))
    }

    fn skip_line(&mut self) -> std::io::Result<u64> {
        let mut skipped = 0;
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(skipped);
            }
            let end = buffer.iter().position(|b| *b == b'\n').map_or(buffer.len(), |at| at + 1);
            let done = buffer.get(end - 1) == Some(&b'\n');
            self.input.consume(end);
            skipped += end as u64;
            if done {
                return Ok(skipped);
            }
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
    let mut parts = Parts {
        input,
        ended: false,
        line: 0,
        seen: HashSet::new(),
        hashers: (RandomState::new(), RandomState::new()),
        report: ImportReport::default(),
    };
    let mut jobs: JoinSet<Result<(ImportReport, u64), Failure>> = JoinSet::new();
    let mut total = ImportReport::default();
    loop {
        let next = if jobs.len() < PARTS_AT_ONCE { parts.next().map_err(fail)? } else { None };
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
    total.blank = total.blank.wrapping_add(parts.report.blank);
    parts.report.blank = 0;
    total.add(&parts.report);
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
