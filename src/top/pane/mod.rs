//! The panes: what the dashboard shows, one at a time. One is a value in a file of its own here, which begins with its
//! `PANE`, and a row in [`PANES`]; nothing else knows it. All but the overview are a [`List`].
//!
//! A pane reads the model and draws with the kit. Keys, clicks and answers come to it through `update`, which stands above.

mod channels;
mod failed;
mod instances;
mod list;
mod notices;
mod orders;
mod overview;
mod review;
mod stock;

use ratatui::Frame;
use ratatui::layout::Rect;
use serde_json::Value;

use super::ask::Ask;
use super::keys::{Command, Stand};
use super::kit::View;
use super::model::ui::{About, Detail};
use super::model::{Effect, Model};
use super::tab::Tab;
use crate::domain::Text;
pub use list::{Cell, Column, List, Sort, figure, sort, text};

/// Every pane, in the order of their numbers.
pub static PANES: Panes = Panes(&[
    &overview::PANE,
    &stock::PANE,
    &failed::PANE,
    &orders::PANE,
    &review::PANE,
    &channels::PANE,
    &notices::PANE,
    &instances::PANE,
]);

/// What a row opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Its number or name.
    pub id: String,
    /// What it is.
    pub about: About,
}

/// A pane: what stands under one of the titles. What is no list is done with the first five.
pub trait Pane: Sync {
    /// Its name, by which others point at it.
    fn tab(&self) -> Tab;

    /// Its title.
    fn title(&self) -> Text;

    /// What the help calls it.
    fn says(&self) -> Text;

    /// What the keys ask for that it has beside those of all lists.
    fn keys(&self) -> &'static [Command];

    /// Draws it.
    fn draw(&self, frame: &mut Frame<'_>, area: Rect, view: &mut View<'_>);

    /// How many wait there for somebody, beside its title.
    fn count(&self, _: &Model) -> usize {
        0
    }

    /// Whether it is a list, which has the keys of lists.
    fn lists(&self) -> bool {
        false
    }

    /// Whether the chosen row stays chosen wherever it stands after news.
    fn follows(&self) -> bool {
        false
    }

    /// Its rows.
    fn len(&self, _: &Model) -> usize {
        0
    }

    /// In how many ways they can be sorted.
    fn sorts(&self) -> usize {
        0
    }

    /// What a row is called, wherever it stands.
    fn name(&self, _: &Model, _row: usize) -> Option<String> {
        None
    }

    /// Where the row of that name stands.
    fn place(&self, _: &Model, _name: &str) -> Option<usize> {
        None
    }

    /// What is open, as its row is called.
    fn opened(&self, _: &Model) -> Option<String> {
        None
    }

    /// What a row opens.
    fn open(&self, _: &Model, _row: usize) -> Option<Opening> {
        None
    }

    /// What is known here of what is open, to be read again each second. What the daemon is asked for is not read so.
    fn read(&self, _: &Model, _: &Detail) -> Option<Value> {
        None
    }

    /// What is asked for again and again while somebody looks at it.
    fn asks(&self) -> Option<Ask> {
        None
    }

    /// A filter was typed: what else than its rows that changes.
    fn filtered(&self, _: &mut Model, _text: &str) -> Option<Effect> {
        None
    }

    /// The row that is marked: what is open, if it is still in the list, or where the operator is.
    fn marked(&self, model: &Model) -> Option<usize> {
        if model.ui.tab == self.tab() && model.ui.detail.is_some() {
            return self.opened(model).and_then(|name| self.place(model, &name));
        }
        Some(model.ui.place_of(self.tab()).row)
    }
}

/// The panes of a dashboard.
#[derive(Clone, Copy)]
pub struct Panes(pub &'static [&'static dyn Pane]);

impl Panes {
    /// The pane of that name; of a name that there is not, the first look.
    #[must_use]
    pub fn of(self, tab: Tab) -> &'static dyn Pane {
        self.0.iter().copied().find(|pane| pane.tab() == tab).unwrap_or(&overview::PANE)
    }

    /// Its number, from 1; 0 where there is none of that name.
    #[must_use]
    pub fn number(self, tab: Tab) -> usize {
        self.0.iter().position(|pane| pane.tab() == tab).map_or(0, |at| at + 1)
    }

    /// The one of that number.
    #[must_use]
    pub fn numbered(self, number: usize) -> Option<Tab> {
        self.0.get(number.checked_sub(1)?).map(|pane| pane.tab())
    }

    /// The one `by` further, around the corner.
    #[must_use]
    pub fn step(self, tab: Tab, by: isize) -> Tab {
        let count = self.0.len().max(1);
        let at = (self.number(tab).max(1) - 1).checked_add_signed(by).unwrap_or(count - 1) % count;
        self.numbered(at + 1).unwrap_or_default()
    }

    /// Where somebody who looks at a model presses keys.
    #[must_use]
    pub fn here(self, model: &Model) -> Stand {
        let pane = self.of(model.ui.tab);
        let recording = model.position.is_some();
        Stand { own: pane.keys(), lists: pane.lists(), may_act: model.may_act, recording }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Lang;
    use crate::top::keys::BINDINGS;

    #[test]
    fn every_pane_has_a_name_of_its_own_a_number_and_texts_in_both_languages() {
        for (at, pane) in PANES.0.iter().enumerate() {
            let (tab, title) = (pane.tab(), pane.title());
            assert_eq!((PANES.number(tab), PANES.numbered(at + 1)), (at + 1, Some(tab)));
            assert_eq!(title.en.to_lowercase(), tab.name(), "--tab takes either");
            assert!(!title.say(Lang::Zh).is_ascii() && !pane.says().zh.is_ascii());
            assert_eq!((PANES.step(tab, 1), PANES.step(tab, -1)), {
                let numbered = |n| PANES.numbered(n).unwrap();
                (numbered((at + 1) % PANES.0.len() + 1), numbered((at + PANES.0.len() - 1) % PANES.0.len() + 1))
            });
        }
        assert!(PANES.0.len() < 10, "each has a key of one digit");
    }

    /// A name that no pane has would lead to the overview, and nobody would notice.
    #[test]
    fn whatever_is_pointed_at_is_a_pane_and_only_panes_name_themselves() {
        for tab in Tab::POINTED_AT {
            assert!(PANES.number(*tab) > 0, "{tab:?} is no pane");
        }
        let mut files = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/top"))];
        while let Some(path) = files.pop() {
            if path.is_dir() {
                files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            for line in text.lines().map(str::trim).filter(|line| line.contains("Tab::named(")) {
                let own = line.starts_with("tab: Tab::named(") && path.parent().unwrap().ends_with("pane");
                assert!(own, "{}: {line}: give it a row in tab.rs", path.display());
            }
        }
    }

    #[test]
    fn no_key_has_two_meanings_on_one_pane_and_none_of_a_panes_own_is_without_a_key() {
        for pane in PANES.0 {
            let here = Stand { own: pane.keys(), lists: pane.lists(), may_act: true, recording: true };
            let mut seen = Vec::new();
            for binding in BINDINGS.iter().filter(|it| it.holds(&here)) {
                for code in binding.codes {
                    assert!(!seen.contains(&code), "{code:?} twice on {:?}", pane.tab());
                    seen.push(code);
                }
            }
            for command in pane.keys() {
                assert!(BINDINGS.iter().any(|it| it.command == *command && it.holds(&here)), "{command:?}");
            }
        }
    }
}
