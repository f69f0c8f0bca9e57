//! Answers of the admin API: what they change here.

use std::collections::HashSet;

use serde_json::Value;

use super::{FEED, Turn, shed_incidents};
use crate::client::read;
use crate::domain::{Action, IncidentBrief, Role, Severity};
use crate::top::ask::{Ask, notice_row, rows};
use crate::top::lang::word;
use crate::top::model::Effect;
use crate::top::tab::Tab;
use crate::wire::incidents::{IncidentList, ReplayReport};
use crate::wire::notices::NoticeList;
use crate::wire::orders::Acted;
use crate::wire::shop::Info;

impl Turn<'_> {
    /// Takes an answer in, or why there is none.
    pub(super) fn answer(&mut self, ask: Ask, answer: Result<Vec<Value>, String>) {
        let values = match answer {
            Ok(values) => values,
            Err(why) => return self.failed(&ask, why),
        };
        let first = values.first().cloned().unwrap_or_default();
        match ask {
            Ask::Info => {
                let info: Info = read(&first).unwrap_or_default();
                self.model.operator = info.operator;
                // A daemon that does not tell roles has one token, which may do everything.
                self.model.may_act = info.role.is_none_or(|role| role.is(Role::Operate));
            }
            Ask::Review => self.keeping(|model| model.review = rows(&values)),
            Ask::Notices => {
                let told: NoticeList = read(&first).unwrap_or_default();
                let told = told.notices.into_iter().filter_map(notice_row).collect();
                self.keeping(|model| model.unsent = told);
            }
            Ask::Incidents => {
                self.earlier(read(&first).map(|told: IncidentList| told.incidents).unwrap_or_default());
            }
            Ask::Search(text) => {
                let found = rows(&values);
                if found.is_empty() {
                    self.model.note(
                        format!("{}: {text}", self.model.lang.say("nothing found", "没有找到")),
                        Severity::Warning,
                    );
                }
                self.keeping(|model| model.found = Some(found));
            }
            Ask::Order(id) | Ask::Incident(id) => {
                let mut told = first;
                // The link to the buyer's page opens the keys: it is not for a screen.
                if let Some(fields) = told.as_object_mut() {
                    fields.remove("page");
                }
                self.model.ui.fill(&id, told);
            }
            Ask::Replay(id) => {
                let ReplayReport { verdict, reason, .. } = read(&first).unwrap_or_default();
                let reason = reason.unwrap_or_default();
                let lang = self.model.lang;
                let what = format!("{id}: {} {}", word(lang, &verdict), word(lang, &reason));
                self.model.note(what, if verdict == "accept" { Severity::Warning } else { Severity::Alarm });
            }
            Ask::Capture(id) => {
                let text = serde_json::to_string_pretty(&first).unwrap_or_default();
                self.effects.push(Effect::Export(format!("incident-{id}.json"), text));
            }
            Ask::Act { .. } | Ask::Payment { .. } | Ask::Block { .. } => {
                let Acted { result, .. } = read(&first).unwrap_or_default();
                let result = match (&ask, result.as_str()) {
                    // It waits for no other try than its first.
                    (Ask::Act { action: Action::Resend, .. }, "waiting") => {
                        self.model.lang.say("on its way", "正在发送")
                    }
                    (_, "") => self.model.lang.say("done", "已完成"),
                    (_, result) => word(self.model.lang, result),
                };
                let what = format!("{}: {result}", self.acted(&ask));
                self.model.note(what, Severity::Warning);
                self.effects.push(Effect::Ask(if self.model.ui.tab == Tab::NOTICES {
                    Ask::Notices
                } else {
                    Ask::Review
                }));
                self.look_again(&ask);
            }
        }
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

    fn failed(&mut self, ask: &Ask, why: String) {
        match ask {
            // Asked again by itself.
            Ask::Info | Ask::Review | Ask::Notices | Ask::Incidents => {}
            Ask::Order(id) | Ask::Incident(id) => {
                // What was told once is better than that it cannot be told again.
                let told =
                    self.model.ui.detail.as_ref().is_some_and(|detail| detail.id == *id && detail.value.is_some());
                if !told {
                    self.model.ui.fill(id, serde_json::json!({"error": why}));
                }
            }
            Ask::Search(_) => {
                self.model.found = Some(Vec::new());
                self.model.note(why, Severity::Alarm);
            }
            _ => self.model.note(why, Severity::Alarm),
        }
    }
}
