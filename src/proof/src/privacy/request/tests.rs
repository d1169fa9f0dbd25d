//! COMPLIANCE T4 and T25, and the ways through the states.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

fn at(text: &str) -> UnixMillis {
    UnixMillis::parse_rfc3339(text).unwrap()
}

fn received(regime: Regime, on: &str, identified: Option<&str>) -> Request {
    Request::received(
        ("id".to_owned(), "R".to_owned()),
        (Kind::Access, regime),
        day(on),
        identified.map(day),
    )
}

#[test]
fn an_extension_is_told_within_the_first_month_and_once() {
    let mut request = received(Regime::Gdpr, "2027-01-31", Some("2027-02-01"));
    let mut late = request.clone();
    request.extend(at("2027-02-28T23:59:59Z")).unwrap();
    assert_eq!(request.deadline().unwrap().due, day("2027-04-30"));
    assert_eq!(
        request.extend(at("2027-02-28T23:59:59Z")),
        Err(ExtendError::Twice(day("2027-02-28")))
    );
    // The law's Monday is too late to rely on.
    assert_eq!(
        late.extend(at("2027-03-01T00:00:00Z")),
        Err(ExtendError::TooLate(day("2027-02-28")))
    );
    assert_eq!(late.deadline().unwrap().due, day("2027-02-28"));
}

/// COMPLIANCE T25.
#[test]
fn without_identity_clocks_differ_and_nothing_can_be_answered() {
    let gdpr = received(Regime::Gdpr, "2026-11-24", None);
    assert_eq!(gdpr.check_open(), Err(StageError::AwaitingIdentity));
    let now = at("2026-11-25T00:00:00Z");
    let mut early = gdpr.clone();
    assert_eq!(
        early.answer(now, Outcome::Disclosed),
        Err(StageError::AwaitingIdentity)
    );
    assert_eq!(early.execute(17), Err(StageError::AwaitingIdentity));
    assert_eq!(early, gdpr);
    assert_eq!(gdpr.deadline().unwrap().due, day("2026-12-24"));

    let mut uk = received(Regime::UkGdpr, "2026-11-24", None);
    assert_eq!(uk.deadline(), None);
    assert!(!uk.is_overdue(at("2028-01-01T00:00:00Z")));
    uk.identify(day("2026-12-10")).unwrap();
    assert_eq!(uk.deadline().unwrap().due, day("2027-01-10"));
    // Identity shown before the request: the later of both counts.
    let early = received(Regime::UkGdpr, "2026-11-24", Some("2026-11-01"));
    assert_eq!(early.deadline().unwrap().due, day("2026-12-24"));

    let mut california = received(Regime::Ccpa, "2026-11-24", None);
    assert_eq!(california.deadline().unwrap().due, day("2027-01-08"));
    let deny = |request: &mut Request, when| request.end(at(when), Ended::IdentityNotShown);
    assert_eq!(
        deny(&mut california, "2027-01-07T23:59:59Z"),
        Err(StageError::NotBefore(day("2027-01-08")))
    );
    deny(&mut california, "2027-01-08T00:00:00Z").unwrap();
    let closed = california.closed().unwrap();
    assert_eq!(closed.decision(), Decision::IdentityNotShown);
    assert_eq!(
        california.identify(day("2027-01-09")),
        Err(StageError::Closed)
    );
}

#[test]
fn what_is_over_stays_over_and_what_is_answered_is_not_overdue() {
    let mut request = received(Regime::Gdpr, "2026-11-24", Some("2026-11-24"));
    assert!(!request.is_overdue(at("2026-12-24T23:59:59Z")));
    assert!(request.is_overdue(at("2026-12-25T00:00:00Z")));
    request
        .answer(at("2026-12-25T01:00:00Z"), Outcome::Disclosed)
        .unwrap();
    assert!(!request.is_overdue(at("2030-01-01T00:00:00Z")));
    let now = at("2026-12-25T02:00:00Z");
    assert_eq!(request.end(now, Ended::Withdrawn), Err(StageError::Closed));
    assert_eq!(request.extend(now), Err(ExtendError::Closed));
    assert_eq!(request.check_open(), Err(StageError::Closed));
    // Identity can't be wanting once it was shown.
    let mut open = received(Regime::Gdpr, "2026-11-24", Some("2026-11-24"));
    assert_eq!(
        open.end(at("2027-11-24T00:00:00Z"), Ended::IdentityNotShown),
        Err(StageError::Identified)
    );
    open.end(now, Ended::Forwarded).unwrap();
}

#[test]
fn an_erasure_goes_through_the_job_and_the_wait() {
    let mut request = received(Regime::Gdpr, "2026-11-24", Some("2026-11-24"));
    let until = at("2030-11-26T00:00:00Z");
    assert_eq!(request.restrict(None), Err(StageError::NotExecuting));
    request.execute(17).unwrap();
    assert_eq!(request.statement(), Some(17));
    assert_eq!(request.execute(18), Err(StageError::Executing));
    assert_eq!(
        request.end(until, Ended::Withdrawn),
        Err(StageError::Executing)
    );
    request.restrict(Some(until)).unwrap();
    assert_eq!(request.restricted_until(), Some(until));
    assert!(!request.is_overdue(until));
    let text = serde_json::to_string(&request).unwrap();
    assert!(text.contains("\"state\":\"restricted\""), "{text}");
    assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
    request.answer(until, Outcome::Erased).unwrap();
    let decision = request.closed().unwrap().decision();
    assert_eq!(decision, Decision::Answered(Outcome::Erased));
    let text = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
}
