//! Bodies of gRPC: one message behind its length, which says itself whether it is compressed.

use axum::http::{HeaderMap, header};

use super::BodyFault;
use super::pieces::Pieces;

/// Names what a message is compressed with.
pub(crate) const GRPC_ENCODING: &str = "grpc-encoding";
/// A flag, and the length as a number of 4 bytes.
const PREFIX_BYTES: usize = 5;

/// Whether a request is one of gRPC; its sender reads the answer as gRPC, too.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    value.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// Leaves the message of a body that has one. Gives whether it is compressed.
pub(super) fn unframe(body: &mut Pieces) -> Result<bool, BodyFault> {
    let mut prefix = [0; PREFIX_BYTES];
    for byte in &mut prefix {
        let first = body.first().first().copied();
        *byte = first.ok_or(BodyFault::NotOneMessage)?;
        body.take(1);
    }
    let [flag, length @ ..] = prefix;
    let is_whole = u32::from_be_bytes(length) as usize == body.len();
    match flag {
        0 | 1 if is_whole => Ok(flag == 1),
        _ => Err(BodyFault::NotOneMessage),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_one_message() {
        let unframed = |bytes: &[u8]| {
            let mut body = Pieces::default();
            // Cut everywhere.
            bytes.chunks(1).for_each(|piece| body.push(piece));
            let flag = unframe(&mut body).ok()?;
            Some((flag, body.into_vec()))
        };
        assert_eq!(unframed(b"\0\0\0\0\x02ab"), Some((false, b"ab".to_vec())));
        assert_eq!(unframed(b"\x01\0\0\0\x01a"), Some((true, b"a".to_vec())));
        assert_eq!(unframed(b"\0\0\0\0\0"), Some((false, Vec::new())));
        for wrong in [
            &b""[..],
            b"\0\0\0\0",
            b"\0\0\0\0\x02a",
            b"\0\0\0\0\x01ab",
            b"\x02\0\0\0\x01a",
            b"\0\0\0\0\x01a\0\0\0\0\x01b",
        ] {
            assert_eq!(unframed(wrong), None, "{wrong:?}");
        }
    }
}
