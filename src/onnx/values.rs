//! Static facts about the values of a graph.
//!
//! Their type, and whether integers are at least 1.

use super::inspection::Node;
use super::protobuf::Fields;
use std::collections::BTreeMap;

/// Element types of ONNX's `TensorProto.DataType`.
const FLOAT: u64 = 1;
const INT32: u64 = 6;
const INT64: u64 = 7;
const BOOL: u64 = 9;
/// float, float16, double, bfloat16.
const FLOATS: [u64; 4] = [FLOAT, 10, 11, 16];

/// Facts about a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// The number of its element type; 0 = unknown.
    pub kind: u64,
    /// True if all of its numbers are 1 to 2^31 - 1.
    pub positive: bool,
    /// True if it is a constant `false`.
    off: bool,
}

/// The values of a graph by name, and those of the graphs around it.
#[derive(Default)]
pub(super) struct Scope<'o, 'a> {
    outer: Option<&'o Scope<'o, 'a>>,
    own: BTreeMap<&'a str, Known>,
}

impl<'a> Scope<'_, 'a> {
    /// A graph inside this one.
    pub(super) fn inner(&self) -> Scope<'_, 'a> {
        Scope { outer: Some(self), own: BTreeMap::new() }
    }

    /// Facts about a value.
    pub(super) fn known(&self, name: &str) -> Known {
        let mut scope = Some(self);
        while let Some(here) = scope {
            if let Some(known) = here.own.get(name) {
                return *known;
            }
            scope = here.outer;
        }
        Known::default()
    }

    /// Records facts; a declared type stays.
    pub(super) fn set(&mut self, name: &'a str, known: Known) {
        let kind = self.own.get(name).map_or(0, |known| known.kind);
        let kind = if known.kind == 0 { kind } else { known.kind };
        self.own.insert(name, Known { kind, ..known });
    }

    /// A tensor of the graph.
    pub(super) fn initializer(&mut self, tensor: &'a [u8]) -> Result<(), String> {
        let mut name = "";
        for field in Fields(tensor) {
            if let (8, content) = field? {
                name = content.text()?;
            }
        }
        self.set(name, constant(tensor)?);
        Ok(())
    }

    /// Records an input, an output or another value with a declared type; returns its name.
    pub(super) fn declared(&mut self, value: &'a [u8]) -> Result<&'a str, String> {
        let (mut name, mut kind) = ("", 0);
        for field in Fields(value) {
            match field? {
                (1, content) => name = content.text()?,
                (2, content) => kind = element(content.bytes())?,
                _ => {}
            }
        }
        if self.own.get(name).is_none_or(|known| known.kind == 0) {
            self.set(name, Known { kind, ..Known::default() });
        }
        Ok(name)
    }

    /// True if this optional input of a node is absent or a constant `false`.
    pub(super) fn is_off(&self, name: &str) -> bool {
        name.is_empty() || self.known(name).off
    }

    /// True if a division is of floats, or by integers of at least 1.
    pub(super) fn is_safe_division(&self, node: &Node<'_>) -> bool {
        let of = |place: usize| self.known(node.inputs.get(place).copied().unwrap_or_default());
        let (above, below) = (of(0), of(1));
        below.positive || FLOATS.contains(&above.kind) || FLOATS.contains(&below.kind)
    }

    /// Facts about the outputs of a node.
    pub(super) fn results(&self, node: &Node<'_>) -> Result<Vec<Known>, String> {
        let of = |place: usize| self.known(node.inputs.get(place).copied().unwrap_or_default());
        let kind = |kind: u64| Known { kind, ..Known::default() };
        let number = |name: &str, other: u64| {
            node.attribute(name, 3).map(|found| found.map_or(other, |content| content.number()))
        };
        let first = of(0);
        let result = match node.operator {
            "Constant" => return Ok(vec![constant_of(node)?]),
            "ConstantOfShape" => {
                let value = node.attribute("value", 5)?.map(|content| constant(content.bytes())).transpose()?;
                value.unwrap_or(kind(FLOAT))
            }
            "Cast" => {
                let to = number("to", 0)?;
                // Another type may truncate numbers.
                Known { kind: to, positive: first.positive && [INT32, INT64].contains(&to), off: false }
            }
            "CastLike" | "Where" => kind(of(1).kind),
            "OneHot" | "GatherBlockQuantized" | "EmbedLayerNormalization" => kind(of(2).kind),
            "DequantizeLinear" => kind(of(1).kind),
            "MatMulInteger" => kind(INT32),
            "Shape" | "Size" | "NonZero" | "ArgMax" | "ArgMin" => kind(INT64),
            "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" | "And" | "Or" | "Not" | "Xor"
            | "IsNaN" | "IsInf" => kind(BOOL),
            "EyeLike" => kind(number("dtype", first.kind)?),
            "QuantizeLinear" => kind(of(2).kind),
            "DynamicQuantizeLinear" => return Ok(vec![kind(0), kind(FLOAT), kind(0)]),
            "TopK" => return Ok(vec![kind(first.kind), kind(INT64)]),
            "Identity" | "Squeeze" | "Unsqueeze" | "Reshape" | "Flatten" | "Transpose" | "Expand" | "Tile" => first,
            "Max" => {
                let positive =
                    (0..node.inputs.len()).any(|place| of(place).positive) && [INT32, INT64].contains(&first.kind);
                Known { kind: first.kind, positive, off: false }
            }
            _ => kind(first.kind),
        };
        Ok(vec![result; node.outputs.len()])
    }
}

