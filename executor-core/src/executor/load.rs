//! From the body of an `/init` to a loaded action.
//!
//! The bytes that move: the base64 of `code` is decoded to the front of its own place in the body. A stored artifact is used
//! where it then lies; only AOT code that is not aligned there is moved by up to 15 bytes. A deflated artifact takes a
//! second buffer.

use core::ops::Range;

use action_bundle::{Artifact, CodeError, Kind, Located};
use lock_api::RawMutex;

use crate::node::Node;
use crate::openwhisk::InitRequest;
use crate::runtime::{Body, Init, OutOfMemory, Runtime};
use crate::spans::{Part, enter};

use super::{Executor, InitError};

/// What AOT code has to be aligned to: WAMR's loader reads its numbers as aligned words of up to 8 bytes, and its vectors
/// of 16.
const AOT_ALIGNMENT_BYTES: usize = 16;

pub(super) fn load<R: Runtime, N: Node, L: RawMutex>(
    executor: &Executor<'_, R, N, L>,
    request: InitRequest<Body<'_, R::Buffer>>,
) -> Result<R::Action, InitError> {
    let InitRequest {
        mut body,
        code,
        main,
        env,
    } = request;
    let span = enter(Part::Decode);
    let code = code
        .and_then(|range| decode(body.as_mut(), range).transpose())
        .transpose()
        .map_err(InitError::Code)?;
    span.end();
    let code = code.ok_or(InitError::MissingCode)?;
    load_decoded(executor, body, code, main, env)
}

/// Load code that no client has sent: a copy of it, as it is, takes the body's place.
pub(super) fn load_bytes<R: Runtime, N: Node, L: RawMutex>(
    executor: &Executor<'_, R, N, L>,
    bytes: &[u8],
) -> Result<R::Action, InitError> {
    // So that AOT code can be aligned wherever it lies.
    let mut body = executor
        .buffer(bytes.len() + AOT_ALIGNMENT_BYTES)
        .map_err(|OutOfMemory| InitError::OutOfMemory)?;
    let room = 0..body.as_ref().len();
    let decoded = 0..bytes.len();
    body.as_mut()
        .get_mut(decoded.clone())
        .unwrap_or_default()
        .copy_from_slice(bytes);
    load_decoded(executor, Body::Owned(body), Code { decoded, room }, None, None)
}

fn load_decoded<R: Runtime, N: Node, L: RawMutex>(
    executor: &Executor<'_, R, N, L>,
    body: Body<'_, R::Buffer>,
    code: Code,
    main: Option<Range<usize>>,
    env: Option<Range<usize>>,
) -> Result<R::Action, InitError> {
    let span = enter(Part::Locate);
    let policy = &executor.settings.policy;
    let bytes = body.as_ref().get(code.decoded.clone()).unwrap_or_default();
    let located = action_bundle::locate(bytes, policy).map_err(InitError::Code)?;
    let (inflated, artifact) = match located {
        Located::Stored(artifact) => {
            let range = code.decoded.start + artifact.range.start..code.decoded.start + artifact.range.end;
            (None, Artifact { range, ..artifact })
        }
        Located::Deflated(deflated) => {
            let mut buffer = executor
                .buffer(deflated.inflated_len())
                .map_err(|OutOfMemory| InitError::OutOfMemory)?;
            let artifact = action_bundle::inflate(bytes, &deflated, buffer.as_mut()).map_err(InitError::Code)?;
            (Some(buffer), artifact)
        }
    };
    span.end();
    let mut init = Init {
        body,
        inflated,
        artifact,
        main,
        env,
    };
    if init.artifact.kind == Kind::Aot && init.inflated.is_none() {
        init.artifact.range = align(init.body.as_mut(), init.artifact.range, code.room)
            .ok_or(InitError::Code(CodeError::ArtifactDamaged))?;
    }
    let (kind, len) = (init.artifact.kind, init.artifact.range.len());
    let span = enter(Part::Load);
    let action = executor.runtime.load(init).map_err(InitError::Load)?;
    span.end();
    match kind {
        Kind::Aot => log::info!("loaded native code of {len} bytes"),
        Kind::Wasm => log::info!("loaded a module of {len} bytes, to be interpreted"),
    }
    Ok(action)
}

/// Decoded code.
struct Code {
    decoded: Range<usize>,
    /// What its text took, or was reserved for it; what is left of that is free.
    room: Range<usize>,
}

/// Decode the content of `code` in place; `None` if it holds nothing but space.
fn decode(body: &mut [u8], room: Range<usize>) -> Result<Option<Code>, CodeError> {
    let len = action_bundle::decode_base64(body.get_mut(room.clone()).unwrap_or_default())?;
    Ok((len > 0).then(|| Code {
        decoded: room.start..room.start + len,
        room,
    }))
}

/// Move an artifact to the next aligned address, if it is not at one. `None` if there is no room behind it: base64 is a
/// third longer than what it stands for, so that this happens only to code of less than 48 bytes.
fn align(body: &mut [u8], range: Range<usize>, room: Range<usize>) -> Option<Range<usize>> {
    let shift = body.get(range.clone())?.as_ptr().align_offset(AOT_ALIGNMENT_BYTES);
    if shift == 0 {
        return Some(range);
    }
    let end = range.end.checked_add(shift).filter(|end| *end <= room.end)?;
    let start = range.start + shift;
    body.copy_within(range, start);
    Some(start..end)
}
