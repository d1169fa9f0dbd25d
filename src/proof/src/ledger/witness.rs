//! What is sent to a witness, and what it answers: C2SP tlog-witness, `add-checkpoint`.

use super::checkpoint::parse_decimal;
use crate::ids::TreeHash;

/// The end of a witness's address to which checkpoints are sent.
pub const ADD_CHECKPOINT: &str = "add-checkpoint";
/// Media type of an answer that says which size the witness has seen.
pub const SIZE_TYPE: &str = "text/x.tlog.size";
/// Hashes of a consistency proof that a witness takes.
pub const PROOF_MAX: usize = 63;

/// The body of a request: the size that the witness is believed to have seen, the proof that the checkpoint continues
/// it, and the checkpoint's signed note.
pub fn add_checkpoint_body(old_size: u64, proof: &[TreeHash], note: &str) -> String {
    let proof: Vec<String> = proof.iter().map(|hash| format!("{hash}\n")).collect();
    format!("old {old_size}\n{}\n{note}", proof.concat())
}

/// The size that a witness has seen, of an answer with the status 409.
pub fn parse_size(body: &str) -> Option<u64> {
    parse_decimal(body.strip_suffix('\n')?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_the_form_of_the_specification() {
        let hash = TreeHash::new([0; 32]);
        let zero = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        assert_eq!(
            add_checkpoint_body(7, &[hash, hash], "a\n\nb\n"),
            format!("old 7\n{zero}\n{zero}\n\na\n\nb\n")
        );
        assert_eq!(add_checkpoint_body(0, &[], "a\n\nb\n"), "old 0\n\na\n\nb\n");
    }

    #[test]
    fn a_size_is_a_number_and_a_line_end() {
        assert_eq!(parse_size("20852014\n"), Some(20_852_014));
        for bad in ["", "1", "01\n", "-1\n", "1\n\n", " 1\n", "x\n"] {
            assert_eq!(parse_size(bad), None, "{bad:?}");
        }
    }
}
