//! A cold start, split into its parts: by an executor that is built with the feature `spans`, in its default configuration.
//!
//! It writes a line for each part that has ended. A part's own time is what no part within it takes. What the client measures
//! beyond all of them is the sockets': the kernel, the client, and the way between.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::cold::{Content, bodies, start_cold};
use super::{INPUT, Life, Setting};
use crate::client::Connection;
use crate::cores::Cores;
use crate::progress::Progress;
use crate::statistics::median;
use crate::system::{Server, System};

/// The parts in the order of a request, with their words for people.
pub const PARTS: &[(&str, &str)] = &[
    ("socket", "sockets, client"),
    ("head", "HTTP head"),
    ("body", "HTTP body"),
    ("command", "JSON"),
    ("decode", "base64"),
    ("locate", "zip, hash, signature"),
    ("load", "load"),
    ("instantiate", "instantiate"),
    ("guest", "guest"),
    ("reply", "reply"),
    ("settle", "after the reply"),
    ("request", "the rest"),
];

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Split {
    pub content: Content,
    pub system: System,
    pub total_p50_us: f64,
    /// By part: the median.
    pub parts_us: BTreeMap<String, f64>,
}

pub fn split(setting: &Setting<'_>) -> Result<Vec<Split>> {
    let count = setting.count(1000, 200);
    let progress = Progress::new("parts of a cold start", 4);
    let _core = Cores::only(1)?;
    let mut all = Vec::new();
    for content in [Content::Unseen, Content::Shared] {
        for system in [System::ExecutorAot, System::ExecutorInterpreted] {
            all.push(of_system(setting, content, system, count)?);
            progress.step();
        }
    }
    Ok(all)
}

fn of_system(setting: &Setting<'_>, content: Content, system: System, count: usize) -> Result<Split> {
    let file = setting.inputs.work.join("spans");
    let command = system.command(setting.inputs, 0, 2048);
    let mut with_spans = std::process::Command::new(&setting.inputs.executor_spans);
    with_spans.args(command.get_args()).env("EXECUTOR_SPANS", &file);
    let server = Server::start_as(system, setting.inputs, with_spans)?;
    let bodies = bodies(setting, content, system)?;
    let mut uncounted = 0;
    if content == Content::Shared {
        let body = bodies.first().context("there is one")?;
        start_cold(
            system,
            &mut Connection::open(server.address)?,
            &Life::new(system, "kept", body, INPUT),
        )?;
        uncounted = 2;
    }
    let mut totals = Vec::with_capacity(count);
    for number in 0..count {
        let body = bodies.get(number % bodies.len()).context("there are some")?;
        let life = Life::new(system, &format!("s{number}"), body, INPUT);
        let begin = Instant::now();
        let mut connection = Connection::open(server.address)?;
        start_cold(system, &mut connection, &life)?;
        totals.push(begin.elapsed().as_secs_f64() * 1e6);
        connection.exchange(&life.destroy)?.expect("destroy")?;
    }
    server.end()?;
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let requests = requests(&text).context("the spans are not as they should be")?;
    // An `/init` or a `/run` has a command; a `destroy`, or the wait for a request that does not come, has none.
    let requests: Vec<Own> = requests.into_iter().filter(|own| own.contains_key("command")).collect();
    let lives: Vec<&[Own]> = requests.get(uncounted..).unwrap_or_default().chunks_exact(2).collect();
    ensure!(lives.len() == count, "{} spans of {count} cold starts", lives.len());
    let mut parts: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (life, total) in lives.iter().zip(&totals) {
        let of = |part: &str| {
            life.iter()
                .filter_map(|own| own.get(part))
                .map(|nanoseconds| *nanoseconds as f64 / 1e3)
                .sum::<f64>()
        };
        let mut rest = *total;
        for (part, _) in PARTS.iter().skip(1) {
            rest -= of(part);
            parts.entry(part).or_default().push(of(part));
        }
        parts.entry("socket").or_default().push(rest.max(0.0));
    }
    Ok(Split {
        content,
        system,
        total_p50_us: median(totals),
        parts_us: parts
            .into_iter()
            .map(|(part, times)| (part.to_owned(), median(times)))
            .collect(),
    })
}

/// A request's parts, each with its own time in nanoseconds.
type Own = BTreeMap<String, u64>;

/// A part of a line, and the time of those within it.
struct Part<'a> {
    name: &'a str,
    begin: u64,
    length: u64,
}

/// A part ends after those within it, so that a thread's lines are in the order of their ends: what begins within a later line
/// is its child. Gives requests in the order of their ends.
fn requests(text: &str) -> Option<Vec<Own>> {
    let mut threads: BTreeMap<&str, (Vec<Part<'_>>, Own)> = BTreeMap::new();
    let mut all = Vec::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (open, own) = threads.entry(words.next()?).or_default();
        let part = Part {
            name: words.next()?,
            begin: words.next()?.parse().ok()?,
            length: words.next()?.parse().ok()?,
        };
        let mut within = 0;
        while open.last().is_some_and(|child| child.begin >= part.begin) {
            within += open.pop()?.length;
        }
        *own.entry(part.name.to_owned()).or_default() += part.length.saturating_sub(within);
        if part.name == "request" {
            open.clear();
            all.push(std::mem::take(own));
        } else {
            open.push(part);
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails so")]
    use super::*;

    #[test]
    fn a_part_is_what_no_other_within_it_takes() {
        let text = "0 socket 2 5\n0 head 1 10\n0 instantiate 13 4\n1 head 13 2\n0 load 12 8\n0 request 0 30\n\
            0 head 41 1\n0 request 40 3\n1 request 9 40\n";
        let requests = requests(text).unwrap();
        let of = |index: usize, part: &str| requests[index][part];
        assert_eq!(requests.len(), 3);
        assert_eq!((of(0, "socket"), of(0, "head")), (5, 5));
        assert_eq!((of(0, "instantiate"), of(0, "load")), (4, 4));
        assert_eq!((of(2, "request"), of(2, "head")), (38, 2), "another thread's");
        assert_eq!((of(0, "request"), of(1, "request"), of(1, "head")), (12, 2, 1));
    }
}
