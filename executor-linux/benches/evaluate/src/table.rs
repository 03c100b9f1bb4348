//! Results for people, on a terminal.

use crate::experiments::cold::Content;
use crate::experiments::load::Load;
use crate::results::Results;
use crate::statistics::Distribution;

fn line(name: &str, times: &Distribution) -> String {
    format!(
        "  {name:<28} {:>10.1} {:>10.1} {:>10.1}\n",
        times.p50_us, times.p90_us, times.p99_us
    )
}

fn head(what: &str) -> String {
    format!("\n{what:<30} {:>10} {:>10} {:>10}\n", "p50 us", "p90 us", "p99 us")
}

/// A time of an experiment, and its name.
type Named<T> = (&'static str, fn(&T) -> &Distribution);

const LOADS: [Named<Load>; 4] = [
    ("load", |load| &load.load),
    ("load, instantiate", |load| &load.load_and_instantiate),
    ("unload", |load| &load.unload),
    ("a process's first load", |load| &load.first),
];

pub fn table(results: &Results) -> String {
    let mut text = String::new();
    for (content, name) in [
        (Content::Unseen, "cold start, unseen content"),
        (Content::Shared, "cold start, same content"),
    ] {
        for concurrency in [1, 10] {
            let of: Vec<_> = results
                .cold
                .iter()
                .filter(|cold| cold.content == content && cold.concurrency == concurrency)
                .collect();
            if !of.is_empty() {
                text += &head(&format!("{name}, x{concurrency}"));
                text.extend(of.iter().map(|cold| line(cold.system.label(), &cold.times)));
            }
        }
    }
    if !results.first.is_empty() {
        text += &head("first of a fresh process");
        text.extend(
            results
                .first
                .iter()
                .map(|first| line(first.system.label(), &first.times)),
        );
    }
    if !results.first.is_empty() {
        text += &head("the same, from exec");
        text.extend(
            results
                .first
                .iter()
                .map(|first| line(first.system.label(), &first.with_start)),
        );
    }
    if !results.split.is_empty() {
        text += "\nparts of a cold start, us (medians)\n";
        for split in &results.split {
            text += &format!("  {}, {:?}:", split.system.label(), split.content);
            for (part, words) in crate::experiments::split::PARTS {
                text += &format!(
                    "  {words} {:.1}",
                    split.parts_us.get(*part).copied().unwrap_or_default()
                );
            }
            text += "\n";
        }
    }
    for (what, times) in LOADS {
        if !results.load.is_empty() {
            text += &head(&format!("native code: {what}"));
        }
        for load in &results.load {
            let name = format!("{} KiB, {}", load.module_bytes / 1024, load.loader.label());
            text += &line(&name, times(load));
        }
    }
    if !results.warm.is_empty() {
        text += &head("warm, kept connection");
        text.extend(
            results
                .warm
                .iter()
                .map(|warm| line(warm.system.label(), &warm.kept_connection)),
        );
        text += &head("warm, fresh connection");
        text.extend(
            results
                .warm
                .iter()
                .map(|warm| line(warm.system.label(), &warm.fresh_connection)),
        );
    }
    if !results.start.is_empty() {
        text += &head("process start to listening");
        for start in &results.start {
            text += line(start.system.label(), &start.to_listening).trim_end();
            text += &format!("   idle {:.0} KiB\n", start.idle_resident_bytes as f64 / 1024.0);
        }
    }
    if !results.throughput.is_empty() {
        text += "\nrequests per second (of the slowest and the fastest round)\n";
        for of in &results.throughput {
            text += &format!(
                "  {:<6} {:>3} connections  {:<24} {:>10.0}  ({:.0} to {:.0})\n",
                format!("{:?}", of.workload).to_lowercase(),
                of.connections,
                of.system.label(),
                of.requests_per_second,
                of.range_per_second.0,
                of.range_per_second.1
            );
        }
    }
    if !results.scaling.is_empty() {
        text += "\n`hash`, requests per second at 16 connections: one core, two\n";
        for of in &results.scaling {
            text += &format!(
                "  {:<24} {:>10.0} {:>10.0}\n",
                of.system.label(),
                of.one_core_requests_per_second,
                of.two_cores_requests_per_second
            );
        }
    }
    if !results.memory.is_empty() {
        text += "\nresident KiB at so many containers\n";
        for of in &results.memory {
            let levels: Vec<String> = of
                .resident
                .iter()
                .map(|(count, bytes)| format!("{count}: {}", bytes / 1024))
                .collect();
            text += &format!(
                "  {:<8} {:>4} KiB  {:<24} {}{}\n",
                of.module,
                of.module_bytes / 1024,
                of.system.label(),
                levels.join("  "),
                of.ended.as_ref().map(|why| format!("  [{why}]")).unwrap_or_default()
            );
        }
    }
    if !results.zipf.is_empty() {
        text += &head("Zipf: all requests");
        for zipf in &results.zipf {
            text += line(zipf.system.label(), &zipf.all).trim_end();
            text += &format!(
                "   {:.0}/s, {:.1} % cold, cold p50 {:.0} us\n",
                zipf.requests_per_second,
                100.0 * zipf.cold_share,
                zipf.cold.p50_us
            );
        }
    }
    if !results.sizes.is_empty() {
        text += "\nbytes of program, .text, action\n";
        for size in &results.sizes {
            text += &format!(
                "  {:<24} {:>10} {:>10} {:>10}\n",
                size.system.label(),
                size.program_bytes,
                size.text_bytes,
                size.action_bytes
            );
        }
    }
    text
}
