//! Tables for people. On a terminal a table is as wide as the terminal at most: cells are shortened and columns left out,
//! and a line below says so. Elsewhere, and with `-o wide`, all of it is printed.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::sync::OnceLock;

use comfy_table::presets::{NOTHING, UTF8_HORIZONTAL_ONLY};
use rustix::termios::tcgetwinsize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use trailkeep_proof::text;

/// What a cell is shortened to before its column is left out: an ellipsis after a date.
const CELL_MIN: usize = 11;
/// The same for a column that names its row. The ids of keys, holds and replicas fit.
const KEY_MIN: usize = 17;
/// What the frame adds to a cell: a blank on each side, and one between two cells.
const PADDING: usize = 3;
/// Stands where a cell was shortened.
const CUT: char = '…';

/// Whether tables are printed in full on a terminal, too.
static IS_WIDE: OnceLock<bool> = OnceLock::new();

/// Tables of this process are printed in full, whatever the width of the terminal.
pub(super) fn print_wide() {
    // It is said once, before any table is made.
    let _ = IS_WIDE.set(true);
}

/// What happens to a column where the table is too wide.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// It names its row: never left out, and shortened last.
    Key,
    /// Shortened to so many columns at least, so that it still says something, and left out after all others.
    AtLeast(usize),
    /// Shortened, and left out after those that can be spared.
    Part,
    /// Shortened, and left out first, the last one before the others.
    Spare,
}

/// A table for people: no cell holds a line end or anything else that steers a screen.
pub(super) struct Table {
    columns: Vec<(String, Fit)>,
    rows: Vec<Vec<String>>,
    style: comfy_table::TableStyle,
    /// Columns of the terminal; none where all is printed.
    room: Option<usize>,
}

impl Table {
    pub(super) fn new<T: AsRef<str>>(columns: impl IntoIterator<Item = (T, Fit)>) -> Self {
        let columns = columns.into_iter();
        let shown = |(name, fit): (T, Fit)| (text::line(name.as_ref()).into_owned(), fit);
        Self {
            columns: columns.map(shown).collect(),
            rows: Vec::new(),
            style: UTF8_HORIZONTAL_ONLY,
            room: room(io::stdout()),
        }
    }

    /// Without lines between its rows.
    pub(super) fn plain(mut self) -> Self {
        self.style = NOTHING;
        self
    }

    pub(super) fn add_row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let cells = cells.into_iter();
        let cells = cells.map(|cell| text::line(cell.as_ref()).into_owned());
        self.rows.push(cells.collect());
    }

    /// The width of each column in full.
    fn widths(&self) -> Vec<usize> {
        let widest = |(index, (head, _)): (usize, &(String, Fit))| {
            let cells = self.rows.iter().filter_map(|row| row.get(index));
            cells
                .map(|cell| cell.width())
                .fold(head.width(), usize::max)
        };
        self.columns.iter().enumerate().map(widest).collect()
    }

    fn render(&self, shown: &[(usize, usize)]) -> String {
        let pick = |cells: &[&str]| -> Vec<String> {
            let cell = |(index, width): &(usize, usize)| {
                shortened(cells.get(*index).copied().unwrap_or_default(), *width)
            };
            shown.iter().map(cell).collect()
        };
        let heads: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        let mut table = comfy_table::Table::new();
        table.load_style(self.style).set_header(pick(&heads));
        for row in &self.rows {
            let cells: Vec<&str> = row.iter().map(String::as_str).collect();
            table.add_row(pick(&cells));
        }
        table.to_string()
    }

    /// What a narrow table does not show.
    fn mark(&self, shown: &[(usize, usize)], widths: &[usize]) -> String {
        let is_shown = |index: usize| shown.iter().any(|(column, _)| *column == index);
        let (mut left_out, mut cut) = (Vec::new(), Vec::new());
        for (index, (name, _)) in self.columns.iter().enumerate() {
            if !is_shown(index) {
                left_out.push(name.as_str());
            }
        }
        for (index, width) in shown {
            if *width < widths[*index] {
                cut.push(self.columns[*index].0.as_str());
            }
        }
        let mut parts = Vec::new();
        for (what, names) in [("not shown", left_out), ("shortened", cut)] {
            if !names.is_empty() {
                parts.push(format!("{what}: {}", names.join(", ")));
            }
        }
        format!("{}. -o wide shows all", parts.join("; "))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let all: Vec<(usize, usize)> = widths.iter().copied().enumerate().collect();
        let Some(room) = self.room.filter(|room| width_of(&all) > *room) else {
            return f.write_str(&self.render(&all));
        };
        let fits: Vec<Fit> = self.columns.iter().map(|(_, fit)| *fit).collect();
        let shown = fit(&widths, &fits, room);
        writeln!(f, "{}", self.render(&shown))?;
        f.write_str(&text::wrapped(&self.mark(&shown, &widths), room))
    }
}

