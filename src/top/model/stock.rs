//! Stock as it was last heard, and what is the matter with it.

use std::collections::{BTreeMap, VecDeque};

use super::Model;
use crate::domain::snapshot::{StockAlarms, StockLine, StockRow};
use crate::domain::{Danger, Millis, Trouble, danger};

/// Samples of one product's stock.
const SAMPLES: usize = 120;

/// How endangered a row's stock is.
#[must_use]
pub fn danger_of(row: &StockRow) -> Danger {
    danger(&row.stock, row.low, row.hourly, row.retired)
}

/// Stock as it was last heard.
#[derive(Debug, Clone, Default)]
pub struct StockBoard {
    /// By product.
    pub rows: BTreeMap<String, StockRow>,
    /// What was available, in samples of five seconds, the newest last.
    pub samples: BTreeMap<String, VecDeque<u64>>,
    /// Products in all, and of those that fit the filter.
    pub products: u64,
    /// Those that fit the filter.
    pub matching: u64,
    /// What is wrong with the stock of any product.
    pub alarms: StockAlarms,
    /// Whether anything is known yet.
    pub known: bool,
    /// When it was first heard.
    pub first: Millis,
    sampled: Millis,
}

impl StockBoard {
    /// Takes a line in; a daemon that tells of no alarms is judged by the rows it tells, where some are empty soon.
    pub fn take(&mut self, line: StockLine, soon_seconds: u64) {
        if !self.known {
            (self.known, self.first) = (true, line.at);
        }
        (self.products, self.matching) = (line.products, line.matching);
        for gone in &line.gone {
            self.rows.remove(gone);
            self.samples.remove(gone);
        }
        for row in line.rows {
            self.rows.insert(row.product.clone(), row);
        }
        self.alarms = line.alarms.unwrap_or_else(|| {
            let rows = self.rows.values().map(|row| (danger_of(row), &row.stock, row.product.as_str()));
            StockAlarms::of(rows, soon_seconds)
        });
        if line.at >= self.sampled + 5000 {
            self.sampled = line.at;
            for (product, row) in &self.rows {
                let samples = self.samples.entry(product.clone()).or_default();
                samples.push_back(row.stock.available());
                if samples.len() > SAMPLES {
                    samples.pop_front();
                }
            }
        }
    }
}

impl Model {
    /// What is the matter with a product's stock.
    #[must_use]
    pub fn trouble(&self, row: &StockRow) -> Option<Trouble> {
        danger_of(row).trouble(self.thresholds.empty_minutes * 60)
    }
}
