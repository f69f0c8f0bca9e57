//! `kamid keys`.

pub mod parts;

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, IsTerminal as _, Read as _, Seek};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;
use tokio::task::JoinSet;

use self::parts::FileParts;
use crate::cli::output::Shown;
use crate::cli::{Context, Done, Failure, output};
use crate::client::{Answered, Client};
use crate::domain::ImportReport;
use crate::shop::goods::sheet::{self, Said, Sheet};
use crate::wire::products::{ImportWish, KeysWish, ProductsWish, Voided};
use crate::wire::{ImportKeys, ListProducts, Nothing, Raw, RestoreKeys, ShowInfo, VoidKeys, With};

/// Most bytes of one request, where the daemon's `limits.import_bytes` allows them.
const PART_BYTES: usize = 262_144;
/// Bytes of keys named in one request.
const VOID_BYTES: usize = 131_072;
/// Requests under way at once.
const PARTS_AT_ONCE: usize = 3;

/// Stock as it is listed.
pub const STOCK: Shown<8> = Shown {
    list: "products",
    columns: [
        "id",
        "stock.available",
        "stock.pool",
        "stock.reserved",
        "stock.given",
        "stock.voided",
        "stock.imported",
        "stock.owed",
    ],
};

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Import keys, one a line; what was ever imported, into whatever product, is not imported twice
    #[command(
        after_help = "Examples:\n  kamid keys import steam-10 keys.txt\n  cat keys.txt | kamid keys import steam-10 -\nA file that is no UTF-8 text with a key on each line is refused as a whole. Blanks and invisible characters around a\nkey are no part of it; inside they refuse their line, an emoji's joiners too. A heading is no key. Killed half-way, run it again: each key is there once."
    )]
    Import {
        /// Product
        product: String,
        /// File, or - for standard input
        file: PathBuf,
        /// The file is in this encoding, where it could be two: utf-8
        #[arg(long, value_name = "ENCODING", value_parser = encoding)]
        encoding: Option<()>,
        /// Every line is a key, I have looked: also where the file looks like a mail, a table, a page or JSON, or a line like a heading
        #[arg(long)]
        as_lines: bool,
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
        /// Every line of that file is a key, whatever it looks like
        #[arg(long, requires = "file")]
        as_lines: bool,
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
        KeysCommand::Import { product, file, encoding, as_lines } => {
            import(context, client, &product, (&file, Said { utf8: encoding.is_some(), as_lines })).await
        }
        KeysCommand::Stock => {
            let list = client.whole::<ListProducts>((), &ProductsWish::fresh()).await?;
            context.show(&list, &STOCK)
        }
        KeysCommand::Void { product, count, file, as_lines } => {
            let keys = file.map(|file| named(&file, as_lines)).transpose()?.unwrap_or_default();
            if count == 0 && keys.trim().is_empty() {
                return Err(Failure::new("say which keys: --count N or --file FILE"));
            }
            context.out.fields(&void(&client, &product, count, &keys).await?);
            Ok(ExitCode::SUCCESS)
        }
        KeysCommand::Restore { product, count } => {
            let wish = KeysWish { count: count.unwrap_or(u32::MAX), keys: String::new() };
            context.out.fields(&client.whole::<RestoreKeys>(product, &wish).await?);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The text of a file that names keys.
fn named(file: &Path, as_lines: bool) -> Result<String, Failure> {
    let fail = |why: String| Failure::new(format!("{}: {why}", file.display()));
    let bytes = std::fs::read(file).map_err(|error| fail(error.to_string()))?;
    sheet::judge(&bytes, Said { utf8: true, as_lines }).map_err(|(why, _)| fail(why.to_string()))?;
    String::from_utf8(bytes).map_err(|error| fail(error.to_string()))
}

/// Voids the oldest, or the named ones: as many requests as a long file needs.
async fn void(client: &Client, product: &str, count: u32, keys: &str) -> Result<Value, Failure> {
    let mut lines = keys.split_inclusive('\n').peekable();
    let mut total = None::<Answered<Voided>>;
    while total.is_none() || lines.peek().is_some() {
        let mut text = String::new();
        while let Some(line) = lines.next_if(|line| text.is_empty() || text.len() + line.len() <= VOID_BYTES) {
            text.push_str(line);
        }
        let done = client.call::<VoidKeys>(product, &KeysWish { count, keys: text }).await?;
        total = Some(match total {
            None => done,
            Some(total) => total.amended(|total| {
                let sum = |one: Option<u64>, other: Option<u64>| Some(one.unwrap_or(0) + other.unwrap_or(0));
                total.voided += done.voided;
                total.keys_named = sum(total.keys_named, done.keys_named);
                total.not_in_pool = sum(total.not_in_pool, done.not_in_pool);
            }),
        });
    }
    Ok(total.map(|total| total.whole).unwrap_or_default())
}

fn encoding(name: &str) -> Result<(), &'static str> {
    if sheet::is_utf8(name) { Ok(()) } else { Err(sheet::UTF8_ONLY) }
}

/// What can be read twice.
trait Source: BufRead + Seek {}

impl<T: BufRead + Seek> Source for T {}

/// A file of keys, and its length where that is known. What cannot be read twice is kept in memory, and
/// never on a disk.
fn open(context: &Context, file: &Path) -> std::io::Result<(Box<dyn Source + Send>, u64)> {
    let mut whole = Vec::new();
    if file.as_os_str() == "-" {
        if std::io::stdin().is_terminal() && !context.out.json {
            context.out.line("One key a line; Ctrl-D ends.");
        }
        std::io::stdin().lock().read_to_end(&mut whole)?;
    } else {
        let mut opened = File::open(file)?;
        let meta = opened.metadata()?;
        if meta.is_file() {
            return Ok((Box::new(BufReader::with_capacity(262_144, opened)), meta.len()));
        }
        opened.read_to_end(&mut whole)?;
    }
    let length = whole.len() as u64;
    Ok((Box::new(Cursor::new(whole)), length))
}

/// Looks through a whole file and goes back to its beginning; what it was refused for, with its lines counted.
fn judged(input: &mut dyn Source, said: Said) -> std::io::Result<Option<ImportReport>> {
    let mut sheet = Sheet::default();
    loop {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        sheet.feed(bytes);
        let length = bytes.len();
        input.consume(length);
    }
    input.rewind()?;
    let lines = sheet.lines();
    let refused = sheet.judge(said).err().map(|why| why.to_string());
    Ok(refused.map(|why| ImportReport { lines, refused: Some(why), ..ImportReport::default() }))
}

async fn import(context: &Context, client: Client, product: &str, (file, said): (&Path, Said)) -> Done {
    let fail = |error: std::io::Error| Failure::new(format!("{}: {error}", file.display()));
    let (mut input, length) = open(context, file).map_err(fail)?;
    if let Some(refused) = judged(&mut *input, said).map_err(fail)? {
        show(context, &refused);
        return Ok(ExitCode::FAILURE);
    }
    let how = ImportWish { judged: true, as_lines: said.as_lines, ..ImportWish::default() };
    let bar = output::bar(length, true);
    let most = client.call::<ShowInfo>((), &Nothing).await?.import_bytes;
    let mut parts = FileParts::new(input, most.map_or(PART_BYTES, |most| PART_BYTES.min(most as usize)));
    let mut jobs: JoinSet<Result<(ImportReport, u64), Failure>> = JoinSet::new();
    let mut total = ImportReport::default();
    loop {
        let next = if jobs.len() < PARTS_AT_ONCE { parts.part().map_err(fail)? } else { None };
        match next {
            Some(next) => {
                let (client, product) = (client.clone(), product.to_owned());
                let wish = With { query: ImportWish { first: next.first, ..how.clone() }, body: Raw(next.text) };
                jobs.spawn(async move { Ok((client.call::<ImportKeys>(product, &wish).await?.known, next.read)) });
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
    if !parts.began() {
        // An empty file, too, is imported into something that there is.
        client.call::<ImportKeys>(product, &With { query: how, body: Raw::default() }).await?;
    }
    parts.finish(&mut total);
    show(context, &total);
    // Run again, a file with a heading has nothing new, and is as it was.
    let headings = total.headings > 0 && total.known == 0;
    let nothing = total.imported == 0 && (total.unreadable + total.too_long > 0 || headings);
    Ok(ExitCode::from(u8::from(nothing)))
}

fn show(context: &Context, report: &ImportReport) {
    if context.out.json {
        return context.out.value(&serde_json::to_value(report).unwrap_or_default());
    }
    context.out.line(&format!("{} lines: {} keys imported", report.lines, report.imported));
    if let Some(why) = &report.refused {
        context.out.line(&format!("  {why}"));
    }
    let unseen = &report.invisible_lines;
    let control = report.unreadable_lines.iter().copied().filter(|line| !unseen.contains(line)).collect();
    for (what, count, lines) in [
        ("twice in the file", report.repeated, &report.repeated_lines),
        ("imported before", report.known, &report.known_lines),
        ("too long", report.too_long, &report.too_long_lines),
        (
            "not UTF-8 text, or with control characters inside",
            report.unreadable.saturating_sub(report.invisible),
            &control,
        ),
        (
            "with characters inside that nobody sees (an emoji's joiners and selectors are such, too)",
            report.invisible,
            &report.invisible_lines,
        ),
        ("a column's heading, no key (if it is one: --as-lines)", report.headings, &report.heading_lines),
        ("blank", report.blank, &Vec::new()),
    ] {
        if count > 0 {
            let named: Vec<String> = lines.iter().take(20).map(u64::to_string).collect();
            let more = if count as usize > named.len() && !named.is_empty() { ", …" } else { "" };
            let lines = if named.is_empty() { String::new() } else { format!(" (lines {}{more})", named.join(", ")) };
            context.out.line(&format!("  {count} {what}{lines}"));
        }
    }
}
