use super::*;

fn address(n: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, n])
}

/// Whether it was asked to leave.
fn left(seat: &Seat) -> bool {
    use futures_util::future::FutureExt as _;
    seat.guest.asked_to_leave().now_or_never().is_some()
}

/// As if it had fallen silent at that time.
fn silent_since(seat: &Seat, at: u64) {
    seat.guest.silent_since.store(at, Ordering::Relaxed);
}

#[test]
fn the_longest_silent_goes_for_a_newcomer_and_who_is_answered_stays() {
    let seats = Arc::new(Seats::new(3, 3));
    let guests: Vec<Seat> = (0..3).map(|n| seats.admit(address(n), false).unwrap()).collect();
    for (guest, since) in guests.iter().zip([30, 10, 20]) {
        silent_since(guest, since);
    }
    guests[1].guest.answers(&seats);
    let fourth = seats.admit(address(9), false).unwrap();
    assert_eq!(guests.iter().map(left).collect::<Vec<_>>(), [false, false, true]);
    for guest in [&guests[0], &fourth] {
        guest.guest.answers(&seats);
    }
    assert!(seats.admit(address(9), false).is_none(), "all are being answered");
    assert_eq!(seats.news().map(|crowd| (crowd.taken, crowd.most)), Some((3, 3)));
    assert!(seats.admit(address(9), false).is_none() && seats.news().is_none(), "told once");
    drop(fourth);
    assert!(seats.admit(address(9), false).is_some());
}

#[test]
fn an_address_takes_no_seats_of_others_and_a_trusted_proxy_neither_counts_nor_goes() {
    let seats = Arc::new(Seats::new(6, 2));
    let proxy: Vec<Seat> = (0..3).map(|_| seats.admit(address(1), true).unwrap()).collect();
    let other = seats.admit(address(2), false).unwrap();
    let mut greedy: Vec<Seat> = Vec::new();
    for _ in 0..20 {
        greedy.push(seats.admit(address(3), false).unwrap());
    }
    assert_eq!(greedy.iter().filter(|seat| left(seat)).count(), 18);
    assert!(!left(&other) && !proxy.iter().any(left));
    // The house is full: the longest silent goes, and that is the other one now.
    silent_since(&other, 1);
    let _newcomer = seats.admit(address(4), true).unwrap();
    assert!(left(&other) && !proxy.iter().any(left));
}

#[test]
fn pieces_of_heads_have_a_bound_together() {
    let seats = Arc::new(Seats { heads_bytes: 4000, ..Seats::new(100, 100) });
    let guests: Vec<Seat> = (0..10).map(|n| seats.admit(address(n), false).unwrap()).collect();
    for (at, guest) in guests.iter().enumerate() {
        silent_since(guest, at as u64 + 1);
        guest.guest.hear(&seats, &[b'a'; 500]);
    }
    let gone = guests.iter().map(left).collect::<Vec<_>>();
    assert_eq!(gone, [true, true, true, false, false, false, false, false, false, false]);
    assert!(seats.heads.load(Ordering::Relaxed) <= 4000);
    drop(guests);
    assert_eq!((seats.heads.load(Ordering::Relaxed), seats.table().of_net.len()), (0, 0));
}

