use super::super::telemetry::Item;
use super::*;

fn traces(body: &[u8]) -> Result<Decoded, DecodeError> {
    decode(Signal::Traces, body)
}

fn span_of(decoded: &Decoded, at: usize) -> &Span {
    let Item::Span(span) = &decoded.parts[at].item else {
        panic!()
    };
    span
}

#[test]
fn integers_as_strings_and_numbers_nulls_and_unknown_members() {
    let body = br#"{"resourceSpans":[{"resource":null,"later":1,"scopeSpans":[{"scope":{"name":"s"},"spans":[
        {"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","parentSpanId":"","kind":3,"name":null,
         "startTimeUnixNano":1795484801985084998,"endTimeUnixNano":"1795484802041298773","status":{"code":2,"message":null},
         "attributes":[{"key":"a","value":{"intValue":"-7"}},{"key":"b","value":{"intValue":7}},{"key":"c","value":{"doubleValue":"NaN"}},
          {"key":"d","value":{"kvlistValue":{"values":[{"key":"x","value":{"later":{"y":1}}}]}}},{"key":"e","value":{}},{"key":"f"},
          {"key":"g","value":{"doubleValue":2}},{"key":"h","value":{"bytesValue":"AAE="}}],
         "events":null}]}]}]}"#;
    let decoded = traces(body).unwrap();
    let span = span_of(&decoded, 0);
    assert_eq!(span.trace_id, "5b8efff798038103d269b633813fc60c");
    assert_eq!(span.parent_span_id, None);
    assert_eq!(
        (span.start_ns, span.end_ns, span.status_code),
        (1_795_484_801_985_084_998, 1_795_484_802_041_298_773, 2)
    );
    let expected = serde_json::json!({"a": -7, "b": 7, "c": "NaN", "d": {"x": null}, "e": null, "f": null, "g": 2.0, "h": "AAE="});
    assert_eq!(Value::Object(span.attributes.clone()), expected);
    assert!(decoded.parts[0].is_local_root() && decoded.parts[0].altered.is_empty());
}

#[test]
fn items_that_can_t_be_read_are_rejected_and_the_others_taken() {
    let good = r#"{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}"#;
    let body = format!(
        r#"{{"resourceSpans":[7,{{"scopeSpans":[{{"spans":[{{"traceId":"00","spanId":"eee19b7ec3c1b174"}},7,null,{good}]}},"x"]}}]}}"#
    );
    let decoded = traces(body.as_bytes()).unwrap();
    assert_eq!((decoded.parts.len(), decoded.rejected.total()), (1, 4));
    assert_eq!(decoded.places, [4]);
    let said = decoded.rejected.message(Signal::Traces).unwrap();
    assert!(said.contains("span 2 has no valid trace_id"), "{said}");
    for broken in [
        "{",
        "[]",
        "7",
        "",
        r#"{"resourceSpans":{}}"#,
        r#"{"resourceSpans":[7]}"#,
    ] {
        assert!(traces(broken.as_bytes()).is_err(), "{broken}");
    }
    assert_eq!(
        decode(Signal::Logs, b"{}").unwrap(),
        Decoded::new(Signal::Logs)
    );
}

#[test]
fn names_of_enumerations_and_odd_types_are_read() {
    for (kind, code, kind_read, code_read) in [
        (
            r#""SPAN_KIND_CLIENT""#,
            r#"{"code":"STATUS_CODE_ERROR"}"#,
            3,
            2,
        ),
        (r#""server""#, r#"{"code":"ERROR"}"#, 2, 2),
        (r#""4""#, r#"{"code":"1"}"#, 4, 1),
        ("5.0", r#""ERROR""#, 5, 2),
        (r#""SPAN_KIND_NEW""#, r#"{"code":[]}"#, 0, 0),
    ] {
        let body = format!(
            r#"{{"resource_spans":[{{"scope_spans":[{{"spans":[{{"trace_id":"W47/95gDgQPSabYzgT/GDA==","span_id":"7uGbfsPBsXQ=","kind":{kind},"status":{code},
               "attributes":{{"a":"plain","b":{{"intValue":"9223372036854775808"}},"c":{{"stringValue":5}}}}}}]}}]}}]}}"#
        );
        let decoded = traces(body.as_bytes()).unwrap();
        let span = span_of(&decoded, 0);
        assert_eq!(span.trace_id, "5b8efff798038103d269b633813fc60c");
        assert_eq!(
            (span.kind, span.status_code),
            (kind_read, code_read),
            "{kind}"
        );
        let expected = serde_json::json!({"a": "plain", "b": "9223372036854775808", "c": 5});
        assert_eq!(Value::Object(span.attributes.clone()), expected);
        assert!(!decoded.parts[0].altered.is_empty());
    }
}

#[test]
fn times_are_read_in_the_forms_that_are_in_use() {
    let ns = Some(1_795_975_757_000_000_000);
    for (text, expected) in [
        ("1795975757000000000", ns),
        ("\"1795975757000000000\"", ns),
        ("1.795975757e18", ns),
        ("\"1795975757000000000.0\"", ns),
        ("\"2026-11-29T17:29:17Z\"", Some(1_795_973_357_000_000_000)),
        ("{\"seconds\":\"1795975757\",\"nanos\":0}", ns),
        ("\"\"", Some(0)),
        ("-1", None),
        ("\"yesterday\"", None),
        ("1795975757.25", None),
        ("1e300", None),
        ("[]", None),
    ] {
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(nanoseconds(&value), expected, "{text}");
    }
}

#[test]
fn bad_bytes_half_pairs_and_depth_cost_one_value() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let mut body = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"n\ud83d",
           "attributes":[{{"key":"deep","value":{{"x":{deep}}}}},{{"key":"user.id","value":{{"stringValue":"u-@"}}}},{{"key":"ok","value":{{"stringValue":"y"}}}}]}}]}}]}}]}}"#
    )
    .into_bytes();
    let at = body.iter().position(|byte| *byte == b'@').unwrap();
    body[at] = 0xff;
    let decoded = traces(&body).unwrap();
    let span = span_of(&decoded, 0);
    assert_eq!(span.attributes["user.id"], "u-\\xff");
    assert_eq!(span.attributes["ok"], "y");
    assert!(span.name.starts_with("n\u{fffd}"));
    let fields: Vec<&str> = decoded.parts[0]
        .altered
        .iter()
        .map(|one| one.field.as_str())
        .collect();
    assert_eq!(fields, ["name", "deep", "user.id"]);
}
