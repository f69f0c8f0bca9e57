//! What adding costs: a row, and a file where it does something. An example of each stands here alone and works like any
//! other; if a second place had to know it, it would not. A pane's example is in `top::panes`, a reason's, a limit's and a
//! setting's are beside their tables.

mod bell;
mod house;
mod lantern;
mod words;

use std::time::Duration;

use kamid::channel::{Answer, Asked, Channels};
use kamid::client::ClientError;
use kamid::domain::{Currency, Money, OrderState, Payment, ProductPatch, Response, Role, Wanted};
use kamid::http::{Errand, Problem};
use kamid::notify::{self, NotifierInputs, Notifiers};
use kamid::outbound::Outbound;
use kamid::wire::notices::{NoticeTest, NoticesWish};
use kamid::wire::operators::{NewToken, TrailWish};
use kamid::wire::orders::{OrderWish, Several};
use kamid::wire::products::{ImportWish, NewProduct};
use kamid::wire::{
    AddProduct, AddToken, ImportKeys, ListChannels, ListNotices, ListTrail, MakeOrders, Nothing, Raw, Route, ShowOrder,
    TrailWord, TryNotifier, Verb, With,
};
use serde::{Deserialize, Serialize};

use self::house::{Shophouse, sections};
use crate::support::channel::NOW;

const LAMP: &str = "[channel.lamp]\nkind = \"lantern\"\nhouse = \"7\"\nkey = \"let-there-be-light\"\n";
const DOOR: &str = "[notify.door]\nkind = \"bell\"\ntimes = 3\n";