#[test]
fn who_owes_a_body_is_silent_until_it_has_come_and_what_came_of_it_is_bounded() {
    let seats = Arc::new(Seats { heads_bytes: 4000, ..Seats::new(3, 3) });
    let guests: Vec<Seat> = (0..3).map(|n| seats.admit(address(n), false).unwrap()).collect();
    for guest in &guests {
        guest.guest.hear(&seats, b"POST / HTTP/1.1");
        guest.guest.owes_body();
        assert!(guest.guest.head().is_empty() && !guest.guest.is_answered());
        let long_ago = Instant::now() - Duration::from_secs(9);
        assert_eq!(guest.guest.silent_for(long_ago), Duration::ZERO, "a stop waits for it as long as anybody");
    }
    for (guest, since) in guests.iter().zip([30, 10, 20]) {
        silent_since(guest, since);
    }
    // One has come whole: the oldest of the others goes.
    guests[1].guest.owes_no_more(&seats);
    assert!(guests[1].guest.is_answered());
    let fourth = seats.admit(address(9), false).unwrap();
    silent_since(&fourth, 40);
    assert_eq!(guests.iter().map(left).collect::<Vec<_>>(), [false, false, true]);
    guests[1].guest.hear(&seats, &[b'a'; 4000]);
    guests[0].guest.hear(&seats, &[b'a'; 3000]);
    assert!(!left(&guests[0]) && guests[0].guest.head().is_empty(), "a body is no head");
    fourth.guest.hear(&seats, &[b'a'; 3000]);
    assert!(left(&guests[0]) && !left(&guests[1]) && !left(&fourth));
    // Whoever was answered before the rest came owes nothing any more.
    fourth.guest.owes_body();
    fourth.guest.answered();
    fourth.guest.owes_no_more(&seats);
    assert!(!fourth.guest.is_answered());
}

#[test]
fn a_site_has_a_share_of_its_own_however_many_networks_it_has() {
    let seats = Arc::new(Seats::new(100, 3));
    let from = |network: u16, host: u16| IpAddr::from([0x2001, 0xdb8, 7, network, 0, 0, 0, host]);
    // One /64 counts as one address.
    let near: Vec<Seat> = (0..5).map(|n| seats.admit(from(0, n), false).unwrap()).collect();
    assert_eq!(near.iter().filter(|seat| left(seat)).count(), 2);
    let wide: Vec<Seat> = (1..41).map(|n| seats.admit(from(n, 1), false).unwrap()).collect();
    assert_eq!(near.iter().skip(2).chain(&wide).filter(|seat| left(seat)).count(), 43 - 3 * SITE);
    let other = seats.admit(IpAddr::from([0x2001, 0xdb8, 8, 0, 0, 0, 0, 1]), false).unwrap();
    let crowd = seats.news().unwrap();
    assert_eq!(crowd.busiest, Some(("2001:db8:7::/48".parse().unwrap(), 3 * SITE)));
    // A trusted proxy has no share, whatever its addresses.
    let proxy: Vec<Seat> = (0..20).map(|n| seats.admit(from(0x100, n), true).unwrap()).collect();
    assert!(!proxy.iter().any(left) && !left(&other));
    drop((near, wide, other, proxy));
    assert!(seats.table().of_net.is_empty() && seats.table().guests.is_empty());
    // And is no crowd.
    let seats = Arc::new(Seats::new(2, 1));
    let _held = [(); 2].map(|()| seats.admit(address(1), true).unwrap());
    assert!(seats.admit(address(1), true).is_none());
    let crowd = seats.news().unwrap();
    assert_eq!((crowd.taken, crowd.busiest), (2, None));
}

#[test]
fn a_crowd_of_silent_ones_costs_a_newcomer_one_look_for_many() {
    let seats = Arc::new(Seats::new(10_000, 10_000));
    let _guests: Vec<Seat> = (0..10_000).map(|n| seats.admit(address((n % 200) as u8), false).unwrap()).collect();
    let _newcomer = seats.admit(address(201), false).unwrap();
    let waiting = seats.table().tired[&None].list.len();
    assert_eq!(waiting, LOOK - 1, "the next newcomers find theirs without a look");
}

#[test]
fn who_is_forgotten_while_it_is_heard_leaves_no_sum_below_zero() {
    const TIMES: usize = 3_000_000;
    let seats = Seats::new(2, 2);
    let seats = Arc::new(Seats { heads_bytes: TIMES, ..seats });
    let one = seats.admit(address(1), false).unwrap();
    one.guest.owes_body();
    std::thread::scope(|threads| {
        let speaker = threads.spawn(|| (0..TIMES).for_each(|_| one.guest.hear(&seats, b"a")));
        // As whoever makes room does, at whatever moment.
        while !speaker.is_finished() {
            seats.forget(&one.guest);
        }
    });
    assert_eq!(seats.news(), None, "what was never there was too much");
    drop(one);
    assert_eq!(seats.heads.load(Ordering::Relaxed), 0);
}
