//! What each gateway takes for received, how long it waits for that, and when it calls again.

use std::time::Duration;

/// One minute of a gateway's gaps. Its time-out is not shortened: how fast an answer comes is the machine's affair, and a
/// daemon in a debug build needs milliseconds for it.
pub const MINUTE: Duration = Duration::from_millis(1);

/// From one attempt to the next, in seconds.
#[derive(Debug, Clone, Copy)]
pub enum Gaps {
    These(&'static [u64]),
    /// The first, doubled each time up to the most, so many times.
    Doubled(u64, u64, usize),
}

impl Gaps {
    /// The gap behind the attempt of that place, from 0, as it is played; `None` behind the last.
    pub fn after(self, attempt: usize) -> Option<Duration> {
        let seconds = match self {
            Self::These(gaps) => *gaps.get(attempt)?,
            Self::Doubled(first, most, times) if attempt < times => {
                most.min(first.saturating_mul(1 << attempt.min(62) as u64))
            }
            Self::Doubled(..) => return None,
        };
        Some(MINUTE.mul_f64(seconds as f64 / 60.0))
    }

    /// How often it calls at most.
    pub fn attempts(self) -> usize {
        1 + match self {
            Self::These(gaps) => gaps.len(),
            Self::Doubled(_, _, times) => times,
        }
    }
}

/// How one gateway calls back.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// The kind of channel.
    pub kind: &'static str,
    /// Who says so.
    pub source: &'static str,
    /// Whether an answer of that status and body is enough for it.
    pub received: fn(u16, &str) -> bool,
    /// How long it waits for an answer, in seconds.
    pub patience: u64,
    pub gaps: Gaps,
    /// Whether a repeat is other bytes than what it repeats: a new time, nonce or count, signed anew.
    pub anew: bool,
}

fn any_success(_: u16, body: &str) -> bool {
    ["success", "SUCCESS", "Success"].iter().any(|word| body.contains(word))
}

fn fine(status: u16, _: &str) -> bool {
    (200..300).contains(&status)
}

/// Every gateway that is played. Where a source names no time-out, it is 10 s; where it gives a rule and no numbers, they
/// are of that rule.
pub const SCHEDULES: &[Schedule] = &[
    Schedule {
        kind: "epay_v1",
        source: "epay's do_notify and cron.php: any body with the word, whatever the status; 5 s; after 0, 1, 3, 20 min, 1 h, 2 h",
        received: any_success,
        patience: 5,
        gaps: Gaps::These(&[60, 120, 960, 2160, 3600]),
        anew: false,
    },
    Schedule {
        kind: "epay_v2",
        source: "as epay_v1; creat_callback signs each attempt with its own timestamp",
        received: any_success,
        patience: 5,
        gaps: Gaps::These(&[60, 120, 960, 2160, 3600]),
        anew: true,
    },
    Schedule {
        kind: "alipay",
        source: "Alipay's page on asynchronous notices: exactly `success`; 8 in 25 hours; notify_id stays, notify_time is new",
        received: |_, body| body == "success",
        patience: 10,
        gaps: Gaps::These(&[240, 600, 600, 3600, 7200, 21_600, 54_000]),
        anew: true,
    },
    Schedule {
        kind: "wechat_v3",
        source: "WeChat Pay's page on payment notices: 200 or 204 within 5 s; 24 h 4 min in all, each signed anew",
        received: |status, _| matches!(status, 200 | 204),
        patience: 5,
        gaps: Gaps::These(&[
            15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600,
        ]),
        anew: true,
    },
    Schedule {
        kind: "unionpay",
        source: "comments of UnionPay's demos: 200 or 302 within 10 s; 5 times, after 0, 1, 2 and 4 min more",
        received: |status, _| matches!(status, 200 | 302),
        patience: 10,
        gaps: Gaps::These(&[0, 60, 120, 240]),
        anew: false,
    },
    Schedule {
        kind: "epusdt_md5",
        source: "epusdt 1's order_callback.go: exactly `ok`; asynq repeats 5 times, by n^4 + 15 s and some chance",
        received: |_, body| body == "ok",
        patience: 10,
        gaps: Gaps::These(&[15, 16, 31, 96, 271]),
        anew: false,
    },
    Schedule {
        kind: "epusdt_gmpay",
        source: "GMPay: 200 with `ok` or `success` in any case; 5 s doubled up to 5 min, order_notice_max_retry times",
        received: |status, body| {
            status == 200 && ["ok", "success"].contains(&body.trim().to_ascii_lowercase().as_str())
        },
        patience: 10,
        gaps: Gaps::Doubled(5, 300, 10),
        anew: false,
    },
    Schedule {
        kind: "bepusdt",
        source: "BEpusdt's notify task: 200, and `ok` by its documents; 5 s; 10 times, 2^n minutes apart",
        received: |status, body| status == 200 && body == "ok",
        patience: 5,
        gaps: Gaps::Doubled(120, u64::MAX, 10),
        anew: false,
    },
    Schedule {
        kind: "tokenpay",
        source: "TokenPay's OrderNotifyService: 200 with exactly `ok` within 3 s; 3 times, a minute apart",
        received: |status, body| status == 200 && body == "ok",
        patience: 3,
        gaps: Gaps::These(&[60, 60]),
        anew: false,
    },
    Schedule {
        kind: "coinbase_commerce",
        source: "Coinbase Commerce's page on webhooks: 200; for 3 days, ever rarer, at most 1 h apart; attempts are counted",
        received: |status, _| status == 200,
        patience: 10,
        gaps: Gaps::Doubled(60, 3600, 77),
        anew: true,
    },
    Schedule {
        kind: "btcpay",
        source: "BTCPay's WebhookSender: 2xx; after 10 s, 1 min, then 10 min six times, each delivery under its own id",
        received: fine,
        patience: 10,
        gaps: Gaps::These(&[10, 60, 600, 600, 600, 600, 600, 600]),
        anew: true,
    },
    Schedule {
        kind: "stripe",
        source: "Stripe's page on webhooks: 2xx; 3 repeats in a sandbox, ever rarer; each signed anew, the event's id stays",
        received: fine,
        patience: 10,
        gaps: Gaps::Doubled(3600, u64::MAX, 3),
        anew: true,
    },
    Schedule {
        kind: "paypal",
        source: "PayPal's page on webhooks: 2xx; 25 times in 3 days, ever rarer; the same transmission",
        received: fine,
        patience: 30,
        gaps: Gaps::Doubled(60, 14_400, 24),
        anew: false,
    },
    Schedule {
        kind: "standard_webhooks",
        source: "Standard Webhooks: 2xx; after 5 s, 5 min, 30 min, 2, 5, 10, 14, 20, 24 h; the id stays, the timestamp is new",
        received: fine,
        patience: 15,
        gaps: Gaps::These(&[5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]),
        anew: true,
    },
];

/// How the gateway of a kind calls back.
pub fn of(kind: &str) -> &'static Schedule {
    SCHEDULES.iter().find(|known| known.kind == kind).unwrap_or_else(|| panic!("no schedule of {kind}"))
}
