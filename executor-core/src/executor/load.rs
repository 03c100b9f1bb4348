//! From the body of an `/init` to a loaded action.
//!
//! The bytes that move: the base64 of `code` is decoded to the front of its own place in the body. A stored artifact is used
//! where it then lies; only AOT code that is not aligned there is moved by up to 15 bytes. A deflated artifact takes a
//! second buffer. (Code that comes with the node is not decoded, and native code is used where it lies for good.)

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
    let body_bytes = body.writable().unwrap_or_default();
    let code = code
        .and_then(|range| decode(body_bytes, range).transpose())
        .transpose()
        .map_err(InitError::Code)?;
    span.end();
    let code = code.ok_or(InitError::MissingCode)?;
    let span = enter(Part::Locate);
    let bytes = body.as_ref().get(code.decoded.clone()).unwrap_or_default();
    let (inflated, mut artifact) = find(executor, bytes)?;
    span.end();
    if inflated.is_none() {
        artifact.range = code.decoded.start + artifact.range.start..code.decoded.start + artifact.range.end;
        if artifact.kind == Kind::Aot {
            artifact.range = align(body.writable().unwrap_or_default(), artifact.range, code.room)
                .ok_or(InitError::Code(CodeError::ArtifactDamaged))?;
        }
    }
    hand_over(
        executor,
        Init {
            body,
            inflated,
            artifact,
            main,
            env,
        },
    )
}

/// Load code that no client has sent, from where it lies. Only native code that is not aligned there is copied.
pub(super) fn load_permanent<R: Runtime, N: Node, L: RawMutex>(
    executor: &Executor<'_, R, N, L>,
    code: &'static [u8],
) -> Result<R::Action, InitError> {
    let (inflated, mut artifact) = find(executor, code)?;
    let mut body = Body::Permanent(code);
    let bytes = code.get(artifact.range.clone()).unwrap_or_default();
    if inflated.is_none() && artifact.kind == Kind::Aot && misalignment(bytes) != 0 {
        let mut copy = executor
            .buffer(bytes.len() + AOT_ALIGNMENT_BYTES)
            .map_err(|OutOfMemory| InitError::OutOfMemory)?;
        let start = misalignment(copy.as_ref());
        artifact.range = start..start + bytes.len();
        copy.as_mut()
            .get_mut(artifact.range.clone())
            .ok_or(InitError::OutOfMemory)?
            .copy_from_slice(bytes);
        body = Body::Owned(copy);
    }
    hand_over(
        executor,
        Init {
            body,
            inflated,
            artifact,
            main: None,
            env: None,
        },
    )
}

/// The artifact that runs here: a range of `bytes`, or of the buffer that it was inflated into.
fn find<R: Runtime, N: Node, L: RawMutex>(
    executor: &Executor<'_, R, N, L>,
    bytes: &[u8],
) -> Result<(Option<R::Buffer>, Artifact), InitError> {
    match action_bundle::locate(bytes, &executor.settings.policy).map_err(InitError::Code)? {
        Located::Stored(artifact) => Ok((None, artifact)),
        Located::Deflated(deflated) => {
            let mut buffer = executor
                .buffer(deflated.inflated_len())
                .map_err(|OutOfMemory| InitError::OutOfMemory)?;
            let artifact = action_bundle::inflate(bytes, &deflated, buffer.as_mut()).map_err(InitError::Code)?;
            Ok((Some(buffer), artifact))
        }
    }
}

/// To the engine.
fn hand_over<R: Runtime, N: Node, L: RawMutex>(
    executor: &Executor<'_, R, N, L>,
    init: Init<'_, R::Buffer>,
) -> Result<R::Action, InitError> {
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
    /// What its text took; what is left of that is free.
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
    let shift = misalignment(body.get(range.clone())?);
    if shift == 0 {
        return Some(range);
    }
    let end = range.end.checked_add(shift).filter(|end| *end <= room.end)?;
    let start = range.start + shift;
    body.copy_within(range, start);
    Some(start..end)
}

/// How far it is to the next aligned address.
fn misalignment(bytes: &[u8]) -> usize {
    bytes.as_ptr().align_offset(AOT_ALIGNMENT_BYTES)
}
