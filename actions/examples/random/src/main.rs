//! A number that nobody can guess: `{"random":8379243243244324}`.

use openwhisk_action::Value;
use serde::Serialize;

openwhisk_action::main!(random);

#[derive(Serialize)]
struct Output {
    random: u64,
}

fn random(_: Value) -> Result<Output, getrandom::Error> {
    Ok(Output {
        random: getrandom::u64()?,
    })
}
