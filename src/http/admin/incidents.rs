//! Incidents: what failed, its request as a capture, and what the running configuration would say of it now.

use axum::http::StatusCode;
use data_encoding::BASE64;

use super::routes::{Errand, Routes};
use crate::channel::capture::{Capture, CapturedOrder, CapturedRequest, References, borrowed, replay};
use crate::domain::{Callback, Currency, Incident, Money, PaymentNo, Role};
use crate::http::problem::Problem;
use crate::http::web::Web;
use crate::shop::ShopError;
use crate::wire::incidents::{GatewayAnswer, IncidentList, IncidentWhole, ReplayReport};
use crate::wire::{CaptureIncident, ListIncidents, ReplayIncident, ShowIncident};

pub fn routes(to: Routes) -> Routes {
    to.on(incidents).on(incident).on(capture).on(again)
}

async fn incidents(Errand { web, wish: search, .. }: Errand<ListIncidents>) -> Result<IncidentList, Problem> {
    let is = |wanted: &Option<String>, text: &str| wanted.as_ref().is_none_or(|wanted| wanted == text);
    let fits = |incident: &&Incident| {
        is(&search.reason, incident.reason.as_str())
            && is(&search.channel, &incident.channel)
            && is(&search.address, &incident.address)
            && search.before.is_none_or(|before| incident.at < before)
    };
    let list = web.telemetry.incidents.newest(usize::MAX);
    let incidents = list.iter().filter(fits).take(search.limit).map(Incident::brief).collect();
    Ok(IncidentList { incidents, only_counted: web.telemetry.incidents.dropped() })
}

/// The incident, if it is this instance's; of another's it says whose.
fn find(web: &Web, id: &str) -> Result<Incident, Problem> {
    let telemetry = &web.telemetry;
    telemetry.incidents.get(id).ok_or_else(|| match telemetry.whose_incident(id) {
        Some(other) => {
            let detail = format!("this incident is instance {other}'s: ask that one, incidents stay where they came");
            Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
        }
        None => ShopError::NotFound("incident").into(),
    })
}

async fn incident(Errand { web, operator, at: id, .. }: Errand<ShowIncident>) -> Result<IncidentWhole, Problem> {
    let mut kept = find(&web, &id)?;
    if operator.role == Role::View {
        kept.request = None;
    }
    let canonical = kept.request.as_ref().and_then(|request| {
        let body = BASE64.decode(request.body_b64.as_bytes()).ok()?;
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let headers = borrowed(&request.headers);
        let callback = Callback { method: &request.method, path, query, headers: &headers, body: &body };
        web.channels.get(&kept.channel)?.explain(&callback)
    });
    Ok(IncidentWhole { kept, canonical })
}

/// The incident as a capture, which `kamid channel verify` replays once the configuration is mended.
async fn capture(Errand { web, at: id, .. }: Errand<CaptureIncident>) -> Result<serde_json::Value, Problem> {
    let capture = captured(&web, find(&web, &id)?).await?;
    Ok(serde_json::to_value(capture).unwrap_or_default())
}

async fn captured(web: &Web, incident: Incident) -> Result<Capture, Problem> {
    let request = incident.request.filter(|request| !request.cut).ok_or_else(|| {
        Problem::new(
            StatusCode::CONFLICT,
            "no_request",
            "This incident has no request, or it was too large to be kept whole.",
        )
    })?;
    let kind = web.channels.list().find(|(name, _)| *name == incident.channel).map_or("", |(_, kind)| kind);
    let number = incident.number.parse::<PaymentNo>().ok();
    let order = match number {
        Some(no) => web.shop.known_order(no.order).await?,
        None => None,
    };
    let order = order.zip(number).and_then(|(order, no)| {
        let due = &order.attempt(no.attempt)?.due;
        Some(CapturedOrder {
            order_no: no.to_string(),
            amount_minor: due.amount.minor,
            currency: due.amount.currency.to_string(),
            channel: Some(due.channel.clone()),
            reference: order.opening(no.attempt).map(|opened| opened.reference.clone()).filter(|text| !text.is_empty()),
            references: References::default(),
            status: order.state.to_string(),
        })
    });
    Ok(Capture {
        channel: kind.to_owned(),
        channel_name: Some(incident.channel),
        kind: Some("notify".to_owned()),
        now: Some(incident.at / 1000),
        config: None,
        order,
        gateway_api_answers: None,
        fetchable_certs: None,
        request: Some(CapturedRequest {
            method: request.method,
            target: request.target,
            headers: request.headers,
            body_b64: request.body_b64,
        }),
        steps: Vec::new(),
    })
}

/// What the running configuration says of the request now. Nothing is settled, and nobody is charged for it.
async fn again(Errand { web, at: id, .. }: Errand<ReplayIncident>) -> Result<ReplayReport, Problem> {
    let incident = find(&web, &id)?;
    let (name, at) = (incident.channel.clone(), incident.at);
    let capture = captured(&web, incident).await?;
    let channel = web.channels.get(&name).ok_or_else(|| {
        ShopError::Conflict(format!("there is no channel {name:?} in the running configuration: nothing to ask"))
    })?;
    let unreadable = |error: crate::channel::capture::BadCapture| ShopError::Conflict(error.to_string());
    let terms = web.channels.terms(&name).cloned().unwrap_or_default();
    let report = replay(&capture, channel.as_ref(), &terms, at, false).map_err(unreadable)?;
    let said = report.extracted.as_ref();
    let paid = said.and_then(|said| {
        let currency: Currency = said.currency.parse().ok()?;
        Some(Money { minor: said.amount_minor, currency })
    });
    Ok(ReplayReport {
        verdict: report.verdict.to_owned(),
        reason: report.reason.map(str::to_owned),
        number: said.map(|said| said.order_no.clone()),
        amount: paid.map(|paid| paid.to_string()),
        currency: paid.map(|paid| paid.currency.to_string()),
        trade_no: said.map(|said| said.gateway_trade_no.clone()),
        answer: GatewayAnswer { status: report.answer.status, body: report.answer.body.to_owned() },
    })
}
