//! Modules of wasm-smith, made into actions of the lean ABI.
//!
//! A module gets two functions more. `ow_allocate` makes sure that there is a page. `ow_run` calls the module's functions
//! with arguments out of the input, and puts into memory what they return, the globals, and what can be seen of the tables.
//! The answer is the whole memory: whatever a run can do that another could see is in it.
//!
//! Sections are extended at their end, so that no index changes.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bits are cut out of numbers, on purpose"
)]

use arbitrary::{Arbitrary, Unstructured};
use wasm_smith::{Config, InstructionKinds, Module};
use wasmparser::{CompositeInnerType, ExternalKind, FuncType, Parser, Payload, RefType, ValType};

use crate::wamr::MEMORY_MAX_PAGES;

/// How many calls and turns of a loop a run may have in all.
const FUEL: u32 = 300;

/// The functions that a run calls.
const CALLS_MAX: usize = 6;

/// Where the results go: not where modules that know no better write.
const RESULTS_ADDRESS: u32 = 4096 + 512;

/// What WAMR is built for (`wamr-sys/build/files.rs`), within bounds that let a run end soon.
fn config(can_trap: bool) -> Config {
    Config {
        bulk_memory_enabled: true,
        reference_types_enabled: true,
        extended_const_enabled: true,
        multi_value_enabled: true,
        saturating_float_to_int_enabled: true,
        sign_extension_ops_enabled: true,

        exceptions_enabled: false,
        gc_enabled: false,
        compact_imports_enabled: false,
        memory64_enabled: false,
        relaxed_simd_enabled: false,
        simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,

        // Two engines may choose different NaNs.
        canonicalize_nans: true,
        disallow_traps: !can_trap,
        allowed_instructions: InstructionKinds::all(),
        min_memories: 1,
        max_memories: 1,
        max_memory32_bytes: u64::from(MEMORY_MAX_PAGES) * 64 * 1024,
        memory_max_size_required: true,
        max_tables: 2,
        max_table_elements: 40,
        table_max_size_required: true,
        min_types: 1,
        min_funcs: 1,
        max_funcs: 12,
        max_imports: 0,
        min_exports: 1,
        max_exports: 6,
        max_instructions: 120,
        max_data_segments: 6,
        max_element_segments: 6,
        max_globals: 8,
        ..Config::default()
    }
}

/// An action out of an input; `None` if the input does not make one.
pub fn action(data: &[u8]) -> Option<Vec<u8>> {
    let mut input = Unstructured::new(data);
    let can_trap = bool::arbitrary(&mut input).ok()?;
    let seed = u64::arbitrary(&mut input).ok()?;
    let mut module = Module::new(config(can_trap), &mut input).ok()?;
    module.ensure_termination(FUEL).ok()?;
    extended(&module.to_bytes(), seed)
}

/// What a module has, as far as the two functions need it.
#[derive(Default)]
struct Contents {
    types: Vec<FuncType>,
    functions: Vec<u32>,
    globals: Vec<ValType>,
    tables: Vec<RefType>,
}

fn extended(module: &[u8], seed: u64) -> Option<Vec<u8>> {
    let mut contents = Contents::default();
    let mut sections = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.expect("wasm-smith makes valid modules");
        match &payload {
            Payload::TypeSection(reader) => {
                for group in reader.clone() {
                    for subtype in group.unwrap().into_types() {
                        let CompositeInnerType::Func(of_function) = subtype.composite_type.inner else {
                            panic!("without GC, all types are functions'")
                        };
                        contents.types.push(of_function);
                    }
                }
            }
            Payload::FunctionSection(reader) => {
                contents.functions = reader.clone().into_iter().map(Result::unwrap).collect();
            }
            Payload::GlobalSection(reader) => {
                let globals = reader.clone().into_iter();
                contents.globals = globals.map(|global| global.unwrap().ty.content_type).collect();
            }
            Payload::TableSection(reader) => {
                let tables = reader.clone().into_iter();
                contents.tables = tables.map(|table| table.unwrap().ty.element_type).collect();
            }
            Payload::ExportSection(reader) => {
                let is_ours = |name: &str| matches!(name, "memory" | "ow_allocate" | "ow_run" | "_initialize");
                // WAMR keeps names as C's strings, and refuses one with a NUL.
                let is_unfit = |name: &str| is_ours(name) || name.contains('\0');
                let mut exports = reader.clone().into_iter().map(Result::unwrap);
                if exports.any(|export| is_unfit(export.name)) {
                    return None;
                }
            }
            _ => {}
        }
        if let Some((id, range)) = payload.as_section() {
            let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            sections.push((id, &module[range]));
        }
    }
    let first_type = contents.types.len();
    let first_function = contents.functions.len();
    let additions: [(u8, u32, Vec<u8>); 4] = [
        (
            1,
            2,
            [&[0x60, 1, I32, 1, I32][..], &[0x60, 2, I32, I32, 1, I64]].concat(),
        ),
        (3, 2, [leb(first_type), leb(first_type + 1)].concat()),
        (
            7,
            3,
            [
                export("memory", ExternalKind::Memory, 0),
                export("ow_allocate", ExternalKind::Func, first_function),
                export("ow_run", ExternalKind::Func, first_function + 1),
            ]
            .concat(),
        ),
        (10, 2, [body(&[], &allocate()), run(&contents, seed)].concat()),
    ];
    let mut extended = module[..8].to_vec();
    for (id, content) in sections {
        let content = match additions.iter().find(|(of, ..)| *of == id) {
            None => content.to_vec(),
            Some((_, more, bytes)) => {
                let (count, rest) = take_leb(content);
                [leb(count + *more as usize), rest.to_vec(), bytes.clone()].concat()
            }
        };
        extended.push(id);
        extended.extend(leb(content.len()));
        extended.extend(content);
    }
    Some(extended)
}

