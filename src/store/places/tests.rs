use super::*;

fn seen(run: &str, end: EntryId) -> Seen {
    let ids = place_names().map(|place| (place.clone(), format!("id-{place}"))).collect();
    let ends = Slot::all().map(|slot| (slot.to_string(), end)).collect();
    let server = Server { run: run.to_owned(), replid: format!("h-{run}"), seen: 100_000, ..Server::default() };
    Seen { ids, ends, accepted: BTreeMap::new(), server }
}

fn known(end: EntryId) -> Places {
    let places = Places::forgetful("k1", false);
    places.adopt(&seen("a", end));
    places
}

fn judged(places: &Places, seen: &Seen) -> Vec<Finding> {
    let (before, adopted) = places.known();
    places.judge((&before, adopted), seen);
    places.findings()
}

#[test]
fn a_store_as_it_was_or_further_on_is_trusted() {
    let places = known(EntryId(5, 1));
    assert_eq!(judged(&places, &seen("a", EntryId(5, 1))), []);
    assert_eq!(judged(&places, &seen("b", EntryId(6, 0))), []);
    assert_eq!(places.doubt(), None);
}

#[test]
fn what_was_acknowledged_while_the_look_was_under_way_is_not_missed() {
    let places = known(EntryId(5, 1));
    let (before, adopted) = places.known();
    places.acknowledged(Slot::new(7), EntryId(9, 0));
    places.judge((&before, adopted), &seen("a", EntryId(5, 1)));
    assert_eq!(places.doubt(), None);
    assert_eq!(judged(&places, &seen("a", EntryId(5, 1))).len(), 1);
    assert_eq!(places.doubt().unwrap().missing.len(), 1);
}

#[test]
fn a_store_that_went_back_is_doubted_until_it_is_whole_again() {
    let places = known(EntryId(5, 1));
    assert!(matches!(judged(&places, &seen("b", EntryId(5, 0)))[..], [Finding::Doubted(_)]));
    assert_eq!(places.doubt().unwrap().until(), 5);
    // Told once, and not forgotten because others wrote on.
    assert_eq!(judged(&places, &seen("b", EntryId(9, 0))), []);
    assert!(places.doubt().is_some());
}

#[test]
fn an_emptied_place_is_doubted_and_trusted_when_its_identity_is_back() {
    let places = known(EntryId(5, 1));
    let mut emptied = seen("a", EntryId(5, 1));
    emptied.ids.remove("07");
    assert!(matches!(judged(&places, &emptied)[..], [Finding::Doubted(_)]));
    assert_eq!(places.doubt().unwrap().missing[0].place, "07");
    assert_eq!(judged(&places, &seen("c", EntryId(5, 1))), [Finding::Trusted]);
    assert_eq!(places.doubt(), None);
}

#[test]
fn a_promoted_replica_is_told_and_a_server_that_loaded_an_old_dump_is_doubted() {
    for (started, trusted) in [(50_000, true), (99_500, false)] {
        let places = known(EntryId(5, 1));
        let mut other = seen("b", EntryId(4, 0));
        (other.server.before, other.server.started) = ("h-a".to_owned(), started);
        let findings = judged(&places, &other);
        assert_eq!(matches!(findings[..], [Finding::Promoted { slots: 64, until: 5 }]), trusted, "{findings:?}");
        assert_eq!(places.doubt().is_none(), trusted);
    }
}

#[test]
fn what_two_links_find_at_once_is_told_once() {
    let places = known(EntryId(5, 1));
    let mut other = seen("b", EntryId(4, 0));
    (other.server.before, other.server.started) = ("h-a".to_owned(), 50_000);
    let (before, adopted) = places.known();
    places.judge((&before, adopted), &other);
    places.judge((&before, adopted), &other);
    assert_eq!(places.findings().len(), 1);
    assert_eq!(places.doubt(), None);
}

#[test]
fn an_accepted_store_is_followed_through_every_step_and_no_other() {
    let mut accepted = seen("b", EntryId(1, 0));
    accepted.ids.insert(CATALOG.to_owned(), "third".to_owned());
    accepted.accepted =
        [("id-catalog", "second"), ("second", "third")].map(|(a, b)| (a.to_owned(), b.to_owned())).into();
    let places = known(EntryId(5, 1));
    assert_eq!(judged(&places, &accepted), [Finding::Accepted]);
    assert_eq!(places.doubt(), None);
    accepted.ids.insert(CATALOG.to_owned(), "a stranger's".to_owned());
    let places = known(EntryId(5, 1));
    assert!(matches!(judged(&places, &accepted)[..], [Finding::Doubted(_)]));
}

#[test]
fn relaxed_tolerates_the_last_moments() {
    let places = Places::forgetful("k1", true);
    places.adopt(&seen("a", EntryId(5, 0)));
    let ends = |n| Slot::all().map(|slot| (slot.to_string(), EntryId(n, 0))).collect();
    places.advance(ends(6), 10_000);
    places.advance(ends(7), 12_000);
    places.acknowledged(Slot::new(0), EntryId(8, 0));
    assert_eq!(judged(&places, &seen("a", EntryId(5, 0))), []);
    places.advance(ends(7), 13_000);
    assert!(matches!(judged(&places, &seen("b", EntryId(5, 0)))[..], [Finding::Doubted(_)]));
}

#[test]
fn what_is_known_lasts_in_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let places = Places::load(folder.path(), "k1", false).unwrap();
    assert!(!places.knows_any());
    places.adopt(&seen("a", EntryId(5, 1)));
    places.acknowledged(Slot::new(3), EntryId(7, 2));
    places.write().unwrap();
    let other = Places::load(folder.path(), "t1", false).unwrap();
    assert!(!other.knows_any());
    other.adopt(&seen("z", EntryId(1, 1)));
    other.write().unwrap();
    let again = Places::load(folder.path(), "k1", false).unwrap();
    assert_eq!(again.state().kept.places["03"].mark, EntryId(7, 2));
    assert!(matches!(judged(&again, &seen("a", EntryId(5, 1)))[..], [Finding::Doubted(_)]));
    again.write().unwrap();
    assert!(Places::load(folder.path(), "k1", false).unwrap().doubt().is_some());
    std::fs::write(folder.path().join("places.json"), "{").unwrap();
    let error = Places::load(folder.path(), "k1", false).unwrap_err().to_string();
    assert!(error.contains("damaged"), "{error}");
}
