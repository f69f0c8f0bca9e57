//! `kamid product`.

use clap::{Args, Subcommand, ValueEnum};
use std::process::ExitCode;

use crate::cli::output::Shown;
use crate::cli::{Context, Done};
use crate::domain::time::Zone;
use crate::domain::{Allowance, ProductPatch, Take};
use crate::wire::products::{NewProduct, ProductsWish};
use crate::wire::{AddProduct, ListProducts, Nothing, SetProduct, ShowProduct};

/// Products as they are listed.
pub const PRODUCTS: Shown<12> = Shown {
    list: "products",
    columns: [
        "id",
        "name",
        "price",
        "currency",
        "take",
        "stock.available",
        "low",
        "stock.reserved",
        "stock.given",
        "stock.owed",
        "stock.voided",
        "retired",
    ],
};

#[derive(Debug, Subcommand)]
pub enum ProductCommand {
    /// Add a product
    #[command(
        after_help = "Example:\n  kamid product add steam-10 --name \"Steam 10\" --price 68.00 --per-contact 3/24h"
    )]
    Add {
        /// Its id: a-z, 0-9 and -
        id: String,
        #[command(flatten)]
        fields: Fields,
        /// Home slot, 0 to 63; by the id where left out
        #[arg(long, value_parser = clap::value_parser!(u8).range(0..64))]
        slot: Option<u8>,
    },
    /// List products with their stock
    #[command(after_help = "Example:\n  kamid product list --json")]
    List,
    /// Show one product
    #[command(after_help = "Example:\n  kamid product show steam-10")]
    Show {
        /// Its id
        id: String,
    },
    /// Change a product
    #[command(after_help = "Example:\n  kamid product set steam-10 --price 66.00 --take payment")]
    Set {
        /// Its id
        id: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Take a product off sale; what was ordered is still delivered
    #[command(after_help = "Example:\n  kamid product retire steam-10")]
    Retire {
        /// Its id
        id: String,
        /// Put it back on sale
        #[arg(long)]
        undo: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TakeAt {
    /// Reserved when the order is made
    Order,
    /// Drawn when the payment comes
    Payment,
}

#[derive(Debug, Args)]
pub struct Fields {
    /// What buyers read
    #[arg(long)]
    name: Option<String>,
    /// Price of one key, exact decimals: 9.90
    #[arg(long)]
    price: Option<String>,
    /// Currency of the price [new: CNY]
    #[arg(long)]
    currency: Option<String>,
    /// When a key counts as taken [new: order]
    #[arg(long)]
    take: Option<TakeAt>,
    /// Most keys in one order [new: 100]
    #[arg(long)]
    per_order: Option<u32>,
    /// Most keys for one address in a while: 5/24h; 0 for no limit
    #[arg(long, value_parser = allowance)]
    per_address: Option<Allowance>,
    /// Most keys for one contact in a while: 5/24h; 0 for no limit
    #[arg(long, value_parser = allowance)]
    per_contact: Option<Allowance>,
    /// Start of the sale: 2026-12-01T10:00:00+08:00; "none" to open it
    #[arg(long, value_parser = moment)]
    sale_from: Option<u64>,
    /// End of the sale
    #[arg(long, value_parser = moment)]
    sale_until: Option<u64>,
    /// Minutes an unpaid order lives [new: 15]
    #[arg(long)]
    expires_minutes: Option<u32>,
    /// Fewer available keys than this are an alarm [new: 0, none]
    #[arg(long)]
    low: Option<u64>,
}

fn allowance(text: &str) -> Result<Allowance, String> {
    if text == "0" {
        return Ok(Allowance { keys: 0, hours: 1 });
    }
    let parts = text.split_once('/').and_then(|(keys, hours)| Some((keys, hours.strip_suffix('h')?)));
    let parsed =
        parts.and_then(|(keys, hours)| Some(Allowance { keys: keys.parse().ok()?, hours: hours.parse().ok()? }));
    parsed.ok_or_else(|| "keys/hours, such as 5/24h".to_owned())
}

/// A moment as people write it, in ms; 0 for "none".
pub fn moment(text: &str) -> Result<u64, String> {
    if text == "none" {
        return Ok(0);
    }
    let wanted = "a moment after 1970 such as 2026-12-01T10:00:00+08:00, or 2026-12-01 of this machine's clock";
    Zone::system().parse(text).ok_or_else(|| wanted.to_owned())
}

impl Fields {
    fn patch(&self) -> ProductPatch {
        ProductPatch {
            name: self.name.clone(),
            price: self.price.clone(),
            currency: self.currency.clone(),
            take: self.take.map(|take| match take {
                TakeAt::Order => Take::Order,
                TakeAt::Payment => Take::Payment,
            }),
            per_order: self.per_order,
            per_address: self.per_address,
            per_contact: self.per_contact,
            sale_from: self.sale_from,
            sale_until: self.sale_until,
            expires_minutes: self.expires_minutes,
            low: self.low,
            retired: None,
            slot: None,
        }
    }
}

pub async fn run(context: &Context, command: ProductCommand) -> Done {
    let client = context.client()?;
    let product = match command {
        ProductCommand::List => {
            let list = client.whole::<ListProducts>((), &ProductsWish::fresh()).await?;
            return context.show(&list, &PRODUCTS);
        }
        ProductCommand::Show { id } => client.whole::<ShowProduct>(id, &Nothing).await?,
        ProductCommand::Add { id, fields, slot } => {
            let patch = ProductPatch { slot, ..fields.patch() };
            client.whole::<AddProduct>((), &NewProduct { id, patch }).await?
        }
        ProductCommand::Set { id, fields } => client.whole::<SetProduct>(id, &fields.patch()).await?,
        ProductCommand::Retire { id, undo } => {
            let patch = ProductPatch { retired: Some(!undo), ..ProductPatch::default() };
            client.whole::<SetProduct>(id, &patch).await?
        }
    };
    context.out.fields(&product);
    Ok(ExitCode::SUCCESS)
}