const I32: u8 = 0x7f;
const I64: u8 = 0x7e;
const F32: u8 = 0x7d;
const F64: u8 = 0x7c;

/// A page if there is none, and the address 16.
fn allocate() -> Vec<u8> {
    // memory.size i32.eqz if (i32.const 1) memory.grow drop end (i32.const 16)
    vec![0x3f, 0, 0x45, 0x04, 0x40, 0x41, 1, 0x40, 0, 0x1a, 0x0b, 0x41, 16]
}

/// The body of `ow_run`. Locals 2 to 5 are an i32, an i64, an f32 and an f64.
fn run(contents: &Contents, seed: u64) -> Vec<u8> {
    let mut code = Code {
        bytes: Vec::new(),
        slots: 0,
        state: seed | 1,
    };
    for (index, of) in contents.functions.iter().enumerate().take(CALLS_MAX) {
        let of_function = &contents.types[*of as usize];
        for parameter in of_function.params() {
            code.constant(*parameter);
        }
        code.put(&[0x10]).put(&leb(index));
        for result in of_function.results().iter().rev() {
            code.keep(*result);
        }
    }
    for (index, global) in contents.globals.iter().enumerate() {
        code.put(&[0x23]).put(&leb(index)).keep(*global);
    }
    for table in 0..contents.tables.len() {
        code.put(&[0xfc, 16]).put(&leb(table)).keep(ValType::I32);
        for element in 0_u8..4 {
            // i32.const element; table.size; i32.lt_u; if (result i32) (i32.const element) table.get ref.is_null
            code.put(&[0x41, element, 0xfc, 16])
                .put(&leb(table))
                .put(&[0x49, 0x04, I32, 0x41, element, 0x25])
                .put(&leb(table))
                .put(&[0xd1, 0x05, 0x41, 2, 0x0b])
                .keep(ValType::I32);
        }
    }
    // The address 0, and the memory's length: (i64.extend_i32_u memory.size) << 16.
    code.put(&[0x3f, 0, 0xad, 0x42, 16, 0x86]);
    body(&[I32, I64, F32, F64], &code.bytes)
}

struct Code {
    bytes: Vec<u8>,
    slots: u32,
    /// Of the generator of arguments.
    state: u64,
}

impl Code {
    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// An argument: small, large or anything.
    fn constant(&mut self, of: ValType) {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let value = if self.state & 0x300 == 0 {
            self.state & 0x1f
        } else {
            self.state
        };
        match of {
            ValType::I32 => self.put(&[0x41]).put(&signed_leb(i64::from(value as u32 as i32))),
            ValType::I64 => self.put(&[0x42]).put(&signed_leb(value as i64)),
            // Numbers, not NaNs, whose payload an instruction may or may not keep.
            ValType::F32 => self.put(&[0x43]).put(&(value as u32 as f32).to_le_bytes()),
            ValType::F64 => self.put(&[0x44]).put(&(value as f64).to_le_bytes()),
            ValType::Ref(of) => self.put(&[0xd0, if of.is_func_ref() { 0x70 } else { 0x6f }]),
            ValType::V128 => panic!("no vectors"),
        };
    }

    /// Moves the value on top of the stack to the next place in memory; of a reference, whether it is null.
    fn keep(&mut self, of: ValType) {
        let (local, store, alignment) = match of {
            ValType::I32 => (2, 0x36, 2),
            ValType::I64 => (3, 0x37, 3),
            ValType::F32 => (4, 0x38, 2),
            ValType::F64 => (5, 0x39, 3),
            ValType::Ref(_) => {
                self.put(&[0xd1]);
                (2, 0x36, 2)
            }
            ValType::V128 => panic!("no vectors"),
        };
        let address = RESULTS_ADDRESS + 8 * self.slots;
        self.slots += 1;
        self.put(&[0x21, local, 0x41, 0, 0x20, local, store, alignment])
            .put(&leb(address as usize));
    }
}

/// A function's body, with a local of each of these types.
fn body(locals: &[u8], code: &[u8]) -> Vec<u8> {
    let declared: Vec<u8> = locals.iter().flat_map(|of| [1, *of]).collect();
    let content = [&leb(locals.len())[..], &declared, code, &[0x0b]].concat();
    [leb(content.len()), content].concat()
}

fn export(name: &str, kind: ExternalKind, index: usize) -> Vec<u8> {
    let kind = if kind == ExternalKind::Memory { 2 } else { 0 };
    [leb(name.len()), name.as_bytes().to_vec(), vec![kind], leb(index)].concat()
}

fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

fn signed_leb(mut value: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if (value == 0 && byte & 0x40 == 0) || (value == -1 && byte & 0x40 != 0) {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

fn take_leb(bytes: &[u8]) -> (usize, &[u8]) {
    let len = 1 + bytes.iter().position(|byte| byte & 0x80 == 0).expect("a number ends");
    let value = bytes[..len]
        .iter()
        .rev()
        .fold(0, |value, byte| value << 7 | usize::from(byte & 0x7f));
    (value, &bytes[len..])
}