/// Columns that what is printed has; none where it has as many as it wants, because it goes to no terminal, or because all of it was
/// asked for.
pub(super) fn room(output: impl AsFd) -> Option<usize> {
    if IS_WIDE.get() == Some(&true) {
        return None;
    }
    let size = tcgetwinsize(output).ok()?;
    Some(usize::from(size.ws_col)).filter(|width| *width > 0)
}

/// How wide a table with these columns is.
fn width_of(columns: &[(usize, usize)]) -> usize {
    let cells: usize = columns.iter().map(|(_, width)| width + PADDING).sum();
    cells.saturating_sub(1)
}

/// The columns that fit, each with its width.
fn fit(widths: &[usize], fits: &[Fit], room: usize) -> Vec<(usize, usize)> {
    let least = |index: usize| {
        let least = match fits[index] {
            Fit::Key => KEY_MIN,
            Fit::AtLeast(columns) => columns,
            Fit::Part | Fit::Spare => CELL_MIN,
        };
        widths[index].min(least)
    };
    let mut shown: Vec<(usize, usize)> = (0..widths.len()).map(|i| (i, least(i))).collect();
    while width_of(&shown) > room && shown.len() > 1 {
        let spared = shown.iter().enumerate();
        let spared = spared.filter(|(_, (index, _))| fits[*index] != Fit::Key);
        // Of equals the last one.
        let Some((at, _)) = spared.max_by_key(|(_, (index, _))| fits[*index]) else {
            break;
        };
        shown.remove(at);
    }
    // Only keys, and still too wide: the widest gives way.
    while width_of(&shown) > room {
        let Some((_, width)) = shown.iter_mut().max_by_key(|(_, width)| *width) else {
            break;
        };
        if *width <= 1 {
            break;
        }
        *width -= 1;
    }
    // What is left over goes to keys first, then to the narrowest of the others.
    let mut left = room.saturating_sub(width_of(&shown));
    while left > 0 {
        let lacks = shown
            .iter_mut()
            .filter(|(index, width)| *width < widths[*index]);
        let Some((_, width)) =
            lacks.min_by_key(|(index, width)| (fits[*index] != Fit::Key, *width))
        else {
            break;
        };
        *width += 1;
        left -= 1;
    }
    shown
}

/// A text of this width at most.
fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or_default();
        if used > width {
            break;
        }
        short.push(c);
    }
    short.push(CUT);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(room: usize) -> Table {
        let columns = [
            ("id", Fit::Key),
            ("reason", Fit::Part),
            ("placed", Fit::Part),
            ("scope", Fit::Spare),
            ("note", Fit::Spare),
        ];
        let mut table = Table::new(columns);
        table.room = Some(room);
        table.add_row([
            "0123456789abcdef",
            "the regulator asked for all of it",
            "2026-11-30T06:39:06.035Z",
            "subject 客客客客客客客客客客客客客客",
            "x",
        ]);
        table
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for room in 1..160 {
            let text = table(room).to_string();
            let widest = text
                .lines()
                .map(UnicodeWidthStr::width)
                .max()
                .unwrap_or_default();
            // A word of the mark is not broken.
            assert!(widest <= room.max(12), "{room}: {widest}\n{text}");
        }
    }

    #[test]
    fn the_last_spare_column_is_left_out_first_and_the_key_stays() {
        let said = |room: usize| table(room).to_string();
        assert!(!said(140).contains("-o wide"), "{}", said(140));
        let text = said(80);
        assert!(text.contains("shortened: reason, placed, scope."), "{text}");
        assert!(!text.contains("not shown"), "{text}");
        let text = said(50);
        assert!(text.contains("0123456789abcdef"), "{text}");
        assert!(text.contains("not shown: scope, note"), "{text}");
        let text = said(24);
        assert!(text.contains("0123456789abcdef"), "{text}");
        assert!(text.contains("not shown: reason,"), "{text}");
    }
}
