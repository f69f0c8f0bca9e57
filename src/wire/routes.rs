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
use super::{Does, Nothing, Raw, Route, RouteRow, Verb, With};
use crate::domain::{Action, ImportReport, Note, ProductPatch, Role, Standing, Wanted};

use Does::{Action as Each, Nothing as Looks, This};

routes! {
    /// Who asks, and which daemon this is.
    ShowInfo: Get "/v1/info", View, Looks, (), Nothing => Info;
    /// Counters, as Prometheus reads them.
    ShowMetrics: Get "/metrics", View, Looks, (), Nothing => Raw;
    /// Lines of every second.
    Follow: Get "/v1/stream", View, Looks, (), StreamWish => Raw;
    /// Everything counted again: a report, or lines of how far it is with the report as the last.
    CountAgain: Get "/v1/audit", View, Looks, (), AuditWish => Raw;
    /// What operators did.
    ListTrail: Get "/v1/trail", View, Looks, (), TrailWish => TrailList;

    /// Products with their stock.
    ListProducts: Get "/v1/products", View, Looks, (), ProductsWish => ProductList;
    /// A new product.
    AddProduct: Make "/v1/products", Operate, This("product add"), (), NewProduct => ProductView;
    /// One product with its stock.
    ShowProduct: Get "/v1/products/{id}", View, Looks, String, Nothing => ProductView;
    /// What is different about a product from now on.
    SetProduct: Patch "/v1/products/{id}", Operate, This("product set"), String, ProductPatch => ProductView;
    /// A text, one key a line.
    ImportKeys: Post "/v1/products/{id}/keys", Operate, This("keys import"), String, With<ImportWish, Raw> => ImportReport;
    /// Keys out of sale.
    VoidKeys: Post "/v1/products/{id}/void", Operate, This("keys void"), String, KeysWish => Voided;
    /// Voided keys back on sale.
    RestoreKeys: Post "/v1/products/{id}/restore", Operate, This("keys restore"), String, KeysWish => Restored;

    /// Orders, the newest or those that were looked for.
    ListOrders: Get "/v1/orders", View, Looks, (), OrderSearch => OrderList;
    /// A new order, or several.
    MakeOrders: Make "/v1/orders", Operate, This("order new"), (), With<Several, Wanted> => OrdersMade;
    /// Where orders stand; too many for a query.
    LookAtOrders: Post "/v1/orders/look", View, Looks, (), LookWish => LookList;
    /// Orders of a time that nobody is known to have paid.
    ListUnpaid: Get "/v1/orders/unpaid", View, Looks, (), UnpaidWish => UnpaidList;
    /// One order with its payments and its history.
    ShowOrder: Get "/v1/orders/{id}", View, Looks, String, OrderWish => OrderWhole;
    /// Something done to an order.
    ActOnOrder: Post "/v1/orders/{id}/act/{action}", Operate, Each("order"), (String, Action), Note => Acted;
    /// The sandbox's payments: made by a gateway's means, and only in test mode.
    PayInSandbox: Post "/v1/orders/{id}/sandbox", Operate, Looks, String, SandboxWish => SandboxPaid;
    /// Payments that wait for a person.
    ListOrphans: Get "/v1/orphans", View, Looks, (), Nothing => OrphanList;
    /// Such a payment counted for an order.
    AdoptOrphan: Post "/v1/orphans/adopt", Operate, This("orphan adopt"), (), OrphanWish => Adopted;
    /// Such a payment marked as paid back.
    RefundOrphan: Post "/v1/orphans/refund", Operate, This("orphan refund"), (), OrphanWish => Acted;

    /// The channels.
    ListChannels: Get "/v1/channels", View, Looks, (), Nothing => ChannelList;
    /// Whether a channel can work.
    TryChannel: Post "/v1/channels/{name}/test", Operate, Looks, String, TrialWish => TrialReport;
    /// What came through a channel in a time.
    ListPayments: Get "/v1/channels/{name}/payments", View, Looks, String, PaymentsWish => PaymentList;

    /// What failed.
    ListIncidents: Get "/v1/incidents", View, Looks, (), IncidentSearch => IncidentList;
    /// One incident; its request only for who may act.
    ShowIncident: Get "/v1/incidents/{id}", View, Looks, String, Nothing => IncidentWhole;
    /// One incident's request as a capture, a file of JSON that `channel` reads.
    CaptureIncident: Get "/v1/incidents/{id}/capture", Operate, Looks, String, Nothing => serde_json::Value;
    /// What would be said of it now.
    ReplayIncident: Post "/v1/incidents/{id}/replay", Operate, Looks, String, Nothing => ReplayReport;

    /// Notices that were given up or wait.
    ListNotices: Get "/v1/notices", View, Looks, (), NoticesWish => NoticeList;
    /// Whether a notifier works.
    TryNotifier: Post "/v1/notices/test", Operate, This("notice test"), (), NoticeTest => NoticeTested;
    /// News told again to operators.
    ResendNews: Post "/v1/notices/{id}/resend", Operate, This("notice resend"), String, Nothing => Acted;

    /// Who has a token.
    ListTokens: Get "/v1/tokens", Operate, Looks, (), Nothing => TokenList;
    /// A new operator, and their token.
    AddToken: Make "/v1/tokens", Operate, This("token add"), (), NewToken => TokenMade;
    /// An operator's token that opens nothing any more.
    RemoveToken: Post "/v1/tokens/{name}/remove", Operate, This("token remove"), String, Nothing => super::operators::TokenRemoved;
    /// Addresses that are blocked by hand.
    ListAddresses: Get "/v1/addresses", View, Looks, (), Nothing => AddressList;
    /// Callbacks of an address refused for a while.
    BlockAddress: Post "/v1/addresses/block", Operate, This("address block"), (), BlockWish => Blocked;
    /// An address let in again.
    UnblockAddress: Post "/v1/addresses/unblock", Operate, This("address unblock"), (), AddressWish => Unblocked;
    /// Unpaid orders of an address that expire now.
    ExpireAddress: Post "/v1/addresses/expire", Operate, This("order expire"), (), ExpireWish => AddressExpired;

    /// Whether the store is the one that was there.
    ShowStore: Get "/v1/store", View, Looks, (), Nothing => Standing;
    /// The store taken as it is.
    AcceptStore: Post "/v1/store/accept", Operate, This("store accept"), (), Why => StoreAccepted;
    /// Redis' clock taken as it is.
    AcceptClock: Post "/v1/clock/accept", Operate, This("clock accept"), (), Why => ClockAccepted;
}