/// The element type of a `TypeProto` of a tensor.
fn element(bytes: &[u8]) -> Result<u64, String> {
    for field in Fields(bytes) {
        let (1, tensor) = field? else { continue };
        for field in Fields(tensor.bytes()) {
            if let (1, content) = field? {
                return Ok(content.number());
            }
        }
    }
    Ok(0)
}

/// The value of a node `Constant`.
fn constant_of(node: &Node<'_>) -> Result<Known, String> {
    if let Some(tensor) = node.attribute("value", 5)? {
        return constant(tensor.bytes());
    }
    for (name, field) in [("value_int", 3), ("value_ints", 8)] {
        if let Some(content) = node.attribute(name, field)? {
            // Several numbers may be in several fields, and only one of them is read here.
            let positive = field == 3 && content.numbers()?.iter().all(is_positive);
            return Ok(Known { kind: INT64, positive, off: false });
        }
    }
    for (name, field) in [("value_float", 2), ("value_floats", 7)] {
        if node.attribute(name, field)?.is_some() {
            return Ok(Known { kind: FLOAT, ..Known::default() });
        }
    }
    Ok(Known::default())
}

/// Facts about a tensor whose numbers are in the graph.
fn constant(tensor: &[u8]) -> Result<Known, String> {
    let (mut kind, mut numbers, mut outside) = (0, Vec::new(), false);
    let mut raw: &[u8] = &[];
    for field in Fields(tensor) {
        match field? {
            (2, content) => kind = content.number(),
            (5 | 7, content) => numbers.extend(content.numbers()?),
            (9, content) => raw = content.bytes(),
            (13, _) => outside = true,
            (14, content) => outside |= content.number() != 0,
            _ => {}
        }
    }
    let width = match kind {
        INT64 => 8,
        INT32 => 4,
        BOOL => 1,
        _ => return Ok(Known { kind, ..Known::default() }),
    };
    numbers.extend(raw.chunks_exact(width).map(little_endian));
    let known = !outside && !numbers.is_empty();
    let positive = known && kind != BOOL && numbers.iter().all(is_positive);
    Ok(Known { kind, positive, off: known && kind == BOOL && numbers.iter().all(|&number| number == 0) })
}

fn is_positive(number: &i64) -> bool {
    (1..=i64::from(i32::MAX)).contains(number)
}

/// A number of at most eight bytes, the last of which has the sign.
fn little_endian(bytes: &[u8]) -> i64 {
    let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
    bytes.iter().rev().fold(if negative { -1 } else { 0 }, |value, &byte| value << 8 | i64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_raw_bytes_have_their_sign() {
        assert_eq!(little_endian(&7_i64.to_le_bytes()), 7);
        assert_eq!(little_endian(&(-7_i32).to_le_bytes()), -7);
        assert_eq!(little_endian(&i64::MIN.to_le_bytes()), i64::MIN);
    }

    #[test]
    fn only_what_is_surely_positive_divides() {
        // data_type = 7 (INT64), raw_data.
        let tensor = |number: i64| [&[0x10, 7, 0x4a, 8][..], &number.to_le_bytes()].concat();
        assert!(constant(&tensor(64)).unwrap().positive);
        for number in [0, -1, 1 << 40, i64::MIN] {
            assert!(!constant(&tensor(number)).unwrap().positive, "{number}");
        }
        let outside = [tensor(64), vec![0x70, 1]].concat();
        assert!(!constant(&outside).unwrap().positive, "the numbers stand in a file");
    }
}
