//! The floor: reads whole bodies and answers each request with the same few bytes.

use peer_http::server::{Handler, arguments, serve};

struct Echo;

impl Handler for Echo {
    type Desk = ();

    fn desk(&self) {}

    fn handle(&self, (): &mut (), _path: &str, _body: &mut [u8], reply: &mut Vec<u8>) -> u16 {
        reply.extend_from_slice(br#"{"result":4}"#);
        200
    }
}

fn main() -> anyhow::Result<()> {
    let (address, _) = arguments()?;
    Ok(serve(address, Echo)?)
}
