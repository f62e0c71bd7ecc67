//! The `Range` header: which bytes of a file are wanted.

/// One range of bytes, as a request names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteRange {
    /// From the first to the last, both included; `None` for the end of the file.
    From(u64, Option<u64>),
    /// The last so many.
    Last(u64),
}

impl ByteRange {
    /// Reads `bytes=a-b`, `bytes=a-` and `bytes=-n`. Anything else counts as no range at all, as the standard has it:
    /// other units, several ranges, an end before the beginning.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        let (unit, range) = header.split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        // A number that does not fit lies beyond every file.
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| text.parse().unwrap_or(u64::MAX))
        };
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        match (first, last) {
            ("", last) => Some(Self::Last(number(last)?)),
            (first, "") => Some(Self::From(number(first)?, None)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From(first, Some(last)))
            }
        }
    }

    /// Returns the first byte and the byte after the last in a file of `len` bytes; `None` where it has none of them.
    pub(crate) fn within(self, len: u64) -> Option<(u64, u64)> {
        let (start, end) = match self {
            Self::From(first, last) => (first, last.map_or(len, |last| last.saturating_add(1).min(len))),
            Self::Last(count) => (len.saturating_sub(count), len),
        };
        (start < end).then_some((start, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_single_ranges_and_nothing_else() {
        for (header, in_ten) in [
            ("bytes=0-0", Some((0, 1))),
            ("bytes=2-4", Some((2, 5))),
            ("bytes=2-", Some((2, 10))),
            ("bytes=9-9", Some((9, 10))),
            ("bytes=5-99", Some((5, 10))),
            ("bytes=0-18446744073709551615", Some((0, 10))),
            ("bytes=-3", Some((7, 10))),
            ("bytes=-99", Some((0, 10))),
            ("Bytes = 1-2", Some((1, 3))),
            ("bytes=10-", None),
            ("bytes=10-20", None),
            ("bytes=99999999999999999999-", None),
            ("bytes=-0", None),
        ] {
            let range = ByteRange::parse(header).unwrap_or_else(|| panic!("{header}"));
            assert_eq!(range.within(10), in_ten, "{header}");
            assert_eq!(range.within(0), None, "{header} of an empty file");
        }
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=4-2",
            "bytes=a-b",
            "bytes=1-2,4-5",
            "lines=1-2",
            "bytes=+1-2",
            "1-2",
        ] {
            assert_eq!(ByteRange::parse(header), None, "{header}");
        }
    }
}
