//! Scripts of the travel desk.

use super::scenarios::{Scenario, Stage, Tool};

const SYSTEM: &str = "You are Wren, the travel assistant of Meridale. The customer is {name} ({id}), language en, tier standard.\nRules:\n- Name the price before you change a booking, and wait for a clear yes.\n- Flexible fares change free of charge up to 24 hours before departure; saver fares cost {fee} EUR per person and leg.\n- Never speak about another person's bookings without a written authority on file.\n- Refunds above 500 EUR go to the refunds queue.\n- Use only what the tools return. When they return nothing, say so.\n- Answer in at most six sentences, without jargon.";

/// Rebooking, lost baggage, a shared trip, a hotel.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        namespace: "travel",
        prompt: "travel-rebooking",
        version: "14",
        purpose: "booking_service",
        system: SYSTEM,
        two_subjects: false,
        stages: &[
            Stage {
                user: &[
                    &[
                        "I {have to|need to|would like to|must} {move|change|rebook} my {trip|journey|booking} from {city} to {other_city}{ on {day}|}.",
                        "{Is it|Would it be} {possible|still possible} to travel from {city} to {other_city} on {other_day} instead of {day}?",
                        "My plans for {day} {fell through|have changed|do not work any more} and I {want|need} another {train|flight|connection} to {other_city}.",
                    ],
                    &[
                        "{Unfortunately|It turns out that|The reason is that|You see,} {reason}.",
                        "{I know it is late, but|Not my choice:|Long story short:} {reason}.",
                        "",
                    ],
                    &[
                        "The {booking|reference|code} is {reference}.",
                        "{You should find it as|It's booked under} {reference}{, paid by card ending {card}|, two bags included|}.",
                        "I have {reference} here{, if that helps|}.",
                    ],
                ],
                tool: Some(Tool {
                    kind: "tool_call",
                    name: "find_booking",
                    arguments: &[("reference", "{reference}"), ("customer", "{id}")],
                    result: &[
                        ("reference", "{reference}"),
                        ("from", "{city}"),
                        ("to", "{other_city}"),
                        ("departure", "{day}, {time}"),
                        ("fare", "{flexible|saver|standard}"),
                        ("paid", "#{amount}"),
                        ("seats", "#{1|2|3}"),
                        ("status", "confirmed"),
                    ],
                }),
                assistant: &[
                    &[
                        "{Thank you|Thanks}{, {first}|}. I {found|have found|see} {reference}: {city} to {other_city} on {day} at {time}.",
                        "I {have|can see} your booking {reference} {in front of me|here}, {city} to {other_city}, departing {day} at {time}.",
                    ],
                    &[
                        "{Which day would suit you|What time would you like to leave|Would the morning or the evening suit you better}?",
                        "A change {costs {fee} euros|would cost {fee} euros|comes to {fee} euros per person}{; shall I look for {other_day}?|. Which day do you have in mind?|, plus any difference in fare.}",
                    ],
                ],
            },
            Stage {
                user: &[
                    &[
                        "{The best day|Best|Ideal} would be {other_day}, {around|not before|after} {other_time}.",
                        "{Could|Can} you {check|see|look} what {leaves|is left|there is} on {other_day}{, window seat if you can|, with one change at most|}?",
                        "Anything {after|before} {other_time} on {other_day} {works|is fine|would do}{, I am flexible|, even with a change}.",
                    ],
                    &[
                        "{How much would that be|What does it cost in the end|Is there a fee}?",
                        "I {do not mind|could live with} {a slow train|an early start|a change on the way}.",
                        "",
                    ],
                ],
                tool: Some(Tool {
                    kind: "tool_call",
                    name: "search_connections",
                    arguments: &[
                        ("from", "{city}"),
                        ("to", "{other_city}"),
                        ("date", "{other_day}"),
                        ("not_before", "{other_time}"),
                        ("travellers", "#{1|2|3}"),
                    ],
                    result: &[
                        ("connection", "{new_reference}"),
                        ("departs", "{other_time}"),
                        ("changes", "#{0|1|2}"),
                        ("fare_difference", "#{fee}"),
                        ("seats_left", "#{number}"),
                        (
                            "operator",
                            "{Coastline Rail|Aerolinea Norte|Transversal|Blue Heron Air}",
                        ),
                    ],
                }),
                assistant: &[
                    &[
                        "There {is a connection|are {number} seats left on a connection} {on {other_day}|that day} at {other_time}, {with one change|without a change|with a short wait on the way}.",
                        "{The closest that I see|What fits best} is {other_day} at {other_time}, {number} seats left.",
                    ],
                    &[
                        "The {difference|extra cost|surcharge} is {fee} euros{, charged to the card ending {card}|}.",
                        "You would pay {fee} euros more.",
                    ],
                    &[
                        "{Shall I book it|Do you want me to change it|Should I go ahead}? {A plain yes is enough.|Please confirm.|Nothing has been changed so far.|}",
                    ],
                ],
            },
            Stage {
                user: &[
                    &[
                        "{Yes, please|Yes|Go ahead|That's perfect, please do|All right, take it}{.|, and send me the ticket.|, same card please.|, but keep the seat by the window.}",
                    ],
                    &[
                        "{Will|Does} my {bag|bicycle|seat reservation|meal choice} {move|carry over|come} {with it|as well}?",
                        "Please {mail|send} the {receipt|invoice} to my {work|usual} address.",
                        "{Make sure|Please check} that the old one is cancelled.",
                        "",
                    ],
                ],
                tool: Some(Tool {
                    kind: "database_write",
                    name: "change_booking",
                    arguments: &[
                        ("reference", "{reference}"),
                        ("connection", "{new_reference}"),
                        ("confirmed_by", "{id}"),
                        ("charge", "#{fee}"),
                    ],
                    result: &[
                        ("reference", "{new_reference}"),
                        ("status", "{ticketed|confirmed}"),
                        ("departure", "{other_day}, {other_time}"),
                        ("charged", "#{fee}"),
                        ("replaces", "{reference}"),
                    ],
                }),
                assistant: &[
                    &[
                        "{Done|It is done|All set}{, {first}|}: your new booking is {new_reference}, {other_day} at {other_time}.",
                        "You now travel on {other_day} at {other_time}; the new code is {new_reference}.",
                    ],
                    &[
                        "{The old ticket is void|{reference} is cancelled|The old booking no longer holds}{ and {fee} euros were charged|}.",
                        "The {receipt|confirmation} {is on its way|was sent a moment ago}.",
                    ],
                ],
            },
            Stage {
                user: &[&[
                    "{Great|Thanks|Wonderful|Super}{, one more thing|}: {when do I have to be there|which platform or gate is it|can I still cancel it|is there a quiet coach}?",
                    "{And what happens|What do I do} if {I miss the change|the first leg is late|I need to move it again}?",
                ]],
                tool: None,
                assistant: &[
                    &[
                        "{Please be there|It is best to arrive} {number}0 minutes before {other_time}.",
                        "If a delay makes you miss the connection, {you may take the next one|the operator rebooks you free of charge|show {new_reference} at the counter}.",
                        "It can be changed once more {until the evening before|up to a day before}, for {fee} euros.",
                    ],
                    &[
                        "The {gate|platform} is shown {two hours|one hour} before departure.",
                        "{Have a good journey|Safe travels|Enjoy {other_city}}{, {first}|}!",
                    ],
                ],
            },
        ],
    },
    Scenario {
        namespace: "travel",
        prompt: "travel-baggage",
        version: "6",
        purpose: "claims_handling",
        system: SYSTEM,
        two_subjects: false,
        stages: &[
            Stage {
                user: &[
                    &[
                        "{My luggage|One of my bags|{item}, my only piece of luggage,} {did not arrive|never came out|is missing} {in|at} {other_city}.",
                        "I {landed|arrived} in {other_city} on {day} {without|but not} {item}{, which I checked in at {city}|}.",
                        "Since {day} I am {waiting for|looking for} {item} {from|sent from} {city}.",
                    ],
                    &[
                        "{The belt stopped|Nobody at the desk knew anything|They only gave me a leaflet|I stood there until {time}}.",
                        "{There are|It holds} {medicines|documents|presents|my work clothes} {in it|inside}, {so it is urgent|worth about {amount} euros}.",
                        "",
                    ],
                    &["{Booking|Reference|Trip} {reference}, tag {card}{number}."],
                ],
                tool: Some(Tool {
                    kind: "tool_call",
                    name: "trace_baggage",
                    arguments: &[("tag", "{card}{number}"), ("booking", "{reference}")],
                    result: &[
                        ("tag", "{card}{number}"),
                        ("last_seen", "{city}"),
                        ("scanned_at", "{day} {time}"),
                        ("state", "{held|in transit|not loaded|awaiting courier}"),
                    ],
                }),
                assistant: &[
                    &[
                        "{I am sorry about that|How annoying|That is no way to start a trip}{, {first}|}.",
                        "{Sorry to hear it|I understand}{, {first}|}.",
                    ],
                    &[
                        "{Your bag|{item}|The piece} was {last scanned|seen} in {city} on {day} at {time}.",
                        "The {tracing system|airport} {shows|reports} it in {city}{, not loaded|, waiting for the next departure|}.",
                    ],
                    &[
                        "{Where shall it be delivered|What is the best address for delivery|May I have it sent to {lodging}}?",
                        "{What does it look like|Is there a name on it}?",
                    ],
                ],
            },
            Stage {
                user: &[
                    &[
                        "I am {staying|booked} at {lodging} until {other_day}.",
                        "{Please send|Have it brought} to {lodging}{, room {number}0{number}|, reception is open until {other_time}|}.",
                        "It is {item}{, with my name on a label|, a bit worn at the corners|}.",
                    ],
                    &[
                        "{What about|Who pays for|Do you cover} {clothes that I had to buy|the {amount} euros that I spent|a taxi to the airport}?",
                        "{How long will it take|When can I expect it}?",
                    ],
                ],
                tool: Some(Tool {
                    kind: "message_sent",
                    name: "order_courier",
                    arguments: &[
                        ("tag", "{card}{number}"),
                        ("deliver_to", "{lodging}, {other_city}"),
                        ("contact", "{id}"),
                        ("latest", "{other_day}"),
                    ],
                    result: &[
                        ("courier", "{Pigeon & Sons|Swiftparcel|Cartwheel}"),
                        ("job", "{new_reference}"),
                        ("window", "{time}-{other_time}"),
                    ],
                }),
                assistant: &[
                    &[
                        "A courier {is booked|will bring it} to {lodging}, job {new_reference}{, between {time} and {other_time}|}.",
                    ],
                    &[
                        "{Keep|Please keep} your receipts: {necessary purchases up to {limit} euros|what you had to buy, up to {limit} euros,} can be claimed {within 21 days|under {case}}.",
                        "For your expenses I opened {case}; {upload the receipts there|a colleague answers by {other_day}}.",
                    ],
                ],
            },
        ],
    },
    Scenario {
        namespace: "travel",
        prompt: "travel-shared-trip",
        version: "3",
        purpose: "booking_service",
        system: SYSTEM,
        two_subjects: true,
        stages: &[
            Stage {
                user: &[
                    &[
                        "{companion} and I {travel|are going} to {other_city} together on {day}.",
                        "I {booked|hold} {reference} for {companion} and {myself|me}.",
                        "We are two on {reference}: {companion} and me.",
                    ],
                    &[
                        "{Could|Can} we {sit together|have seats side by side|take the earlier departure at {time}|share the hold luggage}?",
                        "{companion} {cannot come before {other_time}|needs a step-free way|would rather stay at {lodging}|has to return on {other_day}}.",
                    ],
                    &[
                        "{companion} {gave you|signed|has sent you} the authority{, number {companion_id}| last week|}.",
                        "",
                    ],
                ],
                tool: Some(Tool {
                    kind: "tool_call",
                    name: "check_authority",
                    arguments: &[
                        ("for", "{companion_id}"),
                        ("by", "{id}"),
                        ("booking", "{reference}"),
                    ],
                    result: &[
                        ("authority", "on file"),
                        ("scope", "{seats and times|whole booking}"),
                        ("valid_until", "{other_day}"),
                        ("booking", "{reference}"),
                    ],
                }),
                assistant: &[
                    &[
                        "{Thank you, the authority of {companion} is on file|I see that {companion} lets you act for both of you}{, valid until {other_day}|}.",
                        "{Good|Yes}, {reference} holds both of you and I may change it.",
                    ],
                    &[
                        "There are {two seats side by side|{number} seats left in the same coach|two places by the window} at {time}{, for {fee} euros|, at no cost|}.",
                        "{The step-free entrance|A room at {lodging}|The earlier departure} {can be arranged|is free} for {fee} euros.",
                    ],
                    &[
                        "{Shall I set it for both|Do you both want that|Should I confirm for {companion} too}?",
                    ],
                ],
            },
            Stage {
                user: &[
                    &[
                        "{Yes, for both of us|Please do, for the two of us|Yes}{.|, thank you.|, and tell {companion} too.}",
                    ],
                    &[
                        "{Charge my card|Use the card ending {card}|I pay for both}.",
                        "{Can we still change it until {other_day}|Does it include breakfast|Is that refundable}?",
                        "",
                    ],
                ],
                tool: Some(Tool {
                    kind: "database_write",
                    name: "assign_seats",
                    arguments: &[
                        ("booking", "{reference}"),
                        ("travellers", "{id}, {companion_id}"),
                        ("seats", "{number}A, {number}B"),
                        ("charge", "#{fee}"),
                    ],
                    result: &[
                        ("booking", "{reference}"),
                        ("seats", "{number}A, {number}B"),
                        ("notified", "{id}, {companion_id}"),
                        ("status", "confirmed"),
                    ],
                }),
                assistant: &[
                    &[
                        "{It is set|Done|Confirmed}: {number}A for you and {number}B for {companion}, {day} at {time}.",
                        "Both of you are confirmed on {reference}, seats {number}A and {number}B.",
                    ],
                    &[
                        "{companion} {gets|will receive} the same message.",
                        "{fee} euros {were|have been} charged to the card ending {card}.",
                    ],
                ],
            },
        ],
    },
];
