//! A data set from tables in memory.
//!
//! The tables have the columns that files may have.
//!
//! Tables are read like files ([`super::import`]): columns have the same names, roles and checks, so that a log gives
//! the same data set from memory and from a file. Only the kept data are copied.

use super::import::{MemoryNames, tables_in_memory};
use super::sheet::Cell;
use super::{DataError, Dataset, collect};
use std::borrow::Cow;
use std::sync::Arc;

/// One value of a table in memory.
#[derive(Clone, Debug, PartialEq)]
pub enum TableValue<'a> {
    /// No value.
    Missing,
    /// A text, or a number as it should be written.
    Text(Cow<'a, str>),
    /// An integer.
    Whole(i64),
    /// A number; NaN is missing.
    Number(f64),
    /// A truth value.
    Truth(bool),
    /// A moment in microseconds since 1970.
    Time(i64),
    /// Several values, each as it should be written.
    List(Vec<String>),
}

impl TableValue<'_> {
    /// Writes the value as one of a file.
    pub(super) fn write(self, cell: &mut Cell) {
        match self {
            TableValue::Missing => *cell = Cell::Missing,
            TableValue::Number(number) if number.is_nan() => *cell = Cell::Missing,
            TableValue::Text(text) => cell.write(&text),
            TableValue::Whole(number) => cell.write(&number.to_string()),
            // The shortest text that restores the number.
            TableValue::Number(number) => cell.write(&number.to_string()),
            TableValue::Truth(truth) => cell.write(if truth { "true" } else { "false" }),
            TableValue::Time(micros) => *cell = Cell::Time(micros),
            TableValue::List(entries) => *cell = Cell::List(entries),
        }
    }
}

/// A table in memory, of any library.
pub trait MemoryTable: Send + Sync {
    /// Names of the columns.
    fn columns(&self) -> &[String];

    /// Number of rows.
    fn rows(&self) -> usize;

    /// The value of a row in a column; both are below their number.
    fn value(&self, row: usize, column: usize) -> TableValue<'_>;
}

/// A log, and facts about its items and users.
#[derive(Clone)]
pub struct MemoryTables {
    /// The log: a row for each interaction, for each item that was shown, or for each list that was shown.
    pub interactions: Arc<dyn MemoryTable>,
    /// A row for each item.
    pub items: Option<Arc<dyn MemoryTable>>,
    /// A row for each user.
    pub users: Option<Arc<dyn MemoryTable>>,
    /// Roles of columns that cannot be recognised by name: the text of a `data.toml`. Empty for none.
    pub roles: String,
}

impl Dataset {
    /// A data set from tables in memory. It is that of files with the same rows, except its hash.
    ///
    /// # Errors
    /// The first value that cannot be understood, with its table and row, counted from 1.
    pub fn from_tables(name: &str, tables: &MemoryTables) -> Result<Dataset, DataError> {
        let publisher = tables_in_memory(tables)?;
        let mut data = collect::collect(publisher.as_ref(), "memory", name.to_owned())?;
        data.hash = hash(tables);
        Ok(data)
    }
}

