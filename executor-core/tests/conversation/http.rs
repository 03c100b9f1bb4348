//! The table of HTTP cases, in memory: whole, cut at every byte, byte by byte.

use executor_core::openwhisk::Listener;

use crate::client::{INBOX_BYTES, Pieces, answer, converse_in, init_body, post};
use crate::http_cases::{CASES, Verdict, long_cases};
use crate::world::{settings, with_executor};

/// Sends a case, and a request behind it.
fn check(name: &str, bytes: &[u8], verdict: Verdict, every: usize) {
    with_executor(1, settings(), |executor, world| {
        let listener = Listener::Container(executor.create().unwrap());
        assert_eq!(answer(executor, world, listener, "/init", &init_body("echo")).0, 200);
        let stream = [bytes, &post("/run", r#"{"value":["next"]}"#)].concat();
        let expected = match verdict {
            Verdict::Ran(body) => vec![(200, Some(body)), (200, Some("[\"next\"]"))],
            Verdict::RanLast(body) => vec![(200, Some(body))],
            Verdict::Refused(status) => vec![(status, None), (200, Some("[\"next\"]"))],
            Verdict::RefusedLast(status) => vec![(status, None)],
        };
        let cuts = (0..stream.len()).step_by(every).map(Pieces::CutAt);
        for pieces in cuts.chain([1, 2, 3, 7].map(Pieces::Of)) {
            let (responses, _) = converse_in(executor, world, listener, &stream, pieces);
            let found: Vec<_> = responses
                .iter()
                .filter(|response| response.status != 100)
                .map(|response| (response.status, Some(response.body.as_str())))
                .collect();
            assert_eq!(found.len(), expected.len(), "{name}, {pieces:?}: {found:?}");
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(found.0, expected.0, "{name}, {pieces:?}: {found:?}");
                assert!(
                    expected.1.is_none() || found.1 == expected.1,
                    "{name}, {pieces:?}: {found:?}"
                );
            }
            let last = responses.last().unwrap();
            let closes = matches!(verdict, Verdict::RanLast(_) | Verdict::RefusedLast(_));
            assert_eq!(
                last.head.contains("\r\nConnection: close"),
                closes,
                "{name}, {pieces:?}"
            );
            world.take_events();
        }
    });
}

#[test]
fn cases_in_any_pieces() {
    for case in CASES {
        check(case.name, case.bytes.as_bytes(), case.verdict, 1);
    }
}

#[test]
fn long_cases_in_pieces() {
    for (name, bytes, verdict, _) in long_cases(INBOX_BYTES) {
        // Cut at every byte, the long ones take too long.
        check(name, bytes.as_bytes(), verdict, if bytes.len() > 1000 { 61 } else { 1 });
    }
}

#[test]
fn the_table_is_one() {
    let mut names: Vec<_> = CASES.iter().map(|case| case.name).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "a name twice");
    assert!(CASES.iter().all(|case| case.section.contains(" §")));
    println!("{} cases, and {} long ones", names.len(), long_cases(INBOX_BYTES).len());
}
