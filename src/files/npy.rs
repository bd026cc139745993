//! Matrices as NumPy files.
//!
//! The format is that of NumPy's documentation ("A simple file format for NumPy arrays", versions 1 to 3): a magic string,
//! the length of a header, the header as a Python dictionary of three entries, the numbers. Written files have the
//! header that `numpy.save` would give them, without its last comma.

use ndarray::{Array2, ShapeBuilder};

const MAGIC: &[u8] = b"\x93NUMPY";

/// The numbers begin at a multiple of this.
const ALIGNMENT: usize = 64;

/// A number of an array.
pub trait Number: Copy {
    /// Its kind and size in NumPy's spelling, without the order of bytes.
    const KIND: &'static str;

    /// Appends its bytes, the lowest first.
    fn append(self, bytes: &mut Vec<u8>);
}

macro_rules! number {
    ($($kind:ty = $name:literal),*) => {
        $(impl Number for $kind {
            const KIND: &'static str = $name;

            fn append(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        })*
    };
}

number!(f32 = "f4", i32 = "i4", i64 = "i8", u8 = "u1");

/// The file of an array: `values` in the order of rows, `shape` with one size for each axis.
pub fn npy<N: Number>(values: impl IntoIterator<Item = N>, shape: &[usize]) -> Vec<u8> {
    let order = if N::KIND.ends_with('1') { '|' } else { '<' };
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    let sizes = if let [size] = &sizes[..] { format!("{size},") } else { sizes.join(", ") };
    let header = format!("{{'descr': '{order}{}', 'fortran_order': False, 'shape': ({sizes})}}", N::KIND);
    let start = (MAGIC.len() + 4 + header.len() + 1).next_multiple_of(ALIGNMENT);
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&[1, 0]);
    bytes.extend_from_slice(&((start - MAGIC.len() - 4) as u16).to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(start - 1, b' ');
    bytes.push(b'\n');
    values.into_iter().for_each(|value| value.append(&mut bytes));
    bytes
}

/// The matrix in a file: f32 or f64, lowest byte first, rows or columns in sequence. Numbers of 64 bits are rounded.
///
/// # Errors
/// What is wrong with the bytes: another format, kind or number of axes, or too few or too many numbers.
pub fn read_matrix(bytes: &[u8]) -> Result<Array2<f32>, String> {
    let (header, body) = parts(bytes)?;
    let header = Header::parse(header).ok_or_else(|| format!("the header {header:?} is not one of NumPy"))?;
    let &[rows, columns] = &header.shape[..] else {
        return Err(format!("the array has {} axes, not two", header.shape.len()));
    };
    let width = match &*header.kind {
        "<f4" => 4,
        "<f8" => 8,
        other => return Err(format!("the numbers are `{other}`, not `<f4` or `<f8`")),
    };
    let size = rows.checked_mul(columns).and_then(|count| count.checked_mul(width));
    if size != Some(body.len()) {
        return Err(format!("{} bytes of numbers are too few or too many for {rows} x {columns}", body.len()));
    }
    let numbers = match width {
        4 => body.as_chunks().0.iter().map(|&number| f32::from_le_bytes(number)).collect(),
        _ => body.as_chunks().0.iter().map(|&number| f64::from_le_bytes(number) as f32).collect(),
    };
    Array2::from_shape_vec((rows, columns).set_f(header.by_columns), numbers).map_err(|problem| problem.to_string())
}

/// The header and the numbers.
fn parts(bytes: &[u8]) -> Result<(&str, &[u8]), String> {
    let none = || "it is not an array of NumPy".to_owned();
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(none)?;
    let (version, rest) = rest.split_at_checked(2).ok_or_else(none)?;
    let (length, rest) = match version[0] {
        1 => rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_le_bytes(*length)), rest)),
        2 | 3 => rest.split_first_chunk().map(|(length, rest)| (u32::from_le_bytes(*length) as usize, rest)),
        other => return Err(format!("version {other} of NumPy's format is unknown")),
    }
    .ok_or_else(none)?;
    let (header, body) = rest.split_at_checked(length).ok_or("the header is cut off")?;
    Ok((std::str::from_utf8(header).map_err(|_| none())?, body))
}

