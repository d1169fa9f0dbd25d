//! A bundle as its members, which can be signed and packed anew.

use std::io::Read;
use std::path::Path;

use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};
use trailkeep_proof::bundle::archive::Archive;

use crate::support::Random;

pub(super) type Members = Vec<(String, Vec<u8>)>;

pub(super) fn read(bundle: &Path) -> Members {
    let bytes = std::fs::read(bundle).unwrap();
    let archive = Archive::open(&bytes).unwrap();
    let content = |name: &str| archive.read_small(name).unwrap().unwrap();
    let members = archive.members().iter();
    members
        .map(|member| (member.name.clone(), content(&member.name)))
        .collect()
}

pub(super) fn key(file: &Path) -> SigningKey {
    let text = std::fs::read_to_string(file).unwrap();
    let byte = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..32).map(byte).collect();
    SigningKey::from_bytes(&bytes.try_into().unwrap())
}

/// Makes the sums and their signature those of the other members.
pub(super) fn seal(members: &mut Members, key: &SigningKey) {
    members.retain(|(name, _)| !name.starts_with("SHA256SUMS"));
    let mut sums: Vec<(&String, String)> = Vec::new();
    for (name, content) in members.iter() {
        let digest = Sha256::digest(content);
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        sums.push((name, format!("{hex}  {name}\n")));
    }
    sums.sort();
    let sums: String = sums.into_iter().map(|(_, line)| line).collect();
    let signature = key.sign(sums.as_bytes()).to_bytes().to_vec();
    members.push(("SHA256SUMS".to_owned(), sums.into_bytes()));
    members.push(("SHA256SUMS.sig".to_owned(), signature));
}

/// How the records are written, where it is not the plainest form.
#[derive(Default)]
pub(super) struct Packing {
    pub(super) deflated: bool,
    pub(super) descriptors: bool,
    /// In the central directory's headers.
    pub(super) extra: Vec<u8>,
    pub(super) local_extra: Vec<u8>,
    pub(super) comment: Vec<u8>,
    pub(super) flags: u16,
    pub(super) external: u32,
    pub(super) made_by: u16,
    pub(super) dates_differ: bool,
    pub(super) directory_reversed: bool,
}

pub(super) fn pack(members: &Members, packing: &Packing) -> Vec<u8> {
    let (mut out, mut headers) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let packed = if packing.deflated {
            let level = flate2::Compression::fast();
            let mut packed = Vec::new();
            let mut reader = flate2::read::DeflateEncoder::new(&content[..], level);
            reader.read_to_end(&mut packed).unwrap();
            packed
        } else {
            content.clone()
        };
        let crc = crc32fast::hash(content);
        let sizes = [crc, packed.len() as u32, content.len() as u32];
        let flags = packing.flags | if packing.descriptors { 8 } else { 0 };
        let head = |date: u32| {
            let mut head = Vec::new();
            let method = if packing.deflated { 8u16 } else { 0 };
            head.extend([20, flags, method].map(u16::to_le_bytes).concat());
            head.extend(date.to_le_bytes());
            head
        };
        let numbers = |sizes: [u32; 3]| sizes.map(u32::to_le_bytes).concat();
        let lengths = |extra: &[u8]| {
            [name.len() as u16, extra.len() as u16]
                .map(u16::to_le_bytes)
                .concat()
        };
        let (date, offset) = (0x0021_0000, out.len() as u32);
        out.extend(b"PK\x03\x04");
        out.extend(head(date + u32::from(packing.dates_differ)));
        out.extend(numbers(if packing.descriptors { [0; 3] } else { sizes }));
        out.extend(lengths(&packing.local_extra));
        out.extend(name.as_bytes());
        out.extend(&packing.local_extra);
        out.extend(&packed);
        if packing.descriptors {
            out.extend(numbers(sizes));
        }
        let mut header = b"PK\x01\x02".to_vec();
        header.extend(packing.made_by.to_le_bytes());
        header.extend(head(date));
        header.extend(numbers(sizes));
        header.extend(lengths(&packing.extra));
        header.extend([0; 6]); // no comment, the first disk, not text
        header.extend(packing.external.to_le_bytes());
        header.extend(offset.to_le_bytes());
        header.extend(name.as_bytes());
        header.extend(&packing.extra);
        headers.push(header);
    }
    if packing.directory_reversed {
        headers.reverse();
    }
    let (start, directory) = (out.len() as u32, headers.concat());
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    let count = (headers.len() as u16).to_le_bytes();
    out.extend([count, count].concat());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend((packing.comment.len() as u16).to_le_bytes());
    out.extend(&packing.comment);
    out
}

/// One of several forms that the archive may have, or must not have.
pub(super) fn any_packing(random: &mut Random) -> Packing {
    let mut packing = Packing::default();
    match random.below(14) {
        0 => packing.deflated = true,
        1 => packing.descriptors = true,
        2 => packing.extra = vec![0x55, 0x54, 1, 0, 1],
        3 => packing.local_extra = vec![0x55, 0x54, 1, 0, 1],
        4 => packing.comment = b"x".to_vec(),
        5 => packing.flags = 1 << random.below(16),
        6 => packing.external = 1 << random.below(32),
        7 => (packing.made_by, packing.external) = (3 << 8, (random.below(16) as u32) << 28),
        8 => packing.dates_differ = true,
        9 => packing.directory_reversed = true,
        10 => packing.extra = vec![1, 0, 0, 0],
        11 => packing.local_extra = vec![1, 0, 0, 0],
        12 => (packing.deflated, packing.descriptors) = (true, true),
        _ => packing.made_by = random.below(1 << 16) as u16,
    }
    packing
}
