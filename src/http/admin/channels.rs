//! Channels: which there are, whether one can work, and its payments of a time, to be laid beside its gateway's bill.

use axum::http::StatusCode;

use super::routes::{Errand, Routes};
use crate::http::problem::Problem;
use crate::wire::channels::{ChannelList, ChannelView, TrialReport};
use crate::wire::payments::{PaymentList, PaymentView};
use crate::wire::{ListChannels, ListPayments, TryChannel};

/// Most payments told at once.
const MOST: usize = 200_000;

pub fn routes(to: Routes) -> Routes {
    to.on(list).on(try_out).on(payments)
}

async fn list(Errand { web, .. }: Errand<ListChannels>) -> Result<ChannelList, Problem> {
    let view = |(name, kind): (&str, &str)| ChannelView {
        name: name.to_owned(),
        kind: kind.to_owned(),
        notify_url: web.shop.notify_url(name),
        account: web.shop.account_of(name).to_owned(),
    };
    Ok(ChannelList { channels: web.channels.list().map(view).collect() })
}

async fn try_out(Errand { web, at: channel, wish, .. }: Errand<TryChannel>) -> Result<TrialReport, Problem> {
    let steps = web.shop.try_channel(&channel, wish.open).await?;
    Ok(TrialReport { channel, works: steps.iter().all(|step| step.result != "failed"), steps })
}

/// The payments that came through a channel in that time, whatever became of them. Every record of the shop is looked at.
async fn payments(Errand { web, at: channel, wish, .. }: Errand<ListPayments>) -> Result<PaymentList, Problem> {
    let Some(records) = web.shop.payments_between(&channel, (wish.from, wish.until), MOST).await? else {
        let detail = format!("There are more than {MOST} payments in that time: ask about a shorter one.");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid", detail));
    };
    Ok(PaymentList { payments: records.iter().map(PaymentView::from).collect() })
}
