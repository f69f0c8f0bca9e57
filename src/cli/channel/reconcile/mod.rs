//! `kamid channel reconcile`: a gateway's downloaded bill beside our orders.

pub mod compare;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::ExitCode;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

use self::compare::{Billed, Difference, judge, missing_here, missing_there, trades};
use crate::channel;
use crate::channel::bill::{self, Format, Unread};
use crate::cli::output::Shown;
use crate::cli::{Context, Done, Failure, output};
use crate::client::Client;
use crate::domain::{OrderState, PaymentState, Trade};
use crate::wire::channels::PaymentsWish;
use crate::wire::orders::{LookWish, OrderLook, OrderSearch};
use crate::wire::payments::PaymentView;
use crate::wire::{ListChannels, ListOrders, ListOrphans, ListPayments, LookAtOrders, Nothing};

/// Orders asked about by one request, and such requests under way at once.
const BATCH: usize = 1000;
const BATCHES: usize = 3;
/// Single questions under way at once.
const QUESTIONS: usize = 16;

/// What `-h` ends with.
pub fn examples() -> String {
    format!(
        "Examples:
  kamid channel reconcile wechat --bill 2026-12-01.csv
  kamid channel reconcile wechat --bill 2026-12-01.csv --from 2026-12-01T00:00:00+08:00 --until 2026-12-02T00:00:00+08:00
Bills of {} are read. What was paid here and is not in the bill is looked for
between --from and --until only. Exit code 1 if anything differs, a row could not be read, or the store is not to be \
         trusted.",
        with_bills().join(", ")
    )
}

/// The kinds whose bills are read.
fn with_bills() -> Vec<&'static str> {
    channel::KINDS.iter().filter(|kind| kind.bill.is_some()).map(|kind| kind.name).collect()
}

/// The times between which what is paid here must stand in the bill.
pub struct Period {
    pub from: u64,
    pub until: u64,
}

pub async fn run(context: &Context, name: &str, file: &Path, period: Option<Period>) -> Done {
    if period.as_ref().is_some_and(|period| period.until <= period.from) {
        return Err(Failure { message: "--until must be later than --from".to_owned(), code: 2 });
    }
    let fail = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", file.display()));
    let client = context.client()?;
    let kind = kind_of(&client, name).await?;
    let bytes = std::fs::read(file).map_err(|error| fail(&error))?;
    let format = format_of(&kind).map_err(|error| fail(&error))?;
    let (lines, unread) = bill::read(format, &bytes).map_err(|error| fail(&error))?;
    drop(bytes);
    let trades = trades(&lines);
    let names_currency = format.names_currency;
    let mut differences = Vec::new();
    let mut strangers = Vec::new();
    let orders = look(&client, &trades).await?;
    let mut by_hand = HashSet::new();
    for trade in &trades {
        match trade.order().and_then(|id| orders.get(&id)).and_then(|it| own(it, name, trade, &mut by_hand)) {
            Some(ours) => differences.extend(judge(trade, ours, names_currency)),
            None => strangers.push(trade),
        }
    }
    differences.extend(elsewhere(&client, name, &strangers, &orders, names_currency).await?);
    if let Some(period) = &period {
        differences.extend(absent(&client, name, period, &trades).await?);
    }
    differences.sort_by_key(|it| it.difference);
    show(context, (name, &kind), &trades, &differences, &unread, period.is_some());
    Ok(ExitCode::from(u8::from(!differences.is_empty() || !unread.is_empty() || context.warned.get().is_some())))
}

/// How bills of a kind of channel are written.
fn format_of(kind: &str) -> Result<&'static Format, String> {
    channel::kind_named(kind).and_then(|kind| kind.bill).ok_or_else(|| {
        let read = with_bills().join(", ");
        format!("bills of {kind} cannot be read, only those of {read}: compare in the gateway's console")
    })
}

