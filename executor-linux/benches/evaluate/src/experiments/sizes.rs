//! What lies on the disk: programs, and an action in its forms.

use std::fs;

use anyhow::{Context, Result};
use object::{Object, ObjectSection};
use serde::{Deserialize, Serialize};

use super::Setting;
use crate::inputs::{ADD, Form};
use crate::system::System;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Size {
    pub system: System,
    pub program_bytes: u64,
    pub text_bytes: u64,
    /// What its `/init` brings for `add`, before base64.
    pub action_bytes: u64,
}

pub fn sizes(setting: &Setting<'_>) -> Result<Vec<Size>> {
    [
        System::ExecutorAot,
        System::ExecutorInterpreted,
        System::Wasmtime,
        System::Wasmi,
        System::Process,
        System::Echo,
        System::StaticC,
    ]
    .into_iter()
    .map(|system| {
        let path = system.program(setting.inputs);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let program = object::File::parse(&*bytes)?;
        let text = program.section_by_name(".text").context("it has no section .text")?;
        let form: Form = system.form();
        Ok(Size {
            system,
            program_bytes: bytes.len() as u64,
            text_bytes: text.size(),
            action_bytes: setting.inputs.file(ADD, form).metadata()?.len(),
        })
    })
    .collect()
}
