//! The routes of the operators' side: each is served, lets in whom its row names, and stands on the page that lists them.

use kamid::domain::Role;
use kamid::wire::{ROUTES, RouteRow, TrailWord};
use serde_json::{Value, json};

use crate::support::shop::Daemon;

/// How a row of docs/http.md begins.
fn told(row: &RouteRow) -> String {
    let word = match row.deed {
        TrailWord::Unwritten => String::new(),
        TrailWord::Written(word) => format!("{word} "),
        TrailWord::WrittenWithAction(word) => format!("{word} … "),
    };
    format!("| `{} {}` | {} | {word}|", row.verb.method(), row.path, row.role.as_str())
}

#[test]
fn the_page_lists_every_route_as_its_row_says() {
    let page = include_str!("../../docs/http.md");
    let (_, admin) = page.split_once("\n## Admin").unwrap();
    let lines: Vec<&str> = admin
        .lines()
        .filter(|line| ["| `GET ", "| `POST ", "| `PATCH "].iter().any(|is| line.starts_with(is)))
        .collect();
    for (row, line) in ROUTES.iter().zip(&lines) {
        assert!(line.starts_with(&told(row)), "docs/http.md should say\n{} …\nand says\n{line}", told(row));
    }
    assert_eq!(lines.len(), ROUTES.len(), "a row of docs/http.md for each route, in the table's order");
}

#[test]
fn no_two_routes_are_one() {
    for (at, row) in ROUTES.iter().enumerate() {
        let same = |other: &&RouteRow| other.verb.method() == row.verb.method() && other.path == row.path;
        assert_eq!(ROUTES[..at].iter().find(same), None);
    }
}

/// What an address answers to a token: its status, and what it says where it refuses.
async fn answer(shop: &Daemon, row: &RouteRow, token: &str) -> (u16, Value) {
    let path = row.path.replace("{id}", "x").replace("{name}", "x").replace("{action}", "approve");
    let method = reqwest::Method::from_bytes(row.verb.method().as_bytes()).unwrap();
    let request = shop.http.request(method, format!("{}{path}", shop.admin_url())).bearer_auth(token);
    let answer = request.json(&json!({})).send().await.unwrap();
    let status = answer.status().as_u16();
    // What does not end is not read.
    let said = if status == 200 { Value::Null } else { answer.json().await.unwrap_or_default() };
    (status, said)
}

/// Nothing that is asked here is whole, so nothing is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_lets_in_whom_its_row_names() {
    let shop = Daemon::start("");
    let add = |name: &str, role: Role| {
        let added = shop.json(&["token", "add", name, "--role", role.as_str()], "");
        (added["token"].as_str().unwrap().to_owned(), role)
    };
    let known = [add("eyes", Role::View), add("hands", Role::Operate)];
    for row in ROUTES {
        assert_eq!(answer(&shop, row, "a-strangers-token").await.0, 401, "{row:?}");
        for (token, role) in &known {
            let (status, said) = answer(&shop, row, token).await;
            if *role < row.role {
                assert_eq!((status, said["code"].as_str()), (403, Some("forbidden")), "{row:?}: {said}");
            } else {
                let served =
                    !matches!(status, 401 | 403 | 405) && said["detail"] != "There is nothing here, or not for you.";
                assert!(served, "{row:?} for {role:?}: {status} {said}");
            }
        }
    }
    assert_eq!(shop.admin("/v1/trail").await["trail"].as_array().unwrap().len(), 2, "the two tokens, and nothing else");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_is_an_object_with_fields_that_are_known() {
    let shop = Daemon::start("");
    shop.product("p", &[], 1);
    let (order, product) = (format!("{}/v1/orders", shop.admin_url()), format!("{}/v1/products", shop.admin_url()));
    let json = "application/json";
    for (url, kind, body, wanted) in [
        (&product, json, r#"["q", "1"]"#, 400),
        (&product, json, r#"{"id": "q", "id": "r", "price": "1"}"#, 400),
        (&product, json, r#"{"id": "q", "prise": "1"}"#, 400),
        (&product, json, r#"{"id": "q""#, 400),
        (&product, "text/plain", r#"{"id": "q", "price": "1"}"#, 415),
        (&order, json, r#"["p", 1, "a@example.com", "pay"]"#, 400),
        (&format!("{order}?cuont=2"), json, r#"{"product": "p", "contact": "a@example.com", "channel": "pay"}"#, 400),
        (&order, json, r#"{"product": "p", "contact": "a@example.com", "channel": "pay"}"#, 201),
    ] {
        let ask = shop.http.post(url).header("authorization", format!("bearer {}", shop.token()));
        let answer = ask.header("content-type", kind).body(body).send().await.unwrap();
        let (status, said) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(status, wanted, "{url} {body}: {said}");
    }
    assert_eq!(shop.admin("/v1/orders").await["orders"].as_array().unwrap().len(), 1, "nothing was done by half");
}
