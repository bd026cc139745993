//! Vectors of items from files beside a log.
//!
//! A folder with `item_vectors.npy`, f32 or f64 `[n, width]`, and `item_vectors.json`, the external ids of its rows, gives the
//! items of its data set one more field, whatever the family. `recmirror encode` writes both files; NumPy can, too:
//!
//! ```python
//! numpy.save("item_vectors.npy", vectors)
//! json.dump(ids, open("item_vectors.json", "w"))
//! ```

use super::{Column, DataError, Dataset, ExternalId, Field, Fields, IdTable};
use crate::files::{FileError, Partial, npy, read_bounded, read_matrix};
use ndarray::Array2;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The field's name, and that of both files without their endings.
pub const ITEM_VECTORS: &str = "item_vectors";

/// Larger files are refused.
const LARGEST: u64 = 1 << 34;
/// More numbers in a vector are refused.
const WIDEST: usize = 8_192;

/// The files of a folder: vectors and ids.
pub fn item_vector_files(folder: &Path) -> [PathBuf; 2] {
    ["npy", "json"].map(|ending| folder.join(format!("{ITEM_VECTORS}.{ending}")))
}

/// The folder whose vectors belong to the data set at `path`: a folder, or a log in one.
pub fn vectors_folder(path: &Path) -> &Path {
    let parent = || path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.is_dir() { path } else { parent() }
}

/// Returns true for the names of these files, which are no log.
pub(super) fn is_item_vectors(name: &str) -> bool {
    name.strip_prefix(ITEM_VECTORS).is_some_and(|ending| ending == ".npy" || ending == ".json")
}

/// Adds the vectors of `folder`, if it has some, to the fields of items, and their bytes to the data set's hash.
pub(super) fn join(data: &mut Dataset, folder: &Path) -> Result<(), DataError> {
    let [vectors, ids] = item_vector_files(folder);
    match (vectors.is_file(), ids.is_file()) {
        (false, false) => return Ok(()),
        (true, true) => {}
        (is_vectors, _) => {
            let (found, missing) = if is_vectors { (vectors, ids) } else { (ids, vectors) };
            let name = missing.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Err(whole(found, format!("{name} is missing beside it")));
        }
    }
    if data.item_fields.get(ITEM_VECTORS).is_some() {
        return Err(whole(vectors, format!("the items have a field `{ITEM_VECTORS}` already")));
    }
    let read = |path: &Path| read_bounded(path, LARGEST).map_err(|source| FileError::read(path, source));
    let (table_bytes, id_bytes) = (read(&vectors)?, read(&ids)?);
    let table = table_of(&table_bytes).map_err(|problem| whole(vectors, problem))?;
    let rows = rows_of(&id_bytes, table.nrows()).map_err(|problem| whole(ids, problem))?;
    let (column, filled) = column(data, &table, &rows);
    let mut hasher = blake3::Hasher::new();
    hasher.update(data.hash.as_bytes()).update(&table_bytes).update(&id_bytes);
    data.hash = hasher.finalize().to_hex().to_string();
    let (items, width, without) = (data.items.len(), table.ncols(), data.items.len() - filled);
    let foreign = rows.len() - filled;
    let mut note = format!("{ITEM_VECTORS}.npy has vectors of {width} numbers for {filled} of {items} items");
    if without > 0 {
        note.push_str(&format!("; {without} items have none"));
    }
    if foreign > 0 {
        note.push_str(&format!("; {foreign} of its rows belong to no item"));
    }
    let mut fields = Vec::from(std::mem::take(&mut data.item_fields));
    fields.push(Field { name: ITEM_VECTORS.to_owned(), column });
    data.item_fields = Fields::new(fields);
    data.notes.push(note);
    Ok(())
}

fn whole(path: PathBuf, problem: String) -> DataError {
    let remedy = "correct or remove both files, or write them again with `recmirror encode --force`";
    FileError::whole(path, format!("{problem}; {remedy}")).into()
}

/// Writes the vectors of all items, `[items, width]`, beside a log.
///
/// # Errors
/// When a file cannot be written.
pub fn write_item_vectors(folder: &Path, data: &Dataset, values: Vec<f32>, width: usize) -> Result<(), FileError> {
    let [vectors, ids] = item_vector_files(folder);
    let fail = |path: &Path, problem: &dyn std::fmt::Display| {
        FileError::write(path, std::io::Error::other(problem.to_string()))
    };
    let names: Vec<&str> = (0..data.items.len() as u32).map(|item| data.items.external(item)).collect();
    let bytes = npy(values, &[data.items.len(), width]);
    let names = serde_json::to_vec(&names).map_err(|problem| fail(&ids, &problem))?;
    let mut files = Vec::new();
    for (path, bytes) in [(&ids, names), (&vectors, bytes)] {
        let mut output = Partial::create(path)?;
        output.write_all(&bytes).map_err(|source| FileError::write(path, source))?;
        files.push(output);
    }
    Partial::finish_all(files)
}

/// The matrix of a NumPy file.
fn table_of(bytes: &[u8]) -> Result<Array2<f32>, String> {
    let table = read_matrix(bytes).map_err(|problem| format!("{problem}; expected f32 or f64 [items, width]"))?;
    if !(1..=WIDEST).contains(&table.ncols()) {
        return Err(format!("the vectors have {} numbers, expected 1 to {WIDEST}", table.ncols()));
    }
    match table.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some(((row, _), value)) => Err(format!("row {row} has {value}, expected finite numbers")),
        None => Ok(table),
    }
}

