//! `kamid order reconcile` (补单): gateways are asked about orders that nobody is known to have paid, and what was paid
//! is settled.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::cli::output::Shown;
use crate::cli::product::moment;
use crate::cli::{Context, Done, Failure, output};
use crate::client::{Client, ClientError};
use crate::domain::{Action, Currency, Money, Note};
use crate::process;
use crate::wire::orders::{LookWish, UnpaidList, UnpaidOrder, UnpaidWish};
use crate::wire::payments::PaymentView;
use crate::wire::{ActOnOrder, ListUnpaid, LookAtOrders};

/// Questions under way at once.
const AT_ONCE: usize = 8;
/// After so many questions in a row without an answer a channel's gateway is not asked any more in this run.
const SILENT: u32 = 10;
/// Orders looked at by one request.
const BATCH: usize = 1000;

pub const EXAMPLES: &str = "Examples:
  kamid order reconcile 07MIBQ3K2XZ0A1B2C3D4
  kamid order reconcile --since 2026-12-01
  kamid order reconcile --since 2026-12-01T00:00:00+08:00 --until 2026-12-01T06:00:00+08:00 --channel wechat
Pending and expired orders are asked about, as long as the daemon remembers them (limits.keep_expired_hours), at the
pace of limits.asks_per_second for each channel (5 unless it is set; 1 where it is 0), beside what the daemon asks by
itself. What was paid is settled as if its callback had come. It may be repeated at any time.
Exit code 0 if every gateway answered, 1 if one did not, or not so that it can be believed, or if the store is not to be trusted.";

#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// Order or payment number; or --since for all of a time
    #[arg(required_unless_present = "since", conflicts_with = "since")]
    id: Option<String>,
    /// Every unpaid order made from this moment on: 2026-12-01, 2026-12-01T00:00:00+08:00
    #[arg(long, value_parser = moment, value_name = "TIME")]
    since: Option<u64>,
    /// … and before this one
    #[arg(long, value_parser = moment, value_name = "TIME", requires = "since")]
    until: Option<u64>,
    /// Only those with a way to pay through this channel
    #[arg(long, value_name = "NAME", requires = "since")]
    channel: Option<String>,
}

/// What became of orders.
pub const HEARD: Shown<7> =
    Shown { list: "orders", columns: ["id", "result", "amount", "currency", "channel", "trade_no", "why"] };

/// What became of one order.
#[derive(Debug, Serialize)]
struct Heard {
    id: String,
    /// The daemon's word, or `cannot_be_asked`, `silent` or `unread`.
    result: String,
    /// The daemon has a payment now that it did not have.
    #[serde(skip)]
    found: bool,
    /// Why, where nothing was heard.
    #[serde(skip_serializing_if = "String::is_empty")]
    why: String,
    #[serde(flatten)]
    paid: Option<Paid>,
}

/// A payment that was found.
#[derive(Debug, Serialize)]
struct Paid {
    channel: String,
    trade_no: String,
    amount: String,
    amount_minor: i64,
    currency: Currency,
}

impl From<PaymentView> for Paid {
    fn from(payment: PaymentView) -> Self {
        let currency = payment.money().currency;
        let PaymentView { channel, trade_no, amount, amount_minor, .. } = payment;
        Self { channel, trade_no, amount, amount_minor, currency }
    }
}

impl Heard {
    fn new(id: &str, result: &str, why: impl Into<String>) -> Self {
        Self { id: id.to_owned(), result: result.to_owned(), why: why.into(), found: false, paid: None }
    }
}

/// When each channel's gateway may be asked again.
struct Pace {
    gap: Duration,
    next: HashMap<String, Instant>,
}

impl Pace {
    fn new(asks_per_second: u32) -> Self {
        Self { gap: Duration::from_secs(1) / asks_per_second.max(1), next: HashMap::new() }
    }

    /// When a question to each of these gateways may go out; their next turn comes after it.
    fn turn(&mut self, channels: &[String], now: Instant) -> Instant {
        let at = channels.iter().filter_map(|name| self.next.get(name)).copied().fold(now, Instant::max);
        for name in channels {
            let next = self.next.entry(name.clone()).or_insert(at);
            *next = at.max(*next) + self.gap;
        }
        at
    }
}

/// Questions in a row that a channel's gateway did not answer.
#[derive(Default)]
struct Silence(Mutex<HashMap<String, u32>>);

impl Silence {
    fn given_up(&self, channels: &[String]) -> bool {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        channels.iter().any(|name| counts.get(name).is_some_and(|count| *count >= SILENT))
    }

    fn heard(&self, channels: &[String], silent: bool) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in channels {
            let count = counts.entry(name.clone()).or_default();
            *count = if silent { *count + 1 } else { 0 };
        }
    }
}

