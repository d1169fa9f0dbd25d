//! Scripts of the bank's support desk.

use super::scenarios::{Scenario, Stage, Tool};

const SYSTEM: &str = "Role: support assistant, Meridale Savings. Customer: {name}, account {id}. Signed in with two factors.\nYou may: explain transactions, block and replace cards, open disputes, change limits up to 5,000 EUR a day.\nYou may not: move money, give investment advice, promise the end of a dispute, read out full card numbers, speak about accounts that the customer does not own.\nBefore a write: say what you will do and ask. After a write: give the reference.\nSigns of coercion or fraud in progress: block first, ask later, and hand over to the fraud desk.\nTone: calm, brief, exact amounts.";

/// A disputed charge, a lost card, a limit, a joint account.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        namespace: "bank",
        prompt: "bank-dispute",
        version: "17",
        purpose: "dispute_handling",
        system: SYSTEM,
        two_subjects: false,
        stages: &[
            Stage {
                user: &[
                    &[
                        "There is a {charge|payment|debit} of {amount} euros {from|to} {merchant} {on {day}|} that I {do not recognise|never made|cannot place}.",
                        "{merchant} {charged me|took} {amount} euros{ twice| on {day}|}.",
                        "I {cancelled|returned everything to} {merchant} {in time|weeks ago|on {day}}, and {still|yet} {amount} euros {went out|were taken}.",
                    ],
                    &[
                        "{I was in {city} that day|The card was in my drawer|Nobody else has the card|I have never heard of them}.",
                        "{They do not answer my mails|The shop says it is the bank's fault|On the phone they hung up}.",
                        "{I only noticed because {reason}|I noticed it this morning}.",
                        "",
                    ],
                    &[
                        "{How do I get it back|Can you take it back|What can I do}?",
                        "{Card|It was the card} ending {card}.",
                    ],
                ],
                tool: Some(Tool {
                    kind: "tool_call",
                    name: "find_transactions",
                    arguments: &[
                        ("account", "{id}"),
                        ("merchant", "{merchant}"),
                        ("amount", "#{amount}"),
                        ("days", "#{30|60|90}"),
                    ],
                    result: &[
                        ("transaction", "{reference}"),
                        ("merchant", "{merchant}"),
                        ("amount", "#{amount}"),
                        ("booked", "{day} {time}"),
                        ("method", "{online|contactless|chip}"),
                        ("place", "{other_city}"),
                    ],
                }),
                assistant: &[
                    &[
                        "{I see it|I found it}: {amount} euros, {merchant}, {day} at {time}{, {online|contactless|in {other_city}}|}.",
                        "The {payment|entry} {reference} to {merchant} over {amount} euros was booked on {day}.",
                    ],
                    &[
                        "{Does|Could} {a subscription|a trial period|somebody in your household} {explain it|be behind it}?",
                        "{Have you had goods from them before|Do you still have the card}?",
                    ],
                    &[
                        "{If not, I can open a dispute|I can open a dispute for you}{; it takes up to {number}0 days|, which costs nothing|}.",
                    ],
                ],
            },
            Stage {
                user: &[
                    &[
                        "{No|No, nothing of the kind}{, I live alone|, never|, and I have the card here}.",
                        "{There was a trial|I once bought something there}, {but it ended|years ago|for {fee} euros}.",
                    ],
                    &[
                        "{Please open|Open} {the|a} dispute{ for all of it| for {amount} euros|}.",
                        "{What do you need from me|Should I file a report with the police|Do I get the money at once}?",
                    ],
                ],
                tool: Some(Tool {
                    kind: "database_write",
                    name: "open_dispute",
                    arguments: &[
                        ("transaction", "{reference}"),
                        ("account", "{id}"),
                        (
                            "ground",
                            "{not authorised|cancelled service|charged twice|goods not received}",
                        ),
                        ("amount", "#{amount}"),
                    ],
                    result: &[
                        ("dispute", "{new_reference}"),
                        ("state", "open"),
                        ("answer_by", "{other_day}"),
                        ("provisional_credit", "{no|pending review}"),
                    ],
                }),
                assistant: &[
                    &[
                        "{The dispute is open|I have opened the dispute}: {new_reference}, over {amount} euros.",
                        "{Your dispute|It} has the number {new_reference}{ and lies with the disputes desk|}.",
                    ],
                    &[
                        "{You hear from us|We answer} by {other_day}. {I cannot say how it ends.|How it ends is for the analysts to say.|}",
                        "{Please upload|Send us} {your letter to {merchant}|the cancellation|a photo of the receipt}{ by {other_day}|}.",
                    ],
                ],
            },
            Stage {
                user: &[
                    &[
                        "{Should|Do} I {block|replace} the card {too|as well}?",
                        "{And future|What about further} {charges|payments} {from|of} {merchant}?",
                        "{Can|Could} you {block|stop} {merchant} {for good|until then}?",
                    ],
                    &[
                        "{I am travelling to {city} on {other_day}|I need it until {other_day}}.",
                        "",
                    ],
                ],
                tool: Some(Tool {
                    kind: "database_write",
                    name: "block_merchant",
                    arguments: &[
                        ("account", "{id}"),
                        ("merchant", "{merchant}"),
                        ("card", "{card}"),
                    ],
                    result: &[
                        ("merchant", "{merchant}"),
                        ("blocked", "yes"),
                        ("since", "{other_day} {other_time}"),
                    ],
                }),
                assistant: &[
                    &[
                        "{merchant} is {blocked|stopped} on the card ending {card}; {other payments go on|everything else works as before}.",
                        "{From now on|As of today} {merchant} cannot charge the card ending {card}.",
                    ],
                    &[
                        "{A new card would take {number} days|If you prefer a new card, it takes {number} days}.",
                        "",
                    ],
                ],
            },
        ],
    },
    Scenario {
        namespace: "bank",
        prompt: "bank-card",
        version: "11",
        purpose: "account_service",
        system: SYSTEM,
        two_subjects: false,
        stages: &[
            Stage {
                user: &[
                    &[
                        "I {lost|cannot find|left behind} my {card|wallet} {in {city}|on the way to {other_city}|at {lodging}|at {merchant}}.",
                        "My card {was swallowed by a machine|was stolen|broke in two} in {city}{ on {day}|}.",
                        "{Please block|You have to block} the card ending {card}{, it is gone|, quickly|}.",
                    ],
                    &[
                        "{I last used it|The last payment was} at {merchant}{ for {fee} euros|, {day} at {time}|}.",
                        "{item} {is gone|was taken} {too|with it}.",
                        "",
                    ],
                    &[
                        "{What now|What shall I do|How do I pay until then}?",
                        "{I am abroad until {other_day}|{reason}}, so {I need a new one soon|where can you send it}?",
                    ],
                ],
                tool: Some(Tool {
                    kind: "database_write",
                    name: "block_card",
                    arguments: &[
                        ("account", "{id}"),
                        ("card", "{card}"),
                        ("cause", "{lost|stolen|damaged}"),
                    ],
                    result: &[
                        ("card", "{card}"),
                        ("state", "blocked"),
                        ("pending", "#{0|1|2}"),
                        ("last_use", "{merchant}, {day} {time}"),
                    ],
                }),
                assistant: &[
                    &[
                        "{The card ending {card} is blocked|I blocked the card ending {card}}{; nobody can pay with it|, as of now|}.",
                    ],
                    &[
                        "{The last payment|Last use} was at {merchant} on {day} at {time}. {Was that you|Do you recognise it}?",
                        "I see {no payment|nothing} after {day}, {time}.",
                    ],
                    &[
                        "{Shall I order a new one|Where shall the new one go}? {It takes {number} working days|By courier it costs {fee} euros}.",
                    ],
                ],
            },
            Stage {
                user: &[
                    &[
                        "{Yes, that was me|That was me|I recognise it}. {Send|Please send} {it|the new one} to {my home|{lodging} in {other_city}}.",
                        "{No, that was not me|{merchant} was not me}! {Take it back|What happens with that}?",
                    ],
                    &[
                        "{Do I keep my PIN|Will my phone still pay|What does it cost}?",
                        "",
                    ],
                ],
                tool: Some(Tool {
                    kind: "tool_call",
                    name: "order_card",
                    arguments: &[
                        ("account", "{id}"),
                        ("replaces", "{card}"),
                        ("deliver_to", "{home address|{lodging}, {other_city}}"),
                        ("express", "{yes|no}"),
                    ],
                    result: &[
                        ("order", "{new_reference}"),
                        ("arrives", "{other_day}"),
                        ("fee", "#{fee}"),
                    ],
                }),
                assistant: &[
                    &[
                        "{Ordered|The card is ordered}: {new_reference}, {with you by|arriving} {other_day}.",
                        "{Your new card|The new one} {comes|arrives} by {other_day}{ (order {new_reference})|}.",
                    ],
                    &[
                        "{The PIN stays the same|Your phone goes on paying|You can pay with the app right away}.",
                        "{If a payment was not yours, I hand it to the disputes desk|The payment at {merchant} is noted for the disputes desk}.",
                    ],
                ],
            },
        ],
    },
    Scenario {
        namespace: "bank",
        prompt: "bank-joint-account",
        version: "5",
        purpose: "account_service",
        system: SYSTEM,
        two_subjects: true,
        stages: &[
            Stage {
                user: &[
                    &[
                        "{companion} and I {have|share|hold} {an account|a joint account}{, {reference}|}.",
                        "It is about the joint account {reference} with {companion}.",
                    ],
                    &[
                        "{We want to|Could we} {raise the limit to {limit} euros a day|set a limit of {limit} euros|have two cards}{, because {reason}|}.",
                        "{Yesterday|On {day}} {companion} {could not pay|was declined} at {merchant}, {amount} euros.",
                    ],
                    &[
                        "{Do you need both of us|Must {companion} agree|Is my word enough}?",
                        "",
                    ],
                ],
                tool: Some(Tool {
                    kind: "tool_call",
                    name: "account_owners",
                    arguments: &[("account", "{reference}"), ("asked_by", "{id}")],
                    result: &[
                        ("owners", "{id}, {companion_id}"),
                        ("either_may_act", "{yes|no}"),
                        ("daily_limit", "#{limit}"),
                        ("declined", "{day}: {amount} EUR"),
                    ],
                }),
                assistant: &[
                    &[
                        "{reference} belongs to you and {companion}{; the limit is {limit} euros a day|}.",
                        "{I see|Yes, I have} {reference}, {held by both of you|two owners}.",
                    ],
                    &[
                        "{Both owners must confirm a higher limit|For that, {companion} has to confirm in the app as well}.",
                        "The payment of {amount} euros {failed at the limit|was over the daily limit|was stopped, as {merchant} asked twice}.",
                    ],
                    &["{Shall I send {companion} the request|Do you want me to ask {companion}}?"],
                ],
            },
            Stage {
                user: &[&[
                    "{Yes, please|Please ask {companion}|Send it}{, I tell them|, they are beside me|}.",
                    "{Leave it|No}, {it was a single case|we talk about it first}{. How long is the offer open?|. Until {other_day}?|, thank you.}",
                ]],
                tool: Some(Tool {
                    kind: "message_sent",
                    name: "ask_owner",
                    arguments: &[
                        ("account", "{reference}"),
                        ("owner", "{companion_id}"),
                        ("asked_by", "{id}"),
                        ("change", "daily limit {limit} EUR"),
                    ],
                    result: &[
                        ("request", "{new_reference}"),
                        ("expires", "{other_day}"),
                        ("state", "sent"),
                    ],
                }),
                assistant: &[
                    &[
                        "{companion} {finds|has} the request {new_reference} in the app{, open until {other_day}|}.",
                        "The request {new_reference} {is out|was sent}; {it ends|it expires} on {other_day}.",
                    ],
                    &[
                        "{Nothing changes|The limit stays} until {both of you have confirmed|then}.",
                        "",
                    ],
                ],
            },
        ],
    },
];
