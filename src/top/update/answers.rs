//! Answers of the admin API: what they change here.

use std::collections::HashSet;

use super::{FEED, Turn, shed_incidents};
use crate::domain::{Action, IncidentBrief, Role, Severity};
use crate::top::ask::{Ask, Received, Unanswered};
use crate::top::lang::word;
use crate::top::model::Effect;
use crate::top::tab::Tab;
use crate::wire::incidents::ReplayReport;

impl Turn<'_> {
    /// Takes an answer in, or why there is none.
    pub(super) fn answer(&mut self, ask: &Ask, answer: Result<Received, Unanswered>) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(why) => return self.failed(ask, why),
        };
        match (ask, answer) {
            (_, Received::Info(info)) => {
                self.model.operator = info.operator;
                // A daemon that does not tell roles has one token, which may do everything.
                self.model.may_act = info.role.is_none_or(|role| role.is(Role::Operate));
            }
            (Ask::Search(text), Received::Rows(found)) => {
                if found.is_empty() {
                    let nothing = self.model.lang.say("nothing found", "没有找到");
                    self.model.note(format!("{nothing}: {text}"), Severity::Warning);
                }
                self.keeping(|model| model.found = Some(found));
            }
            (_, Received::Rows(review)) => self.keeping(|model| model.review = review),
            (_, Received::Notices(unsent)) => self.keeping(|model| model.unsent = unsent),
            (_, Received::Incidents(incidents)) => self.earlier(incidents),
            (Ask::Capture(id), Received::Whole(capture)) => {
                let text = serde_json::to_string_pretty(&capture).unwrap_or_default();
                self.effects.push(Effect::Export(format!("incident-{id}.json"), text));
            }
            (Ask::Order(id) | Ask::Incident(id), Received::Whole(mut whole)) => {
                // The link to the buyer's page opens the keys: it is not for a screen.
                if let Some(fields) = whole.as_object_mut() {
                    fields.remove("page");
                }
                self.model.ui.fill(id, whole);
            }
            (Ask::Replay(id), Received::Replayed(report)) => {
                let ReplayReport { verdict, reason, .. } = *report;
                let reason = reason.unwrap_or_default();
                let lang = self.model.lang;
                let what = format!("{id}: {} {}", word(lang, &verdict), word(lang, &reason));
                self.model.note(what, if verdict == "accept" { Severity::Warning } else { Severity::Alarm });
            }
            (_, Received::Done(result)) => self.done(ask, &result),
            (_, Received::Whole(_) | Received::Replayed(_)) => {}
        }
    }

    /// Says what came of what was done, and looks again at what it changed.
    fn done(&mut self, ask: &Ask, result: &str) {
        let result = match (ask, result) {
            // It waits for no other try than its first.
            (Ask::Act { action: Action::Resend, .. }, "waiting") => self.model.lang.say("on its way", "正在发送"),
            (_, "") => self.model.lang.say("done", "已完成"),
            (_, result) => word(self.model.lang, result),
        };
        let what = format!("{}: {result}", self.acted(ask));
        self.model.note(what, Severity::Warning);
        let changed = if self.model.ui.tab == Tab::NOTICES { Ask::Notices } else { Ask::Review };
        self.effects.push(Effect::Ask(changed));
        self.look_again(ask);
    }

    /// What was acted on is asked for again, where it is open or was searched for.
    fn look_again(&mut self, ask: &Ask) {
        let Ask::Act { order, .. } = ask else { return };
        if self.model.ui.detail.as_ref().is_some_and(|detail| detail.id == *order && !order.contains(':')) {
            self.effects.push(Effect::Ask(Ask::Order(order.clone())));
        }
        let searched = &self.model.ui.place_of(Tab::ORDERS).filter;
        if self.model.ui.tab == Tab::ORDERS && self.model.found.is_some() && !searched.is_empty() {
            self.effects.push(Effect::Ask(Ask::Search(searched.clone())));
        }
    }

    /// Incidents that the daemon kept of the time before the stream.
    pub(super) fn earlier(&mut self, told: Vec<IncidentBrief>) {
        let known: HashSet<String> = self.model.incidents.iter().map(|brief| brief.id.clone()).collect();
        self.keeping(|model| {
            model.incidents.extend(told.into_iter().filter(|brief| !known.contains(&brief.id)));
            model.incidents.make_contiguous().sort_by_key(|brief| std::cmp::Reverse(brief.at));
            shed_incidents(model, FEED);
        });
    }

    fn acted(&self, ask: &Ask) -> String {
        let lang = self.model.lang;
        match ask {
            Ask::Act { order, action, .. } => format!("{} {order}", word(lang, action.as_str())),
            Ask::Payment { id, order: Some(order), .. } => format!("{} {id} → {order}", word(lang, "adopt")),
            Ask::Payment { id, .. } => format!("{} {id}", word(lang, "refund")),
            Ask::Block { address, .. } => format!("{} {address}", word(lang, "block")),
            _ => String::new(),
        }
    }

    fn failed(&mut self, ask: &Ask, why: Unanswered) {
        let (why, unread) = match why {
            Unanswered::Failed(why) => (why, false),
            Unanswered::Unread(why) => (why, true),
        };
        match ask {
            // Who we are is not known: the daemon decides, and the screen offers nothing.
            Ask::Info if unread => {
                self.model.may_act = false;
                self.model.note(why, Severity::Alarm);
            }
            // What stands there stays.
            Ask::Review | Ask::Notices | Ask::Incidents if unread => self.model.note(why, Severity::Alarm),
            // Asked again by itself.
            Ask::Info | Ask::Review | Ask::Notices | Ask::Incidents => {}
            Ask::Order(id) | Ask::Incident(id) => {
                // What was shown once is better than that it cannot be shown again.
                let shown =
                    self.model.ui.detail.as_ref().is_some_and(|detail| detail.id == *id && detail.value.is_some());
                if !shown {
                    self.model.ui.fill(id, serde_json::json!({"error": why}));
                }
            }
            Ask::Search(_) => {
                self.model.found = Some(Vec::new());
                self.model.note(why, Severity::Alarm);
            }
            // It was done: only what came of it cannot be read.
            _ if unread && ask.acts() => {
                let what = format!("{}: {why}", self.acted(ask));
                self.model.note(what, Severity::Alarm);
            }
            _ => self.model.note(why, Severity::Alarm),
        }
    }
}