/// The hash over all values, with their lengths, so that no two data sets share their bytes.
fn hash(tables: &MemoryTables) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut text = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    let parts = [
        (MemoryNames::ITEMS, tables.items.as_ref()),
        (MemoryNames::USERS, tables.users.as_ref()),
        (MemoryNames::LOG, Some(&tables.interactions)),
    ];
    let mut cell = Cell::Missing;
    for (name, table) in parts.into_iter().filter_map(|(name, table)| Some((name, table?))) {
        text(name);
        table.columns().iter().for_each(|column| text(column));
        for (row, column) in
            (0..table.rows()).flat_map(|row| (0..table.columns().len()).map(move |column| (row, column)))
        {
            table.value(row, column).write(&mut cell);
            match &cell {
                Cell::Missing => text("\0"),
                Cell::Text(value) => text(value),
                Cell::Time(micros) => text(&micros.to_string()),
                Cell::List(entries) => {
                    text(&entries.len().to_string());
                    entries.iter().for_each(|entry| text(entry));
                }
            }
        }
    }
    text(&tables.roles);
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Grid {
        columns: Vec<String>,
        rows: Vec<Vec<TableValue<'static>>>,
    }

    impl MemoryTable for Grid {
        fn columns(&self) -> &[String] {
            &self.columns
        }

        fn rows(&self) -> usize {
            self.rows.len()
        }

        fn value(&self, row: usize, column: usize) -> TableValue<'_> {
            self.rows[row][column].clone()
        }
    }

    fn text(text: &'static str) -> TableValue<'static> {
        TableValue::Text(text.into())
    }

    fn grid(columns: &[&str], rows: Vec<Vec<TableValue<'static>>>) -> Arc<dyn MemoryTable> {
        Arc::new(Grid { columns: columns.iter().map(|&name| name.to_owned()).collect(), rows })
    }

    fn log() -> Arc<dyn MemoryTable> {
        let row = |user, item, rating: f64, seconds: i64| {
            vec![TableValue::Whole(user), text(item), TableValue::Number(rating), TableValue::Time(seconds * 1_000_000)]
        };
        let rows = vec![row(10, "b", 4.5, 30), row(9, "a", f64::NAN, 20), row(10, "a", 1.0, 10)];
        grid(&["user_id", "item_id", "rating", "time"], rows)
    }

    fn items() -> Arc<dyn MemoryTable> {
        let genres = |names: &[&str]| TableValue::List(names.iter().map(|&name| name.to_owned()).collect());
        let rows = vec![
            vec![text("a"), text("Alpha"), TableValue::Whole(1999), genres(&["x", "y"])],
            vec![text("b"), text("Beta"), TableValue::Missing, genres(&["y"])],
        ];
        grid(&["item_id", "title", "year", "genres"], rows)
    }

    #[test]
    fn tables_in_memory_are_the_data_set_of_files_with_the_same_rows() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        write("log.csv", "user_id,item_id,rating,time\n10,b,4.5,30\n9,a,,20\n10,a,1,10\n");
        write(
            "items.jsonl",
            "{\"item_id\": \"a\", \"title\": \"Alpha\", \"year\": 1999, \"genres\": [\"x\", \"y\"]}\n\
             {\"item_id\": \"b\", \"title\": \"Beta\", \"year\": null, \"genres\": [\"y\"]}\n",
        );
        let files = Dataset::read(folder.path()).expect("files");
        let tables = MemoryTables { interactions: log(), items: Some(items()), users: None, roles: String::new() };
        let memory = Dataset::from_tables("shop", &tables).expect("tables");
        let ids = |data: &Dataset| -> (Vec<String>, Vec<String>) {
            let all = |table: &crate::dataset::IdTable| -> Vec<String> {
                (0..table.len()).map(|id| table.external(id as u32).to_owned()).collect()
            };
            (all(&data.users), all(&data.items))
        };
        assert_eq!(ids(&memory), ids(&files));
        assert_eq!(format!("{:?}", memory.interactions), format!("{:?}", files.interactions));
        assert_eq!(serde_json::to_value(&memory.item_fields).ok(), serde_json::to_value(&files.item_fields).ok());
        assert_eq!((&memory.title, memory.scale, memory.has_times), (&files.title, files.scale, true));
        assert_eq!((memory.name.as_str(), memory.family), ("shop", "memory"));
        let other = MemoryTables { items: None, ..tables };
        let without = Dataset::from_tables("shop", &other).expect("tables");
        assert_ne!(memory.hash, without.hash);
        assert!(without.notes.iter().any(|note| note.contains("no table of items")), "{:?}", without.notes);
    }

    #[test]
    fn problems_name_table_and_row() {
        let problem = |interactions, items, roles: &str| {
            let tables = MemoryTables { interactions, items, users: None, roles: roles.to_owned() };
            Dataset::from_tables("shop", &tables).expect_err("a problem").to_string()
        };
        let wrong = grid(
            &["user_id", "item_id", "rating"],
            vec![vec![text("a"), text("b"), text("1")], vec![text("a"), text("c"), text("good")]],
        );
        let found = problem(wrong, None, "");
        assert!(found.contains("interactions:2") && found.contains("good"), "{found}");
        let found = problem(grid(&["who", "item_id"], vec![]), None, "");
        assert!(found.contains("interactions") && found.contains("who"), "{found}");
        let found = problem(grid(&["user_id", "item_id"], vec![]), None, "");
        assert!(found.contains("interactions"), "{found}");
        let found = problem(log(), Some(grid(&["name"], vec![vec![text("x")]])), "");
        assert!(found.contains("items") && found.contains("name"), "{found}");
        let found = problem(log(), None, "[columns]\nuser = \"buyer\"");
        assert!(found.contains("buyer"), "{found}");
    }
}
