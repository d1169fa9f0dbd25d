//! Why a model stopped, in one spelling.

/// The reason in OpenTelemetry's words where it has one, else as it came. Nothing of a reason that is empty.
pub(super) fn one_spelling(reason: &str) -> Option<String> {
    let plain = reason.trim().to_ascii_lowercase().replace('-', "_");
    Some(
        match plain.as_str() {
            "" | "none" | "null" => return None,
            "stop" | "end_turn" | "stop_sequence" | "eos" | "complete" | "completed" => "stop",
            "length"
            | "max_tokens"
            | "max_output_tokens"
            | "model_length"
            | "model_context_window_exceeded" => "length",
            "tool_calls" | "tool_call" | "tool_use" | "function_call" => "tool_calls",
            "content_filter"
            | "content_filtered"
            | "safety"
            | "refusal"
            | "guardrail_intervened"
            | "blocklist"
            | "prohibited_content" => "content_filter",
            "error" | "failed" => "error",
            other => return Some(other.to_owned()),
        }
        .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::one_spelling;

    #[test]
    fn the_spellings_of_all_families_meet() {
        for (spelling, expected) in [
            ("tool_calls", "tool_calls"),
            ("tool-calls", "tool_calls"),
            ("tool_use", "tool_calls"),
            ("tool_call", "tool_calls"),
            ("end_turn", "stop"),
            ("STOP", "stop"),
            ("MAX_TOKENS", "length"),
            ("content-filter", "content_filter"),
            ("pause_turn", "pause_turn"),
        ] {
            assert_eq!(one_spelling(spelling).as_deref(), Some(expected));
        }
        assert_eq!(one_spelling(""), None);
    }
}
