//! What is wrong: it is noted as an incident, and operators hear of it.

use super::Shop;
use crate::domain::Reason;
use crate::telemetry::incident::{Incident, RawRequest};

/// An incident to be.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct IncidentNote<'a> {
    pub channel: &'a str,
    pub reason: Reason,
    /// What is wrong and what to do: the reason's own, where no more is known.
    pub advice: &'a str,
    pub address: &'a str,
    pub number: &'a str,
    pub status: u16,
    /// Whether what it is about was signed by its gateway.
    pub signed: bool,
    pub request: Option<RawRequest>,
}

impl IncidentNote<'_> {
    /// A note that says of its reason what its row says.
    #[must_use]
    pub fn new(reason: Reason) -> Self {
        Self {
            channel: "",
            advice: reason.row().advice.en,
            reason,
            address: "",
            number: "",
            status: 0,
            signed: false,
            request: None,
        }
    }
}

impl Shop {
    /// Notes an incident, unless too many requests were noted this second, and tells operators of it.
    pub fn incident(&self, note: IncidentNote<'_>) {
        let Some(incident) = self.record_incident(note) else { return };
        // What strangers can send is seen, not told; a held order is news by itself.
        if incident.request.is_none() && incident.reason != Reason::Held {
            let Incident { id, at, channel, reason, number, advice, .. } = &incident;
            self.announce(id, *at, reason, [channel, number, advice]);
        }
    }

    /// Tells that Redis cut the end of its append-only file when it started: what stood there is forgotten.
    pub fn store_was_cut(&self, file: &str, offset: u64, bytes: Option<u64>) {
        let much = bytes.map_or_else(|| "its end".to_owned(), |bytes| format!("its last {bytes} bytes"));
        let advice = format!(
            "Redis could not read the end of its file {file} and cut {much} behind byte {offset}. After a crash, less than one entry is a write that nobody was told of. More is a loss: the newest orders and payments are forgotten and keys that were sold are for sale again; stop selling, run kamid audit and kamid order reconcile, and see docs/operations.md."
        );
        tracing::error!(file, offset, bytes, "Redis cut the end of its append-only file.");
        self.incident(IncidentNote { advice: &advice, ..IncidentNote::new(Reason::AofCut) });
    }

    pub(super) fn record_incident(&self, note: IncidentNote<'_>) -> Option<Incident> {
        let now = self.store.now();
        // Only what is sent to us is counted: a flood of it must not hide what we saw ourselves.
        let kind = (note.channel, &note.reason);
        if note.request.is_some() && !self.telemetry.incidents.has_room(now, kind, note.signed) {
            return None;
        }
        let incident = Incident {
            id: self.telemetry.incidents.next_id(now),
            at: now,
            channel: note.channel.to_owned(),
            reason: note.reason,
            advice: note.advice.to_owned(),
            address: note.address.to_owned(),
            number: note.number.to_owned(),
            status: note.status,
            signed: note.signed,
            request: note.request.map(RawRequest::trimmed),
        };
        self.telemetry.record(crate::telemetry::Observation::Incident(Box::new(incident.clone())));
        Some(incident)
    }
}
