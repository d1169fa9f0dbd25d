//! A model server that speaks as OpenAI's does, and always gives the same answer. The libraries that ask it are real.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

const MODEL: &str = "gpt-4o-2024-08-06";
const ANSWER: &str = "On its way.";

/// Serves until the runtime ends. Gives the address that libraries take as `OPENAI_BASE_URL`.
pub async fn serve() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new()
        .route("/v1/chat/completions", post(completion))
        .route("/v1/responses", post(response));
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    format!("http://{address}/v1")
}

fn next(kind: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{kind}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

async fn completion(Json(asked): Json<Value>) -> Json<Value> {
    assert!(asked["messages"].is_array());
    Json(json!({
        "id": next("chatcmpl"), "object": "chat.completion", "created": 1_795_593_600, "model": MODEL,
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": ANSWER}}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 16},
    }))
}

async fn response(Json(asked): Json<Value>) -> Json<Value> {
    assert!(asked["input"].is_array());
    let content = json!([{"type": "output_text", "text": ANSWER, "annotations": []}]);
    Json(json!({
        "id": next("resp"), "object": "response", "created_at": 1_795_593_600, "status": "completed", "model": MODEL,
        "output": [{"type": "message", "id": next("msg"), "role": "assistant", "status": "completed", "content": content}],
        "usage": {
            "input_tokens": 12, "output_tokens": 4, "total_tokens": 16,
            "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
        },
    }))
}
