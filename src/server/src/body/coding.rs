//! Content codings: what a body is compressed with, and its decoding to the end of the input.
//!
//! A gzip body is a series of members (RFC 1952 section 2.2), a zstd body a series of frames (RFC 8878 section 3.1).
//! Each is decoded; bytes that belong to none are refused, and so is an end inside one.

mod header;

use std::io::{self, BufRead, ErrorKind, Read};

use flate2::bufread::GzDecoder;

pub(super) use self::header::coding_of;
use super::BodyFault;
use super::pieces::Pieces;

/// Window of a zstd frame, as a power of two: RFC 9659 allows 8 MiB for a content coding.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// What a decoder takes before it has given anything.
const DECODER_BYTES: u64 = 64 << 10;
/// What a zstd decoder keeps at most of what it gave: the window, and two blocks (RFC 8878 section 3.1.1.2).
const ZSTD_KEPT_BYTES: u64 = (1 << ZSTD_WINDOW_LOG_MAX) + (256 << 10);

/// What a gzip member begins with.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Bytes that one read takes of the input: those of empty members or frames give no output that would end it.
const INPUT_OF_A_READ: usize = 16 << 10;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Zstd,
}

/// Decodes a body piece by piece.
pub(super) struct Decoder {
    state: State,
    /// Bytes of the whole input.
    size: usize,
    /// Members or frames that were begun.
    parts: usize,
    /// Bytes that it gave.
    given: u64,
}

enum State {
    /// A member or frame may begin here.
    Between(Input),
    Gzip(Box<GzDecoder<Input>>),
    Zstd(Box<ZstdDecoder>),
    Ended,
}

type ZstdDecoder = zstd::stream::read::Decoder<'static, Input>;

/// What is left of the body, of which a read may take so much.
struct Input {
    body: Pieces,
    allowed: usize,
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.allowed == 0 && !self.body.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let first = self.body.first();
        Ok(&first[..self.allowed.min(first.len())])
    }

    fn consume(&mut self, count: usize) {
        self.body.take(count);
        self.allowed -= count;
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl Decoder {
    pub(super) fn new(coding: Coding, body: Pieces) -> Result<Self, BodyFault> {
        if body.is_empty() {
            let said = "the body is empty, but `Content-Encoding` says that it is compressed";
            return Err(BodyFault::Undecodable(said.to_owned()));
        }
        let size = body.len();
        let input = Input { body, allowed: 0 };
        let state = match coding {
            Coding::Gzip => State::Between(input),
            Coding::Zstd => State::Zstd(Box::new(zstd_decoder(input)?)),
        };
        Ok(Self {
            state,
            size,
            parts: 0,
            given: 0,
        })
    }

    /// What it takes besides its input: it writes what it keeps for later only as it gives it.
    pub(super) fn memory(&self) -> u64 {
        let kept = match self.state {
            State::Zstd(_) => self.given.min(ZSTD_KEPT_BYTES),
            // A window of 32 KiB is among the first bytes.
            State::Between(_) | State::Gzip(_) => 0,
            State::Ended => return 0,
        };
        DECODER_BYTES + kept
    }

    /// Fills `piece` from its start, with as much as a little of the input gives, be it nothing. None: the whole input
    /// was decoded.
    pub(super) fn read(&mut self, piece: &mut [u8]) -> Result<Option<usize>, BodyFault> {
        let input = match &mut self.state {
            State::Between(rest) => rest,
            State::Gzip(member) => member.get_mut(),
            State::Zstd(frames) => frames.get_mut(),
            State::Ended => return Ok(None),
        };
        input.allowed = INPUT_OF_A_READ;
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Ok(None),
                State::Between(rest) => {
                    if !rest.body.is_empty() {
                        self.check_begin(&rest.body)?;
                        self.parts += 1;
                        self.state = State::Gzip(Box::new(GzDecoder::new(rest)));
                    }
                }
                State::Gzip(mut member) => match member.read(piece) {
                    Ok(0) => self.state = State::Between(member.into_inner()),
                    Ok(read) => {
                        self.state = State::Gzip(member);
                        self.given += read as u64;
                        return Ok(Some(read));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        self.state = State::Gzip(member);
                        return Ok(Some(0));
                    }
                    Err(error) => return Err(self.gzip_fault(&member, &error)),
                },
                State::Zstd(mut frames) => match frames.read(piece) {
                    Ok(0) => check_zstd_end(*frames)?,
                    Ok(read) => {
                        self.state = State::Zstd(frames);
                        self.given += read as u64;
                        return Ok(Some(read));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        self.state = State::Zstd(frames);
                        return Ok(Some(0));
                    }
                    Err(error) => return Err(zstd_fault(&error)),
                },
            }
        }
    }

    /// Two fixed bytes begin a member.
    fn check_begin(&self, rest: &Pieces) -> Result<(), BodyFault> {
        if rest.begins_like(&GZIP_MAGIC) {
            return Ok(());
        }
        Err(BodyFault::Undecodable(match self.parts {
            0 => "the body is not gzip, but `Content-Encoding` says so".to_owned(),
            last => {
                format!("after gzip member {last} the body has bytes that are not a gzip member")
            }
        }))
    }

    fn gzip_fault(&self, member: &GzDecoder<Input>, error: &io::Error) -> BodyFault {
        let (part, size) = (self.parts, self.size);
        let said = if error.kind() == ErrorKind::UnexpectedEof {
            format!("the body ends inside its gzip member {part}, after {size} bytes")
        } else if member.header().is_none() {
            format!("gzip member {part} of the body has an unreadable header")
        } else {
            format!("gzip member {part} of the body is damaged: its data or its checksum is wrong")
        };
        BodyFault::Undecodable(said)
    }
}

