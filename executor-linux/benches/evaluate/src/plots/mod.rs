//! Plots of the results, as SVG: what each shows. [`page`] draws.

mod page;

use std::path::Path;

use anyhow::Result;

use self::page::{Axis, Bar, Page, Panel, Series, Stack};
use crate::experiments::cold::{Cold, Content};
use crate::experiments::load::Loader;
use crate::experiments::throughput::Workload;
use crate::results::Results;
use crate::statistics::Distribution;
use crate::system::System;

/// Draw what there is into `folder`. Gives the plots' names.
pub fn draw(results: &Results, folder: &Path) -> Result<Vec<String>> {
    let below = results.machine.describe();
    let mut names = Vec::new();
    let mut draw = |name: &str, page: Page| {
        names.push(name.to_owned());
        page.draw(&folder.join(format!("{name}.svg")), &below)
    };
    if !results.cold.is_empty() {
        draw("cold-unseen", cold(results, Content::Unseen))?;
        draw("cold-same", cold(results, Content::Shared))?;
        draw("cold-cdf", cold_curves(results))?;
    }
    if !results.split.is_empty() {
        draw("split", split(results))?;
    }
    if !results.load.is_empty() {
        draw("load", load(results))?;
    }
    if !results.warm.is_empty() {
        draw("warm", warm(results))?;
    }
    if !results.throughput.is_empty() {
        draw("throughput", throughput(results))?;
    }
    if !results.start.is_empty() || !results.first.is_empty() {
        draw("start", start(results))?;
    }
    if !results.memory.is_empty() {
        draw("memory", memory(results))?;
    }
    if !results.zipf.is_empty() {
        draw("zipf", zipf(results))?;
    }
    Ok(names)
}

fn series(system: System, points: Vec<(f64, f64)>) -> Series {
    Series {
        label: system.label(),
        colour: system.colour(),
        points,
    }
}

/// The systems of some results, each once, in their order.
fn systems<'a>(of: impl Iterator<Item = &'a System>) -> Vec<System> {
    let mut all: Vec<System> = of.copied().collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn name(content: Content) -> &'static str {
    match content {
        Content::Unseen => "content that the process has not seen",
        Content::Shared => "beside a container of the same content",
    }
}

fn cold(results: &Results, content: Content) -> Page {
    let of: Vec<&Cold> = results.cold.iter().filter(|cold| cold.content == content).collect();
    let panel = |title: &str, value: fn(&Distribution) -> f64| Panel {
        title: title.to_owned(),
        x: Axis::linear("cold starts at a time"),
        y: Axis::log("microseconds"),
        series: systems(of.iter().map(|cold| &cold.system))
            .into_iter()
            .map(|system| {
                let points = of.iter().filter(|cold| cold.system == system);
                series(
                    system,
                    points
                        .map(|cold| (cold.concurrency as f64, value(&cold.times)))
                        .collect(),
                )
            })
            .collect(),
    };
    Page::lines(
        &format!("Cold start of add (connect, /init, first /run): {}", name(content)),
        vec![
            panel("p50", |times| times.p50_us),
            panel("p90", |times| times.p90_us),
            panel("p99", |times| times.p99_us),
        ],
    )
    .with_common_y()
}

/// A distribution as (time, percent).
fn curve(times: &Distribution) -> Vec<(f64, f64)> {
    let steps = times.curve_us.len().saturating_sub(1).max(1) as f64;
    // The slowest of all says nothing of the others, and would set the scale.
    times
        .curve_us
        .iter()
        .enumerate()
        .map(|(step, time)| (*time, 100.0 * step as f64 / steps))
        .filter(|(_, percent)| *percent <= 99.0)
        .collect()
}

fn cold_curves(results: &Results) -> Page {
    let panel = |content| Panel {
        title: name(content).to_owned(),
        x: Axis::log("microseconds"),
        y: Axis::linear("percent of cold starts"),
        series: results
            .cold
            .iter()
            .filter(|cold| cold.content == content && cold.concurrency == 1)
            .map(|cold| series(cold.system, curve(&cold.times)))
            .collect(),
    };
    Page::lines(
        "Cold start of add, one at a time: as many took at most so long",
        vec![panel(Content::Unseen), panel(Content::Shared)],
    )
}

/// The parts from the socket to the reply, each with a colour of its own.
const PART_COLOURS: [(u8, u8, u8); 12] = [
    (200, 200, 200),
    (120, 120, 120),
    (86, 180, 233),
    (0, 114, 178),
    (0, 158, 115),
    (240, 228, 66),
    (230, 159, 0),
    (213, 94, 0),
    (150, 60, 0),
    (204, 121, 167),
    (120, 60, 130),
    (0, 0, 0),
];

fn split(results: &Results) -> Page {
    let stacks = results
        .split
        .iter()
        .map(|split| Stack {
            label: format!("{}, {}", split.system.label(), short_name(split.content)),
            parts: crate::experiments::split::PARTS
                .iter()
                .zip(PART_COLOURS)
                .map(|((part, words), colour)| (*words, colour, split.parts_us.get(*part).copied().unwrap_or_default()))
                .collect(),
        })
        .collect();
    Page::stacks(
        "Where a cold start of add goes (connect, /init, first /run): medians",
        "microseconds",
        stacks,
    )
}

fn short_name(content: Content) -> &'static str {
    match content {
        Content::Unseen => "unseen",
        Content::Shared => "same content",
    }
}

