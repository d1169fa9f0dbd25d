//! proofs.json: inclusion and consistency paths, written and read one at a time.

use std::fmt;
use std::io::{self, BufReader, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::ids::{Seq, TreeHash};

/// Hashes of a path in a tree of 2^63 leaves, and one more for consistency.
const PATH_MAX: usize = 64;
/// Most consistency proofs.
const CONSISTENCY_MAX: usize = 10_000;

/// That an entry is under the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// The entry.
    pub seq: Seq,
    /// Its path, the leaf's sibling first.
    pub path: Vec<TreeHash>,
}

/// That the checkpoint's tree begins with an older one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// Size of the older tree.
    pub from: u64,
    /// The path.
    pub path: Vec<TreeHash>,
}

/// Canonical, padded base64.
pub(super) fn encode_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Reads canonical, padded base64.
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// Writes the document.
pub fn write<E: From<io::Error>>(
    out: &mut impl Write,
    inclusion: impl IntoIterator<Item = Result<InclusionProof, E>>,
    consistency: &[ConsistencyProof],
) -> Result<(), E> {
    out.write_all(b"{\"inclusion\":[")?;
    for (index, proof) in inclusion.into_iter().enumerate() {
        let proof = proof?;
        let before = if index > 0 { ",\n" } else { "\n" };
        write!(out, "{before}{{\"seq\":{},\"path\":", proof.seq)?;
        write_path(out, &proof.path)?;
        out.write_all(b"}")?;
    }
    out.write_all(b"],\"consistency\":[")?;
    for (index, proof) in consistency.iter().enumerate() {
        let before = if index > 0 { ",\n" } else { "\n" };
        write!(out, "{before}{{\"from\":{},\"path\":", proof.from)?;
        write_path(out, &proof.path)?;
        out.write_all(b"}")?;
    }
    out.write_all(b"]}\n")?;
    Ok(())
}

fn write_path(out: &mut impl Write, path: &[TreeHash]) -> io::Result<()> {
    out.write_all(b"[")?;
    for (index, hash) in path.iter().enumerate() {
        let before = if index > 0 { "," } else { "" };
        write!(out, "{before}\"{hash}\"")?;
    }
    out.write_all(b"]")
}

/// Reads the document, giving each inclusion proof to `each` as it comes. An error names no text.
pub fn read(
    reader: impl Read,
    each: &mut dyn FnMut(InclusionProof),
) -> Result<Vec<ConsistencyProof>, String> {
    let mut document =
        serde_json::Deserializer::from_reader(BufReader::with_capacity(64 << 10, reader));
    let consistency = document
        .deserialize_map(Document { each })
        .and_then(|consistency| document.end().map(|()| consistency));
    consistency.map_err(|error| {
        format!(
            "not {{\"inclusion\":[{{\"seq\",\"path\"}}],\"consistency\":[{{\"from\",\"path\"}}]}} with hashes of 32 bytes in canonical base64 ({error})"
        )
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InclusionForm {
    seq: u64,
    path: PathForm,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsistencyForm {
    from: u64,
    path: PathForm,
}

struct PathForm(Vec<TreeHash>);

impl<'de> Deserialize<'de> for PathForm {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Hashes;
        impl<'de> Visitor<'de> for Hashes {
            type Value = Vec<TreeHash>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an array of hashes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
                let mut path = Vec::new();
                while let Some(hash) = values.next_element::<HashForm>()? {
                    if path.len() == PATH_MAX {
                        return Err(de::Error::custom("a path is too long"));
                    }
                    path.push(hash.0);
                }
                Ok(path)
            }
        }
        reader.deserialize_seq(Hashes).map(PathForm)
    }
}

struct HashForm(TreeHash);

impl<'de> Deserialize<'de> for HashForm {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = TreeHash;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a hash")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TreeHash, E> {
                TreeHash::from_base64(text).ok_or_else(|| E::custom("not a hash"))
            }
        }
        reader.deserialize_str(Text).map(HashForm)
    }
}

struct Document<'a> {
    each: &'a mut dyn FnMut(InclusionProof),
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = Vec<ConsistencyProof>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("proofs")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut seen = Vec::new();
        let mut consistency = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            if seen.contains(&name) {
                return Err(de::Error::custom("a member occurs twice"));
            }
            match name.as_str() {
                "inclusion" => members.next_value_seed(Inclusion {
                    each: &mut *self.each,
                })?,
                "consistency" => {
                    let forms: Vec<ConsistencyForm> = members.next_value()?;
                    if forms.len() > CONSISTENCY_MAX {
                        return Err(de::Error::custom("too many consistency proofs"));
                    }
                    let mut sizes: Vec<u64> = forms.iter().map(|form| form.from).collect();
                    sizes.sort_unstable();
                    if !sizes.is_sorted_by(|one, other| one < other) {
                        return Err(de::Error::custom("two consistency proofs for one size"));
                    }
                    consistency = forms
                        .into_iter()
                        .map(|form| ConsistencyProof {
                            from: form.from,
                            path: form.path.0,
                        })
                        .collect();
                }
                _ => return Err(de::Error::custom("unknown member")),
            }
            seen.push(name);
        }
        if seen.len() == 2 {
            Ok(consistency)
        } else {
            Err(de::Error::custom("a member is missing"))
        }
    }
}

struct Inclusion<'a> {
    each: &'a mut dyn FnMut(InclusionProof),
}

impl<'de> DeserializeSeed<'de> for Inclusion<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Inclusion<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("inclusion proofs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        while let Some(form) = values.next_element::<InclusionForm>()? {
            (self.each)(InclusionProof {
                seq: Seq::new(form.seq),
                path: form.path.0,
            });
        }
        Ok(())
    }
}
