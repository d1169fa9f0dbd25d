//! Single calls outside of conversations: embeddings, routing, digests, letters of employees.

use serde_json::{Value, json};

use super::event::{Call, Ending, employee, service};
use super::models::{CHAT_MODELS, EMBEDDING_MODEL, TASK_MODEL};
use super::persons::{EMPLOYEES, PERSONS, Person, SERVICES};
use super::phrases::{Facts, compose, fill};
use super::random::Random;
use super::scenarios::{Slots, scenarios};

const HELP_SENTENCES: &[&str] = &[
    "{Tickets|Fares|Bookings} {from|to} {other_city} can be changed until {time} on the day before.",
    "{Our|The} {desk|office} in {city} is open {from {time}|on {day}|until {other_time}}.",
    "A {replacement card|new card} costs {fee} euros and {arrives|comes} within {number} working days.",
    "{Before a visit to|When you come to} {department}, bring {the referral|your insurance card|older findings}.",
    "{Disputes|Complaints} {about|against} {merchant} are {answered|looked at} within {number}0 days.",
    "{Receipts|Expenses} above {limit} euros {need a signature|go to a second reader}.",
    "Pets travel free to {city}, {large dogs|dogs above {number} kilograms} cost {fee} euros.",
    "{clinician} {holds|offers} {open hours|a walk-in hour} on {day} at {time}.",
];
const NOTES: Slots = &[
    &[
        "Note of {day}, {time}: {name} ({id}) {called|wrote|came to the desk in {city}} about {reference}.",
        "{name}, {id}: {second|third|first} contact about {reference}, {day}.",
    ],
    &[
        "{They say|The reason given:|Their words:} {reason}.",
        "{Mentions|Also asks about} {{merchant}|lodging: {lodging}|{item}}, {amount} euros.",
        "Wants {an answer|a call} {before {other_day}|after {other_time}}.",
    ],
    &[
        "{Offered|Promised}: {a change for {fee} euros|a call on {other_day}|a letter}. {Accepted.|Not accepted.|Open.}",
        "{Handed over to|Discussed with} {a colleague in {other_city}|the second desk}, {case}.",
    ],
    &[
        "{Tone friendly.|Was upset about the waiting time.|Speaks slowly, prefers letters.|}",
        "{Documents: {number} pages.|No documents.|}",
    ],
];
const DIGEST: Slots = &[
    &[
        "{name} {asks|has asked} {twice|several times|once} about {reference}{; the matter is open|, last on {day}|}.",
        "Open matter {reference} of {name}, {since|from} {day}.",
    ],
    &[
        "{What was offered|The offer}: {fee} euros, {other_day} at {other_time}.",
        "{Amount in question|At stake}: {amount} euros.",
    ],
    &[
        "{Next step|To do}: {call back before {other_day}|answer by letter|check with the desk in {other_city}}.",
        "{No further step|Nothing} is {due|needed} before {other_day}.",
    ],
];
const LETTER: Slots = &[
    &["Dear {name},"],
    &[
        "{thank you for|we refer to} your {letter|message|call} of {day} {about|concerning} {reference}.",
        "{we have looked at|we went through} {reference} {again|once more}, as you asked on {day}.",
    ],
    &[
        "{We can offer you|What we can do is} {a new date, {other_day} at {other_time}|{fee} euros towards your costs|a change free of charge}.",
        "{The amount of {amount} euros|Your {amount} euros} {will be paid back|is being checked|stays open} until {other_day}.",
    ],
    &[
        "{Please answer|We ask for your answer} by {other_day}.",
        "{If you have questions, name {case}|The matter has the number {case}}.",
    ],
    &["{Kind regards|With kind regards|Yours sincerely}, Meridale, {city}"],
];

/// Draws one call.
pub(super) fn task(random: &mut Random) -> Call {
    let index = random.between(0, PERSONS.len() as u64) as usize;
    let person = PERSONS[index];
    // Neighbours in pairs stay in their own register.
    let companion = PERSONS[index ^ 1];
    let facts = Facts::draw(random, person, companion);
    match random.between(0, 10) {
        0..3 => embeddings(person, companion, random),
        3..6 => routing(person, &facts, random),
        6..8 => digest(person, companion, &facts, random),
        _ => letter(person, &facts, random),
    }
}

fn context(purpose: &str, session: bool, random: &mut Random) -> Value {
    let mut context =
        json!({"trace_id": random.hex(32), "span_id": random.hex(16), "purpose": purpose});
    if session {
        context["ip"] = json!(format!(
            "10.20.{}.{}",
            random.between(0, 8),
            random.between(2, 250)
        ));
        context["session"] = json!(format!("sess-{}", random.hex(16)));
    }
    context
}

fn ending(random: &mut Random) -> Ending {
    if random.chance(3) {
        Ending::Failed
    } else {
        Ending::Answered
    }
}

fn unless_failed(ending: Ending, output: Value) -> Value {
    if ending == Ending::Failed {
        Value::Null
    } else {
        output
    }
}

fn embeddings(person: Person, companion: Person, random: &mut Random) -> Call {
    let texts: Vec<String> = (0..random.between(2, 7))
        .map(|_| {
            let facts = Facts::draw(random, person, companion);
            compose(&[HELP_SENTENCES, HELP_SENTENCES], &facts, random)
        })
        .collect();
    let ending = ending(random);
    let page = format!(
        "help/{}/{}",
        random.pick(&["travel", "clinic", "bank"]),
        random.hex(6)
    );
    Call {
        action: "embedding.create",
        operation: "embeddings",
        ending,
        actor: service(SERVICES[0]),
        subjects: Vec::new(),
        targets: json!([{"id": page, "type": "help_page"}]),
        context: context("search_index", false, random),
        model: EMBEDDING_MODEL,
        prompt: None,
        output: unless_failed(ending, json!({"vectors": texts.len(), "dimensions": 768})),
        input: json!(texts),
        downstream: vec![json!({
            "type": "database_write",
            "name": "store_vectors",
            "id": format!("job_{}", random.hex(10)),
            "arguments": {"index": "help-pages", "document": page},
            "outcome": if ending == Ending::Failed { "failure" } else { "success" },
        })],
        source: 3,
        attributes: json!({"batch": format!("batch-{}", random.hex(8))}),
    }
}

