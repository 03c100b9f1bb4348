use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType};

use super::*;
use crate::server::listening::{accept, listen, local_address};

/// A client at 127.0.0.`number`, and the server's end.
fn pair(number: u8) -> (TcpStream, OwnedFd) {
    let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let client = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&client, &SocketAddr::from((Ipv4Addr::new(127, 0, 0, number), 0))).unwrap();
    rustix::net::connect(&client, &local_address(&listener).unwrap()).unwrap();
    (client.into(), accept(&listener).unwrap())
}

fn in_seconds(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

#[test]
fn who_waits_is_woken_by_the_client_or_the_time() {
    let room = WaitingRoom::new(1);
    let bell = Bell::default();
    let (mut client, socket) = pair(1);
    let since = Instant::now();
    let soon = since + Duration::from_millis(20); // the wait itself
    let wait = |deadline| {
        room.take(&bell, &socket, deadline)
            .unwrap()
            .wait(&socket, PollFlags::IN)
    };
    assert_eq!(wait(soon), Err(Errno::TIMEDOUT));
    assert!(Instant::now() >= soon);
    client.write_all(b"x").unwrap();
    assert_eq!(wait(in_seconds(60)), Ok(()));
    assert_eq!(wait(soon), Err(Errno::TIMEDOUT), "the time is over");
    assert!(since.elapsed() < Duration::from_secs(20));
    assert!(room.taken.lock().is_empty(), "seats are given back");
}

#[test]
fn the_client_whose_time_runs_out_first_gives_way() {
    let room = WaitingRoom::new(2);
    let (_clients, sockets): (Vec<_>, Vec<_>) = (0..3).map(|_| pair(1)).unzip();
    let bells = [Bell::default(), Bell::default()];
    let later = room.take(&bells[0], &sockets[0], in_seconds(90)).unwrap();
    let (take_seat, has_seat) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            let bell = Bell::default();
            let seat = room.take(&bell, &sockets[1], in_seconds(60)).unwrap();
            take_seat.send(()).unwrap();
            let woken = seat.wait(&sockets[1], PollFlags::IN);
            assert!(seat.is_lost());
            drop(seat);
            // Its bell is silent again.
            let again = WaitingRoom::new(1);
            let seat = again.take(&bell, &sockets[1], in_seconds(60)).unwrap();
            assert_eq!(
                poll(
                    &mut [PollFd::new(&seat.bell, PollFlags::IN)],
                    Some(&Timespec::default())
                ),
                Ok(0)
            );
            assert!(!seat.is_lost());
            woken
        });
        has_seat.recv().unwrap();
        let since = Instant::now();
        // One with less time left has to go itself.
        assert!(room.take(&bells[1], &sockets[2], in_seconds(30)).is_none());
        let newest = room.take(&bells[1], &sockets[2], in_seconds(70)).unwrap();
        assert_eq!(first.join().unwrap(), Err(Errno::TIMEDOUT));
        assert!(since.elapsed() < Duration::from_secs(20), "at once");
        assert!(!newest.is_lost() && !later.is_lost());
    });
}

#[test]
fn no_address_holds_all_seats() {
    let room = WaitingRoom::new(3);
    let (_clients, sockets): (Vec<_>, Vec<_>) = [1, 1, 1, 2, 1, 2, 2].into_iter().map(pair).unzip();
    let bells: Vec<Bell> = sockets.iter().map(|_| Bell::default()).collect();
    let take = |index: usize, seconds| room.take(&bells[index], &sockets[index], in_seconds(seconds));
    let greedy = [60, 50, 70]
        .into_iter()
        .enumerate()
        .map(|(index, seconds)| take(index, seconds).unwrap());
    let greedy: Vec<Seat<'_>> = greedy.collect();
    let lost = || greedy.iter().map(Seat::is_lost).collect::<Vec<_>>();
    // Another address has less time left than all of them, and gets a seat.
    let modest = take(3, 10).unwrap();
    assert_eq!((lost(), modest.is_lost()), (vec![false, true, false], false));
    // The first address gets no more of it by coming again.
    let again = take(4, 80).unwrap();
    assert_eq!((lost(), modest.is_lost()), (vec![true, true, false], false));
    // With as many seats as another would have, it is the time that counts: here, that of its own.
    let second = take(5, 20).unwrap();
    assert_eq!(
        (lost(), modest.is_lost(), again.is_lost()),
        (vec![true, true, false], true, false)
    );
    assert!(take(6, 5).is_none());
    assert!(!second.is_lost());
}

#[test]
fn a_client_is_one_whichever_address_it_takes_of_its_network() {
    let network = |text: &str| network_of(text.parse().unwrap());
    assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:2"));
    assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
    assert_ne!(network("10.0.0.1"), network("10.0.0.2"));
    assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
}
