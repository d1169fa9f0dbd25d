//! One event as the person sees it.

use askama::Template;

use crate::export::html::grouped;
use crate::export::person::exact::Exact;
use crate::export::person::sentence;
use crate::export::person::telling::{
    downstream, label, model, not_shown, of_tool, outcome, words,
};
use crate::export::person::turns::{Said, Speaker, Turn, turns};
use crate::export::person::withheld::OfEvent;
use crate::export::person::{PersonScope, section};
use trailkeep_proof::ids::Seq;
use trailkeep_proof::ledger::entry::Entry;
use trailkeep_proof::ledger::event::Facts;
use trailkeep_proof::time::UnixMillis;

/// Characters that are shown of one text, and of one event.
const TEXT_CHARACTERS: usize = 20_000;
const EVENT_CHARACTERS: usize = 100_000;
/// Characters that a turn or row takes besides its text.
const ROW_CHARACTERS: usize = 100;

/// What an event was for, in words; empty where nothing is recorded. Dates and purposes are the person's, whoever
/// acted.
pub(in crate::export) fn purpose_of(sections: &[(String, Vec<u8>)]) -> String {
    let context = section(sections, "context");
    context["purpose"].as_str().map(words).unwrap_or_default()
}

/// Sections that the rows and turns tell. `metered` has the numbers of `llm` once more, for programs; the copy's file has it.
const TOLD: [&str; 6] = [
    "action",
    "outcome",
    "input",
    "output",
    "downstream",
    "metered",
];

/// A text of the page.
struct Shown {
    /// Words of the event, whose language nobody states; else a sentence of the page.
    is_quoted: bool,
    text: String,
    /// Says what was cut, and where the whole is.
    cut: Option<String>,
}

/// A turn of a conversation as the page shows it.
struct ShownTurn {
    class: &'static str,
    who: String,
    said: Vec<Shown>,
}

#[derive(Template)]
#[template(path = "person/card.html")]
struct Card {
    what: String,
    when: String,
    purpose: String,
    rows: Vec<(String, Shown)>,
    turns: Vec<ShownTurn>,
    /// Everything else that is recorded of it.
    further: Vec<(String, Shown)>,
    /// Says how much does not fit, and where the whole is.
    cut: Option<String>,
    seq: Seq,
}

/// Characters that an event may still take.
struct Room {
    left: usize,
    left_out: u64,
    seq: Seq,
}

impl Room {
    /// Whether another turn or row is shown; what is not is counted.
    fn has_place(&mut self) -> bool {
        let has = self.left > 0;
        self.left = self.left.saturating_sub(ROW_CHARACTERS);
        self.left_out += u64::from(!has);
        has
    }

    fn cut(&self) -> Option<String> {
        let left_out = grouped(self.left_out);
        (self.left_out > 0).then(|| {
            format!(
                "This event is too long for this page: {left_out} further turns and values are left out. All of it is in \
                 the file events.jsonl, in the line that begins with {{\"seq\":{},",
                self.seq
            )
        })
    }

    fn quoted(&mut self, text: &str) -> Shown {
        self.show(text, true)
    }

    fn sentence(&mut self, text: &str) -> Shown {
        self.show(text, false)
    }

    fn show(&mut self, text: &str, is_quoted: bool) -> Shown {
        let room = self.left.min(TEXT_CHARACTERS);
        let Some((end, _)) = text.char_indices().nth(room) else {
            self.left -= text.chars().count();
            return Shown::whole(text.to_owned(), is_quoted);
        };
        self.left -= room;
        let (shown, all) = (grouped(room as u64), grouped(text.chars().count() as u64));
        Shown {
            is_quoted,
            text: text[..end].to_owned(),
            cut: Some(format!(
                "Cut here: {shown} of {all} characters are shown. The whole text is in the file events.jsonl, in the \
                 line that begins with {{\"seq\":{},",
                self.seq
            )),
        }
    }
}

impl Shown {
    const fn whole(text: String, is_quoted: bool) -> Self {
        Self {
            is_quoted,
            text,
            cut: None,
        }
    }
}

