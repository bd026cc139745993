//! Names of encodings other than UTF-8.

/// The encoding of a file that begins with these bytes, if they show that it is not UTF-8.
pub fn named(head: &[u8]) -> Option<&'static str> {
    match head {
        [0xff, 0xfe, 0, 0, ..] => Some("UTF-32LE"),
        [0xff, 0xfe, ..] => Some("UTF-16LE"),
        [0xfe, 0xff, ..] => Some("UTF-16BE"),
        // Text of UTF-16 without a mark has a zero in every other byte; a text has none.
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => Some("UTF-16LE"),
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => Some("UTF-16BE"),
        _ => None,
    }
}

/// The message for bytes that are not UTF-8; `what` names them.
pub fn not_utf8(what: &str, bytes: &[u8]) -> String {
    let guess = guess(bytes);
    format!("{what} is not UTF-8, it looks like {guess}; convert the file (`iconv -f {guess} -t UTF-8`)")
}

/// In the multi-byte encodings of Chinese every byte above 0x80 begins a pair; Latin-1 has them one by one.
fn guess(bytes: &[u8]) -> &'static str {
    let (mut pairs, mut singles, mut at) = (0, 0, 0);
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (0x81..=0xfe, Some(0xa1..=0xfe)) => {
                pairs += 1;
                at += 2;
            }
            (0x80.., _) => {
                singles += 1;
                at += 1;
            }
            _ => at += 1,
        }
    }
    if pairs > singles { "GBK" } else { "LATIN1" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_named() {
        assert_eq!(named(b"\xff\xfeu\0s\0"), Some("UTF-16LE"));
        assert_eq!(named(b"\0u\0s"), Some("UTF-16BE"));
        assert_eq!(named(b"user_id"), None);
        // "电影" in GBK, "café" in Latin-1.
        assert!(not_utf8("field 1", b"\xb5\xe7\xd3\xb0").contains("looks like GBK"));
        assert!(not_utf8("field 1", b"caf\xe9").contains("looks like LATIN1"));
    }
}