/// What is wrong with sections of channels that may be of kind `lantern` alone.
fn wrong(text: &str) -> String {
    let built = Channels::of_kinds(&[&lantern::KIND], &sections(text, "channel"), true, NOW);
    let Err(problems) = built else { panic!("it is built: {text}") };
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A callback as its gateway sends it; status and body of the answer.
async fn call_back(house: &Shophouse, paid: &Payment, spoil: bool) -> (u16, String) {
    let mut request = house.channels.get("lamp").unwrap().forge(paid, NOW);
    if spoil {
        request.headers[0].1 = "0".repeat(64);
    }
    let url = format!("{}/pay/lamp/notify", house.public);
    let mut call = reqwest::Client::builder().no_proxy().build().unwrap().post(url).body(request.body);
    for (name, value) in request.headers {
        call = call.header(name, value);
    }
    let answer = call.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[test]
fn a_kind_of_channel_is_read_by_its_row() {
    let two =
        format!("{LAMP}[channel.other]\nkind = \"lantern\"\nhouse = \"7\"\nkey = \"another\"\ncolour = \"white\"\n");
    let built = Channels::of_kinds(&[&lantern::KIND], &sections(&two, "channel"), true, NOW).unwrap();
    assert_eq!(built.list().collect::<Vec<_>>(), [("lamp", "lantern"), ("other", "lantern")]);
    assert!(built.is_trial("lamp") && built.real().next().is_none());
    assert_eq!(built.accounts().twins("lamp"), ["other"], "one account, as its row says");
    assert_eq!(built.terms("lamp").unwrap().opens.lives_ms, Some(1_800_000));
    for (text, part) in [
        ("[channel.a]\nkind = \"lamp\"", "is not a kind; one of lantern"),
        ("[channel.a]\nkind = \"lantern\"", "channel.a.house: is missing: the number of the house"),
        ("[channel.a]\nkind = \"lantern\"", "channel.a.key: is missing: key_file names a file with it"),
        (&LAMP.replace("house = \"7\"", "house = \"7 b\""), "channel.lamp.house: must be letters and digits"),
        (&format!("{LAMP}coluor = \"red\""), "channel.lamp.coluor: is not a setting"),
        (&format!("{LAMP}colour = \"blue\""), "channel.lamp.colour: must be \"red\" or \"white\": of its light"),
    ] {
        let said = wrong(text);
        assert!(said.contains(part), "{part}: {said}");
    }
    let live = Channels::of_kinds(&[&lantern::KIND], &sections(LAMP, "channel"), false, NOW);
    assert!(live.is_err_and(|problems| problems[0].message.contains("test mode only")));
}

#[test]
fn a_kind_of_channel_is_asked_and_keeps_its_older_keys() {
    let older = format!("{LAMP}older_keys = [{{ until = \"2030-01-01T00:00:00Z\", key = \"an-older-light\" }}]\n");
    let build = |text: &str| Channels::of_kinds(&[&lantern::KIND], &sections(text, "channel"), true, NOW).unwrap();
    let (with, before) = (build(&older), build(&LAMP.replace("let-there-be-light", "an-older-light")));
    let (lamp, old) = (with.get("lamp").unwrap(), before.get("lamp").unwrap());
    let paid = Payment::new("N01", "L1", Money { minor: 990, currency: Currency::CNY }, "lamp");
    let request = old.forge(&paid, NOW);
    let headers = kamid::channel::capture::borrowed(&request.headers);
    let callback =
        kamid::domain::Callback { method: "POST", path: "", query: "", headers: &headers, body: &request.body };
    assert!(
        lamp.verify(&callback, &[], NOW).is_ok()
            && build(LAMP).get("lamp").unwrap().verify(&callback, &[], NOW).is_err()
    );
    let asked = Asked { number: "N01", reference: "", page: "" };
    let Some(Answer::Ask(call)) = lamp.query(&asked, &[], NOW) else { panic!("it asks nobody") };
    assert_eq!(call.url, "https://lantern.example/is-lit/N01");
    let answer = Response { status: 200, headers: Vec::new(), body: request.body.clone() };
    assert_eq!(lamp.query(&asked, &[answer], NOW), Some(Answer::Paid(paid)));
}

#[test]
fn a_kind_of_notifier_is_read_by_its_row() {
    let outbound = Outbound::build(&kamid::config::OutboundConfig::default()).unwrap();
    let inputs = NotifierInputs { outbound: &outbound, data: std::path::Path::new("") };
    let build = |text: &str, test| Notifiers::of_kinds(KINDS, &sections(text, "notify"), &inputs, test);
    let said = |text: &str, test| match build(text, test) {
        Ok(_) => panic!("it is built: {text}"),
        Err(problems) => problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    };
    assert_eq!(build(DOOR, true).unwrap().0.list().collect::<Vec<_>>(), [("door", "bell")]);
    assert!(said("[notify.a]\nkind = \"gong\"", true).contains("must be one of bell"));
    assert!(said(&DOOR.replace('3', "10"), true).contains("notify.door.times: must be a whole number from 1 to 9"));
    assert!(said(&format!("{DOOR}tims = 1"), true).contains("did you mean times?"));
    assert!(said(DOOR, false).contains("test mode only"));
}

const KINDS: &[notify::NotifierKind] = &[bell::KIND];

/// A whole sale through a channel and a notifier that stand here alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_of_channel_sells_and_a_kind_of_notifier_tells_of_it() {
    let house = Shophouse::open(&format!("{LAMP}{DOOR}"), &[&lantern::KIND], KINDS, |routes| routes).await;
    let client = &house.client;
    let listed = client.call::<ListChannels>((), &Nothing).await.unwrap();
    assert_eq!((listed.channels[0].kind.as_str(), listed.channels[0].account.as_str()), ("lantern", "lantern:7"));
    let patch = ProductPatch { price: Some("9.90".to_owned()), ..ProductPatch::default() };
    client.call::<AddProduct>((), &NewProduct { id: "light".to_owned(), patch }).await.unwrap();
    let keys =
        With { query: ImportWish { as_lines: true, ..ImportWish::default() }, body: Raw(b"ONE\nTWO\n".to_vec()) };
    client.call::<ImportKeys>("light".to_owned(), &keys).await.unwrap();
    let wanted =
        Wanted { product: "light".to_owned(), quantity: 1, contact: "me@example.com".to_owned(), channel: None };
    let asked = With { query: Several::default(), body: wanted };
    let made = client.call::<MakeOrders>((), &asked).await.unwrap().whole;
    let (id, number) = (made["id"].as_str().unwrap().to_owned(), made["payment_no"].as_str().unwrap());
    assert_eq!(made["pay"]["url"], format!("https://lantern.example/red/{number}"));

    let paid = Payment::new(number, "L1", Money { minor: 990, currency: Currency::CNY }, "lamp");
    assert_eq!(call_back(&house, &paid, true).await, (400, "dark".to_owned()));
    assert_eq!(call_back(&house, &paid, false).await, (200, "lit".to_owned()));
    let order = client.call::<ShowOrder>(id.clone(), &OrderWish::keys(true)).await.unwrap();
    assert!(order.brief.state.is(OrderState::Delivered), "{:?}", order.whole);

    client.call::<TryNotifier>((), &NoticeTest { notifier: "door".to_owned(), to: None }).await.unwrap();
    let rung = |what: &str| bell::RUNG.lock().unwrap().iter().any(|rung| rung.starts_with(what));
    let told = format!("order.delivered {id}!!!");
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !rung(&told) {
        assert!(std::time::Instant::now() < deadline, "{:?}", bell::RUNG.lock().unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(rung("test "));
    let notices = client.call::<ListNotices>((), &NoticesWish::default()).await.unwrap();
    assert_eq!((notices.notifiers[0].name.as_str(), notices.notifiers[0].kind.as_str()), ("door", "bell"));
}

/// What is asked of the moon.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MoonWish {
    keys: u32,
}

/// What it answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct MoonSaid {
    moon: String,
    by: String,
    keys: u32,
}

/// What would be a row of the table of routes.
struct LandOnMoon;

impl Route for LandOnMoon {
    type At = String;
    type In = MoonWish;
    type Out = MoonSaid;
    const VERB: Verb = Verb::Make;
    const PATH: &'static str = "/v1/moons/{id}/land";
    const ROLE: Role = Role::Operate;
    const DEED: TrailWord = TrailWord::Written("moon land");
}

/// What would be its handler.
async fn land(errand: Errand<LandOnMoon>) -> Result<MoonSaid, Problem> {
    errand.trace.change(&format!("keys 0 → {}", errand.wish.keys));
    Ok(MoonSaid { moon: errand.at, by: errand.operator.name().to_owned(), keys: errand.wish.keys })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_is_served_guarded_asked_and_written_down_as_its_type_says() {
    let house = Shophouse::open(LAMP, &[&lantern::KIND], KINDS, |routes| routes.on(land)).await;
    let client = &house.client;
    let said = client.call::<LandOnMoon>("luna".to_owned(), &MoonWish { keys: 2 }).await.unwrap();
    assert_eq!(said.known, MoonSaid { moon: "luna".to_owned(), by: "root".to_owned(), keys: 2 });
    let refused = |error: ClientError| match error {
        ClientError::Refused { status, code, .. } => (status, code),
        other => panic!("{other}"),
    };
    let eyes = NewToken { name: "eyes".to_owned(), role: Role::View };
    let eyes = client.call::<AddToken>((), &eyes).await.unwrap().known.token;
    let looking = house.as_operator(&eyes).call::<LandOnMoon>("luna".to_owned(), &MoonWish { keys: 9 }).await;
    assert_eq!(refused(looking.unwrap_err()), (403, "forbidden".to_owned()));
    let stranger = house.as_operator("no-token-of-this-shop");
    let asking = stranger.call::<LandOnMoon>("luna".to_owned(), &MoonWish { keys: 9 }).await;
    assert_eq!(refused(asking.unwrap_err()).0, 401);

    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let token = std::fs::read_to_string(house.token_file()).unwrap();
    let post = |body: &'static str| {
        let request = http.post(format!("{}/v1/moons/luna/land", house.admin)).bearer_auth(token.trim());
        async move { request.header("content-type", "application/json").body(body).send().await.unwrap().status().as_u16() }
    };
    assert_eq!((post(r#"{"keys":1}"#).await, post(r#"{"keys":1,"kesy":2}"#).await), (201, 400));
    let other = http.get(format!("{}/v1/moons/luna/land", house.admin)).bearer_auth(token.trim()).send().await.unwrap();
    assert_eq!(other.status().as_u16(), 405);

    let trail = client.call::<ListTrail>((), &TrailWish::default()).await.unwrap();
    let of_moon: Vec<String> = trail
        .trail
        .iter()
        .filter(|deed| deed.what == "moon land")
        .map(|deed| format!("{} {} {} {}", deed.by, deed.on, deed.change, deed.result))
        .collect();
    assert_eq!(of_moon, ["root luna keys 0 → 1 done", "root luna keys 0 → 2 done"]);
}