/// Renders an event as the person sees it, with what stands in these sections left out.
pub(in crate::export) fn card_of(
    person: &PersonScope,
    entry: &Entry,
    sections: &[(String, Vec<u8>)],
    withheld: &OfEvent,
) -> String {
    let pairs = sections
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    let facts = Facts::from_sections(pairs).ok();
    let facts = facts.as_ref();
    let is_shown = |name: &str| !withheld.iter().any(|(_, hidden)| hidden == name);
    let of = |name: &str| {
        if is_shown(name) {
            Exact::section(sections, name)
        } else {
            Exact::Null
        }
    };
    let mut room = Room {
        left: EVENT_CHARACTERS,
        left_out: 0,
        seq: entry.seq,
    };
    let who = facts.map(|facts| person.actor_words(facts, sections));
    let tool = facts.and_then(|facts| facts.targets.iter().find(|target| target.kind == "tool"));
    let (mut done, mut further) = (Vec::new(), Vec::new());
    let tool = tool.map(|tool| tool.id.as_str());
    let (input, output) = of_tool(tool, (of("input"), of("output")), &mut done);
    let turns = turns(&input, &output, &mut further);
    done.extend(downstream(&of("downstream"), &mut further));
    let mut rows = vec![("Who acted", who.clone().unwrap_or_default())];
    rows.extend(done.into_iter().map(|sentence| ("What was done", sentence)));
    let result = outcome(section(sections, "outcome").as_str());
    rows.extend([
        ("Answered by", model(&of("llm"))),
        ("Result", result.to_owned()),
        ("Not shown", not_shown(withheld)),
    ]);
    rows.retain(|(_, text)| !text.is_empty());
    for (name, _) in sections {
        if !TOLD.contains(&&**name) && is_shown(name) {
            sentence::rows(label(name), &of(name), &mut further);
        }
    }
    let at = facts.and_then(|facts| facts.occurred_at);
    let rows = rows.into_iter().filter_map(|(name, text)| {
        room.has_place()
            .then(|| (name.to_owned(), room.sentence(&text)))
    });
    let rows = rows.collect();
    let turns = show_turns(&turns, who.as_deref() == Some("You"), &mut room);
    let further = further
        .into_iter()
        .filter_map(|(name, text)| room.has_place().then(|| (name, room.quoted(&text))));
    let card = Card {
        what: words(facts.map_or("", |facts| &facts.action)),
        when: moment(at.unwrap_or(entry.recorded_at)),
        // Dates and purposes are the person's, whoever acted.
        purpose: purpose_of(sections).to_lowercase(),
        rows,
        turns: turns
            .into_iter()
            .chain(own_turn(person, sections))
            .collect(),
        further: further.collect(),
        cut: room.cut(),
        seq: entry.seq,
    };
    let mut html = card.to_string();
    html.push('\n');
    html
}

/// What the person wrote, of an exchange that is withheld. It stands nowhere else, so it is never cut.
fn own_turn(person: &PersonScope, sections: &[(String, Vec<u8>)]) -> Option<ShownTurn> {
    let own = person.own_words(sections).into_iter();
    let said: Vec<Shown> = own.map(|text| Shown::whole(text, true)).collect();
    (!said.is_empty()).then(|| ShownTurn {
        class: "user",
        who: "You (your own words; the rest of this exchange may be about another person)"
            .to_owned(),
        said,
    })
}

fn show_turns(turns: &[Turn], is_you: bool, room: &mut Room) -> Vec<ShownTurn> {
    let mut shown = Vec::new();
    for turn in turns {
        if room.has_place() {
            shown.push(show_turn(turn, is_you, room));
        }
    }
    shown
}

fn show_turn(turn: &Turn, is_you: bool, room: &mut Room) -> ShownTurn {
    let (class, who) = match &turn.by {
        Speaker::User if is_you => ("user", "You".to_owned()),
        Speaker::User => ("user", "The user".to_owned()),
        Speaker::Assistant => ("assistant", "The assistant".to_owned()),
        Speaker::Instructions => ("other", "Instructions to the assistant".to_owned()),
        Speaker::Tool(name) if name.is_empty() => ("other", "A tool".to_owned()),
        Speaker::Tool(name) => ("other", format!("The tool \"{name}\"")),
        Speaker::Other(role) => ("other", words(role)),
    };
    let said = turn.said.iter().map(|said| match said {
        Said::Words(text) => room.quoted(text),
        Said::Sentence(text) => room.sentence(text),
    });
    ShownTurn {
        class,
        who,
        said: said.collect(),
    }
}

/// A moment for people.
pub(crate) fn moment(at: UnixMillis) -> String {
    at.to_datetime().format("%-d %B %Y, %H:%M UTC").to_string()
}

/// A day for people.
pub(crate) fn date(at: UnixMillis) -> String {
    at.to_datetime().format("%-d %B %Y").to_string()
}
