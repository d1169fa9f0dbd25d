//! Templates and what they are filled with.
//!
//! In a template `{fact}` stands for a fact of the conversation and `{one|other}` for one of the
//! alternatives, which may hold braces themselves.

use super::persons::Person;
use super::random::Random;

const CITIES: &[&str] = &[
    "Lisbon", "Tallinn", "Gdańsk", "Trieste", "Bergen", "Valencia", "Ghent", "Aarhus", "Porto",
    "Leipzig", "Zürich", "Bologna", "Cork", "Nantes", "Kraków", "Malmö", "Turin", "Utrecht",
];
const MONTHS: &[&str] = &[
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "September",
];
const CLINICIANS: &[&str] = &[
    "Dr Achterberg",
    "Dr Moyo-Lindqvist",
    "Dr Tsiakalos",
    "Dr Ferncastle",
    "Dr Iwuanyanwu",
    "Nurse Pellegrin",
    "Nurse Dahlquist",
    "Dr Sallis",
];
const DEPARTMENTS: &[&str] = &[
    "dermatology",
    "cardiology",
    "physiotherapy",
    "the eye clinic",
    "the blood test room",
    "paediatrics",
    "the travel vaccination desk",
    "audiology",
    "the diabetes clinic",
];
const SYMPTOMS: &[&str] = &[
    "a rash on my forearm that comes and goes",
    "a knee that clicks on the stairs",
    "headaches in the afternoon",
    "a cough that has stayed for three weeks",
    "numb fingertips in the morning",
    "a mole that has changed its shape",
    "a ringing in my left ear",
    "trouble sleeping since the new tablets",
];
const MERCHANTS: &[&str] = &[
    "Quillfeather Books",
    "Norrland Outdoor",
    "Pastaria Volpe",
    "BlueKettle Streaming",
    "Greywharf Parking",
    "Tessellate Homeware",
    "Cardoon Grocers",
    "Mistral Gym",
    "Ferrywell",
];
const LODGINGS: &[&str] = &[
    "the Tidewater Inn",
    "Pension Almond Court",
    "the Foundry Hotel",
    "Casa Juniper",
    "the Lantern House",
    "Harbour Lofts",
    "the Old Assay Office",
];
const REASONS: &[&str] = &[
    "my sister's wedding was moved",
    "a meeting at work was brought forward",
    "the trains are on strike that day",
    "my daughter has an exam that morning",
    "I caught a cold and was told to rest",
    "we found a cheaper connection",
    "my passport has not come back yet",
    "the conference changed its programme",
    "I have to look after my neighbour's dogs",
    "a builder can only come on that day",
    "I misread the calendar when I booked",
    "my employer asked me to stay on site",
];
const ITEMS: &[&str] = &[
    "a green rucksack",
    "a grey hard-shell suitcase",
    "a folding bicycle",
    "a cello case",
    "a pram with a red hood",
    "a blue holdall with a leather tag",
    "a box of camera equipment",
];

