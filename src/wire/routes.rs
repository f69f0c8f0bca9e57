//! The routes of the admin API, a row each: who may, what the trail says of it, what its path names, what is asked and
//! what is answered.

use super::channels::{ChannelList, PaymentsWish, TrialReport, TrialWish};
use super::incidents::{IncidentList, IncidentSearch, IncidentWhole, ReplayReport};
use super::notices::{NoticeList, NoticeTest, NoticeTested, NoticesWish};
use super::operators::{
    AddressExpired, AddressList, AddressWish, BlockWish, Blocked, ExpireWish, NewToken, TokenList, TokenMade,
    TrailList, TrailWish, Unblocked,
};
use super::orders::{
    Acted, LookList, LookWish, OrderList, OrderSearch, OrderWhole, OrderWish, OrdersMade, SandboxPaid, SandboxWish,
    Several, UnpaidList, UnpaidWish,
};
use super::payments::{Adopted, OrphanList, OrphanWish, PaymentList};
use super::products::{ImportWish, KeysWish, NewProduct, ProductList, ProductView, ProductsWish, Restored, Voided};
use super::route::routes;
use super::shop::{AuditWish, ClockAccepted, Info, StoreAccepted, StreamWish, Why};
use super::{Nothing, Raw, Route, RouteRow, TrailWord, Verb, With};
use crate::domain::{Action, ImportReport, Note, ProductPatch, Role, Standing, Wanted};

use TrailWord::{Unwritten, Written, WrittenWithAction};

