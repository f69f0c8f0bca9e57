//! A recording holds what the screens hold, what waits for a person too.

use std::path::Path;

use crate::support::seat::Seat;
use crate::support::shop::{Daemon, wait_for};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_for_a_person_is_played_again_with_its_contact_masked() {
    let shop = Daemon::start("");
    shop.product("steam-ten", &[], 5);
    let held = shop.order("steam-ten", 1).await;
    assert_eq!(shop.pay(&held, "T-LESS", 1).await.0, 200);
    let (data, night) = (shop.data.display().to_string(), shop.data.join("night.ndjson"));
    let file = night.display().to_string();
    let program = Path::new(env!("CARGO_BIN_EXE_kamid"));
    let mut seat = Seat::take(program, &["top", "--data", &data, "--lang", "en", "--record", &file]);
    seat.shows(&["steam-ten", "Review(1)"]);
    wait_for("the review in the file", || {
        std::fs::read_to_string(&night).ok().filter(|text| text.contains("{\"review\":[{") && text.contains(&held))
    });
    seat.types("q");
    assert_eq!(seat.end().0, 0);
    let text = std::fs::read_to_string(&night).unwrap();
    assert!(!text.contains("buyer@example.test"), "{text}");
    assert_eq!(text.matches("{\"review\":[{").count(), 1, "what did not change is not written again");
    let once = shop.cli(&["top", "--replay", &file, "--once", "--tab", "5", "--size", "120x24", "--lang", "en"], "");
    let once = String::from_utf8(once.stdout).unwrap();
    assert!(once.contains(&held) && once.contains("wrong amounts") && once.contains("Review(1)"), "{once}");
    // Back to the beginning: it waits there as well.
    let mut seat = Seat::take(program, &["top", "--replay", &file, "--speed", "100", "--tab", "5", "--lang", "en"]);
    seat.shows(&[&held]);
    seat.types("[");
    seat.shows(&["recording", &held]);
    seat.types("q");
    assert_eq!(seat.end().0, 0);
}