async fn kind_of(client: &Client, name: &str) -> Result<String, Failure> {
    let all = client.call::<ListChannels>((), &Nothing).await?.known.channels;
    let known: Vec<&str> = all.iter().map(|channel| channel.name.as_str()).collect();
    let unknown = || Failure::new(format!("the daemon has no channel {name:?}; it has: {}", known.join(", ")));
    all.iter().find(|channel| channel.name == name).map(|found| found.kind.clone()).ok_or_else(unknown)
}

async fn ask(client: &Client, ids: &[String]) -> Result<Vec<OrderLook>, Failure> {
    let wish = LookWish::of(ids.iter().map(String::as_str)).map_err(|error| Failure::new(error.to_string()))?;
    Ok(client.call::<LookAtOrders>((), &wish).await?.known.orders)
}

/// The orders that the bill names, by their numbers.
async fn look(client: &Client, trades: &[Billed]) -> Result<HashMap<String, OrderLook>, Failure> {
    let mut seen = HashSet::new();
    let ids: Vec<String> = trades.iter().filter_map(Billed::order).filter(|id| seen.insert(id.clone())).collect();
    let bar = output::bar(ids.len() as u64, false);
    let mut orders = HashMap::with_capacity(ids.len());
    let batches: Vec<&[String]> = ids.chunks(BATCH).collect();
    let mut answers = stream::iter(batches).map(|batch| ask(client, batch)).buffered(BATCHES);
    while let Some(answer) = answers.try_next().await? {
        bar.inc(answer.len() as u64);
        orders.extend(answer.into_iter().map(|order| (order.id.clone(), order)));
    }
    bar.finish_and_clear();
    Ok(orders)
}

/// The record of a trade in the order that it names. What was marked as paid by hand, without the gateway's number,
/// stands for one trade.
fn own<'a>(
    order: &'a OrderLook,
    channel: &str,
    trade: &Billed,
    by_hand: &mut HashSet<String>,
) -> Option<&'a PaymentView> {
    let exact = order.payments.iter().find(|it| it.channel == channel && it.trade_no == trade.trade_no);
    match exact {
        // It stands with another order now.
        Some(adopted) if adopted.state == PaymentState::Adopted => None,
        Some(exact) => Some(exact),
        None => {
            let manual = order.payments.iter().find(|it| it.channel == "manual")?;
            by_hand.insert(order.id.clone()).then_some(manual)
        }
    }
}

/// Trades that do not stand with the order they name: with another one, which a person chose, or with none.
async fn elsewhere(
    client: &Client,
    channel: &str,
    strangers: &[&Billed],
    orders: &HashMap<String, OrderLook>,
    names_currency: bool,
) -> Result<Vec<Difference>, Failure> {
    if strangers.is_empty() {
        return Ok(Vec::new());
    }
    let waiting = client.call::<ListOrphans>((), &Nothing).await?.known.payments;
    let bar = output::bar(strangers.len() as u64, false);
    let find = |trade: Billed| async move {
        let search = OrderSearch { trade_no: Some(trade.trade_no.clone()), ..OrderSearch::default() };
        let found = client.call::<ListOrders>((), &search).await?.known.orders;
        let ids: Vec<String> = found.into_iter().map(|order| order.id).collect();
        let looked = if ids.is_empty() { Vec::new() } else { ask(client, &ids).await? };
        Ok::<_, Failure>((trade, looked))
    };
    let trades: Vec<Billed> = strangers.iter().map(|trade| (*trade).clone()).collect();
    let mut answers = stream::iter(trades).map(find).buffered(QUESTIONS);
    let mut differences = Vec::new();
    while let Some((trade, looked)) = answers.try_next().await? {
        bar.inc(1);
        let ours = looked
            .iter()
            .flat_map(|order| &order.payments)
            .find(|it| it.channel == channel && it.trade_no == trade.trade_no);
        if let Some(ours) = ours {
            differences.extend(judge(&trade, ours, names_currency));
            continue;
        }
        let payment = Trade::new(channel, &trade.trade_no).to_string();
        let (here, note) = standing(&trade, orders, waiting.iter().any(|it| it.payment == payment));
        differences.push(missing_here(&trade, here, note));
    }
    bar.finish_and_clear();
    Ok(differences)
}

