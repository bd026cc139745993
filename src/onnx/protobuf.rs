//! The wire format of protocol buffers.
//!
//! Reads only what the inspection of graphs needs: fields one after the other, without copies. Format:
//! <https://protobuf.dev/programming-guides/encoding/>.

/// The content of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Content<'a> {
    /// An integer.
    Number(u64),
    /// A text, a message, or packed numbers.
    Bytes(&'a [u8]),
    /// Four or eight bytes of a number that is ignored here.
    Fixed,
}

impl<'a> Content<'a> {
    /// The number; 0 for anything else.
    pub(super) fn number(self) -> u64 {
        if let Content::Number(number) = self { number } else { 0 }
    }

    /// The bytes; none for anything else.
    pub(super) fn bytes(self) -> &'a [u8] {
        if let Content::Bytes(bytes) = self { bytes } else { &[] }
    }

    /// The bytes as a text.
    pub(super) fn text(self) -> Result<&'a str, String> {
        std::str::from_utf8(self.bytes()).map_err(|_| "a name is not UTF-8".to_owned())
    }

    /// Integers, single or packed.
    pub(super) fn numbers(self) -> Result<Vec<i64>, String> {
        let mut rest = match self {
            Content::Number(number) => return Ok(vec![number as i64]),
            Content::Fixed => return Ok(Vec::new()),
            Content::Bytes(bytes) => bytes,
        };
        let mut numbers = Vec::new();
        while !rest.is_empty() {
            numbers.push(varint(&mut rest).ok_or_else(broken)? as i64);
        }
        Ok(numbers)
    }
}

/// The fields of a message, each with its number.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Content<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = field(&mut self.0);
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or_else(broken))
    }
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Content<'a>)> {
    let key = varint(rest)?;
    let content = match key & 7 {
        0 => Content::Number(varint(rest)?),
        1 => take(rest, 8).map(|_| Content::Fixed)?,
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Content::Bytes(take(rest, length)?)
        }
        5 => take(rest, 4).map(|_| Content::Fixed)?,
        _ => return None,
    };
    (key >> 3 > 0).then_some((key >> 3, content))
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, left) = rest.split_first()?;
        *rest = left;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn broken() -> String {
    "it is no ONNX graph, or the file is damaged".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_in_order() {
        // 1: 150, 2: "testing", 3: packed 3, 270, 86942, 4: fixed.
        let bytes = b"\x08\x96\x01\x12\x07testing\x1a\x06\x03\x8e\x02\x9e\xa7\x05\x25\0\0\0\0";
        let fields: Vec<_> = Fields(bytes).map(|field| field.expect("a field")).collect();
        assert_eq!(fields[0], (1, Content::Number(150)));
        assert_eq!(fields[1].1.text(), Ok("testing"));
        assert_eq!(fields[2].1.numbers(), Ok(vec![3, 270, 86_942]));
        assert_eq!(fields[3], (4, Content::Fixed));
        assert_eq!(fields.len(), 4);
    }

    #[test]
    fn damage_is_an_error_and_ends_the_fields() {
        for bytes in [
            &b"\x08"[..],
            b"\x12\x07test",
            b"\x0b",
            b"\0\x01",
            &[0xff; 12],
            b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ] {
            let fields: Vec<_> = Fields(bytes).collect();
            assert!(fields.last().is_some_and(Result::is_err), "{bytes:?}");
        }
    }
}
