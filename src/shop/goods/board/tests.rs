//! The board, second by second.

use super::*;
use crate::domain::{Currency, Money, Take};

fn product(n: usize) -> Product {
    Product {
        id: format!("p-{n:07}").parse().unwrap(),
        name: format!("Ware № {n}"),
        price: Money { minor: 990, currency: Currency::CNY },
        take: Take::Order,
        slot: 0,
        per_order: 1,
        per_address: None,
        per_contact: None,
        sale_from: None,
        sale_until: None,
        expires_minutes: 15,
        low: 10,
        retired: false,
        revision: 1,
        created: 0,
    }
}

fn catalog(numbers: impl Iterator<Item = usize>) -> Arc<Products> {
    Arc::new(numbers.map(product).map(|product| (product.id.clone(), product)).collect())
}

/// One second of a shop whose every product has these numbers.
fn second(board: &Board, catalog: &Arc<Products>, now: Millis, stock: impl Fn(usize) -> Stock) -> Vec<usize> {
    let chosen = board.choose(catalog, now);
    let places: BTreeSet<&ProductId> = chosen.iter().map(|product| &product.id).collect();
    let places = catalog.keys().enumerate().filter(|(_, id)| places.contains(id)).map(|(at, _)| at);
    let places: Vec<usize> = places.collect();
    board.put(chosen.iter().zip(&places).map(|(product, at)| (product.id.clone(), stock(*at))).collect(), now, 3600);
    places
}

fn full(pool: u64) -> Stock {
    Stock { pool, imported: pool, ..Stock::default() }
}

#[test]
fn a_large_catalogue_is_read_in_turn_and_what_matters_each_second() {
    let (board, all) = (Board::default(), catalog(0..5000));
    let mut read = BTreeSet::new();
    for n in 0..10 {
        read.extend(second(&board, &all, 1000 + n * 1000, |at| full(100 + at as u64)));
    }
    assert_eq!(read.len(), 5000, "all within a few seconds");
    let sells = |at: usize| {
        if at == 4321 { Stock { pool: 90, given: 4331, imported: 4421, ..full(0) } } else { full(100 + at as u64) }
    };
    let mut n = 10;
    while !second(&board, &all, 1000 + n * 1000, sells).contains(&4321) {
        n += 1;
    }
    for n in n + 1..n + 10 {
        assert!(second(&board, &all, 1000 + n * 1000, sells).contains(&4321), "what sells is read each second");
        assert!(second(&board, &all, 1000 + n * 1000, sells).len() <= MOST);
    }
    assert_eq!(board.write().worst[0].product, "p-0004321");
}

#[test]
fn what_never_had_a_key_hides_neither_alarm_nor_gauge() {
    let (board, all) = (Board::default(), catalog(0..3000));
    let owed = Stock { owed: 2, imported: 5, given: 5, ..full(0) };
    let stock = |at: usize| match at {
        2999 => owed,
        2998 => Stock { imported: 40, given: 40, ..full(0) },
        2997 => Stock { reserved: 6, ..full(6) },
        2996 => full(3),
        2000..2990 => full(500),
        _ => Stock::default(),
    };
    for n in 1..10 {
        second(&board, &all, n * 1000, stock);
    }
    let (gauges, _) = board.put(Vec::new(), 10_000, 3600);
    assert_eq!(gauges.iter().filter(|row| row.stock.imported > 0).count(), 994);
    // Whatever a reader asked to see, it hears what is wrong anywhere.
    for (most, filter) in [(0, ""), (5, "p-0000001")] {
        let alarms = StockReader::new(most, filter).next(&board).unwrap().alarms.unwrap().0;
        let alarms: Vec<(&str, u64, &str, u64)> =
            alarms.iter().map(|(word, it)| (word.as_str(), it.products, it.product.as_str(), it.figure)).collect();
        let expected = [
            ("empty", 1, "p-0002998", 0),
            ("low", 1, "p-0002996", 3),
            ("owed", 1, "p-0002999", 2),
            ("reserved", 1, "p-0002997", 6),
        ];
        assert_eq!(alarms, expected, "{most} {filter}");
    }
    let first: Vec<String> =
        StockReader::new(4, "").next(&board).unwrap().rows.into_iter().map(|r| r.product).collect();
    assert_eq!(first, ["p-0002999", "p-0002998", "p-0002997", "p-0002996"]);
}

#[test]
fn who_looks_at_all_of_it_waits_for_nobody_who_looks() {
    let (board, all) = (Arc::new(Board::default()), catalog(0..50));
    assert_eq!(board.all(&all).1.len(), 50, "nothing was read yet");
    second(&board, &all, 1000, |at| full(at as u64));
    let reader = board.read();
    let (done, asked) = (std::sync::mpsc::channel(), (Arc::clone(&board), Arc::clone(&all)));
    let look = std::thread::spawn(move || done.0.send(asked.0.all(&asked.1)));
    let heard = done.1.recv_timeout(Duration::from_secs(20));
    drop(reader);
    look.join().unwrap().unwrap();
    let (stocks, unknown) = heard.expect("it waits for a reader");
    assert_eq!((stocks.len(), stocks[49].pool, unknown.len()), (50, 49, 0));
}

#[test]
fn a_reader_hears_what_changed_and_what_left() {
    let (board, all) = (Board::default(), catalog(0..20_000));
    assert_eq!(StockReader::new(5, "").next(&board), None, "nothing was read yet");
    for n in 1..30 {
        second(&board, &all, n * 1000, |at| full(20 + at as u64));
    }
    let mut reader = StockReader::new(100, "");
    let line = reader.next(&board).unwrap();
    assert_eq!((line.products, line.matching, line.rows.len()), (20_000, 20_000, 100));
    assert_eq!((line.rows[0].product.as_str(), line.rows[99].stock.pool), ("p-0000000", 119));
    assert!(serde_json::to_string(&line).unwrap().len() < 20_000);
    let again = reader.next(&board).unwrap();
    assert!(again.rows.is_empty() && again.gone.is_empty());
    // One of a thousand others becomes empty: it comes, and the hundredth goes.
    let sold = Stock { imported: 797, given: 797, ..Stock::default() };
    let empty = |at: usize| if at == 777 { sold } else { full(20 + at as u64) };
    for n in 30..80 {
        second(&board, &all, n * 1000, empty);
    }
    let line = reader.next(&board).unwrap();
    assert_eq!(line.rows.iter().map(|row| row.product.as_str()).collect::<Vec<_>>(), ["p-0000777"]);
    assert_eq!(line.gone, ["p-0000099"]);
    // By a piece of the id or the name, in any case.
    let mut some = StockReader::new(3, "WARE № 1999");
    let line = some.next(&board).unwrap();
    assert_eq!((line.matching, line.rows.len(), line.rows[0].product.as_str()), (11, 3, "p-0001999"));
    // A product leaves the catalogue, another comes before it: what is known stays with its own.
    let other = catalog((0..20_000).filter(|n| *n != 777));
    board.write().align(&other);
    board.put(Vec::new(), 80_000, 3600);
    let line = reader.next(&board).unwrap();
    assert_eq!((line.gone, line.rows[0].product.as_str()), (vec!["p-0000777".to_owned()], "p-0000099"));
    assert_eq!(line.rows[0].stock.pool, 119);
}
