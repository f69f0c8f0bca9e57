//! Notices: what waits, what was given up, and what a person does about it.

use axum::http::StatusCode;

use super::routes::{Errand, Routes};
use crate::domain::text::{masked, printable};
use crate::domain::time::iso;
use crate::domain::{ActResult, NewsId, NoticeId, NoticeState};
use crate::http::problem::Problem;
use crate::http::web::Web;
use crate::shop::{Refused, ShopError};
use crate::store::Listed;
use crate::telemetry::snapshot::NoticeCounts;
use crate::wire::notices::{NoticeList, NoticeTested, NoticeView, NotifierView};
use crate::wire::orders::Acted;
use crate::wire::{ListNotices, ResendNews, TryNotifier};

pub fn routes(to: Routes) -> Routes {
    to.on(list).on(try_out).on(resend)
}

fn row(web: &Web, Listed { when, id, notice, order }: &Listed) -> NoticeView {
    let waits = notice.state == NoticeState::Waiting;
    let contact = match (order, id) {
        (Some(order), _) => masked(&web.shop.contact(order)),
        (None, NoticeId::News(news)) => news.topic.as_str().to_owned(),
        (None, NoticeId::Buyer(_)) => String::new(),
    };
    NoticeView {
        order: id.to_string(),
        product: order.as_ref().map(|order| order.product.to_string()).unwrap_or_default(),
        contact,
        state: notice.state.into(),
        tries: notice.tries,
        at: notice.at,
        time: iso(notice.at),
        next: if waits { *when } else { 0 },
        next_time: waits.then(|| iso(*when)),
        by: notice.by.clone(),
        why: notice.why.clone(),
    }
}

/// What was given up, and what is to be sent, the next one first.
async fn list(Errand { web, wish, .. }: Errand<ListNotices>) -> Result<NoticeList, Problem> {
    let limit = wish.limit.clamp(1, 1000);
    let mut notices: Vec<NoticeView> = Vec::new();
    for state in [NoticeState::Dead, NoticeState::Waiting] {
        notices.extend(web.shop.list_notices(state, limit).await?.iter().map(|listed| row(&web, listed)));
    }
    let NoticeCounts { waiting, dead } = web.shop.count_notices().await?;
    let view = |(name, kind): (&str, &str)| NotifierView { name: name.to_owned(), kind: kind.to_owned() };
    Ok(NoticeList { notices, waiting, dead, notifiers: web.notifiers.list().map(view).collect() })
}

/// Tells operators some news again; a buyer's notice is sent again by an action on its order.
async fn resend(Errand { web, at: id, .. }: Errand<ResendNews>) -> Result<Acted, Problem> {
    let news: NewsId = id.parse().map_err(|()| ShopError::NotFound("news"))?;
    web.shop.resend_news(&news).await?;
    Ok(Acted { id, result: ActResult::Waiting.into() })
}

async fn try_out(Errand { web, trace, wish: test, .. }: Errand<TryNotifier>) -> Result<NoticeTested, Problem> {
    trace.on(&test.notifier);
    trace.change(&test.to.as_deref().map(|to| format!("to {}", masked(to))).unwrap_or_default());
    match web.notifiers.try_out(&test.notifier, test.to.as_deref()).await {
        Ok(()) => {
            trace.result("sent");
            Ok(NoticeTested { notifier: test.notifier, result: "sent".to_owned() })
        }
        Err(Refused::Later(why, _) | Refused::Never(why) | Refused::Gone(why)) => {
            trace.result("refused");
            let text = format!("{} was not sent: {}", printable(&test.notifier, 60), printable(&why, 400));
            Err(Problem::new(StatusCode::BAD_GATEWAY, "gateway", text))
        }
    }
}