fn routing(person: Person, facts: &Facts, random: &mut Random) -> Call {
    let scripts: Vec<_> = scenarios()
        .filter(|script| script.namespace == person.namespace)
        .collect();
    let script = *random.pick(&scripts);
    let message = compose(script.stages[0].user, facts, random);
    let ending = ending(random);
    let ticket = format!("ticket-{}", random.between(100_000, 999_999));
    let label = json!({
        "queue": script.prompt,
        "urgency": *random.pick(&["low", "normal", "normal", "high"]),
        "confidence": *random.pick(&[0.58, 0.71, 0.83, 0.88, 0.92, 0.97]),
    });
    Call {
        action: "text.classification",
        operation: "text_completion",
        ending,
        actor: service(SERVICES[1]),
        subjects: vec![person],
        targets: json!([{"id": ticket, "type": "ticket"}]),
        context: context("ticket_routing", false, random),
        model: TASK_MODEL,
        prompt: Some(("ticket-routing", "31")),
        input: json!([
            {"role": "system", "content": "Name the queue that fits the ticket, its urgency and how sure you are. Answer with JSON only. When unsure, choose the queue of the line of business that the ticket came in by."},
            {"role": "user", "content": format!("Ticket {ticket}, {}: {message}", facts.get("day").unwrap_or_default())},
        ]),
        output: unless_failed(ending, label.clone()),
        downstream: if ending == Ending::Failed {
            Vec::new()
        } else {
            vec![json!({
                "type": "database_write",
                "name": "assign_queue",
                "id": format!("call_{}", random.hex(12)),
                "arguments": {"ticket": ticket, "queue": label["queue"], "urgency": label["urgency"]},
                "result": {"position": random.between(1, 60)},
                "outcome": "success",
            })]
        },
        source: 3,
        attributes: json!({"channel": *random.pick(&["mail", "web form", "letter scan"])}),
    }
}

fn digest(person: Person, companion: Person, facts: &Facts, random: &mut Random) -> Call {
    let both = random.chance(50);
    let mut notes: Vec<String> = (0..random.between(2, 6))
        .map(|_| compose(NOTES, facts, random))
        .collect();
    if both {
        notes.push(fill(
            "{companion} ({companion_id}) {agrees|was informed|is to get a copy}, {other_day}.",
            facts,
            random,
        ));
    }
    let ending = ending(random);
    let summary = compose(DIGEST, facts, random);
    Call {
        action: "text.summary",
        operation: "text_completion",
        ending,
        actor: service(SERVICES[2]),
        subjects: if both {
            vec![person, companion]
        } else {
            vec![person]
        },
        targets: json!([{"id": facts.get("case"), "type": "case"}]),
        context: context("case_overview", false, random),
        model: TASK_MODEL,
        prompt: Some(("case-digest", "8")),
        input: json!([
            {"role": "system", "content": "Sum up the notes of the case in at most three sentences: what is open, what was offered, what comes next. Add nothing that the notes do not say."},
            {"role": "user", "content": notes.join("\n")},
        ]),
        output: unless_failed(ending, json!({"role": "assistant", "content": summary})),
        downstream: Vec::new(),
        source: 3,
        attributes: json!({"notes": notes.len(), "batch": format!("batch-{}", random.hex(8))}),
    }
}

fn letter(person: Person, facts: &Facts, random: &mut Random) -> Call {
    let author = *random.pick(&EMPLOYEES);
    let notes = compose(NOTES, facts, random);
    let text = compose(LETTER, facts, random);
    let ending = ending(random);
    let sent = random.chance(60) && ending != Ending::Failed;
    let wish = fill(
        "{Please write|Write|Draft} {a short|a friendly|an answering} letter to {name}{ in plain words|, not more than half a page|}. {Offer {other_day}.|Mention {case}.|Do not promise a date.|Say sorry for the wait.}",
        facts,
        random,
    );
    let mut downstream = Vec::new();
    if sent {
        downstream.push(json!({
            "type": "message_sent",
            "name": "send_letter",
            "id": format!("msg_{}", random.hex(12)),
            "arguments": {"to": person.id, "channel": *random.pick(&["mail", "letter"]), "approved_by": author.id},
            "result": {"queued": true},
            "outcome": "success",
        }));
    }
    Call {
        action: "text.draft",
        operation: "chat",
        ending,
        actor: employee(author),
        subjects: vec![person],
        targets: json!([{"id": facts.get("case"), "type": "case"}]),
        context: context("correspondence", true, random),
        model: *random.pick(&CHAT_MODELS),
        prompt: Some(("letter-draft", "12")),
        input: json!([
            {"role": "system", "content": "You draft letters for employees of Meridale. The employee reads and signs them. Use the notes only, name no other person, close with the city of the office."},
            {"role": "user", "content": format!("{wish}\n\nNotes:\n{notes}")},
        ]),
        output: unless_failed(ending, json!({"role": "assistant", "content": text})),
        downstream,
        source: 2,
        attributes: json!({"edited_by_employee": random.chance(40)}),
    }
}
