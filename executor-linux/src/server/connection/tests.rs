use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;

use embedded_io::{Error as _, Read as _, Write as _};

use super::*;
use crate::server::listening::{accept, listen, local_address};

static LINGERING: AtomicUsize = AtomicUsize::new(0);

/// A connection whose worker has a waiting room for itself.
fn connected<'a>(socket: Arc<OwnedFd>, activity: &'a Activity) -> Connection<'a> {
    let (room, bell) = (Box::leak(Box::new(WaitingRoom::new(1))), Box::leak(Box::default()));
    Connection::new(socket, activity, &LINGERING, room, bell)
}

fn pair() -> (TcpStream, Arc<OwnedFd>) {
    let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let client = TcpStream::connect(local_address(&listener).unwrap()).unwrap();
    (client, Arc::new(accept(&listener).unwrap()))
}

#[test]
fn a_short_reply_leaves_when_it_is_flushed() {
    let (mut client, socket) = pair();
    let activity = Activity::new().unwrap();
    let mut connection = connected(socket, &activity);
    connection.write_all(b"head ").unwrap();
    connection.write_all(b"body").unwrap();
    client.set_nonblocking(true).unwrap();
    assert_eq!(
        client.read(&mut [0; 1]).unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
    connection.flush().unwrap();
    client.set_nonblocking(false).unwrap();
    let mut reply = [0; 9];
    client.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"head body");
}

#[test]
fn a_long_reply_is_whole_and_in_order() {
    let (mut client, socket) = pair();
    let activity = Activity::new().unwrap();
    // Far more than socket buffers hold, so that sending stops and goes on.
    let body: Vec<u8> = (0..8_u32 << 20).map(|index| index.to_le_bytes()[1]).collect();
    let expected = [b"head ", body.as_slice(), b" tail"].concat();
    let reader = thread::spawn(move || {
        let mut reply = Vec::new();
        client.read_to_end(&mut reply).unwrap();
        reply
    });
    let mut connection = connected(socket, &activity);
    connection.write_all(b"head ").unwrap();
    connection.write_all(&body).unwrap();
    connection.write_all(b" tail").unwrap();
    connection.end_request();
    connection.close();
    assert!(reader.join().unwrap() == expected);
}

#[test]
fn what_does_not_fit_the_outbox_follows_what_is_in_it() {
    for first in [0, 1, OUTBOX_BYTES - 1, OUTBOX_BYTES] {
        for second in [0, 1, OUTBOX_BYTES - 1, OUTBOX_BYTES, OUTBOX_BYTES + 1] {
            let (mut client, socket) = pair();
            let activity = Activity::new().unwrap();
            let mut connection = connected(socket, &activity);
            connection.write_all(&vec![b'1'; first]).unwrap();
            connection.write_all(&vec![b'2'; second]).unwrap();
            connection.flush().unwrap();
            drop(connection);
            let mut reply = Vec::new();
            client.read_to_end(&mut reply).unwrap();
            assert_eq!(reply, [vec![b'1'; first], vec![b'2'; second]].concat());
        }
    }
}

#[test]
fn a_client_that_sends_nothing_is_quiet() {
    let (mut client, socket) = pair();
    let activity = Activity::new().unwrap();
    let mut connection = connected(socket, &activity);
    for hurried in [false, true] {
        connection.begin_request(hurried, false);
        let since = Instant::now();
        assert_eq!(connection.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(hurried || since.elapsed() >= LINGER / 2);
        connection.end_request();
        assert!(connection.is_quiet());
        assert_eq!(activity.requests(), 0);
    }
    client.write_all(b"x").unwrap();
    connection.begin_request(false, false);
    assert_eq!(connection.read(&mut [0; 8]), Ok(1));
    assert!(!connection.is_quiet());
    assert_eq!(activity.requests(), 1);
    connection.end_request();
    assert_eq!(activity.requests(), 0);
}

#[test]
fn a_pause_within_a_request_is_waited_for() {
    let (mut client, socket) = pair();
    let activity = Activity::new().unwrap();
    let mut connection = connected(socket, &activity);
    connection.begin_request(false, true);
    let writer = thread::spawn(move || {
        thread::sleep(LINGER * 4); // the pause itself: longer than a worker waits in one `recv`
        client.write_all(b"rest").unwrap();
        client
    });
    assert_eq!(connection.read(&mut [0; 8]), Ok(4));
    assert!(!connection.is_quiet());
    drop(writer.join().unwrap());
    assert_eq!(connection.read(&mut [0; 8]), Ok(0));
}

#[test]
fn a_request_that_takes_too_long_times_out() {
    let (_client, socket) = pair();
    let activity = Activity::new().unwrap();
    let mut connection = connected(socket, &activity);
    connection.begin_request(false, true);
    connection.incomplete_since = Instant::now().checked_sub(REQUEST_WAIT);
    assert_eq!(connection.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(!connection.is_quiet());
    connection.end_request();
    // What has come earns more time.
    connection.begin_request(false, true);
    connection.incomplete_since = Instant::now().checked_sub(REQUEST_WAIT);
    connection.received_bytes = BYTES_PER_SECOND_MIN * 60;
    let _ = rustix::net::shutdown(&connection.socket, Shutdown::Both);
    assert_eq!(connection.read(&mut [0; 8]), Ok(0));
}

#[test]
fn closing_does_not_take_the_reply_from_a_client_that_still_sends() {
    let (client, socket) = pair();
    let mut sender = client.try_clone().unwrap();
    let server = thread::spawn(move || {
        let activity = Activity::new().unwrap();
        let mut connection = connected(socket, &activity);
        connection.begin_request(false, true);
        connection.read(&mut [0; 8]).unwrap();
        connection.write_all(b"413").unwrap();
        connection.end_request();
        connection.close();
    });
    // More than the buffers of both sides hold, so that it still sends when the connection is closed. Not much more: all of it
    // is to be discarded within DISCARD_WAIT, on a machine that has other things to do.
    rustix::net::sockopt::set_socket_send_buffer_size(&sender, 64 << 10).unwrap();
    sender.write_all(&vec![b'x'; 1 << 20]).unwrap();
    sender.shutdown(std::net::Shutdown::Write).unwrap();
    let mut reply = String::new();
    (&client).read_to_string(&mut reply).unwrap();
    assert_eq!(reply, "413");
    server.join().unwrap();
}