/// What a conversation is about. The same facts fill all of its messages and tool calls.
#[derive(Clone, Debug)]
pub(super) struct Facts(Vec<(&'static str, String)>);

impl Facts {
    /// Draws the facts of one conversation about `person`, with `companion` beside them.
    pub(super) fn draw(random: &mut Random, person: Person, companion: Person) -> Self {
        let first_name = person.name.split(' ').next().unwrap_or(person.name);
        let date =
            |random: &mut Random| format!("{} {}", random.between(1, 29), random.pick(MONTHS));
        let time =
            |random: &mut Random| format!("{:02}:{}0", random.between(7, 20), random.between(0, 6));
        let city = random.between(0, CITIES.len() as u64) as usize;
        let other_city = (city + random.between(1, CITIES.len() as u64) as usize) % CITIES.len();
        Self(vec![
            ("id", person.id.to_owned()),
            ("name", person.name.to_owned()),
            ("first", first_name.to_owned()),
            ("companion", companion.name.to_owned()),
            ("companion_id", companion.id.to_owned()),
            ("reference", reference(random)),
            ("new_reference", reference(random)),
            ("city", CITIES[city].to_owned()),
            ("other_city", CITIES[other_city].to_owned()),
            ("day", date(random)),
            ("other_day", date(random)),
            ("time", time(random)),
            ("other_time", time(random)),
            (
                "amount",
                format!("{}.{:02}", random.between(12, 900), random.between(0, 100)),
            ),
            (
                "fee",
                format!("{}.{}0", random.between(4, 60), random.between(0, 10)),
            ),
            ("limit", (random.between(3, 30) * 500).to_string()),
            ("card", format!("{:04}", random.between(0, 10_000))),
            ("number", random.between(2, 9).to_string()),
            ("case", format!("case-{}", random.between(10_000, 99_999))),
            ("clinician", (*random.pick(CLINICIANS)).to_owned()),
            ("department", (*random.pick(DEPARTMENTS)).to_owned()),
            ("symptom", (*random.pick(SYMPTOMS)).to_owned()),
            ("merchant", (*random.pick(MERCHANTS)).to_owned()),
            ("lodging", (*random.pick(LODGINGS)).to_owned()),
            ("reason", (*random.pick(REASONS)).to_owned()),
            ("item", (*random.pick(ITEMS)).to_owned()),
        ])
    }

    /// The value of a fact, if there is one of that name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }
}

fn reference(random: &mut Random) -> String {
    const LETTERS: &[char] = &['B', 'C', 'D', 'F', 'H', 'K', 'M', 'P', 'R', 'T', 'W', 'X'];
    let mut text: String = (0..3).map(|_| *random.pick(LETTERS)).collect();
    text.push_str(&random.between(100, 1_000).to_string());
    text
}

/// Fills a template. An unknown fact stays as it is written, so that a test can find it.
pub(super) fn fill(template: &str, facts: &Facts, random: &mut Random) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        text.push_str(&rest[..start]);
        let (inner, after) = braced(&rest[start..]);
        let choices = alternatives(inner);
        if choices.len() > 1 {
            let choice = *random.pick(&choices);
            text.push_str(&fill(choice, facts, random));
        } else if let Some(fact) = facts.get(inner) {
            text.push_str(fact);
        } else {
            text.push_str(&rest[start..rest.len() - after.len()]);
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// Fills one template of each slot and joins the sentences. An empty template leaves its slot out.
pub(super) fn compose(slots: &[&[&str]], facts: &Facts, random: &mut Random) -> String {
    let mut sentences = Vec::with_capacity(slots.len());
    for slot in slots {
        let template = *random.pick(slot);
        let sentence = fill(template, facts, random)
            .replace("  ", " ")
            .trim()
            .to_owned();
        if !sentence.is_empty() {
            sentences.push(sentence);
        }
    }
    sentences.join(" ")
}

/// Splits text that begins with `{` into what stands in the braces and what comes after them.
fn braced(text: &str) -> (&str, &str) {
    let mut depth = 0_u32;
    for (position, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 1 => return (&text[1..position], &text[position + 1..]),
            '}' => depth -= 1,
            _ => {}
        }
    }
    (&text[1..], "")
}

fn alternatives(inner: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    inner
        .split(|letter| {
            match letter {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            letter == '|' && depth == 0
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::persons::PERSONS;
    use super::*;

    #[test]
    fn templates_are_filled() {
        let mut random = Random::new(3);
        let facts = Facts::draw(&mut random, PERSONS[0], PERSONS[1]);
        assert_eq!(fill("to {id}!", &facts, &mut random), "to cust-1042!");
        for _ in 0..20 {
            let text = fill("{a|b {{first}|{id}}|}.", &facts, &mut random);
            assert!(
                ["a.", "b Marisol.", "b cust-1042.", "."].contains(&text.as_str()),
                "{text}"
            );
        }
        assert_eq!(fill("{nothing}", &facts, &mut random), "{nothing}");
        assert_eq!(
            compose(&[&["x"], &[""], &["y"]], &facts, &mut random),
            "x y"
        );
    }
}