/// The library stops before what it can't begin to read only at the end of the input.
fn check_zstd_end(frames: ZstdDecoder) -> Result<(), BodyFault> {
    if frames.finish().body.is_empty() {
        return Ok(());
    }
    Err(BodyFault::Undecodable(
        "after its zstd frames the body has bytes that are not a zstd frame".to_owned(),
    ))
}

fn zstd_decoder(input: Input) -> Result<ZstdDecoder, BodyFault> {
    let made = ZstdDecoder::with_buffer(input).and_then(|mut decoder| {
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
        Ok(decoder)
    });
    made.map_err(|error| zstd_fault(&error))
}

fn zstd_fault(error: &io::Error) -> BodyFault {
    let said = if error.kind() == ErrorKind::UnexpectedEof {
        "the body ends inside a zstd frame".to_owned()
    } else {
        // The library's words are fixed ones: no byte of the body is among them.
        format!("the body is not valid zstd: {error}")
    };
    BodyFault::Undecodable(said)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd_frame(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// A frame that decoders skip (RFC 8878 section 3.1.2).
    fn skippable(bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap();
        [&0x184D_2A57_u32.to_le_bytes(), &length.to_le_bytes(), bytes].concat()
    }

    /// Pieces of a few bytes at first, so that each part is cut somewhere.
    fn pieces(bytes: &[u8]) -> Pieces {
        let mut pieces = Pieces::default();
        bytes.chunks(3).for_each(|chunk| pieces.push(chunk));
        pieces
    }

    fn decode(coding: Coding, body: &[u8]) -> Result<Vec<u8>, String> {
        let told = |fault: BodyFault| fault.to_string();
        let mut decoder = Decoder::new(coding, pieces(body)).map_err(told)?;
        let (mut all, mut piece) = (Vec::new(), [0; 7]);
        loop {
            match decoder.read(&mut piece).map_err(told)? {
                None => return Ok(all),
                Some(read) => all.extend(&piece[..read]),
            }
        }
    }

    #[test]
    fn all_members_and_frames_are_decoded() {
        let members = [gzip(b"one\n"), gzip(b""), gzip(b"two\n"), gzip(b"")].concat();
        assert_eq!(decode(Coding::Gzip, &members).unwrap(), b"one\ntwo\n");
        let frames = [
            skippable(b"first"),
            zstd_frame(b"one\n"),
            skippable(b""),
            zstd_frame(b""),
            zstd_frame(b"two\n"),
            skippable(b"last"),
        ];
        assert_eq!(
            decode(Coding::Zstd, &frames.concat()).unwrap(),
            b"one\ntwo\n"
        );
        assert_eq!(decode(Coding::Zstd, &skippable(b"alone")).unwrap(), b"");
    }

    #[test]
    fn what_is_no_member_or_frame_is_refused_in_words() {
        let good = gzip(b"one\n");
        let mut crc = good.clone();
        let at = crc.len() - 6;
        crc[at] ^= 1;
        let mut reserved = good.clone();
        reserved[3] |= 0x80;
        let cases: [(&[u8], &str); 8] = [
            (b"", "is empty"),
            (b"plain text", "is not gzip"),
            (&[&good[..], b"garbage"].concat(), "after gzip member 1"),
            (&[&good[..], b"\0\0\0\0"].concat(), "after gzip member 1"),
            (
                &[&good[..], &good[..5]].concat(),
                "ends inside its gzip member 2",
            ),
            (
                &[&good[..], &crc[..]].concat(),
                "gzip member 2 of the body is damaged",
            ),
            (
                &[&good[..], b"\x1f"].concat(),
                "ends inside its gzip member 2",
            ),
            (&reserved, "has an unreadable header"),
        ];
        for (body, words) in cases {
            let said = decode(Coding::Gzip, body).unwrap_err();
            assert!(said.contains(words), "{words}: {said}");
        }
        let good = zstd_frame(b"one\n");
        let mut crc = good.clone();
        *crc.last_mut().unwrap() ^= 1;
        for body in [
            &b""[..],
            b"plain text",
            &[&good[..], b"garbage behind"].concat(),
            &[&good[..], b"\0"].concat(),
            &[&good[..], b"\0\0\0\0\0\0\0\0"].concat(),
            &[&good[..], &skippable(b"cut")[..10]].concat(),
            &[&good[..], &skippable(b"cut")[..6]].concat(),
            &crc,
        ] {
            decode(Coding::Zstd, body).unwrap_err();
        }
    }

    #[test]
    fn a_read_takes_a_little_of_the_input_whatever_that_gives() {
        let empty_block = [0, 0, 0, 0xff, 0xff];
        let mut blocks = gzip(b"");
        let at = blocks.len() - 8;
        let head = blocks[..10].to_vec();
        blocks = [
            &head[..],
            &empty_block.repeat(20_000),
            &blocks[10..at],
            &blocks[at..],
        ]
        .concat();
        for (coding, body) in [
            (Coding::Gzip, gzip(b"").repeat(5_000)),
            (Coding::Gzip, blocks),
            (Coding::Zstd, zstd_frame(b"").repeat(8_000)),
            (Coding::Zstd, skippable(b"").repeat(12_000)),
        ] {
            let mut decoder = Decoder::new(coding, pieces(&body)).unwrap();
            let (mut reads, mut piece) = (0, [0; 100]);
            while let Some(read) = decoder.read(&mut piece).unwrap() {
                assert_eq!(read, 0);
                reads += 1;
            }
            assert!(reads >= body.len() / INPUT_OF_A_READ, "{coding:?}: {reads}");
        }
    }

    #[test]
    fn what_a_decoder_keeps_of_what_it_gave_is_counted() {
        let plain = vec![b'a'; 12 << 20];
        for (coding, body, most) in [
            (Coding::Gzip, gzip(&plain), DECODER_BYTES),
            (
                Coding::Zstd,
                zstd_frame(&plain),
                DECODER_BYTES + ZSTD_KEPT_BYTES,
            ),
        ] {
            let mut decoder = Decoder::new(coding, pieces(&body)).unwrap();
            assert_eq!(decoder.memory(), DECODER_BYTES);
            let (mut piece, mut before) = (vec![0; 64 << 10], DECODER_BYTES);
            while decoder.read(&mut piece).unwrap().is_some() {
                let now = decoder.memory();
                assert!((before..=most).contains(&now) || now == 0, "{now}");
                before = before.max(now);
            }
            assert_eq!((before, decoder.memory()), (most, 0));
        }
    }

    #[test]
    fn a_zstd_window_over_8_mib_is_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&[b'a'; 1000]).unwrap();
        let said = decode(Coding::Zstd, &encoder.finish().unwrap()).unwrap_err();
        assert!(said.contains("memory"), "{said}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// No cut and no byte behind goes unnoticed, wherever it is.
        #[test]
        fn every_cut_and_every_tail_is_noticed(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..4),
            tail in proptest::collection::vec(any::<u8>(), 1..20),
            cut in any::<proptest::sample::Index>(),
        ) {
            for (coding, encode) in [(Coding::Gzip, gzip as fn(&[u8]) -> Vec<u8>), (Coding::Zstd, zstd_frame)] {
                let encoded: Vec<Vec<u8>> = parts.iter().map(|part| encode(part)).collect();
                let whole = encoded.concat();
                prop_assert_eq!(decode(coding, &whole).unwrap(), parts.concat());
                let ends: Vec<usize> = encoded.iter().scan(0, |end, part| { *end += part.len(); Some(*end) }).collect();
                let at = cut.index(whole.len());
                let is_end = ends.contains(&at);
                prop_assert_eq!(decode(coding, &whole[..at]).is_ok(), is_end);
                let followed = [&whole[..], &tail[..]].concat();
                let begins_another = followed[whole.len()..].starts_with(&[0x1f, 0x8b])
                    || followed[whole.len()..].starts_with(&[0x28, 0xb5]);
                prop_assert!(begins_another || decode(coding, &followed).is_err());
            }
        }
    }
}
