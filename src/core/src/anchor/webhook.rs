//! A webhook as a target: the head's note is posted, with a bearer token or signed as Standard Webhooks
//! (standardwebhooks.com) says, so that its receiver knows that it is us.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};

use crate::anchor::AnchorError;
use crate::anchor::send::Sender;
use crate::anchor::settings::WebhookKey;
use trailkeep_proof::ids::hex;
use trailkeep_proof::time::UnixMillis;

/// How often a head is posted before it is left for the next time.
const ATTEMPTS_MAX: u32 = 3;
/// The pause after the first attempt; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);

/// Posts a head.
pub(super) async fn post(
    sender: &Sender,
    url: &Url,
    key: &WebhookKey,
    note: &str,
    now: UnixMillis,
) -> Result<(), AnchorError> {
    let mut attempt = 1;
    loop {
        let answer = sender
            .post(url, headers(key, note, now)?, note.to_owned())
            .await;
        let error = match answer {
            Ok(answer) if (200..300).contains(&answer.status) => return Ok(()),
            Ok(answer) => answer.refused(),
            Err(error) => error,
        };
        if attempt == ATTEMPTS_MAX || !error.is_of_the_place() {
            return Err(error);
        }
        tokio::time::sleep(PAUSE * 2_u32.pow(attempt - 1)).await;
        attempt += 1;
    }
}

fn headers(key: &WebhookKey, note: &str, now: UnixMillis) -> Result<HeaderMap, AnchorError> {
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    // The same for each attempt: a receiver that has it already can tell.
    let id = format!("msg_{}", hex(&Sha256::digest(note)[..16]));
    let seconds = (now.get() / 1_000).to_string();
    let value = |text: &str| {
        HeaderValue::from_str(text)
            .map_err(|_| AnchorError::Unreachable("a header can't be written".to_owned()))
    };
    match key {
        WebhookKey::None => {}
        WebhookKey::Bearer(token) => {
            let mut bearer = value(&format!("Bearer {}", token.as_str()))?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        WebhookKey::Secret(secret) => {
            let signature = sign(secret, &id, &seconds, note);
            headers.insert("webhook-signature", value(&signature)?);
        }
    }
    headers.insert("webhook-id", value(&id)?);
    headers.insert("webhook-timestamp", value(&seconds)?);
    Ok(headers)
}

/// `v1,` and HMAC-SHA256 over `id.timestamp.body`, in base64.
fn sign(secret: &[u8], id: &str, seconds: &str, body: &str) -> String {
    let mut mac =
        <Hmac<Sha256> as KeyInit>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        // The example of the reference libraries.
        let secret = BASE64.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = sign(
            &secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