/// The three entries of a header.
#[derive(Default)]
struct Header {
    kind: String,
    by_columns: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Option<Header> {
        let mut header = Header::default();
        let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
        let mut seen = 0;
        while !rest.is_empty() {
            let (key, after) = quoted(rest)?;
            rest = after.trim_start().strip_prefix(':')?.trim_start();
            rest = match key {
                "descr" => {
                    let (kind, after) = quoted(rest)?;
                    header.kind = kind.to_owned();
                    after
                }
                "fortran_order" => {
                    header.by_columns = rest.starts_with("True");
                    rest.strip_prefix("True").or_else(|| rest.strip_prefix("False"))?
                }
                "shape" => {
                    let (sizes, after) = rest.strip_prefix('(')?.split_once(')')?;
                    let sizes = sizes.split(',').map(str::trim).filter(|size| !size.is_empty());
                    header.shape = sizes.map(|size| size.parse().ok()).collect::<Option<_>>()?;
                    after
                }
                _ => return None,
            }
            .trim_start();
            rest = rest.strip_prefix(',').or_else(|| rest.is_empty().then_some(rest))?.trim_start();
            seen += 1;
        }
        (seen == 3 && !header.kind.is_empty()).then_some(header)
    }
}

/// A text in single or double quotes, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|&letter| letter == '\'' || letter == '"')?;
    text[1..].split_once(quote)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use ndarray_npy::{ReadNpyExt, WriteNpyExt};

    #[test]
    fn files_are_those_of_another_implementation() {
        let table = array![[1.0f32, -0.5, f32::MIN_POSITIVE], [4.0, 5.5, 6.0]];
        let mut other = Vec::new();
        table.write_npy(&mut other).expect("written");
        assert_eq!(npy(table.iter().copied(), &[2, 3]), other);
        let mut other = Vec::new();
        array![1u8, 2, 3].write_npy(&mut other).expect("written");
        assert_eq!(npy([1u8, 2, 3], &[3]), other);
        let times = ndarray::Array1::<i64>::read_npy(&npy([1i64, -2], &[2])[..]).expect("read");
        assert_eq!(times, array![1, -2]);
    }

    #[test]
    fn matrices_are_read_in_both_orders_and_widths() {
        let table = array![[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]];
        assert_eq!(read_matrix(&npy(table.iter().copied(), &[2, 3])), Ok(table.clone()));
        let mut turned = Vec::new();
        table.t().write_npy(&mut turned).expect("written by columns");
        assert!(turned.windows(4).any(|part| part == b"True"));
        assert_eq!(read_matrix(&turned), Ok(table.t().to_owned()));
        let mut wide = Vec::new();
        table.mapv(f64::from).write_npy(&mut wide).expect("written");
        assert_eq!(read_matrix(&wide), Ok(table));
    }

    /// A file of version 2 with this header.
    fn file(header: &str, body: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&[2, 0]);
        bytes.extend_from_slice(&(header.len() as u32).to_le_bytes());
        [bytes.as_slice(), header.as_bytes(), body].concat()
    }

    #[test]
    fn headers_may_have_other_forms() {
        let one = 1.5f32.to_le_bytes();
        for header in [
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), }\n",
            "{\"shape\":(1,1,),\"fortran_order\":True,\"descr\":\"<f4\"}",
        ] {
            assert_eq!(read_matrix(&file(header, &one)), Ok(array![[1.5]]), "{header}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let matrix = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1)}";
        let whole = file(matrix, &[0; 4]);
        for (bytes, expected) in [
            (b"no array".to_vec(), "not an array of NumPy"),
            (whole[..20].to_vec(), "the header is cut off"),
            (whole[..whole.len() - 1].to_vec(), "3 bytes of numbers are too few or too many for 1 x 1"),
            ([&whole[..], &[0]].concat(), "5 bytes"),
            (file(&matrix.replace("<f4", ">f4"), &[0; 4]), "`>f4`, not `<f4` or `<f8`"),
            (file(&matrix.replace("(1, 1)", "(1,)"), &[0; 4]), "1 axes"),
            (file(&matrix.replace("(1, 1)", "(4294967296, 4294967296)"), &[]), "0 bytes"),
            (file(&matrix.replace("(1, 1)", "(-1, 1)"), &[]), "not one of NumPy"),
            (file("{'descr': '<f4'}", &[]), "not one of NumPy"),
            (file("{'a': 'b'}", &[]), "not one of NumPy"),
            (file("{'", &[]), "not one of NumPy"),
            (npy([1.0f32], &[1, 1]).into_iter().map(|byte| if byte == 1 { 9 } else { byte }).collect(), "version 9"),
        ] {
            let problem = read_matrix(&bytes).expect_err("refused");
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