fn warm(results: &Results) -> Page {
    let bars = |value: fn(&crate::experiments::warm::Warm) -> &Distribution| {
        results
            .warm
            .iter()
            .map(|warm| bar(warm.system, value(warm)))
            .collect::<Vec<_>>()
    };
    Page::bars(
        "Warm /run of add: p50 (bar) and p99 (line), microseconds",
        vec![
            ("kept connection".to_owned(), bars(|warm| &warm.kept_connection)),
            ("fresh connection".to_owned(), bars(|warm| &warm.fresh_connection)),
        ],
    )
}

fn bar(system: System, times: &Distribution) -> Bar {
    Bar {
        label: system.label(),
        colour: system.colour(),
        value: times.p50_us,
        upper: times.p99_us,
    }
}

fn load(results: &Results) -> Page {
    let mut modules: Vec<(&str, u64)> = results
        .load
        .iter()
        .map(|load| (load.module.as_str(), load.module_bytes))
        .collect();
    modules.dedup();
    let bars = |(module, bytes): (&str, u64)| {
        let of = results.load.iter().filter(|load| load.module == module);
        let bars = of.map(|load| Bar {
            label: load.loader.label(),
            colour: match load.loader {
                Loader::Executor => System::ExecutorAot.colour(),
                Loader::Wamr => (150, 150, 60),
            },
            value: load.load.p50_us,
            upper: load.load.p99_us,
        });
        (format!("{module}: {} KiB of Wasm", bytes / 1024), bars.collect())
    };
    Page::bars(
        "Loading native code: p50 (bar) and p99 (line), microseconds",
        modules.into_iter().map(bars).collect(),
    )
}

fn throughput(results: &Results) -> Page {
    let panel = |workload: Workload, title: &str| Panel {
        title: title.to_owned(),
        x: Axis::log2("connections"),
        y: Axis::log("requests per second"),
        series: systems(results.throughput.iter().map(|of| &of.system))
            .into_iter()
            .map(|system| {
                let of =
                    |of: &&crate::experiments::throughput::Throughput| of.workload == workload && of.system == system;
                let points = results.throughput.iter().filter(of);
                series(
                    system,
                    points
                        .map(|of| (of.connections as f64, of.requests_per_second))
                        .collect(),
                )
            })
            .filter(|series| !series.points.is_empty())
            .collect(),
    };
    Page::lines(
        "Throughput over connections, each with a container of its own",
        vec![
            panel(Workload::Add, "add"),
            panel(Workload::Hash, "hash of 64 KiB"),
            panel(Workload::Block, "block for 5 ms"),
            panel(Workload::Mixed, "half hash, half block"),
        ],
    )
}

fn start(results: &Results) -> Page {
    let bars = results
        .start
        .iter()
        .map(|start| bar(start.system, &start.to_listening))
        .collect();
    let resident = results
        .start
        .iter()
        .map(|start| Bar {
            label: start.system.label(),
            colour: start.system.colour(),
            value: start.idle_resident_bytes as f64 / 1024.0,
            upper: 0.0,
        })
        .collect();
    let answered = results
        .first
        .iter()
        .filter(|first| first.system.runs_actions())
        .map(|first| bar(first.system, &first.with_start))
        .collect();
    let panels = [
        ("start to listening, µs", bars),
        ("start to the first answer, µs", answered),
        ("resident when idle, KiB", resident),
    ];
    Page::bars(
        "A fresh process: p50 (bar), p99 (line)",
        panels
            .into_iter()
            .filter(|(_, bars): &(_, Vec<Bar>)| !bars.is_empty())
            .map(|(title, bars)| (title.to_owned(), bars))
            .collect(),
    )
}

fn memory(results: &Results) -> Page {
    let mut modules: Vec<(&str, u64)> = results
        .memory
        .iter()
        .map(|memory| (memory.module.as_str(), memory.module_bytes))
        .collect();
    modules.sort_by_key(|(_, bytes)| *bytes);
    modules.dedup();
    let panel = |(module, bytes): (&str, u64)| Panel {
        title: format!("{module}: {} KiB of Wasm", bytes / 1024),
        x: Axis::log("containers"),
        y: Axis::log("resident MiB"),
        series: results
            .memory
            .iter()
            .filter(|memory| memory.module == module)
            .map(|memory| {
                let points = memory.resident.iter().filter(|(count, _)| *count > 0);
                series(
                    memory.system,
                    points
                        .map(|(count, bytes)| (*count as f64, *bytes as f64 / 1024.0 / 1024.0))
                        .collect(),
                )
            })
            .collect(),
    };
    Page::lines(
        "Resident memory over warm containers of one action",
        modules.into_iter().map(panel).collect(),
    )
    .with_common_y()
}

fn zipf(results: &Results) -> Page {
    let panel = Panel {
        title: format!(
            "{} actions, 90 % of requests to two, {} places",
            crate::experiments::zipf::ACTIONS,
            crate::experiments::zipf::PLACES
        ),
        x: Axis::log("microseconds"),
        y: Axis::linear("percent of requests"),
        series: results
            .zipf
            .iter()
            .map(|zipf| series(zipf.system, curve(&zipf.all)))
            .collect(),
    };
    Page::lines(
        "A node under OpenWhisk's load: as many requests took at most so long",
        vec![panel],
    )
}
