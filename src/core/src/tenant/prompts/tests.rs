use super::*;
use trailkeep_proof::prompts::{Unit, Variants};

fn act(seq: u64) -> Act {
    Act {
        at_ms: 0,
        by: Some("local".to_owned()),
        reason: None,
        seq,
        ledger: "localhost/default".to_owned(),
    }
}

fn version(number: u32) -> PromptVersion {
    PromptVersion {
        id: format!("v{number}"),
        name: PromptName::parse("support/refund").unwrap(),
        version: number,
        size: 4,
        parent: number.checked_sub(1).filter(|parent| *parent > 0),
        git_commit: None,
        path: None,
        secret: Some(Secret {
            sha256: format!("{number:064}"),
            salt: "00".to_owned(),
        }),
        registered: act(u64::from(number)),
        withdrawn: None,
        erased: None,
    }
}

fn moved(number: u32, label: &str, to: u32) -> LabelMove {
    LabelMove {
        id: format!("m{number}"),
        name: PromptName::parse("support/refund").unwrap(),
        label: Label::parse(label).unwrap(),
        number,
        from: Vec::new(),
        to: Variants::one(to),
        unit: Unit::Conversation,
        experiment: None,
        rollback: false,
        restores: Vec::new(),
        moved: act(100 + u64::from(number)),
    }
}

#[test]
fn a_name_is_known_with_the_versions_that_it_ever_had() {
    let erased = PromptVersion {
        secret: None,
        erased: Some(act(9)),
        ..version(2)
    };
    let prompts = Prompts::default().with_version(version(1));
    let prompts = prompts.with_version(erased);
    assert!(prompts.knows("support/refund", None));
    assert!(prompts.knows("support/refund", Some(1)));
    assert!(prompts.knows("support/refund", Some(2)));
    assert!(!prompts.knows("support/refund", Some(3)));
    assert!(!prompts.knows("refund", None));
    assert_eq!((prompts.len(), prompts.is_empty()), (1, false));
}

#[test]
fn latest_is_the_newest_that_is_served_and_a_label_its_last_move() {
    let withdrawn = PromptVersion {
        withdrawn: Some(act(9)),
        ..version(3)
    };
    let mut prompts = Prompts::default();
    for one in [version(1), version(2), withdrawn] {
        prompts = prompts.with_version(one);
    }
    for made in [
        moved(1, "production", 1),
        moved(2, "staging", 2),
        moved(3, "production", 2),
    ] {
        prompts = prompts.with_move(made);
    }
    let prompt = prompts.get("support/refund").unwrap();
    assert_eq!(prompt.newest().map(|version| version.version), Some(3));
    assert_eq!(prompt.latest().map(|version| version.version), Some(2));
    assert_eq!(
        prompt.version(3).unwrap().not_served(),
        Some(NotServed::Withdrawn)
    );
    assert_eq!(prompt.label("production").unwrap().number, 3);
    let before: Vec<u32> = prompt
        .moves_of("production")
        .map(|made| made.number)
        .collect();
    assert_eq!(before, [3, 1]);
    assert_eq!(prompt.labels_of(2), ["production", "staging", "latest"]);
    assert!(prompt.labels_of(1).is_empty());
    assert_eq!(prompt.next_move(), 4);
    // What was before a change is another value: readers keep what they took.
    let after = prompts.with_move(moved(4, "production", 1));
    assert_eq!(prompt.label("production").unwrap().number, 3);
    assert_eq!(
        after
            .get("support/refund")
            .unwrap()
            .label("production")
            .unwrap()
            .number,
        4
    );
}

#[test]
fn seqs_that_were_open_are_those_of_the_statement() {
    use crate::keys::rows::STATED_HERE;
    use trailkeep_proof::ids::Seq;
    let begun = LabelMove {
        experiment: Some(Experiment {
            seq: STATED_HERE,
            ledger: "localhost/default".to_owned(),
        }),
        moved: act(STATED_HERE),
        ..moved(1, "production", 1)
    };
    let stated = begun.stated(Seq::new(17));
    assert_eq!((stated.experiment.unwrap().seq, stated.moved.seq), (17, 17));
    let withdrawn = PromptVersion {
        withdrawn: Some(act(STATED_HERE)),
        ..version(1)
    };
    let stated = withdrawn.stated(Seq::new(18));
    assert_eq!(
        (stated.registered.seq, stated.withdrawn.unwrap().seq),
        (1, 18)
    );
}
