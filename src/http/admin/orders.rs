//! The operators' side of orders, and of payments without one.

use axum::http::StatusCode;
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use super::routes::{Errand, Routes};
use super::trail::difference;
use crate::domain::time::iso;
use crate::domain::{Attempt, Order, OrderId, OrderState, PaymentNo, PaymentState, Role};
use crate::http::problem::Problem;
use crate::http::web::Web;
use crate::http::web::with_token;
use crate::shop::{Buyer, By, Created, ShopError};
use crate::store::Look;
use crate::wire::orders::{
    Acted, AttemptView, HistoryRow, LookList, NoticeBrief, OrderBrief, OrderList, OrderLook, OrderMadeBrief,
    OrderSearch, OrderWhole, OrdersMade, SandboxPaid, UnpaidList, UnpaidOrder,
};
use crate::wire::payments::{Adopted, OrphanList, OrphanView, PaymentView};
use crate::wire::{
    ActOnOrder, AdoptOrphan, ListOrders, ListOrphans, ListUnpaid, LookAtOrders, MakeOrders, PayInSandbox, RefundOrphan,
    ShowOrder,
};

pub fn routes(to: Routes) -> Routes {
    let orders = to.on(list).on(new).on(look).on(unpaid).on(show).on(sandbox).on(act);
    orders.on(orphans).on(adopt).on(refund)
}

fn order_id(text: &str) -> Result<OrderId, Problem> {
    // A payment number is as good: the order's number is its beginning.
    let id = text.get(..20).filter(|_| text.len() == 22).unwrap_or(text);
    id.parse().map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "invalid", format!("{error}")))
}

fn brief(web: &Web, order: &Order) -> OrderBrief {
    OrderBrief::of(order, web.shop.contact(order))
}

/// Orders made at once by one request for several.
const AT_ONCE: usize = 64;

/// One order; with `?count=N` a list of that many like it, each told in short. When one cannot be made, the answer is its
/// error; those made before it stand unpaid until they expire.
async fn new(Errand { web, trace, wish, .. }: Errand<MakeOrders>) -> Result<OrdersMade, Problem> {
    let wanted = wish.body;
    trace.on(&wanted.product);
    let channel = wanted.channel.as_deref().map(|channel| format!("; channel {channel}")).unwrap_or_default();
    trace.change(&format!("quantity {}{channel}", wanted.quantity));
    let Some(count) = wish.query.count else {
        let created = web.shop.order(&wanted, Buyer::Operator, By::Asker(None)).await?;
        trace.result(&created.id);
        return Ok(OrdersMade::One(Box::new(with_token(&web.shop, &created)?)));
    };
    if !(1..=1000).contains(&count) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid", "count: from 1 to 1000"));
    }
    let jobs = stream::iter(0..count).map(|_| web.shop.order(&wanted, Buyer::Operator, By::Asker(None)));
    let mut jobs = jobs.buffered(AT_ONCE);
    let mut made: Vec<Created> = Vec::with_capacity(count);
    while let Some(created) = jobs.next().await {
        match created {
            Ok(created) => made.push(created),
            Err(error) => {
                trace.change(&format!("quantity {}{channel}; {} of {count} orders made", wanted.quantity, made.len()));
                return Err(error.into());
            }
        }
    }
    trace.result(&format!("{count} orders"));
    let brief = |created: Created| {
        let token = with_token(&web.shop, &created)?.token;
        let Created { id, payment_no, amount_minor, currency, reference, .. } = created;
        Ok(OrderMadeBrief { id, token, payment_no, amount_minor, currency, reference })
    };
    Ok(OrdersMade::Several { orders: made.into_iter().map(brief).collect::<Result<_, Problem>>()? })
}

/// Where up to a thousand orders stand, each at one moment, with how many keys they hold and what was paid for them.
async fn look(Errand { web, wish, .. }: Errand<LookAtOrders>) -> Result<LookList, Problem> {
    if wish.ids.len() > 1000 {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid", "ids: at most 1000"));
    }
    let looks = web.shop.looks(&wish.ids).await?;
    let one = |look: &Look| {
        let order = look.order.as_ref();
        OrderLook {
            id: look.id.to_string(),
            state: order.map(|order| order.state),
            quantity: order.map_or(0, |order| u64::from(order.quantity)),
            keys: order.map_or(0, |order| order.keys.len() as u64),
            payments: look.payments.iter().map(PaymentView::from).collect(),
        }
    };
    Ok(LookList { orders: looks.iter().map(one).collect() })
}

