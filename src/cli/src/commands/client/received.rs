//! Answers in JSON. A command reads them as the type of their route, or prints them whole: under `--json` a program gets
//! members that this version does not know, too.

use std::marker::PhantomData;

use anyhow::Context;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::commands::output::print_json;

/// What a route answered.
pub(in crate::commands) struct Received<T> {
    text: String,
    form: PhantomData<T>,
}

impl<T> Received<T> {
    pub(super) fn of(text: String) -> Self {
        Self {
            text,
            form: PhantomData,
        }
    }

    /// What is not answered by a route, in the form of the one that would.
    pub(in crate::commands) fn made(value: &impl Serialize) -> anyhow::Result<Self> {
        Ok(Self::of(serde_json::to_string(value)?))
    }

    /// As another type, such as one that reads less.
    pub(in crate::commands) fn read_as<U: DeserializeOwned>(&self) -> anyhow::Result<U> {
        serde_json::from_str(&self.text).context(
            "the server's answer has a form that this program does not know: use the `trailkeep` of the server's version",
        )
    }

    /// Its bytes.
    pub(in crate::commands) fn text(&self) -> &str {
        &self.text
    }

    /// Prints it whole, its members by name.
    pub(in crate::commands) fn print(&self) -> anyhow::Result<()> {
        self.print_with([])
    }

    /// Prints it with members of the command's own.
    pub(in crate::commands) fn print_with<'a>(
        &self,
        more: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> anyhow::Result<()> {
        let mut whole: Map<String, Value> = self.read_as()?;
        let more = more.into_iter();
        whole.extend(more.map(|(name, value)| (name.to_owned(), value)));
        print_json(&whole)
    }

    /// Prints it byte for byte: it holds an event.
    pub(in crate::commands) fn print_as_it_came(&self) -> anyhow::Result<()> {
        let text: &RawValue = serde_json::from_str(&self.text)?;
        print_json(&text)
    }
}

impl<T: DeserializeOwned> Received<T> {
    /// As the type of its route.
    pub(in crate::commands) fn read(&self) -> anyhow::Result<T> {
        self.read_as()
    }
}
