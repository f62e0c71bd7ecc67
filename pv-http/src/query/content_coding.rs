//! The `Accept-Encoding` header: whether and how a long answer is to be compressed.

/// A way of compressing that answers know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentCoding {
    Zstd,
    Gzip,
}

impl ContentCoding {
    /// Returns the name that headers have for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// Returns the one that a client likes best (RFC 9110, 12.5.3), zstd where it likes both alike; `None` where it asked for
    /// none of them, or likes the plain answer better.
    pub(crate) fn accepted(header: &str) -> Option<Self> {
        let (mut zstd, mut gzip, mut identity, mut any) = (None, None, None, None);
        for item in header.split(',') {
            let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
            let quality = parameters.split(';').find_map(|parameter| {
                let (key, value) = parameter.split_once('=')?;
                key.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse::<f32>().unwrap_or(0.0))
            });
            let place = match name.trim().to_ascii_lowercase().as_str() {
                "zstd" => &mut zstd,
                "gzip" | "x-gzip" => &mut gzip,
                "identity" => &mut identity,
                "*" => &mut any,
                _ => continue,
            };
            *place = Some(quality.unwrap_or(1.0));
        }
        // What `*` stands for may be anything, of which every client can read gzip.
        let (zstd, gzip) = (zstd.unwrap_or(0.0), gzip.or(any).unwrap_or(0.0));
        let best = if zstd >= gzip { (Self::Zstd, zstd) } else { (Self::Gzip, gzip) };
        (best.1 > 0.0 && best.1 >= identity.unwrap_or(0.0)).then_some(best.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_what_it_asked_for() {
        for (header, expected) in [
            ("gzip", Some("gzip")),
            ("x-gzip", Some("gzip")),
            ("GZIP", Some("gzip")),
            ("zstd", Some("zstd")),
            ("gzip, deflate, br, zstd", Some("zstd")),
            ("gzip, deflate, br", Some("gzip")),
            ("zstd;q=0.5, gzip;q=0.9", Some("gzip")),
            ("gzip ; Q=0.1", Some("gzip")),
            ("*", Some("gzip")),
            ("*;q=0", None),
            ("gzip;q=0, *", None),
            ("gzip;q=0", None),
            ("gzip;q=0.5, identity", None),
            ("gzip;q=0.5, identity;q=0.5", Some("gzip")),
            ("identity", None),
            ("br, deflate", None),
            ("", None),
            ("gzip;q=many", None),
        ] {
            assert_eq!(ContentCoding::accepted(header).map(ContentCoding::name), expected, "{header:?}");
        }
    }
}
