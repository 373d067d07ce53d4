//! The sections of a component, as far as custom sections need them: found, removed, appended.
//!
//! Only the outermost level is walked, by section sizes; nested modules are skipped whole.

use std::ops::Range;

/// `\0asm`, version 13, layer 1 (component-model binary format, preamble).
const PREAMBLE: [u8; 8] = *b"\0asm\x0d\x00\x01\x00";

const CUSTOM: u8 = 0;

/// The data of the first custom section called `name`.
pub(super) fn custom<'a>(component: &'a [u8], name: &str) -> Option<&'a [u8]> {
    Sections::new(component)?.find_map(|section| custom_data(section.id, &component[section.payload], name))
}

/// A copy of `component` in which the custom section `name` has `data` and stands last; `None` if
/// the bytes are no component.
pub(super) fn with_custom(component: &[u8], name: &str, data: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(component.len() + data.len() + 64);
    out.extend_from_slice(&PREAMBLE);
    let mut end = PREAMBLE.len();
    for section in Sections::new(component)? {
        end = section.whole.end;
        if custom_data(section.id, &component[section.payload], name).is_none() {
            out.extend_from_slice(&component[section.whole]);
        }
    }
    if end != component.len() {
        return None;
    }
    let mut head = Vec::new();
    write_leb(&mut head, name.len());
    head.extend_from_slice(name.as_bytes());
    out.push(CUSTOM);
    write_leb(&mut out, head.len() + data.len());
    out.extend_from_slice(&head);
    out.extend_from_slice(data);
    Some(out)
}

fn custom_data<'a>(id: u8, payload: &'a [u8], name: &str) -> Option<&'a [u8]> {
    if id != CUSTOM {
        return None;
    }
    let (len, rest) = read_leb(payload)?;
    let (found, data) = rest.split_at_checked(len)?;
    (found == name.as_bytes()).then_some(data)
}

struct Section {
    id: u8,
    whole: Range<usize>,
    payload: Range<usize>,
}

/// Ends at the first section that is not well formed.
struct Sections<'a> {
    component: &'a [u8],
    at: usize,
}

impl<'a> Sections<'a> {
    fn new(component: &'a [u8]) -> Option<Self> {
        component.starts_with(&PREAMBLE).then_some(Self { component, at: PREAMBLE.len() })
    }
}

impl Iterator for Sections<'_> {
    type Item = Section;

    fn next(&mut self) -> Option<Section> {
        let (&id, rest) = self.component.get(self.at..)?.split_first()?;
        let (size, rest) = read_leb(rest)?;
        let start = self.component.len() - rest.len();
        let end = start.checked_add(size).filter(|&end| end <= self.component.len())?;
        let whole = self.at..end;
        self.at = end;
        Some(Section { id, whole, payload: start..end })
    }
}

/// An unsigned LEB128 of at most 32 bits and what follows it.
fn read_leb(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).ok()?;
            return Some((usize::try_from(value).ok()?, &bytes[i + 1..]));
        }
    }
    None
}

fn write_leb(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}
