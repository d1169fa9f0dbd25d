//! The fenced blocks of a document.

/// What is done with a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Run by bash.
    Shell,
    /// Commands behind `$ `, and what they print.
    Console,
    /// Run by python3, with nothing but its standard library.
    Python,
    /// Run by node.
    JavaScript,
    /// A program with a name: written to a file of that name.
    File(String),
    /// Parsed.
    Json,
    /// Parsed.
    Toml,
    /// For reading.
    Text,
    /// It can't be run here, and says why.
    NotRun(String),
}

/// A block.
pub struct Block {
    pub kind: Kind,
    /// The line of its first fence, from 1.
    pub line: usize,
    pub text: String,
}

/// All blocks of a document, in order.
pub fn blocks_of(document: &str) -> Vec<Block> {
    let path = crate::support::root().join(document);
    let text = std::fs::read_to_string(path).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match (open.take(), line.strip_prefix("```")) {
            (None, Some(info)) => open = Some((number + 1, info.to_owned(), String::new())),
            (None, None) => {}
            (Some((line, info, text)), Some("")) => {
                let kind = kind_of(&info, &text);
                let kind = kind.unwrap_or_else(|| panic!("{document}:{line}: a fence `{info}`"));
                blocks.push(Block { kind, line, text });
            }
            (Some((first, info, mut text)), _) => {
                text.push_str(line);
                text.push('\n');
                open = Some((first, info, text));
            }
        }
    }
    assert!(open.is_none(), "{document}: a fence is not closed");
    blocks
}

fn kind_of(info: &str, text: &str) -> Option<Kind> {
    let (language, rest) = info.split_once(' ').unwrap_or((info, ""));
    if let Some(why) = rest.strip_prefix("not-run=\"") {
        return Some(Kind::NotRun(why.strip_suffix('"')?.to_owned()));
    }
    if let Some(name) = rest.strip_prefix("file=\"") {
        return Some(Kind::File(name.strip_suffix('"')?.to_owned()));
    }
    if !rest.is_empty() {
        return None;
    }
    Some(match language {
        "sh" => Kind::Shell,
        "console" => Kind::Console,
        "python" | "python3" if text.starts_with("#!") => Kind::File(name_of(text)?),
        "python" => Kind::Python,
        "ts" => Kind::JavaScript,
        "json" => Kind::Json,
        "toml" => Kind::Toml,
        "text" => Kind::Text,
        _ => return None,
    })
}

/// The program's own name, with which its description begins.
fn name_of(text: &str) -> Option<String> {
    let (_, description) = text.split_once("\"\"\"")?;
    Some(description.split_whitespace().next()?.to_owned())
}
