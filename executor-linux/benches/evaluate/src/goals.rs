//! The goals: what the executor is to reach, each as a ratio of two figures of one run where it can be, and whether it does.

use serde::Serialize;

use crate::experiments::cold::Content;
use crate::experiments::load::Loader;
use crate::experiments::throughput::Workload;
use crate::inputs::LARGE;
use crate::results::Results;
use crate::statistics::Distribution;
use crate::system::System;

/// One goal, held against a run.
#[derive(Debug, Serialize)]
pub struct Goal {
    pub what: String,
    /// The figure, and what it is made of.
    pub figure: f64,
    pub unit: &'static str,
    pub made_of: String,
    /// The figure must not be over it, or not be under it.
    pub bound: f64,
    pub is_upper_bound: bool,
    pub is_met: bool,
}

/// What WOW on WAMR's AOT code took for a cold start of `add`, and its floor: measured once, on another machine.
const WOW_COLD_US: f64 = 683.0;
const WOW_FLOOR_US: f64 = 124.0;
const MIB: f64 = 1024.0 * 1024.0;

struct Goals(Vec<Goal>);

impl Goals {
    fn at_most(&mut self, what: &str, (figure, made_of): (f64, String), unit: &'static str, bound: f64) {
        self.push(what, figure, made_of, unit, bound, true);
    }

    fn at_least(&mut self, what: &str, (figure, made_of): (f64, String), unit: &'static str, bound: f64) {
        self.push(what, figure, made_of, unit, bound, false);
    }

    fn push(&mut self, what: &str, figure: f64, made_of: String, unit: &'static str, bound: f64, is_upper_bound: bool) {
        self.0.push(Goal {
            what: what.to_owned(),
            figure,
            unit,
            made_of,
            bound,
            is_upper_bound,
            is_met: if is_upper_bound {
                figure <= bound
            } else {
                figure >= bound
            },
        });
    }
}

fn ratio(above: f64, below: f64, unit: &str) -> (f64, String) {
    (above / below, format!("{above:.2} / {below:.2} {unit}"))
}

/// Every goal whose experiments are in the results.
pub fn goals(results: &Results) -> Vec<Goal> {
    let mut goals = Goals(Vec::new());
    for (content, name) in [(Content::Shared, "same content"), (Content::Unseen, "unseen content")] {
        of_cold_starts(&mut goals, results, content, name);
    }
    let first = |system| results.first.iter().find(|first| first.system == system);
    let steady = |system| cold(results, Content::Unseen, system);
    if let (Some(first), Some(steady)) = (first(System::ExecutorAot), steady(System::ExecutorAot)) {
        goals.at_most(
            "first cold start of a fresh process, to the steady one (p50)",
            ratio(first.times.p50_us, steady.p50_us, "us"),
            "x",
            2.0,
        );
    }
    let warm = |system| results.warm.iter().find(|warm| warm.system == system);
    if let (Some(ours), Some(floor)) = (warm(System::ExecutorAot), warm(System::Echo)) {
        goals.at_most(
            "warm p50, to the bare exchange, kept connection",
            ratio(ours.kept_connection.p50_us, floor.kept_connection.p50_us, "us"),
            "x",
            1.15,
        );
    }
    let rate = |system| {
        results
            .throughput
            .iter()
            .find(|of| of.workload == Workload::Add && of.system == system && of.connections == 16)
            .map(|of| of.requests_per_second)
    };
    if let (Some(ours), Some(floor)) = (rate(System::ExecutorAot), rate(System::Echo)) {
        goals.at_least(
            "throughput at 16 connections, to the floor's",
            ratio(ours, floor, "/s"),
            "x",
            0.9,
        );
    }
    if let Some(scaling) = results
        .scaling
        .iter()
        .find(|scaling| scaling.system == System::ExecutorAot)
    {
        let figure = ratio(
            scaling.two_cores_requests_per_second,
            scaling.one_core_requests_per_second,
            "/s",
        );
        goals.at_least("throughput of `hash` on two cores, to one", figure, "x", 1.8);
    }
    let start = |system| results.start.iter().find(|start| start.system == system);
    if let (Some(ours), Some(floor)) = (start(System::ExecutorAot), start(System::StaticC)) {
        goals.at_most(
            "process start to listening, to a static C server's (p50)",
            ratio(ours.to_listening.p50_us, floor.to_listening.p50_us, "us"),
            "x",
            1.2,
        );
        let bytes = ours.idle_resident_bytes as f64;
        goals.at_most("idle RSS", (bytes / MIB, format!("{bytes} bytes")), "MiB", 1.0);
    }
    let load = |loader| {
        let mut of = results.load.iter().filter(|load| load.loader == loader);
        of.find(|load| load.module == LARGE)
    };
    if let (Some(ours), Some(theirs)) = (load(Loader::Executor), load(Loader::Wamr)) {
        goals.at_most(
            &format!(
                "load of native code, module of {} KiB, to WAMR's own loader (p50)",
                ours.module_bytes / 1024
            ),
            ratio(ours.load.p50_us, theirs.load.p50_us, "us"),
            "x",
            0.5,
        );
    }
    of_memory(&mut goals, results);
    goals.0
}

fn cold(results: &Results, content: Content, system: System) -> Option<&Distribution> {
    results
        .cold
        .iter()
        .find(|cold| cold.content == content && cold.system == system && cold.concurrency == 1)
        .map(|cold| &cold.times)
}

