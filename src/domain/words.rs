//! What operators read for a state, a deed or an outcome. One that is added without its words does not compile; where two
//! kinds share a word they share what is read for it.

use super::{ActResult, Action, CallbackOutcome, NoticeState, OrderState, PaymentState, Reason, Text};

impl OrderState {
    /// What an operator reads for it.
    #[must_use]
    pub const fn text(self) -> Text {
        match self {
            Self::Pending => Text::new("pending", "待付款"),
            Self::Delivered => Text::new("delivered", "已发货"),
            Self::Owed => Text::new("owed", "待补货"),
            Self::Held => Reason::Held.row().text,
            Self::Expired => Text::new("expired", "已过期"),
            Self::Rejected => Text::new("rejected", "已拒绝"),
            Self::Refunded => Text::new("refunded", "已退款"),
        }
    }
}

impl PaymentState {
    /// What an operator reads for it.
    #[must_use]
    pub const fn text(self) -> Text {
        match self {
            Self::Settled => Text::new("settled", "已结算"),
            Self::Held => Reason::Held.row().text,
            Self::Extra => Text::new("extra payment", "重复付款"),
            Self::Orphan => Reason::Orphan.row().text,
            Self::Refunded => OrderState::Refunded.text(),
            Self::Adopted => Text::new("adopted", "已认领"),
        }
    }
}

impl NoticeState {
    /// What an operator reads for it.
    #[must_use]
    pub const fn text(self) -> Text {
        match self {
            Self::Waiting => Text::new("put off", "推迟"),
            Self::Sent => Text::new("sent", "已发送"),
            Self::Dead => Text::new("given up", "已放弃"),
            Self::Dropped => Text::new("dropped", "已取消"),
        }
    }
}

impl Action {
    /// What an operator reads for it.
    #[must_use]
    pub const fn text(self) -> Text {
        match self {
            Self::Approve => Text::new("approve", "通过"),
            Self::Reject => Text::new("reject", "拒绝"),
            Self::Refund => Text::new("refund", "退款"),
            Self::MarkPaid => Text::new("mark-paid", "标记已付款"),
            Self::Replace => Text::new("replace", "更换卡密"),
            Self::Redeliver => Text::new("redeliver", "重新发货"),
            Self::Resend => Text::new("resend", "重新通知"),
            Self::Expire => Text::new("expire", "使其过期"),
            Self::Query => Text::new("query", "向网关查询"),
        }
    }
}

impl ActResult {
    /// What an operator reads for it.
    #[must_use]
    pub const fn text(self) -> Text {
        match self {
            Self::Delivered => OrderState::Delivered.text(),
            Self::Owed => OrderState::Owed.text(),
            Self::Held => OrderState::Held.text(),
            Self::Extra => PaymentState::Extra.text(),
            Self::Orphan => PaymentState::Orphan.text(),
            Self::Replayed => CallbackOutcome::Replayed.text(),
            Self::Rejected => OrderState::Rejected.text(),
            Self::Refunded => OrderState::Refunded.text(),
            Self::Replaced => Text::new("replaced", "已更换"),
            Self::Pending => OrderState::Pending.text(),
            Self::Expired => OrderState::Expired.text(),
            Self::Waiting => NoticeState::Waiting.text(),
            Self::Unpaid => Text::new("unpaid", "未付款"),
            Self::Unknown => Text::new("unknown", "未知"),
            Self::Mismatch => Text::new("mismatch", "不符"),
        }
    }
}

impl CallbackOutcome {
    /// What an operator reads for it.
    #[must_use]
    pub const fn text(self) -> Text {
        match self {
            Self::Delivered => OrderState::Delivered.text(),
            Self::Owed => OrderState::Owed.text(),
            Self::Held => Reason::Held.row().text,
            Self::Extra => PaymentState::Extra.text(),
            Self::Replayed => Text::new("settled before", "此前已结算"),
            Self::Orphan => Reason::Orphan.row().text,
            Self::Ignored => Text::new("ignored", "已忽略"),
            Self::Rejected => OrderState::Rejected.text(),
            Self::Limited => Reason::Limited.row().text,
            Self::Blocked => Reason::Blocked.row().text,
            Self::NoChannel => Reason::NoChannel.row().text,
            Self::WrongAddress => Reason::WrongAddress.row().text,
            Self::Unreadable => Reason::UnreadableRequest.row().text,
            Self::Silent => Reason::Silent.row().text,
            Self::Unavailable => Reason::Unavailable.row().text,
            Self::Timeout => Reason::Timeout.row().text,
            Self::Full => Reason::Full.row().text,
        }
    }
}