/// The external ids of the rows.
fn rows_of(bytes: &[u8], count: usize) -> Result<IdTable, String> {
    let list: Vec<ExternalId> =
        serde_json::from_slice(bytes).map_err(|problem| format!("expected a JSON list of item ids: {problem}"))?;
    if list.len() != count {
        return Err(format!("{} item ids for {count} rows of vectors", list.len()));
    }
    let mut ids = IdTable::default();
    for (row, id) in list.iter().enumerate() {
        let id = id.to_string();
        if let (first, false) = ids.insert(&id) {
            return Err(format!("rows {first} and {row} have the same item id `{id}`"));
        }
    }
    Ok(ids)
}

/// The vectors in the order of the items, and how many items have one.
fn column(data: &Dataset, table: &Array2<f32>, rows: &IdTable) -> (Column, usize) {
    let width = table.ncols();
    let mut values = vec![f32::NAN; data.items.len() * width];
    let mut filled = 0;
    for (item, own) in values.chunks_exact_mut(width).enumerate() {
        if let Some(row) = rows.get(data.items.external(item as u32)) {
            own.iter_mut().zip(table.row(row as usize)).for_each(|(own, &value)| *own = value);
            filled += 1;
        }
    }
    (Column::Vector { width, values }, filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use ndarray_npy::write_npy;

    fn log(folder: &Path) {
        let rows: String = (0..12).map(|n| format!("{},{},{}\n", n % 3, n % 4, n)).collect();
        std::fs::write(folder.join("log.csv"), format!("user_id,item_id,timestamp\n{rows}")).expect("a log");
    }

    fn vectors(folder: &Path, table: &Array2<f32>, ids: &str) {
        let [vectors, names] = item_vector_files(folder);
        write_npy(vectors, table).expect("vectors");
        std::fs::write(names, ids).expect("ids");
    }

    #[test]
    fn vectors_are_joined_by_external_id_and_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        log(folder.path());
        let without = Dataset::read(folder.path()).expect("a data set");
        vectors(folder.path(), &array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], "[3, \"0\", \"x\"]");
        let data = Dataset::read(folder.path()).expect("a data set with vectors");
        let Column::Vector { width: 2, values } = &data.item_fields.get(ITEM_VECTORS).expect("the field").column else {
            panic!("no vectors");
        };
        let of = |id: &str| {
            let row = data.items.get(id).expect("an item") as usize;
            &values[row * 2..row * 2 + 2]
        };
        assert_eq!((of("3"), of("0")), (&[1.0, 2.0][..], &[3.0, 4.0][..]));
        assert!(of("1").iter().chain(of("2")).all(|value| value.is_nan()));
        let note = "item_vectors.npy has vectors of 2 numbers for 2 of 4 items; 2 items have none; 1 of its rows belong to no item";
        assert!(data.notes.iter().any(|found| found == note), "{:?}", data.notes);
        assert_eq!(data.interactions.len(), without.interactions.len());
        assert_ne!(data.hash, without.hash);
        write_npy(folder.path().join("item_vectors.npy"), &array![[1.0f64, 2.0], [3.0, 4.0], [5.0, 6.0]]).expect("f64");
        let wide = Dataset::read(folder.path()).expect("a data set with vectors of 64 bits");
        assert_eq!(wide.item_fields.get(ITEM_VECTORS).map(|field| field.column.filled()), Some(2));
    }

    #[test]
    fn written_vectors_are_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        log(folder.path());
        let data = Dataset::read(folder.path()).expect("a data set");
        let values: Vec<f32> = (0..12).map(|value| value as f32 / 7.0).collect();
        for _ in 0..2 {
            write_item_vectors(folder.path(), &data, values.clone(), 3).expect("two files");
        }
        let data = Dataset::read(folder.path()).expect("a data set with vectors");
        let field = &data.item_fields.get(ITEM_VECTORS).expect("the field").column;
        assert!(matches!(field, Column::Vector { width: 3, values: found } if *found == values));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        log(folder.path());
        let message = |table: &Array2<f32>, ids: &str| {
            vectors(folder.path(), table, ids);
            Dataset::read(folder.path()).expect_err("refused").to_string()
        };
        let two = array![[1.0], [2.0]];
        for (table, ids, file, expected) in [
            (&two, "[1]", "item_vectors.json", "1 item ids for 2 rows of vectors"),
            (&two, "[1, 1]", "item_vectors.json", "rows 0 and 1 have the same item id `1`"),
            (&two, "{}", "item_vectors.json", "expected a JSON list of item ids"),
            (&array![[1.0], [f32::NAN]], "[1, 2]", "item_vectors.npy", "row 1 has NaN, expected finite numbers"),
            (&Array2::zeros((2, 0)), "[1, 2]", "item_vectors.npy", "the vectors have 0 numbers"),
        ] {
            let problem = message(table, ids);
            assert!(problem.contains(file) && problem.contains(expected), "{problem}");
        }
        let vectors = folder.path().join("item_vectors.npy");
        write_npy(&vectors, &ndarray::arr1(&[1.0f64, 2.0])).expect("one dimension");
        let problem = Dataset::read(folder.path()).expect_err("refused").to_string();
        assert!(problem.contains("expected f32 or f64 [items, width]") && !problem.contains("descr"), "{problem}");
        std::fs::write(vectors, "no array").expect("a file");
        let problem = Dataset::read(folder.path()).expect_err("refused").to_string();
        assert!(problem.contains("expected f32 or f64 [items, width]"), "{problem}");
        std::fs::remove_file(folder.path().join("item_vectors.npy")).expect("a file less");
        let problem = Dataset::read(folder.path()).expect_err("refused").to_string();
        assert!(problem.contains("item_vectors.npy is missing beside it") && problem.contains("--force"), "{problem}");
    }
}