pub async fn run(context: &Context, args: ReconcileArgs) -> Done {
    let client = context.client()?;
    let mut heard = match (args.id, args.since) {
        (Some(id), _) => {
            let one = ask(&client, &id).await?;
            if one.result == "cannot_be_asked" {
                return Err(Failure::new(one.why));
            }
            vec![one]
        }
        (None, since) => {
            // A time that cannot hold anything is a slip in a cron's line, and must not look like a quiet night.
            let now = process::now();
            if since.is_some_and(|since| since > now)
                || since.zip(args.until).is_some_and(|(since, until)| until <= since)
            {
                let message = "--since must be past, and --until later than it".to_owned();
                return Err(Failure { message, code: 2 });
            }
            let wish = UnpaidWish { from: since.unwrap_or(0), until: args.until, channel: args.channel };
            let list = client.call::<ListUnpaid>((), &wish).await?.known;
            ask_all(&client, list).await?
        }
    };
    add_payments(&client, &mut heard).await?;
    show(context, &heard);
    let again = heard.iter().any(|it| matches!(it.result.as_str(), "silent" | "mismatch" | "unread"));
    // Of a store that is not to be trusted the list may not be whole, whatever was heard.
    Ok(ExitCode::from(u8::from(again || context.warned.get().is_some())))
}

/// Has one order's gateways asked.
async fn ask(client: &Client, id: &str) -> Result<Heard, Failure> {
    match client.call::<ActOnOrder>((id.to_owned(), Action::Query), &Note::default()).await {
        Ok(answer) => match answer.result.known() {
            Some(result) => Ok(Heard { found: result.is_found(), ..Heard::new(&answer.id, result.as_str(), "") }),
            // Whether it is a payment only a newer version can say.
            None => Ok(Heard::new(&answer.id, "unread", answer.result.to_string())),
        },
        Err(ClientError::Refused { code, detail, .. }) if matches!(code.as_str(), "gateway" | "unavailable") => {
            Ok(Heard::new(id, "silent", detail))
        }
        Err(ClientError::Refused { code, detail, .. })
            if matches!(code.as_str(), "conflict" | "invalid" | "not_found") =>
        {
            Ok(Heard::new(id, "cannot_be_asked", detail))
        }
        // What came of it stands with the order: the others are asked all the same.
        Err(ClientError::Unread { why, .. }) => Ok(Heard::new(id, "unread", why)),
        Err(error) => Err(error.into()),
    }
}

/// The same orders, so that the channels take turns: one that is slow does not hold up the others.
fn in_turns(orders: Vec<UnpaidOrder>) -> Vec<UnpaidOrder> {
    let mut counts: HashMap<String, u32> = HashMap::new();
    let mut ranked: Vec<(u32, UnpaidOrder)> = Vec::with_capacity(orders.len());
    for order in orders {
        let count = counts.entry(order.channels.first().cloned().unwrap_or_default()).or_default();
        *count += 1;
        ranked.push((*count, order));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, order)| order).collect()
}

async fn ask_all(client: &Client, list: UnpaidList) -> Result<Vec<Heard>, Failure> {
    let bar = output::bar(list.orders.len() as u64, false);
    let (mut pace, silence) = (Pace::new(list.asks_per_second), &Silence::default());
    let questions = stream::iter(in_turns(list.orders)).map(|UnpaidOrder { id, channels, .. }| {
        let given_up = silence.given_up(&channels);
        let at = if given_up { Instant::now() } else { pace.turn(&channels, Instant::now()) };
        async move {
            if given_up {
                let why = format!("not asked: a gateway of it did not answer {SILENT} times in a row");
                return Ok(Heard::new(&id, "silent", why));
            }
            sleep_until(at).await;
            let heard = ask(client, &id).await?;
            silence.heard(&channels, heard.result == "silent");
            Ok::<_, Failure>(heard)
        }
    });
    let all = questions.buffer_unordered(AT_ONCE).inspect_ok(|_| bar.inc(1)).try_collect().await;
    bar.finish_and_clear();
    all
}

/// Adds the payments that were found.
async fn add_payments(client: &Client, heard: &mut [Heard]) -> Result<(), Failure> {
    let mut found: Vec<&mut Heard> = heard.iter_mut().filter(|it| it.found).collect();
    for batch in found.chunks_mut(BATCH) {
        let ids = LookWish::of(batch.iter().map(|it| it.id.as_str()));
        let ids = ids.map_err(|error| Failure::new(error.to_string()))?;
        let looks = client.call::<LookAtOrders>((), &ids).await?.known.orders;
        for (one, look) in batch.iter_mut().zip(looks) {
            // The one that was settled just now.
            one.paid = look.payments.into_iter().max_by_key(|payment| payment.at).map(Paid::from);
        }
    }
    Ok(())
}