/// Most unpaid orders told at once: at five questions a second they take three hours.
const MOST_UNPAID: usize = 50_000;

/// Orders made in that time, pending or expired, the oldest first, each with the channel of every attempt to pay it; and
/// how many questions a second one channel's gateway is asked.
async fn unpaid(Errand { web, wish, .. }: Errand<ListUnpaid>) -> Result<UnpaidList, Problem> {
    if let Some(channel) = &wish.channel {
        web.shop.channel(channel)?;
    }
    let between = (wish.from, wish.until.unwrap_or(u64::MAX));
    let Some(orders) = web.shop.unpaid_between(between, MOST_UNPAID).await? else {
        let detail = format!("There are more than {MOST_UNPAID} unpaid orders in that time: ask about a shorter one.");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid", detail));
    };
    let through = |order: &&Order| {
        wish.channel.as_ref().is_none_or(|name| order.attempts.iter().any(|attempt| attempt.due.channel == *name))
    };
    let view = |order: &Order| UnpaidOrder {
        id: order.id.to_string(),
        state: order.state.into(),
        created_at: order.created,
        channels: order.attempts.iter().map(|attempt| attempt.due.channel.clone()).collect(),
    };
    let orders = orders.iter().filter(through).map(view).collect();
    Ok(UnpaidList { orders, asks_per_second: web.limits.asks_per_second })
}

async fn list(Errand { web, wish: search, .. }: Errand<ListOrders>) -> Result<OrderList, Problem> {
    let limit = search.limit.clamp(1, 1000);
    let ids = find(&web, &search, limit).await?;
    let orders = web.shop.orders_of(&ids).await?;
    let orders = orders.iter().filter(|order| search.state.is_none_or(|state| state == order.state));
    let mut list: Vec<OrderBrief> = orders.take(limit).map(|order| brief(&web, order)).collect();
    if search.state == Some(OrderState::Held) {
        // Whoever is to decide about it must see what came beside what was due.
        let looks = web.shop.looks(&ids).await?;
        for row in &mut list {
            let look = looks.iter().find(|look| row.id == look.id.as_str());
            let held = look.and_then(|look| look.payments.iter().find(|it| it.state == PaymentState::Held));
            row.paid = Some(held.map(|it| format!("{} {}", it.paid, it.paid.currency)));
        }
    }
    Ok(OrderList { orders: list })
}

