//! Every command that asks a ledger, with a line to run.

use trailkeep_core::keys::role::Right;

use super::Directory;

pub const SECRET: &str = "seen-by-its-tenant-alone";

/// The event that the examples of paths name.
pub fn event() -> String {
    format!(
        r#"{{"id":"order-17","action":"chat.completion","actor":{{"id":"u-1"}},"input":"{SECRET}"}}"#
    )
}

/// Commands that ask a ledger, and the right that each needs.
pub fn commands(directory: &Directory) -> Vec<(Vec<String>, Right)> {
    let file = |name: &str| directory.path.with_extension(name).display().to_string();
    std::fs::write(file("ndjson"), event()).unwrap();
    let prompts = file("prompts");
    std::fs::create_dir_all(&prompts).unwrap();
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<String>>();
    vec![
        (words(&format!("append {}", file("ndjson"))), Right::Append),
        (words("show order-17"), Right::Read),
        (words("query --action chat.completion"), Right::Read),
        (words("checkpoint"), Right::Prove),
        (words("receipt get order-17"), Right::Prove),
        (
            words(&format!("export --force --out {}", file("zip"))),
            Right::Export,
        ),
        (words("key public"), Right::Prove),
        (words("key create --role reader"), Right::ManageKeys),
        (words("key list"), Right::ManageKeys),
        (words("key revoke 0000000000000000"), Right::ManageKeys),
        (words("tenant create walked"), Right::ManageTenants),
        (
            words("tenant set walked --public-log on"),
            Right::ManageTenants,
        ),
        (
            words("tenant close walked --without-export"),
            Right::ManageTenants,
        ),
        (words("tenant list"), Right::ManageTenants),
        (words("access list"), Right::SeeAccess),
        (words("policy gaps"), Right::SeeAccess),
        (words("figures"), Right::SeeFigures),
        (words("figures names list"), Right::SeeFigures),
        (words("figures names allow walked"), Right::NameFigures),
        (words("prices set shipped"), Right::SetPrices),
        (words("prices list"), Right::SeePrices),
        (words("prices show 1"), Right::SeePrices),
        (
            words(&format!("prompt sync {prompts} --dry-run")),
            Right::SeePrompts,
        ),
        (words(&format!("prompt check {prompts}")), Right::SeePrompts),
        (words("prompt show greeting"), Right::FetchPrompts),
        (words("prompt diff greeting 1 2"), Right::SeePrompts),
        (words("prompt list"), Right::SeePrompts),
        (words("prompt history greeting"), Right::SeePrompts),
        (
            words("prompt label greeting production=1"),
            Right::SetPrompts,
        ),
        (
            words("prompt rollback greeting --reason r"),
            Right::SetPrompts,
        ),
        (
            words("prompt withdraw greeting/1 --reason r"),
            Right::SetPrompts,
        ),
        (
            words("prompt erase greeting/1 --reason r --yes"),
            Right::SetPrompts,
        ),
        (
            words("hold place --reason r --matter m"),
            Right::ManageHolds,
        ),
        (words("hold list"), Right::ManageHolds),
        (
            words("hold release 0000000000000000 --reason r"),
            Right::ManageHolds,
        ),
        (words("retention preview"), Right::SeeRetention),
        (words("retention run"), Right::RunRetention),
        (words("retention explain order-17"), Right::SeeRetention),
        (
            words("retention trigger audit_concluded --record r --at 2026-11-01T00:00:00Z"),
            Right::RunRetention,
        ),
        (words("retention triggers"), Right::RunRetention),
        (
            words(&format!(
                "privacy access --subject u-1 --force --out {}",
                file("zip")
            )),
            Right::AnswerRequests,
        ),
        (
            words("privacy restrict --subject nobody --reference R --ground contested"),
            Right::AnswerRequests,
        ),
        (
            words("privacy erase --subject u-1 --dry-run"),
            Right::AnswerRequests,
        ),
        (words("privacy file --subject u-1"), Right::AnswerRequests),
        (
            words("privacy identity 00 --verified-by x"),
            Right::AnswerRequests,
        ),
        (words("privacy execute 00 --yes"), Right::AnswerRequests),
        (words("privacy extend 00 --reason x"), Right::AnswerRequests),
        (
            words(&format!("privacy bundle 00 --force --out {}", file("zip"))),
            Right::AnswerRequests,
        ),
        (
            words("privacy close 00 --decision withdrawn"),
            Right::AnswerRequests,
        ),
        (
            words(&format!(
                "privacy certificate 00 --force --out {}",
                file("json")
            )),
            Right::AnswerRequests,
        ),
        (
            words(&format!("privacy letter 00 --force --out {}", file("html"))),
            Right::AnswerRequests,
        ),
        (words("privacy list"), Right::AnswerRequests),
        (words("privacy show 00"), Right::AnswerRequests),
        (
            words("retention resume --reviewed-holds"),
            Right::ManageVault,
        ),
        (words("policy gaps"), Right::SeeAccess),
        (words("key rotate-vault"), Right::ManageVault),
        (words("vault bind"), Right::ManageVault),
        (
            words(&format!("vault-replica add {}", file("copy"))),
            Right::ManageVault,
        ),
        (words("vault-replica list"), Right::ManageVault),
        (words("vault-replica check"), Right::ManageVault),
        (
            words(&format!("vault-replica remove {}", file("copy"))),
            Right::ManageVault,
        ),
        (words("sources"), Right::Verify),
        (words("anchor run"), Right::Verify),
        (words("anchor list"), Right::Prove),
        (words("anchor show"), Right::Prove),
        (
            words("anchor resume --reviewed-history"),
            Right::ManageVault,
        ),
        (words("verify"), Right::Verify),
    ]
}
