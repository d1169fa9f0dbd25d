//! Scripts of the clinic's appointment desk.

use super::scenarios::{Scenario, Stage, Tool};

const SYSTEM: &str = "You are the appointment assistant of the Meridale Clinics. You speak with {name}, patient {id}.\n1. You arrange appointments and answer questions about opening hours, preparation and documents.\n2. You do not diagnose, you do not judge results, you do not change medication. For anything of that kind offer an appointment or the nurse line.\n3. Chest pain, sudden weakness, trouble breathing: tell the patient to call the emergency number at once and stop.\n4. Repeat day, time and department before you write anything.\n5. A parent or carer may act for a patient when the register says so.\nKeep to plain words. Do not repeat symptoms back unless it is needed.";

/// A first appointment, a prescription, an appointment for somebody else.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        namespace: "clinic",
        prompt: "clinic-appointment",
        version: "22",
        purpose: "appointment_management",
        system: SYSTEM,
        two_subjects: false,
        stages: &[
            Stage {
                user: &[
                    &[
                        "I {would like|need|was told to make} an appointment {with {clinician}|in {department}}.",
                        "{Could|Can} I {see|be seen by} {clinician} {this month|on {day}|some time before {day}}?",
                        "{My doctor referred me|I have a referral} to {department}{, number {reference}|}.",
                    ],
                    &[
                        "{It is about|I have|I've got} {symptom}{, since {number} weeks|}.",
                        "{I am bothered by|What worries me is} {symptom}.",
                        "I would rather not write {here|down} what it is about.",
                    ],
                    &[
                        "{Mornings|Afternoons|Early hours|Days other than {day}} {are best|suit me best}{, because {reason}|}.",
                        "{I work shifts, so|As I come from {city}} {after|not before} {time}{, please|}.",
                        "",
                    ],
                ],
                tool: Some(Tool {
                    kind: "tool_call",
                    name: "free_slots",
                    arguments: &[
                        ("department", "{department}"),
                        ("clinician", "{clinician}"),
                        ("from", "{day}"),
                        ("minutes", "#{15|20|30|45}"),
                    ],
                    result: &[
                        ("slot", "{day}, {time}"),
                        ("alternative", "{other_day}, {other_time}"),
                        ("clinician", "{clinician}"),
                        ("room", "{B|C|D}{number}"),
                        ("free", "#{number}"),
                    ],
                }),
                assistant: &[
                    &[
                        "{Thank you|I understand}{, {first}|}. {clinician} {has time|is free} on {day} at {time}{, or on {other_day} at {other_time}|}.",
                        "{There are|I see} {two|{number}} free times in {department}: {day} at {time} and {other_day} at {other_time}.",
                    ],
                    &[
                        "{Which one|Which of them} {shall I take|suits you|would you like}?",
                        "{If it gets worse before then, please call the nurse line|Should it get worse, do not wait: call the nurse line}.",
                    ],
                ],
            },
            Stage {
                user: &[
                    &[
                        "{The first one|{day} at {time}|The earlier one}{, please|} {is fine|works|would be good}.",
                        "{other_day} {suits me better|please}, {the other day|{day}} {reason}.",
                        "{I take|Let's say} {other_day} at {other_time}.",
                    ],
                    &[
                        "{Do I have to|Should I} {come without breakfast|bring my old results|stop my tablets before|bring somebody with me}?",
                        "{Is there parking|Which entrance is it|How long does it take}?",
                        "",
                    ],
                ],
                tool: Some(Tool {
                    kind: "database_write",
                    name: "book_appointment",
                    arguments: &[
                        ("patient", "{id}"),
                        ("department", "{department}"),
                        ("slot", "{other_day}, {other_time}"),
                        ("clinician", "{clinician}"),
                        ("referral", "{reference}"),
                    ],
                    result: &[
                        ("appointment", "{new_reference}"),
                        ("state", "booked"),
                        ("room", "{B|C|D}{number}"),
                        ("reminder", "{text message|letter|mail}"),
                    ],
                }),
                assistant: &[
                    &[
                        "{Booked|It is booked|Noted}: {department}, {other_day} at {other_time} with {clinician}.",
                        "You are {expected|booked} on {other_day} at {other_time}{, room {number}|}; the number is {new_reference}.",
                    ],
                    &[
                        "{Please bring|Bring} {your insurance card|a list of what you take|the referral|older findings, if you have them}.",
                        "{About medication, please ask {clinician} or the nurse line; I cannot decide that|You may eat as usual unless the letter says otherwise}.",
                        "{The entrance is on the canal side|Parking is behind the building|It takes about {number}0 minutes}.",
                    ],
                    &["A reminder comes {the day before|two days before}.", ""],
                ],
            },
            Stage {
                user: &[&[
                    "{Can|Could} you {also |}{cancel|move} {the appointment|what I had} on {day}{? I have two now|, the one with {clinician}|}?",
                    "{What if|And if} {I cannot come|I am late|it gets better by itself}?",
                    "{Please put me|Could I be} on the list {in case|if} something earlier {comes up|gets free}.",
                ]],
                tool: Some(Tool {
                    kind: "database_write",
                    name: "waiting_list",
                    arguments: &[
                        ("patient", "{id}"),
                        ("appointment", "{new_reference}"),
                        ("earliest", "{day}"),
                        ("reach_by", "{phone|text message}"),
                    ],
                    result: &[
                        ("position", "#{number}"),
                        ("department", "{department}"),
                        ("state", "{listed|already listed}"),
                    ],
                }),
                assistant: &[&[
                    "You are {number} on the list for {department}{; we call if something opens|}.",
                    "{Please cancel|Tell us} {at least a day|24 hours} before; {after that we charge {fee} euros|others wait for the place}.",
                    "{I have noted it|That is noted} with {new_reference}.",
                ]],
            },
        ],
    },
    Scenario {
        namespace: "clinic",
        prompt: "clinic-prescription",
        version: "9",
        purpose: "care_administration",
        system: SYSTEM,
        two_subjects: false,
        stages: &[
            Stage {
                user: &[
                    &[
                        "My {prescription|repeat prescription} {runs out|ends|is used up} {on {day}|in {number} days}.",
                        "I {need|would need} {a repeat of|more of} {the tablets|the drops|the ointment} that {clinician} {gave me|prescribed}.",
                        "{The pharmacy|My pharmacy in {city}} {says|tells me} that {reference} is {no longer valid|not in their system}.",
                    ],
                    &[
                        "{Could it be sent to|Can you send it to|Can I collect it at} the pharmacy in {other_city}?",
                        "{I am away from {other_day}|I travel on {other_day}|{reason}}, so {it should be soon|I need it before}.",
                        "",
                    ],
                    &[
                        "{By the way, I still have {symptom}|Since then I have {symptom}|It helps, apart from {symptom}}.",
                        "",
                    ],
                ],
                tool: Some(Tool {
                    kind: "tool_call",
                    name: "prescription_status",
                    arguments: &[("patient", "{id}"), ("prescription", "{reference}")],
                    result: &[
                        ("prescription", "{reference}"),
                        ("prescriber", "{clinician}"),
                        ("repeats_left", "#{0|1|2}"),
                        ("valid_until", "{day}"),
                        ("review_due", "{yes|no}"),
                    ],
                }),
                assistant: &[
                    &[
                        "{The prescription {reference}|{reference}} is {valid|good} until {day}{ and was written by {clinician}|}.",
                        "I {see|found} {reference}, {last issued|signed} by {clinician}.",
                    ],
                    &[
                        "{I can pass the request on|I can ask {clinician} to renew it}; {it takes|allow} {two|three} working days.",
                        "A {short review|short talk} with {clinician} {is due|is needed} first.",
                    ],
                    &[
                        "{What you describe should be seen by somebody|About the rest I cannot advise}; {shall I look for a time in {department}|the nurse line is open until {other_time}|shall I have a nurse call you}?",
                        "{Shall I send the request|Do you want me to ask}?",
                    ],
                ],
            },
            Stage {
                user: &[
                    &[
                        "{Yes, please ask {clinician}|Please send it|Yes}{, and mark it urgent|, to {other_city}|}.",
                        "{A call would be good|Please have a nurse call me}{, after {other_time}|, on {other_day}|}.",
                    ],
                    &[
                        "{My number has not changed|You have my number|The last digits are {card}}.",
                        "",
                    ],
                ],
                tool: Some(Tool {
                    kind: "message_sent",
                    name: "message_clinician",
                    arguments: &[
                        ("to", "{clinician}"),
                        ("patient", "{id}"),
                        ("about", "{reference}"),
                        (
                            "text",
                            "{Renewal asked for by the patient|Patient asks for a renewal and a call}, needed before {other_day}.",
                        ),
                    ],
                    result: &[
                        ("message", "{new_reference}"),
                        ("queue", "{renewals|nurse line}"),
                        ("answer_by", "{other_day}"),
                    ],
                }),
                assistant: &[
                    &[
                        "{I have asked {clinician}|Your request is with {clinician}}, message {new_reference}.",
                        "{Sent|Done}. {clinician} answers by {other_day}.",
                    ],
                    &[
                        "You {get|will get} a text message {when it is ready|as soon as it is signed}.",
                        "{A nurse will call you|Expect a call} {around|after} {other_time}.",
                    ],
                ],
            },
        ],
    },
    Scenario {
        namespace: "clinic",
        prompt: "clinic-carer",
        version: "4",
        purpose: "appointment_management",
        system: SYSTEM,
        two_subjects: true,
        stages: &[
            Stage {
                user: &[
                    &[
                        "I {look after|care for|am writing for} {companion}, {number} {companion_id}.",
                        "{This is about {companion}|It is for {companion}}, patient {companion_id}{; I am the carer|}.",
                    ],
                    &[
                        "{They have|There is} an appointment in {department} on {day}{ at {time}|}, but {reason}.",
                        "{companion} {cannot hear well on the phone|does not use a computer|asked me to arrange it} and {needs|should have} {an appointment|a check} in {department}.",
                    ],
                    &[
                        "{Could it be|Is there anything on|What about} {other_day}, {around|after} {other_time}?",
                    ],
                ],
                tool: Some(Tool {
                    kind: "tool_call",
                    name: "carer_register",
                    arguments: &[("carer", "{id}"), ("patient", "{companion_id}")],
                    result: &[
                        ("registered", "yes"),
                        ("since", "{day}"),
                        ("scope", "{appointments|appointments and letters}"),
                    ],
                }),
                assistant: &[
                    &[
                        "{Thank you, you are registered|I see that you are registered} as carer of {companion}{, for appointments|}.",
                    ],
                    &[
                        "{department} {is free|has time} on {other_day} at {other_time}{ with {clinician}|}.",
                        "{On {other_day} I can offer|There is} {other_time} with {clinician}.",
                    ],
                    &[
                        "{Shall I move it|Do you want that}? {A wheelchair can be at the door.|I would write to both of you.|}",
                    ],
                ],
            },
            Stage {
                user: &[
                    &[
                        "{Yes, {other_day} is good|Please do|Yes, move it}{, and write to both of us|, with a wheelchair please|}.",
                    ],
                    &[
                        "{companion} {is nervous about it|likes {clinician}|has {symptom} as well}, {please note that|could that be noted}.",
                        "",
                    ],
                ],
                tool: Some(Tool {
                    kind: "database_write",
                    name: "move_appointment",
                    arguments: &[
                        ("patient", "{companion_id}"),
                        ("requested_by", "{id}"),
                        ("to", "{other_day}, {other_time}"),
                        ("department", "{department}"),
                    ],
                    result: &[
                        ("appointment", "{new_reference}"),
                        ("state", "moved"),
                        ("letters_to", "{id}, {companion_id}"),
                    ],
                }),
                assistant: &[
                    &[
                        "{Moved|It is moved} to {other_day} at {other_time}; {the number stays|the new number is} {new_reference}.",
                    ],
                    &[
                        "{Both of you get a letter|A letter goes to {companion} and to you}.",
                        "{I left a note for {clinician}|The note is in the file}.",
                    ],
                ],
            },
        ],
    },
];
