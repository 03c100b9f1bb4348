//! Native code, loaded by the executor's loader and by WAMR's own: the same bytes of the same bundle, in programs that do nothing
//! else (`peers/load`).

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::{Setting, turns};
use crate::cores::Cores;
use crate::inputs::{ADD, Form, SIZED};
use crate::progress::Progress;
use crate::statistics::Distribution;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loader {
    /// The executor's engine, with its changes to WAMR.
    #[default]
    Executor,
    /// WAMR as its makers wrote it.
    Wamr,
}

impl Loader {
    pub fn label(self) -> &'static str {
        match self {
            Loader::Executor => "executor",
            Loader::Wamr => "WAMR, unchanged",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Loader::Executor => "peer-load-executor",
            Loader::Wamr => "peer-load-wamr",
        }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Load {
    pub loader: Loader,
    /// The module, and the bytes of its Wasm.
    pub module: String,
    pub module_bytes: u64,
    /// The first load of a process.
    pub first: Distribution,
    /// All others, each after the unload of the one before.
    pub load: Distribution,
    pub load_and_instantiate: Distribution,
    /// Instance and module.
    pub unload: Distribution,
}

const LOADERS: [Loader; 2] = [Loader::Executor, Loader::Wamr];
/// Loads of one process.
const IN_A_ROUND: usize = 50;

/// What a program has told: of each time, how long loading, instantiating and unloading took.
type Times = Vec<[Duration; 3]>;

pub fn load(setting: &Setting<'_>) -> Result<Vec<Load>> {
    let rounds = setting.count(40, 10);
    let modules = [ADD, SIZED[0].0, SIZED[1].0];
    let progress = Progress::new("loading native code", modules.len() * rounds);
    let _core = Cores::only(1)?;
    let mut results = Vec::new();
    for module in modules {
        let mut first = vec![Times::new(); LOADERS.len()];
        let mut others = vec![Times::new(); LOADERS.len()];
        for round in 0..rounds {
            for index in turns(LOADERS.len(), round) {
                let (Some(loader), Some(first), Some(others)) =
                    (LOADERS.get(index), first.get_mut(index), others.get_mut(index))
                else {
                    continue;
                };
                let mut times = of_process(setting, *loader, module)?.into_iter();
                first.extend(times.next());
                others.extend(times);
            }
            progress.step();
        }
        let module_bytes = setting.inputs.file(module, Form::Wasm).metadata()?.len();
        for (loader, (first, others)) in LOADERS.into_iter().zip(first.iter().zip(&others)) {
            let of = |times: &Times, time: fn(&[Duration; 3]) -> Duration| {
                Distribution::of(times.iter().map(time).collect())
            };
            results.push(Load {
                loader,
                module: module.to_owned(),
                module_bytes,
                first: of(first, |[load, ..]| *load),
                load: of(others, |[load, ..]| *load),
                load_and_instantiate: of(others, |[load, instantiate, _]| *load + *instantiate),
                unload: of(others, |[.., unload]| *unload),
            });
        }
    }
    Ok(results)
}

fn of_process(setting: &Setting<'_>, loader: Loader, module: &str) -> Result<Times> {
    let program = setting.inputs.peers.join(loader.program());
    let output = Command::new(&program)
        .arg(setting.inputs.file(module, Form::Bundle))
        .arg(IN_A_ROUND.to_string())
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed: {told}", program.display());
    let text = String::from_utf8_lossy(&output.stdout);
    let times = text.lines().map(times_of).collect::<Option<Times>>();
    let times = times.with_context(|| format!("{} told no times", program.display()))?;
    ensure!(
        times.len() == IN_A_ROUND,
        "{} told {} times",
        program.display(),
        times.len()
    );
    Ok(times)
}

/// Three numbers of nanoseconds.
fn times_of(line: &str) -> Option<[Duration; 3]> {
    let mut words = line
        .split(' ')
        .map(|word| Some(Duration::from_nanos(word.parse().ok()?)));
    let times = [words.next()??, words.next()??, words.next()??];
    words.next().is_none().then_some(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_three_times() {
        assert_eq!(times_of("1 2 3"), Some([1, 2, 3].map(Duration::from_nanos)));
        for line in ["1 2", "1 2 3 4", "1 2 x", ""] {
            assert_eq!(times_of(line), None, "{line}");
        }
    }
}
