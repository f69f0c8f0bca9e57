//! `kamid order`.

pub mod reconcile;

use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;

use crate::cli::address::expire_all;
use crate::cli::output::Shown;
use crate::cli::{Context, Done, Failure, output};
use crate::client::Client;
use crate::domain::{Action, Note, OrderState, Pay, Wanted};
use crate::wire::orders::{OrderMadeBrief, OrderSearch, OrderWish, OrdersMade, SandboxWish, Several};
use crate::wire::{ActOnOrder, ListOrders, MakeOrders, PayInSandbox, ShowOrder, With};

/// Orders made by one request, and such requests under way at once.
const BATCH: u64 = 250;
const BATCHES: usize = 3;

/// Orders as they are listed.
pub const ORDERS: Shown<9> = Shown {
    list: "orders",
    columns: ["id", "state", "product", "quantity", "amount", "currency", "contact", "created_at", "why"],
};

#[derive(Debug, Subcommand)]
pub enum OrderCommand {
    /// Make an order as the operator: no buyer's limit concerns it
    #[command(
        after_help = "Examples:\n  kamid order new steam-10 --contact me@example.com\n  kamid order new steam-10 --count 1000 --json > orders.ndjson"
    )]
    New {
        /// Product
        product: String,
        /// Keys
        #[arg(long, default_value_t = 1)]
        quantity: u32,
        /// The buyer's contact
        #[arg(long, default_value = "operator")]
        contact: String,
        /// Channel to pay through; may be left out where there is only one
        #[arg(long)]
        channel: Option<String>,
        /// How many such orders
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
        count: u64,
    },
    /// Pay an order through its sandbox channel (test mode)
    #[command(after_help = "Example:\n  kamid order pay 07MIBQ3K2XZ0A1B2C3D4")]
    Pay {
        /// Order or payment number
        id: String,
        #[command(flatten)]
        how: How,
    },
    /// List orders: the newest, or by state, contact or trade number
    #[command(
        after_help = "Examples:\n  kamid order list --state held\n  kamid order list --contact me@example.com\n  kamid order list --trade-no 2025112316003140799"
    )]
    List {
        /// Where they stand
        #[arg(long, value_parser = state())]
        state: Option<OrderState>,
        /// The buyer's contact
        #[arg(long)]
        contact: Option<String>,
        /// The gateway's number
        #[arg(long)]
        trade_no: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Show an order with its payments and its history
    #[command(after_help = "Example:\n  kamid order show 07MIBQ3K2XZ0A1B2C3D4 --keys")]
    Show {
        /// Order or payment number
        id: String,
        /// Its keys too
        #[arg(long)]
        keys: bool,
    },
    /// State that an order was paid
    #[command(
        after_help = "Example:\n  kamid order mark-paid 07MIBQ3K2XZ0A1B2C3D4 --trade-no 2025112316003140799 --reason \"seen in the console\""
    )]
    MarkPaid {
        #[command(flatten)]
        act: Act,
        /// The gateway's number of that payment
        #[arg(long)]
        trade_no: Option<String>,
    },
    /// Deliver an owed order if there is stock
    #[command(after_help = "Example:\n  kamid order redeliver 07MIBQ3K2XZ0A1B2C3D4")]
    Redeliver {
        /// Order or payment number
        id: String,
    },
    /// Mark an order as refunded; its keys are burned
    #[command(
        after_help = "Example:\n  kamid order refund 07MIBQ3K2XZ0A1B2C3D4 --reason \"paid back in the console\"\nWithout --gateway it moves no money: pay back in the gateway's console first."
    )]
    Refund {
        #[command(flatten)]
        act: Act,
        /// Give the money back through the gateway first, where its channel can
        #[arg(long)]
        gateway: bool,
    },
    /// Give a fresh key for a bad one, which is burned
    #[command(
        after_help = "Example:\n  kamid order replace 07MIBQ3K2XZ0A1B2C3D4 --position 2 --reason \"already used\""
    )]
    Replace {
        #[command(flatten)]
        act: Act,
        /// Place of the bad key in the order, from 1
        #[arg(long, default_value_t = 1)]
        position: usize,
    },
    /// Deliver a held order
    #[command(
        after_help = "Example:\n  kamid order approve 07MIBQ3K2XZ0A1B2C3D4 --reason \"one fen short, let it be\""
    )]
    Approve(Act),
    /// Refuse a held payment
    #[command(
        after_help = "Example:\n  kamid order reject 07MIBQ3K2XZ0A1B2C3D4 --reason \"half the price\"\nPay back at the gateway, then: kamid order refund."
    )]
    Reject(Act),
    /// Let an unpaid order expire now, or all of an address; a payment that comes later is still delivered if there is stock
    #[command(
        after_help = "Examples:\n  kamid order expire 07MIBQ3K2XZ0A1B2C3D4 --reason \"the buyer changed his mind\"\n  kamid order expire --address 203.0.113.9 --all --reason \"orders and never pays\"",
        override_usage = "kamid order expire <ID> --reason <WHY>\n       kamid order expire --address <ADDRESS> --all --reason <WHY>"
    )]
    Expire(Expire),
    /// Ask the gateway whether an order was paid, and settle it if it was
    #[command(after_help = "Example:\n  kamid order query 07MIBQ3K2XZ0A1B2C3D4")]
    Query {
        /// Order or payment number
        id: String,
    },
    /// Ask the gateways about an order, or about every unpaid one of a time (补单), and settle what was paid
    #[command(
        after_help = reconcile::EXAMPLES,
        override_usage = "kamid order reconcile <ID>\n       kamid order reconcile --since <TIME> [--until <TIME>] [--channel <NAME>]"
    )]
    Reconcile(reconcile::ReconcileArgs),
}

