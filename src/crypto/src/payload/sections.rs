//! The plaintext of a payload: names and bytes of sections, whole or with parts left out.

use std::collections::BTreeMap;
use std::ops::Range;

use zeroize::Zeroizing;

use super::PLAINTEXT_BYTES_MAX;
use trailkeep_proof::ids::ValueNumber;

/// A part of a section that stands in a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The section, by its place among the event's.
    pub section: usize,
    /// The bytes of the section that the value has.
    pub range: Range<usize>,
    /// The value.
    pub value: ValueNumber,
}

/// A section with the parts that are left out: where they belong in what is left, and which values have them.
struct Rest<'a> {
    name: &'a str,
    bytes: Vec<&'a [u8]>,
    cuts: Vec<(u32, ValueNumber)>,
}

/// A part that is left out of a section: where it belongs in what is left, and which value has it.
type Gap = (usize, ValueNumber);

/// Sections with parts left out.
pub(super) struct Referring(Vec<(String, Zeroizing<Vec<u8>>, Vec<Gap>)>);

pub(super) fn encode_sections(sections: &[(&str, &[u8])]) -> Option<Zeroizing<Vec<u8>>> {
    let bytes: usize = sections
        .iter()
        .map(|(name, text)| 6 + name.len() + text.len())
        .sum();
    if 2 + bytes > PLAINTEXT_BYTES_MAX {
        return None;
    }
    let mut plaintext = Zeroizing::new(Vec::with_capacity(2 + bytes));
    plaintext.extend_from_slice(&u16::try_from(sections.len()).ok()?.to_be_bytes());
    for (name, text) in sections {
        plaintext.extend_from_slice(&u16::try_from(name.len()).ok()?.to_be_bytes());
        plaintext.extend_from_slice(name.as_bytes());
        plaintext.extend_from_slice(&u32::try_from(text.len()).ok()?.to_be_bytes());
        plaintext.extend_from_slice(text);
    }
    Some(plaintext)
}

pub(super) fn decode_sections(plaintext: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let (count, mut rest) = plaintext.split_first_chunk::<2>()?;
    let mut sections = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (name, text, after) = decode_section(rest)?;
        sections.push((name, text.to_vec()));
        rest = after;
    }
    rest.iter().all(|byte| *byte == 0).then_some(sections)
}

fn decode_section(rest: &[u8]) -> Option<(String, &[u8], &[u8])> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let (name, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let (length, after) = after.split_first_chunk::<4>()?;
    let (text, after) =
        after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    Some((std::str::from_utf8(name).ok()?.to_owned(), text, after))
}

/// The same with parts left out; none where the cuts are not in order, overlap, or do not lie within their sections.
pub(super) fn encode_referring(
    sections: &[(&str, &[u8])],
    cuts: &[Cut],
) -> Option<Zeroizing<Vec<u8>>> {
    let whole: usize = sections.iter().map(|(_, text)| text.len()).sum();
    if whole > PLAINTEXT_BYTES_MAX {
        return None;
    }
    let mut left = cuts;
    let mut plaintext = Zeroizing::new(Vec::new());
    plaintext.extend_from_slice(&u16::try_from(sections.len()).ok()?.to_be_bytes());
    for (place, (name, text)) in sections.iter().enumerate() {
        let here = left.iter().take_while(|cut| cut.section == place).count();
        let (here, after) = left.split_at(here);
        left = after;
        Rest::of(name, text, here)?.write(&mut plaintext)?;
    }
    left.is_empty().then_some(plaintext)
}

impl<'a> Rest<'a> {
    fn of(name: &'a str, text: &'a [u8], cuts: &[Cut]) -> Option<Self> {
        let (mut from, mut kept) = (0, 0);
        let mut rest = Self {
            name,
            bytes: Vec::new(),
            cuts: Vec::new(),
        };
        for cut in cuts {
            let before = text.get(from..cut.range.start)?;
            text.get(cut.range.clone())?;
            kept += before.len();
            rest.bytes.push(before);
            rest.cuts.push((u32::try_from(kept).ok()?, cut.value));
            from = cut.range.end;
        }
        rest.bytes.push(text.get(from..)?);
        Some(rest)
    }

    fn write(&self, plaintext: &mut Vec<u8>) -> Option<()> {
        let bytes: usize = self.bytes.iter().map(|part| part.len()).sum();
        plaintext.extend_from_slice(&u16::try_from(self.name.len()).ok()?.to_be_bytes());
        plaintext.extend_from_slice(self.name.as_bytes());
        plaintext.extend_from_slice(&u32::try_from(bytes).ok()?.to_be_bytes());
        self.bytes
            .iter()
            .for_each(|part| plaintext.extend_from_slice(part));
        plaintext.extend_from_slice(&u16::try_from(self.cuts.len()).ok()?.to_be_bytes());
        for (position, value) in &self.cuts {
            plaintext.extend_from_slice(&position.to_be_bytes());
            plaintext.extend_from_slice(&value.get().to_be_bytes());
        }
        Some(())
    }
}

pub(super) fn decode_referring(plaintext: &[u8]) -> Option<Referring> {
    let (count, mut rest) = plaintext.split_first_chunk::<2>()?;
    let mut sections = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (name, text, after) = decode_section(rest)?;
        let (count, mut after) = after.split_first_chunk::<2>()?;
        let mut gaps: Vec<Gap> = Vec::new();
        for _ in 0..u16::from_be_bytes(*count) {
            let (position, behind) = after.split_first_chunk::<4>()?;
            let (number, behind) = behind.split_first_chunk::<8>()?;
            let position = usize::try_from(u32::from_be_bytes(*position)).ok()?;
            let is_in_order = gaps.last().is_none_or(|(before, _)| *before <= position);
            if !is_in_order || position > text.len() {
                return None;
            }
            gaps.push((position, ValueNumber::new(u64::from_be_bytes(*number))));
            after = behind;
        }
        sections.push((name, Zeroizing::new(text.to_vec()), gaps));
        rest = after;
    }
    let is_padding = rest.iter().all(|byte| *byte == 0);
    is_padding.then_some(Referring(sections))
}

impl Referring {
    /// The values that are needed, ascending, each once.
    pub(super) fn numbers(&self) -> Vec<ValueNumber> {
        let gaps = self.0.iter().flat_map(|(_, _, gaps)| gaps);
        let mut numbers: Vec<ValueNumber> = gaps.map(|(_, number)| *number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// The sections, whole; none where a value is not among these, or the text would be too large.
    pub(super) fn complete(
        self,
        values: &BTreeMap<ValueNumber, Zeroizing<Vec<u8>>>,
    ) -> Option<Vec<(String, Vec<u8>)>> {
        let mut bytes = 0;
        let mut sections = Vec::with_capacity(self.0.len());
        for (name, text, gaps) in self.0 {
            let (mut whole, mut from) = (Vec::new(), 0);
            for (position, number) in gaps {
                let value = values.get(&number)?;
                bytes += value.len();
                if bytes > PLAINTEXT_BYTES_MAX {
                    return None;
                }
                whole.extend_from_slice(text.get(from..position)?);
                whole.extend_from_slice(value);
                from = position;
            }
            whole.extend_from_slice(text.get(from..)?);
            sections.push((name, whole));
        }
        Some(sections)
    }
}
