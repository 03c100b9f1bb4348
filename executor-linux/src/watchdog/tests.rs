use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// Far beyond what any of these takes.
const PATIENCE: Duration = Duration::from_secs(10);
const RUN: Occasion = Occasion::Run {
    deadline_epoch_ms: None,
};

/// Tells that it was used.
struct Bell(Sender<()>);

impl Stopper for Bell {
    fn stop(&self) {
        // A test that has ended does not listen.
        let _ = self.0.send(());
    }
}

fn bell() -> (Bell, Receiver<()>) {
    let (sender, receiver) = channel();
    (Bell(sender), receiver)
}

fn run_max(milliseconds: u64) -> Arc<Watchdog<Bell>> {
    Watchdog::start(Duration::from_millis(milliseconds), || ()).unwrap()
}

/// A guest that runs until it is stopped.
fn run(watch: &Attended<'_, Bell>, occasion: Occasion) -> Option<StopReason> {
    let (bell, rings) = bell();
    watch.begin(bell, occasion);
    rings.recv_timeout(PATIENCE).expect("the guest is stopped");
    watch.end()
}

fn pair() -> (TcpStream, Arc<OwnedFd>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, Arc::new(listener.accept().unwrap().0.into()))
}

fn until(condition: impl Fn() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < PATIENCE);
        thread::yield_now();
    }
}

fn epoch_ms(from_now: i64) -> Option<u64> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap().checked_add_signed(from_now)
}

#[test]
fn the_earlier_limit_counts() {
    let watchdog = run_max(50);
    let seat = watchdog.seat();
    let watch = seat.attend(None);
    let limit = |deadline_epoch_ms| match run(&watch, Occasion::Run { deadline_epoch_ms }) {
        Some(StopReason::TimeLimit { limit_ms }) => limit_ms,
        other => panic!("{other:?}"),
    };
    let before = Instant::now();
    assert_eq!(limit(None), 50);
    assert!(before.elapsed() >= Duration::from_millis(50));
    assert_eq!(limit(epoch_ms(1_000_000)), 50);
    assert_eq!(limit(Some(u64::MAX)), 50);
    assert!((1..=20).contains(&limit(epoch_ms(20))));
    for past in [epoch_ms(0), epoch_ms(-1), Some(0)] {
        assert_eq!(limit(past), 0, "it is over before it has begun");
    }
}

#[test]
fn a_client_that_goes_ends_its_run() {
    let watchdog = run_max(1_000_000);
    let seat = watchdog.seat();
    for go in [
        (|client| drop(client)) as fn(TcpStream),
        // Nobody knows whether it will read.
        |client| {
            client.shutdown(Shutdown::Write).unwrap();
            mem::forget(client);
        },
    ] {
        let (client, socket) = pair();
        go(client);
        assert_eq!(run(&seat.attend(Some(&socket)), RUN), Some(StopReason::ClientGone));
    }
}

#[test]
fn a_client_that_waits_for_its_next_reply_ends_a_preparation_only() {
    use std::io::Write;
    let watchdog = run_max(300);
    let seat = watchdog.seat();
    let (mut client, socket) = pair();
    client.write_all(b"POST").unwrap();
    let watch = seat.attend(Some(&socket));
    let before = Instant::now();
    assert_eq!(run(&watch, RUN), Some(StopReason::TimeLimit { limit_ms: 300 }));
    assert!(before.elapsed() >= Duration::from_millis(300));
    let before = Instant::now();
    run(&watch, Occasion::Preparation);
    assert!(before.elapsed() < Duration::from_millis(300), "{:?}", before.elapsed());
    // A client that has gone does not wait: the next one may want the instance.
    drop(client);
    let before = Instant::now();
    run(&watch, Occasion::Preparation);
    assert!(before.elapsed() >= Duration::from_millis(300));
}

#[test]
fn what_has_ended_is_not_stopped() {
    let watchdog = run_max(20);
    let seat = watchdog.seat();
    let watch = seat.attend(None);
    let (first, first_rings) = bell();
    watch.begin(first, RUN);
    assert_eq!(watch.end(), None);
    // The next one is, some time after the first one would have been.
    assert!(run(&watch, RUN).is_some());
    assert!(first_rings.try_recv().is_err());
}

#[test]
fn a_run_wakes_the_watchdog() {
    let watchdog = run_max(20);
    let seat = watchdog.seat();
    for _ in 0..2 {
        until(|| watchdog.is_asleep.load(Ordering::SeqCst));
        assert!(run(&seat.attend(None), RUN).is_some());
    }
}

#[test]
fn many_are_stopped_at_once() {
    let watchdog = run_max(30);
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let seat = watchdog.seat();
                for _ in 0..3 {
                    assert!(run(&seat.attend(None), RUN).is_some());
                }
            });
        }
    });
    assert!(watchdog.slots.lock().is_empty(), "who leaves takes its slot along");
}

#[test]
fn a_guest_that_runs_on_is_given_up_until_it_ends() {
    let watchdog = run_max(10);
    let seat = watchdog.seat();
    let watch = seat.attend(None);
    let (bell, rings) = bell();
    watch.begin(bell, RUN);
    rings.recv_timeout(PATIENCE).unwrap();
    until(|| watchdog.given_up() == 1);
    assert_eq!(watch.end(), Some(StopReason::TimeLimit { limit_ms: 10 }));
    assert_eq!(watchdog.given_up(), 0);
    assert!(rings.try_recv().is_err(), "it is stopped once");
}
