//! The content coding that a request's headers name.

use axum::http::HeaderMap;

use super::super::BodyFault;
use super::Coding;

/// The one coding that all headers `name` name together, if any: those of `Content-Encoding` form one list (RFC 9110
/// section 8.4).
pub(in crate::body) fn coding_of(
    headers: &HeaderMap,
    name: &str,
) -> Result<Option<Coding>, BodyFault> {
    let mut found = None;
    for value in headers.get_all(name) {
        let value = value.to_str().map_err(|_| BodyFault::UnknownCoding)?;
        for name in value.split(',') {
            let coding = match name.trim().to_ascii_lowercase().as_str() {
                "" | "identity" => continue,
                "gzip" | "x-gzip" => Coding::Gzip,
                "zstd" => Coding::Zstd,
                _ => return Err(BodyFault::UnknownCoding),
            };
            if found.replace(coding).is_some() {
                return Err(BodyFault::CodedTwice);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header};

    use super::*;

    #[test]
    fn the_headers_form_one_list() {
        let coding = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_ENCODING, HeaderValue::from_static(value));
            }
            coding_of(&headers, "content-encoding").map_err(|fault| fault.to_string())
        };
        for none in [
            &[][..],
            &[""],
            &["identity"],
            &["identity, identity"],
            &["", "identity,"],
        ] {
            assert_eq!(coding(none), Ok(None), "{none:?}");
        }
        for gzip in [
            &["gzip"][..],
            &["X-GZIP"],
            &["gzip, identity"],
            &["identity", "gzip"],
        ] {
            assert_eq!(coding(gzip), Ok(Some(Coding::Gzip)), "{gzip:?}");
        }
        assert_eq!(coding(&[" zstd "]), Ok(Some(Coding::Zstd)));
        for wrong in [
            &["deflate"][..],
            &["br"],
            &["gzip;q=1"],
            &["gzip, gzip"],
            &["gzip", "zstd"],
        ] {
            coding(wrong).unwrap_err();
        }
    }
}
