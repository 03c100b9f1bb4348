//! ABI 3, WASI command: the input on standard input, else as the first argument; the answer is the last line of output.
//!
//! Also what an action is on any other system: an ordinary program, so that it can be tried and debugged there.

use std::env;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::vec::Vec;

use crate::answer::{Action, plain};

/// Read the input, run `action`, print the answer.
///
/// Fails if the streams do: then there is no answer, and nobody to tell but standard error.
pub fn run(action: impl Action) -> ExitCode {
    match input().and_then(|input| print(&plain(action(&input)))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            std::eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Standard input has no limit of its length, so it counts; the argument is for those who supply nothing else.
fn input() -> io::Result<Vec<u8>> {
    let argument = env::args_os().nth(1).map(|argument| argument.into_encoded_bytes());
    if cfg!(not(target_os = "wasi"))
        && let Some(argument) = argument
    {
        return Ok(argument); // a terminal would wait for input that nobody types
    }
    let mut input = Vec::new();
    io::stdin().lock().read_to_end(&mut input)?;
    if input.is_empty() {
        Ok(argument.unwrap_or_default())
    } else {
        Ok(input)
    }
}

fn print(answer: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(answer)?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}

/// Define `main`.
#[doc(hidden)]
#[macro_export]
macro_rules! __emit {
    ($kind:ident $action:path $(, $other:ident)*) => {
        fn main() -> ::std::process::ExitCode {
            $(let _ = $other;)*
            $crate::__private::run($crate::__private::$kind($action))
        }
    };
}
