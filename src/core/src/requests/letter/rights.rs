//! Where the data subject may complain, and which court is open to them (GDPR Art. 12(4), 77 and 79, and what stands for
//! them elsewhere).

use super::Part;
use trailkeep_proof::privacy::Regime;

/// The law of a request, in full.
pub(super) const fn law(regime: Regime) -> &'static str {
    match regime {
        Regime::Gdpr => "General Data Protection Regulation (EU) 2016/679, GDPR",
        Regime::UkGdpr => "United Kingdom General Data Protection Regulation, UK GDPR",
        Regime::Ccpa => "California Consumer Privacy Act, CCPA",
    }
}

const GDPR: &[&str] = &[
    "You may complain to a supervisory authority, in particular in the member state where you live or work, or where you think that the \
     law was infringed (GDPR Art. 12(4) and 77). The European Data Protection Board lists the authorities: edpb.europa.eu.",
    "You may go to court, whether or not you complain (GDPR Art. 79). The courts of a member state where the controller has an \
     establishment are open to you, and those where you live, unless the controller is a public authority that exercises its public powers.",
];

const UK_GDPR: &[&str] = &[
    "You may complain to the controller, who must acknowledge your complaint within 30 days (Data Protection Act 2018, section 164A).",
    "You may complain to the Information Commissioner, the ICO (UK GDPR Art. 12(4) and 77; Data Protection Act 2018, section 165): \
     ico.org.uk. If the Commissioner does not respond, or does not tell you of progress within three months, a tribunal can order it \
     (section 166).",
    "You may go to court, whether or not you complain (UK GDPR Art. 79; Data Protection Act 2018, section 167).",
];

const CCPA: &[&str] = &[
    "You may complain to the California Privacy Protection Agency (Cal. Civ. Code 1798.199.45): cppa.ca.gov.",
    "You may complain to the Attorney General of California, who can bring the matter to court (Cal. Civ. Code 1798.199.90): oag.ca.gov.",
    "The CCPA lets you sue by yourself only over certain breaches of security (Cal. Civ. Code 1798.150). It does not say whether another \
     law gives you a claim.",
    "You must not be treated worse because of your request (Cal. Civ. Code 1798.125).",
];

/// The notice, by the law under which the request was made.
pub(super) fn part(regime: Regime, receipt: &str) -> Part {
    let items = match regime {
        Regime::Gdpr => GDPR,
        Regime::UkGdpr => UK_GDPR,
        Regime::Ccpa => CCPA,
    };
    Part {
        heading: "If you do not agree",
        items: items.iter().map(|item| (*item).to_owned()).collect(),
        after: vec![format!("Quote the number of your request: {receipt}.")],
        ..Part::default()
    }
}