/// What was found, by currency.
fn sums(heard: &[Heard]) -> Vec<Money> {
    let mut sums: Vec<Money> = Vec::new();
    for paid in heard.iter().filter_map(|it| it.paid.as_ref()) {
        match sums.iter_mut().find(|sum| sum.currency == paid.currency) {
            Some(sum) => sum.minor = sum.minor.saturating_add(paid.amount_minor),
            None => sums.push(Money { minor: paid.amount_minor, currency: paid.currency }),
        }
    }
    sums
}

fn show(context: &Context, heard: &[Heard]) {
    let count = |word: &str| heard.iter().filter(|it| it.result == word).count();
    let found = heard.iter().filter(|it| it.found).count();
    let sums = sums(heard);
    let amounts: Vec<Value> = sums
        .iter()
        .map(|sum| json!({"currency": sum.currency, "amount": sum.to_string(), "amount_minor": sum.minor}))
        .collect();
    let named: Vec<&Heard> = heard.iter().filter(|it| !matches!(it.result.as_str(), "unpaid" | "unknown")).collect();
    let report = json!({
        "asked": heard.len(), "found": found, "amounts": amounts, "settled_before": count("replayed"),
        "unpaid": count("unpaid"), "refunded": count("refunded"), "unknown": count("unknown"),
        "cannot_be_asked": count("cannot_be_asked"), "not_believed": count("mismatch"), "silent": count("silent"),
        "orders": named,
    });
    let report = context.report(report);
    if context.out.json {
        return context.out.value(&report);
    }
    if !named.is_empty() {
        context.out.list(&report, &HEARD);
    }
    let amounts: Vec<String> = sums.iter().map(|sum| format!("{sum} {}", sum.currency)).collect();
    let amounts = if amounts.is_empty() { String::new() } else { format!(" ({})", amounts.join(", ")) };
    let mut parts = vec![
        format!("{found} found paid and settled{amounts}"),
        format!("{} unpaid", count("unpaid")),
        format!("{} unknown at the gateway", count("unknown")),
        format!("{} cannot be asked", count("cannot_be_asked")),
        format!("{} without an answer{}", count("silent"), if count("silent") > 0 { " (ask again)" } else { "" }),
    ];
    for (word, text) in [
        ("replayed", "settled before"),
        ("refunded", "paid and given back"),
        ("mismatch", "with an answer that is not believed (kamid incident list)"),
    ] {
        parts.extend(Some(count(word)).filter(|count| *count > 0).map(|count| format!("{count} {text}")));
    }
    context.out.line(&format!("{} orders: {}", heard.len(), parts.join(", ")));
}

/// One of an order with everything that can be said of it.
#[cfg(test)]
pub fn heard() -> Value {
    let text = String::new;
    let (state, currency) = (crate::domain::PaymentState::Settled, "CNY".to_owned());
    let (channel, trade_no, number, amount, time) = (text(), text(), text(), text(), text());
    let payment = PaymentView { channel, trade_no, state, number, amount, amount_minor: 0, currency, at: 0, time };
    json!(Heard {
        id: String::new(),
        result: String::new(),
        why: "silent".to_owned(),
        found: false,
        paid: Some(payment.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(id: &str, channels: &[&str]) -> UnpaidOrder {
        let channels = channels.iter().map(|name| (*name).to_owned()).collect();
        UnpaidOrder { id: id.to_owned(), channels, ..UnpaidOrder::default() }
    }

    #[test]
    fn each_channel_is_asked_at_its_pace_and_in_turn() {
        let list = vec![open("1", &["a"]), open("2", &["a"]), open("3", &["a", "b"]), open("4", &["b"])];
        let ids: Vec<String> = in_turns(list).into_iter().map(|order| order.id).collect();
        assert_eq!(ids, ["1", "4", "2", "3"]);
        let (mut pace, now) = (Pace::new(5), Instant::now());
        let mut turn = |channels: &[&str]| (pace.turn(&open("", channels).channels, now) - now).as_millis();
        assert_eq!((turn(&["a"]), turn(&["a"]), turn(&["b"])), (0, 200, 0));
        // One order with two attempts at one gateway is two questions to it.
        assert_eq!((turn(&["a", "b", "b"]), turn(&["b"]), turn(&["a"])), (400, 800, 600));
    }

    #[test]
    fn a_gateway_that_stays_silent_is_left_alone_until_it_answers() {
        let (silence, ways) = (Silence::default(), open("", &["a"]).channels);
        for _ in 1..SILENT {
            silence.heard(&ways, true);
        }
        assert!(!silence.given_up(&ways));
        silence.heard(&ways, false);
        (0..SILENT).for_each(|_| silence.heard(&ways, true));
        assert!(silence.given_up(&open("", &["b", "a"]).channels) && !silence.given_up(&open("", &["b"]).channels));
    }
}
