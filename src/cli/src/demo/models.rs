//! Models and providers, all invented, with prices in the range of real ones.

/// A model as the demo's company uses it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    /// Who runs it.
    pub(super) provider: &'static str,
    /// The name that is asked for.
    pub(super) requested: &'static str,
    /// The name that answers.
    pub(super) answering: &'static str,
    /// Price of one input token, in billionths of a dollar.
    pub(super) input_price: u64,
    /// Price of one output token, in billionths of a dollar.
    pub(super) output_price: u64,
    /// Milliseconds until the first token, about.
    pub(super) first_token_ms: u64,
    /// Milliseconds for each further token, about.
    pub(super) token_ms: u64,
}

/// Models that converse.
pub(super) const CHAT_MODELS: [Model; 4] = [
    Model {
        provider: "brightwater",
        requested: "brightwater-large-2",
        answering: "brightwater-large-2-2026-09-14",
        input_price: 2_500,
        output_price: 10_000,
        first_token_ms: 480,
        token_ms: 17,
    },
    Model {
        provider: "brightwater",
        requested: "brightwater-small-2",
        answering: "brightwater-small-2-2026-07-30",
        input_price: 150,
        output_price: 600,
        first_token_ms: 210,
        token_ms: 7,
    },
    Model {
        provider: "oakmoor",
        requested: "oakmoor-chat-1.5",
        answering: "oakmoor-chat-1.5",
        input_price: 1_000,
        output_price: 4_000,
        first_token_ms: 350,
        token_ms: 12,
    },
    Model {
        provider: "oakmoor",
        requested: "oakmoor-reasoner-latest",
        answering: "oakmoor-reasoner-1-preview",
        input_price: 3_000,
        output_price: 15_000,
        first_token_ms: 1_900,
        token_ms: 21,
    },
];

/// The model on the company's own machines, for short tasks.
pub(super) const TASK_MODEL: Model = Model {
    provider: "self-hosted",
    requested: "fenland-7b-instruct",
    answering: "fenland-7b-instruct-q8",
    input_price: 40,
    output_price: 80,
    first_token_ms: 120,
    token_ms: 9,
};

/// The model that turns text into vectors.
pub(super) const EMBEDDING_MODEL: Model = Model {
    provider: "self-hosted",
    requested: "fenland-embed-1",
    answering: "fenland-embed-1",
    input_price: 100,
    output_price: 0,
    first_token_ms: 35,
    token_ms: 0,
};
