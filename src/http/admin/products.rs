//! Products and their keys.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::routes::{Errand, Routes};
use super::trail::difference;
use crate::domain::{ImportReport, Product, Stock};
use crate::http::problem::Problem;
use crate::shop::ShopError;
use crate::shop::goods::sheet;
use crate::wire::products::{ProductList, ProductView, Restored, Voided};
use crate::wire::{AddProduct, ImportKeys, ListProducts, RestoreKeys, SetProduct, ShowProduct, VoidKeys};

pub fn routes(to: Routes) -> Routes {
    let most = to.web().limits.import_bytes;
    to.on(list).on(add).on(show).on(set).on_large(import, most).on(void).on(restore)
}

/// What an operator can set of a product, to tell what is different.
fn settable(product: &Product) -> Value {
    let mut value = serde_json::to_value(product).unwrap_or_default();
    value["price"] = json!(format!("{} {}", product.price, product.price.currency));
    for counted in ["id", "slot", "revision", "created"] {
        value.as_object_mut().map(|fields| fields.remove(counted));
    }
    value
}

async fn list(Errand { web, wish, .. }: Errand<ListProducts>) -> Result<ProductList, Problem> {
    let stock = if wish.is_fresh() { web.shop.fresh_stock().await? } else { web.shop.stock().await? };
    Ok(ProductList { products: stock.iter().map(|(product, stock)| ProductView::of(product, *stock)).collect() })
}

async fn show(Errand { web, at: id, .. }: Errand<ShowProduct>) -> Result<ProductView, Problem> {
    let product = web.shop.product(&id).await?;
    let stock = web.shop.stock_of(&product).await?;
    Ok(ProductView::of(&product, stock))
}

async fn add(Errand { web, trace, wish: new, .. }: Errand<AddProduct>) -> Result<ProductView, Problem> {
    trace.on(&new.id);
    let product = web.shop.add_product(&new.id, &new.patch).await?;
    let asked = serde_json::to_value(&new.patch).unwrap_or_default();
    let mut view = settable(&product);
    if let Some(fields) = view.as_object_mut() {
        fields.retain(|name, _| asked.get(name).is_some());
    }
    trace.change(&difference(&Value::Null, &view));
    Ok(ProductView::of(&product, Stock::default()))
}

async fn set(Errand { web, trace, at: id, wish: patch, .. }: Errand<SetProduct>) -> Result<ProductView, Problem> {
    let (before, after) = web.shop.set_product(&id, &patch).await?;
    trace.change(&difference(&settable(&before), &settable(&after)));
    let product = web.shop.product(&id).await?;
    let stock = web.shop.stock_of(&product).await?;
    Ok(ProductView::of(&product, stock))
}

async fn import(Errand { web, trace, at: id, wish, .. }: Errand<ImportKeys>) -> Result<ImportReport, Problem> {
    let (how, body) = (wish.query, wish.body.0);
    let utf8 = match how.encoding.as_deref() {
        None => false,
        Some(name) if sheet::is_utf8(name) => true,
        Some(_) => return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid", sheet::UTF8_ONLY)),
    };
    if !how.judged {
        let said = sheet::Said { utf8, as_lines: how.as_lines };
        sheet::judge(&body, said).map_err(|(why, _)| ShopError::from(why))?;
    }
    let report = web.shop.import(&id, &body, (how.first.max(1), how.as_lines)).await?;
    trace.result(&format!("{} imported", report.imported));
    Ok(report)
}

async fn void(Errand { web, trace, at: id, wish, .. }: Errand<VoidKeys>) -> Result<Voided, Problem> {
    let (voided, keys_named) = web.shop.void(&id, wish.count, wish.keys.as_bytes()).await?;
    trace.result(&format!("{voided} voided"));
    Ok(Voided { voided, keys_named, not_in_pool: keys_named.map(|named| named.saturating_sub(voided)) })
}

async fn restore(Errand { web, trace, at: id, wish, .. }: Errand<RestoreKeys>) -> Result<Restored, Problem> {
    let restored = web.shop.restore(&id, wish.count).await?;
    trace.result(&format!("{restored} restored"));
    Ok(Restored { restored })
}
