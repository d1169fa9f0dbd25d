//! Events of an invented company, for demonstrations, tests and measurements.
//!
//! The company Meridale runs a travel desk, clinics and a savings bank, and puts assistants in
//! front of all three. Nothing here is taken from anywhere, and nobody here exists. The same
//! arguments always give the same events, so a demo can be repeated byte for byte.

mod bank;
mod clinic;
mod conversation;
mod event;
mod models;
mod persons;
mod phrases;
mod random;
mod scenarios;
mod tasks;
#[cfg(test)]
mod tests;
mod travel;

use conversation::Conversation;
use event::{Call, SOURCES};
use random::Random;

use trailkeep_proof::time::UnixMillis;

/// Conversations that go on at the same time.
const OPEN_CONVERSATIONS: usize = 6;

/// Makes `count` events, each one JSON object on one line, in the form of `POST /v1/events`.
///
/// They are in the order of their `occurred_at`, the first one shortly after `starting_at` and
/// about 45 seconds apart on average. Their ids count up from `demo-000001`, and each source
/// numbers its own events without a gap. Fewer events of the same seed are a prefix of more.
pub fn demo_events(count: usize, seed: u64, starting_at: UnixMillis) -> Vec<String> {
    let mut random = Random::new(seed);
    let mut open: Vec<Conversation> = Vec::with_capacity(OPEN_CONVERSATIONS);
    let mut sequences = [0_u64; SOURCES.len()];
    let mut now = starting_at.get();
    (1..=count as u64)
        .map(|number| {
            now = now.saturating_add(random.between(1_000, 89_000));
            let call = next_call(&mut open, &mut random);
            let sequence = &mut sequences[call.source];
            *sequence += 1;
            call.into_event(number, *sequence, UnixMillis::new(now), &mut random)
        })
        .collect()
}

/// Plays a turn of some open conversation, or a single call in between.
fn next_call(open: &mut Vec<Conversation>, random: &mut Random) -> Call {
    if random.chance(22) {
        return tasks::task(random);
    }
    if open.is_empty() || (open.len() < OPEN_CONVERSATIONS && random.chance(40)) {
        open.push(Conversation::open(random));
    }
    let index = random.between(0, open.len() as u64) as usize;
    let call = open[index].turn(random);
    if open[index].is_over() {
        open.swap_remove(index);
    }
    call
}