/// What we have under the number of a trade that we do not have.
fn standing(trade: &Billed, orders: &HashMap<String, OrderLook>, orphan: bool) -> (String, &'static str) {
    let id = trade.order();
    let state = id.as_ref().and_then(|id| orders.get(id)).and_then(|order| order.state.as_ref());
    let here = state.map_or(String::new(), |state| format!("order {state}"));
    let note = match (orphan, &id, state) {
        (true, ..) => "it waits among the orphans: kamid orphan list, then adopt or refund",
        (_, None, _) => "no number of ours: another shop on this account?",
        (_, Some(_), None) => "there is no such order here",
        (_, Some(_), Some(OrderState::Pending | OrderState::Expired)) => {
            "kamid order query asks the gateway and settles it; else: order mark-paid"
        }
        (_, Some(_), Some(_)) => {
            "the order was paid another way: a second payment (give it back), or another channel's bill"
        }
    };
    (here, note)
}

/// What was paid here in the period and is not in the bill.
async fn absent(client: &Client, name: &str, period: &Period, trades: &[Billed]) -> Result<Vec<Difference>, Failure> {
    let bar = output::spinner("looking for payments that the bill does not have");
    let wish = PaymentsWish { from: period.from, until: period.until };
    let answer = client.call::<ListPayments>(name, &wish).await;
    bar.finish_and_clear();
    let ours = answer?.known.payments;
    let mut known: HashSet<&str> = trades.iter().map(|trade| trade.trade_no.as_str()).collect();
    Ok(ours.iter().filter(|it| known.insert(&it.trade_no)).map(missing_there).collect())
}

/// Rows of a bill that could not be read.
pub const UNREAD: Shown<2> = Shown { list: "unread", columns: ["line", "why"] };

/// What is not the same on both sides.
pub const DIFFERENCES: Shown<6> =
    Shown { list: "differences", columns: ["difference", "number", "trade_no", "there", "here", "note"] };

/// Rows of a bill that could not be read, each with why.
pub fn unread(unread: &Unread) -> Vec<Value> {
    unread.iter().map(|(line, why)| json!({"line": line, "why": why})).collect()
}

fn show(
    context: &Context,
    (name, kind): (&str, &str),
    trades: &[Billed],
    differences: &[Difference],
    unread: &Unread,
    both_ways: bool,
) {
    let of = |word: &str| differences.iter().filter(|it| it.difference == word).count();
    let unread = self::unread(unread);
    let there = if both_ways { json!(of("missing_there")) } else { Value::Null };
    let report = json!({
        "channel": name, "kind": kind, "payments": trades.len(), "missing_here": of("missing_here"),
        "missing_there": there, "amount_differs": of("amount_differs"), "refund_differs": of("refund_differs"),
        "differences": differences, "unread": unread,
    });
    let report = context.report(report);
    if context.out.json {
        return context.out.value(&report);
    }
    if !unread.is_empty() {
        context.out.list(&report, &UNREAD);
    }
    context.out.list(&report, &DIFFERENCES);
    context.out.line(&format!(
        "{} payments in the bill: {} paid there and not here, {} with another amount, {} given back on one side only, {}; {} rows that could not be read{}",
        trades.len(),
        of("missing_here"),
        of("amount_differs"),
        of("refund_differs"),
        if both_ways {
            format!("{} paid here and not there", of("missing_there"))
        } else {
            "paid here and not there: not looked for (give --from and --until)".to_owned()
        },
        unread.len(),
        if differences.is_empty() && unread.is_empty() { ": nothing differs" } else { "" },
    ));
}