#[derive(Debug, Args)]
pub struct Act {
    /// Order or payment number
    id: String,
    /// Why: it stands in the order's history
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub struct Expire {
    /// Order or payment number
    #[arg(required_unless_present = "address", conflicts_with = "address")]
    id: Option<String>,
    /// All unpaid orders of this address; of an IPv6 one its whole /64, or the /64 or /48 that is given
    #[arg(long, requires = "all")]
    address: Option<String>,
    /// All of them
    #[arg(long, requires = "address")]
    all: bool,
    /// Why: it stands in each order's history
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct How {
    /// The same callback twice, then a second payment
    #[arg(long)]
    twice: bool,
    /// One minor unit less than is due
    #[arg(long)]
    less: bool,
    /// After it expired
    #[arg(long)]
    late: bool,
    /// A callback that nobody signed
    #[arg(long)]
    forge: bool,
}

impl How {
    fn pay(&self) -> Pay {
        match self {
            Self { twice: true, .. } => Pay::Twice,
            Self { less: true, .. } => Pay::Less,
            Self { late: true, .. } => Pay::Late,
            Self { forge: true, .. } => Pay::Forge,
            _ => Pay::Once,
        }
    }
}

/// Reads the word of a state.
fn state() -> impl TypedValueParser<Value = OrderState> {
    let words = PossibleValuesParser::new(OrderState::ALL.map(OrderState::as_str));
    words.try_map(|word| word.parse::<OrderState>().map_err(|()| "it is no state"))
}

pub async fn run(context: &Context, command: OrderCommand) -> Done {
    let client = context.client()?;
    let act = |id: String, action: Action, note: Note| {
        let client = client.clone();
        async move { client.whole::<ActOnOrder>((id, action), &note).await }
    };
    let for_that = |reason: String| Note { reason, ..Note::default() };
    let done = match command {
        OrderCommand::New { product, quantity, contact, channel, count } => {
            return new(context, client, Wanted { product, quantity, contact, channel }, count).await;
        }
        OrderCommand::Pay { id, how } => client.whole::<PayInSandbox>(id, &SandboxWish { how: how.pay() }).await?,
        OrderCommand::List { state, contact, trade_no, limit } => {
            let search = OrderSearch { state, contact, trade_no, find: None, limit: limit as usize };
            let list = client.whole::<ListOrders>((), &search).await?;
            return context.show(&list, &ORDERS);
        }
        OrderCommand::Show { id, keys } => client.whole::<ShowOrder>(id, &OrderWish::keys(keys)).await?,
        OrderCommand::MarkPaid { act: Act { id, reason }, trade_no } => {
            act(id, Action::MarkPaid, Note { trade_no, ..for_that(reason) }).await?
        }
        OrderCommand::Replace { act: Act { id, reason }, position } => {
            act(id, Action::Replace, Note { position: Some(position), ..for_that(reason) }).await?
        }
        OrderCommand::Redeliver { id } => act(id, Action::Redeliver, Note::default()).await?,
        OrderCommand::Reconcile(args) => return reconcile::run(context, args).await,
        OrderCommand::Query { id } => act(id, Action::Query, Note::default()).await?,
        OrderCommand::Refund { act: Act { id, reason }, gateway } => {
            act(id, Action::Refund, Note { gateway, ..for_that(reason) }).await?
        }
        OrderCommand::Approve(Act { id, reason }) => act(id, Action::Approve, for_that(reason)).await?,
        OrderCommand::Expire(Expire { id: Some(id), reason, .. }) => act(id, Action::Expire, for_that(reason)).await?,
        OrderCommand::Expire(Expire { address, reason, .. }) => {
            expire_all(&client, &address.unwrap_or_default(), &reason).await?.whole
        }
        OrderCommand::Reject(Act { id, reason }) => act(id, Action::Reject, for_that(reason)).await?,
    };
    context.out.fields(&done);
    Ok(ExitCode::SUCCESS)
}

async fn new(context: &Context, client: Client, wish: Wanted, count: u64) -> Done {
    if count == 1 {
        let one = With { query: Several::default(), body: wish };
        let created = client.whole::<MakeOrders>((), &one).await?;
        if context.out.json {
            context.out.compact(&created);
        } else {
            context.out.fields(&created);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let bar = output::bar(count, false);
    let sizes = (0..count).step_by(BATCH as usize).map(|at| BATCH.min(count - at));
    let ask = |size: u64| {
        let (client, body) = (&client, wish.clone());
        let several = With { query: Several { count: Some(size as usize) }, body };
        async move { Ok::<_, Failure>((size, client.call::<MakeOrders>((), &several).await?.known)) }
    };
    let mut batches = stream::iter(sizes).map(ask).buffered(BATCHES);
    while let Some((size, answer)) = batches.try_next().await? {
        bar.inc(size);
        let OrdersMade::Several { orders } = answer else {
            return Err(Failure::new("the daemon made one order where it was asked for several"));
        };
        for OrderMadeBrief { id, token, payment_no, .. } in orders {
            if context.out.json {
                context.out.compact(&json!({"id": id, "token": token, "payment_no": payment_no}));
            } else {
                context.out.line(&id);
            }
        }
        // Their tokens stand nowhere else: no more are made that nobody will know of.
        if output::lost().is_some() {
            break;
        }
    }
    bar.finish_and_clear();
    Ok(ExitCode::SUCCESS)
}