routes! {
    /// Who asks, and which daemon this is.
    ShowInfo: Get "/v1/info", View, Unwritten, (), Nothing => Info;
    /// Counters, as Prometheus reads them.
    ShowMetrics: Get "/metrics", View, Unwritten, (), Nothing => Raw;
    /// Lines of every second.
    Follow: Get "/v1/stream", View, Unwritten, (), StreamWish => Raw;
    /// Everything counted again: a report, or lines of how far it is with the report as the last.
    CountAgain: Get "/v1/audit", View, Unwritten, (), AuditWish => Raw;
    /// What operators did.
    ListTrail: Get "/v1/trail", View, Unwritten, (), TrailWish => TrailList;

    /// Products with their stock.
    ListProducts: Get "/v1/products", View, Unwritten, (), ProductsWish => ProductList;
    /// A new product.
    AddProduct: Make "/v1/products", Operate, Written("product add"), (), NewProduct => ProductView;
    /// One product with its stock.
    ShowProduct: Get "/v1/products/{id}", View, Unwritten, String, Nothing => ProductView;
    /// What is different about a product from now on.
    SetProduct: Patch "/v1/products/{id}", Operate, Written("product set"), String, ProductPatch => ProductView;
    /// A text, one key a line.
    ImportKeys: Post "/v1/products/{id}/keys", Operate, Written("keys import"), String, With<ImportWish, Raw> => ImportReport;
    /// Keys out of sale.
    VoidKeys: Post "/v1/products/{id}/void", Operate, Written("keys void"), String, KeysWish => Voided;
    /// Voided keys back on sale.
    RestoreKeys: Post "/v1/products/{id}/restore", Operate, Written("keys restore"), String, KeysWish => Restored;

    /// Orders, the newest or those that were looked for.
    ListOrders: Get "/v1/orders", View, Unwritten, (), OrderSearch => OrderList;
    /// A new order, or several.
    MakeOrders: Make "/v1/orders", Operate, Written("order new"), (), With<Several, Wanted> => OrdersMade;
    /// Where orders stand; too many for a query.
    LookAtOrders: Post "/v1/orders/look", View, Unwritten, (), LookWish => LookList;
    /// Orders of a time that nobody is known to have paid.
    ListUnpaid: Get "/v1/orders/unpaid", View, Unwritten, (), UnpaidWish => UnpaidList;
    /// One order with its payments and its history.
    ShowOrder: Get "/v1/orders/{id}", View, Unwritten, String, OrderWish => OrderWhole;
    /// Something done to an order.
    ActOnOrder: Post "/v1/orders/{id}/act/{action}", Operate, WrittenWithAction("order"), (String, Action), Note => Acted;
    /// The sandbox's payments: made by a gateway's means, and only in test mode.
    PayInSandbox: Post "/v1/orders/{id}/sandbox", Operate, Unwritten, String, SandboxWish => SandboxPaid;
    /// Payments that wait for a person.
    ListOrphans: Get "/v1/orphans", View, Unwritten, (), Nothing => OrphanList;
    /// Such a payment counted for an order.
    AdoptOrphan: Post "/v1/orphans/adopt", Operate, Written("orphan adopt"), (), OrphanWish => Adopted;
    /// Such a payment marked as paid back.
    RefundOrphan: Post "/v1/orphans/refund", Operate, Written("orphan refund"), (), OrphanWish => Acted;

    /// The channels.
    ListChannels: Get "/v1/channels", View, Unwritten, (), Nothing => ChannelList;
    /// Whether a channel can work.
    TryChannel: Post "/v1/channels/{name}/test", Operate, Unwritten, String, TrialWish => TrialReport;
    /// What came through a channel in a time.
    ListPayments: Get "/v1/channels/{name}/payments", View, Unwritten, String, PaymentsWish => PaymentList;

    /// What failed.
    ListIncidents: Get "/v1/incidents", View, Unwritten, (), IncidentSearch => IncidentList;
    /// One incident; its request only for who may act.
    ShowIncident: Get "/v1/incidents/{id}", View, Unwritten, String, Nothing => IncidentWhole;
    /// One incident's request as a capture, a file of JSON that `channel` reads.
    CaptureIncident: Get "/v1/incidents/{id}/capture", Operate, Unwritten, String, Nothing => serde_json::Value;
    /// What would be said of it now.
    ReplayIncident: Post "/v1/incidents/{id}/replay", Operate, Unwritten, String, Nothing => ReplayReport;

    /// Notices that were given up or wait.
    ListNotices: Get "/v1/notices", View, Unwritten, (), NoticesWish => NoticeList;
    /// Whether a notifier works.
    TryNotifier: Post "/v1/notices/test", Operate, Written("notice test"), (), NoticeTest => NoticeTested;
    /// News told again to operators.
    ResendNews: Post "/v1/notices/{id}/resend", Operate, Written("notice resend"), String, Nothing => Acted;

    /// Who has a token.
    ListTokens: Get "/v1/tokens", Operate, Unwritten, (), Nothing => TokenList;
    /// A new operator, and their token.
    AddToken: Make "/v1/tokens", Operate, Written("token add"), (), NewToken => TokenMade;
    /// An operator's token that opens nothing any more.
    RemoveToken: Post "/v1/tokens/{name}/remove", Operate, Written("token remove"), String, Nothing => super::operators::TokenRemoved;
    /// Addresses that are blocked by hand.
    ListAddresses: Get "/v1/addresses", View, Unwritten, (), Nothing => AddressList;
    /// Callbacks of an address refused for a while.
    BlockAddress: Post "/v1/addresses/block", Operate, Written("address block"), (), BlockWish => Blocked;
    /// An address let in again.
    UnblockAddress: Post "/v1/addresses/unblock", Operate, Written("address unblock"), (), AddressWish => Unblocked;
    /// Unpaid orders of an address that expire now.
    ExpireAddress: Post "/v1/addresses/expire", Operate, Written("order expire"), (), ExpireWish => AddressExpired;

    /// Whether the store is the one that was there.
    ShowStore: Get "/v1/store", View, Unwritten, (), Nothing => Standing;
    /// The store taken as it is.
    AcceptStore: Post "/v1/store/accept", Operate, Written("store accept"), (), Why => StoreAccepted;
    /// Redis' clock taken as it is.
    AcceptClock: Post "/v1/clock/accept", Operate, Written("clock accept"), (), Why => ClockAccepted;
}
