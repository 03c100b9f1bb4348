//! Damaged modules, loaded: what the engine takes is valid, and loading and unloading harms nothing.

use wasmparser::{Parser, Payload, Validator, WasmFeatures};

use crate::wamr;

/// The input as a module. Nothing of it is run: it may have no end.
pub fn check(data: &[u8]) {
    let before = wamr::modules_loaded();
    if let Ok(action) = wamr::load(data) {
        if let Err(error) = Validator::new_with_features(features()).validate_all(data) {
            panic!("the engine loads what is not valid: {error}");
        }
        if !starts(data) {
            wamr::prepare(&action);
        }
    }
    assert_eq!(wamr::modules_loaded(), before);
}

/// What WAMR is built for.
fn features() -> WasmFeatures {
    WasmFeatures::WASM1
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::EXTENDED_CONST
}

/// Whether instantiation runs something of the guest.
fn starts(module: &[u8]) -> bool {
    Parser::new(0).parse_all(module).any(|payload| match payload {
        Ok(Payload::StartSection { .. }) => true,
        Ok(Payload::ExportSection(exports)) => exports
            .into_iter()
            .any(|export| export.is_ok_and(|export| export.name == "_initialize")),
        _ => false,
    })
}
