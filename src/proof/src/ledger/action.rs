//! The actions of the entries that a ledger writes itself (docs/format.md, "System events").

use serde::{Deserialize, Serialize, Serializer};

macro_rules! actions {
    ($($(#[$meaning:meta])* $name:ident = $text:literal,)*) => {
        /// What a system event says was done. Applications can't record an action that begins with `trailkeep.`.
        ///
        /// The list is closed for writing and open for reading: [`Self::parse`] gives none for an action of a later version,
        /// and a reader then shows its name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum SystemAction {
            $($(#[$meaning])* $name,)*
        }

        impl SystemAction {
            /// All of them, in the order of their names.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name as it is stored.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The section `action` of the event: the name as a JSON string.
            pub const fn section(self) -> &'static [u8] {
                match self {
                    $(Self::$name => concat!("\"", $text, "\"").as_bytes(),)*
                }
            }
        }
    };
}

actions! {
    /// Events were read.
    Access = "trailkeep.access",
    /// A target that saw another head was given up, and anchoring goes on.
    AnchorResume = "trailkeep.anchor.resume",
    /// A backup was made.
    Backup = "trailkeep.backup",
    /// A class of events was defined.
    ClassDefine = "trailkeep.class.define",
    /// An operator confirmed the clock.
    ClockConfirm = "trailkeep.clock.confirm",
    /// A bundle was exported.
    Export = "trailkeep.export",
    /// A name got its number in figures.
    FiguresName = "trailkeep.figures.name",
    /// A legal hold was released.
    HoldLift = "trailkeep.hold.lift",
    /// A legal hold was placed.
    HoldPlace = "trailkeep.hold.place",
    /// An API key was created.
    KeyCreate = "trailkeep.key.create",
    /// An API key was revoked.
    KeyRevoke = "trailkeep.key.revoke",
    /// A policy in force was replaced by a later version.
    PolicyChange = "trailkeep.policy.change",
    /// A policy is no longer in force.
    PolicyDrop = "trailkeep.policy.drop",
    /// A policy came into force.
    PolicyLoad = "trailkeep.policy.load",
    /// A price table was set.
    PricesSet = "trailkeep.prices.set",
    /// A data subject request was answered.
    PrivacyAnswer = "trailkeep.privacy.answer",
    /// An officer stated that a near identifier is another person's.
    PrivacyDistinguish = "trailkeep.privacy.distinguish",
    /// A data subject request was closed.
    PrivacyEnd = "trailkeep.privacy.end",
    /// Events were erased on request.
    PrivacyErase = "trailkeep.privacy.erase",
    /// The execution of a request was ordered.
    PrivacyExecute = "trailkeep.privacy.execute",
    /// The due date of a request was extended.
    PrivacyExtend = "trailkeep.privacy.extend",
    /// The identity of a requester was recorded.
    PrivacyIdentify = "trailkeep.privacy.identify",
    /// A restriction was lifted.
    PrivacyLift = "trailkeep.privacy.lift",
    /// A data subject request was filed.
    PrivacyReceive = "trailkeep.privacy.receive",
    /// Events were restricted on request.
    PrivacyRestrict = "trailkeep.privacy.restrict",
    /// The text and the hash of a prompt's version were erased.
    PromptErase = "trailkeep.prompt.erase",
    /// A prompt's label was moved.
    PromptLabel = "trailkeep.prompt.label",
    /// A version of a prompt was registered.
    PromptVersion = "trailkeep.prompt.version",
    /// A version of a prompt is no longer served.
    PromptWithdraw = "trailkeep.prompt.withdraw",
    /// The directory was restored from a backup.
    Restore = "trailkeep.restore",
    /// Events expired.
    RetentionExpiry = "trailkeep.retention.expiry",
    /// Destruction goes on after a restore.
    RetentionResume = "trailkeep.retention.resume",
    /// A retention trigger was fired.
    RetentionTrigger = "trailkeep.retention.trigger",
    /// A tenant was closed.
    TenantClose = "trailkeep.tenant.close",
    /// A tenant was created.
    TenantCreate = "trailkeep.tenant.create",
    /// Settings of a tenant were changed.
    TenantSet = "trailkeep.tenant.set",
    /// Rows of the vault were bound to the ledger.
    VaultBind = "trailkeep.vault.bind",
    /// A target for replicas of the vault was added.
    VaultCopyAdd = "trailkeep.vault.copy-add",
    /// A replica of the vault was checked.
    VaultCopyCheck = "trailkeep.vault.copy-check",
    /// A target for replicas of the vault was removed.
    VaultCopyRemove = "trailkeep.vault.copy-remove",
    /// The epoch key was rotated.
    VaultRotate = "trailkeep.vault.rotate",
}

impl SystemAction {
    /// The action of this name; none if it is an application's, or one of a later version.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|known| known.as_str() == name)
    }

    /// The action that a section `action` names.
    pub fn of_section(section: &[u8]) -> Option<Self> {
        let name: String = serde_json::from_slice(section).ok()?;
        Self::parse(&name)
    }
}

impl std::fmt::Display for SystemAction {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for SystemAction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for SystemAction {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let unknown = || serde::de::Error::custom(format!("unknown system action `{name}`"));
        Self::parse(&name).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_reads_back_and_has_the_reserved_prefix() {
        for action in SystemAction::ALL {
            assert!(action.as_str().starts_with("trailkeep."), "{action}");
            assert_eq!(SystemAction::parse(action.as_str()), Some(*action));
            assert_eq!(SystemAction::of_section(action.section()), Some(*action));
            let json = serde_json::to_vec(action).unwrap();
            assert_eq!(json, action.section());
            assert_eq!(
                serde_json::from_slice::<SystemAction>(&json).unwrap(),
                *action
            );
        }
        let names: Vec<_> = SystemAction::ALL
            .iter()
            .map(|known| known.as_str())
            .collect();
        assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
        assert_eq!(SystemAction::parse("trailkeep.of.later"), None);
        assert_eq!(SystemAction::of_section(b"\"chat.completion\""), None);
        assert_eq!(SystemAction::of_section(b"trailkeep.access"), None);
    }

    #[test]
    fn the_format_page_names_every_action() {
        let page = include_str!("../../../../docs/format.md");
        for action in SystemAction::ALL {
            let whole = action.as_str();
            let last = whole.rsplit('.').next().unwrap();
            let named =
                page.contains(&format!("\"{whole}\"")) || page.contains(&format!("`\".{last}\"`"));
            assert!(named, "docs/format.md does not name {whole}");
        }
    }
}