fn of_cold_starts(goals: &mut Goals, results: &Results, content: Content, name: &str) {
    let of = |system| cold(results, content, system);
    let (Some(ours), Some(floor)) = (of(System::ExecutorAot), of(System::Echo)) else {
        return;
    };
    goals.at_most(
        &format!("cold start p50, to the floor ({name})"),
        ratio(ours.p50_us, floor.p50_us, "us"),
        "x",
        1.25,
    );
    goals.at_least(
        &format!("cold start beyond the floor, faster than WOW on WAMR AOT's ({name})"),
        // In floors, as WOW was measured on another machine. The floor itself cannot be faster.
        ratio(
            WOW_COLD_US / WOW_FLOOR_US - 1.0,
            (ours.p50_us / floor.p50_us - 1.0).max(0.01),
            "floors",
        ),
        "x",
        8.0,
    );
    goals.at_most(
        &format!("cold start p99, to its p50 ({name})"),
        ratio(ours.p99_us, ours.p50_us, "us"),
        "x",
        3.0,
    );
    match content {
        Content::Unseen => {
            if let Some(wasmtime) = of(System::Wasmtime) {
                goals.at_least(
                    "cold start, faster than pooling Wasmtime (unseen content)",
                    ratio(wasmtime.p50_us, ours.p50_us, "us"),
                    "x",
                    3.0,
                );
            }
        }
        Content::Shared => {
            if let Some(wasmtime) = of(System::WasmtimeCache) {
                goals.at_least(
                    "cold start, faster than Wasmtime with a module cache (same content)",
                    ratio(wasmtime.p50_us, ours.p50_us, "us"),
                    "x",
                    1.0,
                );
            }
        }
    }
}

fn of_memory(goals: &mut Goals, results: &Results) {
    let add = results
        .memory
        .iter()
        .find(|memory| memory.system == System::ExecutorAot && memory.module == crate::inputs::ADD);
    let Some(add) = add else { return };
    let at = |count| {
        add.resident
            .iter()
            .find(|(of, _)| *of == count)
            .map(|(_, bytes)| *bytes as f64)
    };
    if let (Some(one), Some(thousand)) = (at(1), at(1000)) {
        let each = (thousand - one) / 999.0;
        goals.at_most(
            "RSS of a warm container beyond its module",
            (each / 1024.0, format!("({thousand} - {one}) bytes / 999")),
            "KiB",
            4.0,
        );
    }
    if let Some(all) = at(10_000) {
        let figure = (all / MIB, format!("{all} bytes"));
        goals.at_most("RSS with 10,000 containers of add", figure, "MiB", 100.0);
    }
}

/// For people.
pub fn table(goals: &[Goal]) -> String {
    let mut text = String::new();
    for goal in goals {
        text += &format!(
            "{} {:<74} {:>8.2} {:<3} ({} {:.2}) = {}\n",
            if goal.is_met { "met  " } else { "UNMET" },
            goal.what,
            goal.figure,
            goal.unit,
            if goal.is_upper_bound { "<=" } else { ">=" },
            goal.bound,
            goal.made_of
        );
    }
    text
}

/// The same as a table in Markdown.
pub fn markdown(goals: &[Goal]) -> String {
    let mut text = "| goal | bound | is | made of | |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for goal in goals {
        text += &format!(
            "| {} | {} {:.2} {} | {:.2} {} | {} | {} |\n",
            goal.what,
            if goal.is_upper_bound { "≤" } else { "≥" },
            goal.bound,
            goal.unit,
            goal.figure,
            goal.unit,
            goal.made_of,
            if goal.is_met { "met" } else { "**not met**" }
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::cold::Cold;
    use crate::experiments::load::Load;

    #[test]
    fn loading_is_compared_for_the_large_module() {
        let load = |loader, module: &str, p50_us| Load {
            loader,
            module: module.to_owned(),
            load: Distribution {
                p50_us,
                ..Distribution::default()
            },
            ..Load::default()
        };
        let results = Results {
            load: vec![
                load(Loader::Executor, "add", 90.0),
                load(Loader::Wamr, "add", 100.0),
                load(Loader::Executor, LARGE, 40.0),
                load(Loader::Wamr, LARGE, 100.0),
            ],
            ..Results::default()
        };
        let goals = goals(&results);
        assert_eq!(goals.len(), 1);
        assert!(goals[0].is_met && (goals[0].figure - 0.4).abs() < 1e-9);
    }

    #[test]
    fn a_goal_is_met_or_not_on_the_right_side() {
        let cold = |system, p50_us| Cold {
            content: Content::Unseen,
            system,
            concurrency: 1,
            times: Distribution {
                p50_us,
                p99_us: 2.0 * p50_us,
                ..Distribution::default()
            },
        };
        let results = Results {
            cold: vec![
                cold(System::ExecutorAot, 120.0),
                cold(System::Echo, 100.0),
                cold(System::Wasmtime, 300.0),
            ],
            ..Results::default()
        };
        let verdicts: Vec<bool> = goals(&results).iter().map(|goal| goal.is_met).collect();
        // 1.2 x the floor; beyond it, 23 x faster than WOW; p99 2 x p50; 2.5 x faster than Wasmtime.
        assert_eq!(verdicts, [true, true, true, false]);
        assert!(goals(&Results::default()).is_empty(), "nothing was measured");
    }
}