/// The orders that a text means, in whatever way it can be read: a number of ours, one of a gateway's, a contact.
async fn meant(web: &Web, text: &str) -> Result<Vec<OrderId>, ShopError> {
    let mut ids: Vec<OrderId> = order_id(text).into_iter().collect();
    for id in [web.shop.orders_of_trade(text).await?, web.shop.orders_of_contact(text).await?].concat() {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

async fn find(web: &Web, search: &OrderSearch, limit: usize) -> Result<Vec<OrderId>, ShopError> {
    let shop = &web.shop;
    if let Some(text) = &search.find {
        return meant(web, text.trim()).await;
    }
    if let Some(contact) = &search.contact {
        return shop.orders_of_contact(contact).await;
    }
    if let Some(trade_no) = &search.trade_no {
        return shop.orders_of_trade(trade_no).await;
    }
    match search.state {
        Some(OrderState::Pending) => shop.pending(limit).await,
        Some(OrderState::Held) => shop.held(limit).await,
        Some(OrderState::Owed) => shop.owed(limit).await,
        _ => shop.recent(limit.saturating_mul(4)).await,
    }
}

async fn show(Errand { web, operator, at, wish, .. }: Errand<ShowOrder>) -> Result<OrderWhole, Problem> {
    let id = order_id(&at)?;
    if wish.wants_keys() && operator.role != Role::Operate {
        return Err(Problem::only_look());
    }
    let order = web.shop.order_of(id).await?;
    let payments = web.shop.payments_of(id).await?;
    let attempt = |Attempt { no, due, opened }: &Attempt| AttemptView {
        payment_no: format!("{id}{}", no.as_str()),
        channel: due.channel.clone(),
        amount: due.amount.to_string(),
        reference: opened.as_ref().map(|opened| opened.reference.clone()),
    };
    // Keys only when they are asked for by name.
    let keys = if wish.wants_keys() {
        Some(web.shop.open(&order).await?.iter().map(|key| key.as_str().to_owned()).collect())
    } else {
        None
    };
    Ok(OrderWhole {
        brief: brief(&web, &order),
        payments: payments.iter().map(PaymentView::from).collect(),
        attempts: order.attempts.iter().map(attempt).collect(),
        history: order.history().map(HistoryRow::from).collect(),
        // The page shows the keys: its address is for those who may see them.
        page: (operator.role == Role::Operate).then(|| web.shop.page(id)),
        notice: order.notice.as_ref().map(|notice| NoticeBrief {
            state: notice.state.into(),
            tries: notice.tries,
            time: iso(notice.at),
            by: notice.by.clone(),
            why: notice.why.clone(),
        }),
        reserved: order.reserved,
        keys,
    })
}

async fn act(Errand { web, operator, trace, at, wish: note }: Errand<ActOnOrder>) -> Result<Acted, Problem> {
    let (id, action) = (order_id(&at.0)?, at.1);
    trace.on(id.as_str());
    trace.reason(&note.reason);
    // What cannot be read here is told by the act itself.
    let state = async || web.shop.order_of(id).await.ok().map(|order| order.state);
    let before = state().await;
    let result = web.shop.act(id, action, &note, &operator).await?;
    trace.result(result.as_str());
    let after = state().await;
    let mut changes = vec![difference(&json!({"state": before}), &json!({"state": after}))];
    changes.extend(note.trade_no.as_deref().map(|number| format!("trade number {number}")));
    changes.extend(note.position.map(|position| format!("key {position}")));
    changes.extend(note.gateway.then(|| "through the gateway".to_owned()));
    trace.change(&changes.into_iter().filter(|change| !change.is_empty()).collect::<Vec<_>>().join("; "));
    Ok(Acted { id: id.to_string(), result: result.into() })
}

async fn sandbox(Errand { web, at, wish, .. }: Errand<PayInSandbox>) -> Result<SandboxPaid, Problem> {
    let attempt = at.parse::<PaymentNo>().ok().map(|no| no.attempt);
    let id = order_id(&at)?;
    let answers = web.shop.sandbox_pay(id, attempt, wish.how).await?;
    let order = web.shop.order_of(id).await?;
    Ok(SandboxPaid { id: id.to_string(), answers, state: order.state.into() })
}

async fn orphans(Errand { web, .. }: Errand<ListOrphans>) -> Result<OrphanList, Problem> {
    let waiting = web.shop.orphans().await?;
    let views = waiting.into_iter().map(|it| OrphanView {
        kind: it.kind.into(),
        id: it.id,
        payment: it.payment,
        since: iso(it.since),
        amount: it.paid.map(|paid| paid.to_string()),
        currency: it.paid.map(|paid| paid.currency.to_string()),
    });
    Ok(OrphanList { payments: views.collect() })
}

async fn adopt(Errand { web, operator, trace, wish: which, .. }: Errand<AdoptOrphan>) -> Result<Adopted, Problem> {
    let order = order_id(&which.order)?;
    trace.on(&format!("{} {} for {order}", which.id, which.payment));
    let result = web.shop.adopt(&which.id, &which.payment, order, &operator).await?;
    trace.result(result.as_str());
    Ok(Adopted { order: order.to_string(), result: result.into() })
}

async fn refund(Errand { web, trace, wish: which, .. }: Errand<RefundOrphan>) -> Result<Acted, Problem> {
    trace.on(&format!("{} {}", which.id, which.payment));
    let result = web.shop.refund_payment(&which.id, &which.payment).await?;
    trace.result(result.as_str());
    Ok(Acted { id: which.id, result: result.into() })
}
