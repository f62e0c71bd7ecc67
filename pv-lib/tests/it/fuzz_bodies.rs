//! The bodies of the fuzz targets, driven by proptest: they run wherever the tests run.

use proptest::prelude::*;

#[expect(unreachable_pub, reason = "the fuzz targets call them from their own package")]
#[path = "../../../fuzz/src/values.rs"]
mod values;

/// Pieces that front matter is made of, the awkward ones above all.
const YAML: [&str; 46] = [
    "---\n",
    "---\r\n",
    "\n",
    " ",
    "  ",
    "\t",
    "\r",
    "pv:",
    "pv",
    "pv: {",
    "job_id: ",
    "agent: x\n",
    "a: 1\n",
    "b:\n",
    "- ",
    "? ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "&x ",
    "*x",
    "!!str ",
    "!t ",
    "|\n",
    ">-\n",
    "|+\n",
    "# c\n",
    "#",
    "'",
    "\"",
    "\\",
    "...\n",
    "%YAML 1.2\n",
    "<<: *x\n",
    "~",
    "yes",
    "0755",
    "é",
    "\u{feff}",
    "\u{2028}",
    "x\n",
    "  repo: old\n",
    "timeout: 5m\n",
];

/// Pieces that file names are made of.
const NAMES: [&str; 20] = [
    ".",
    "-",
    "#",
    "~",
    "/",
    "\\",
    " ",
    "é",
    "a",
    "demo",
    ".md",
    ".prompt",
    ".running",
    ".prompt.md",
    ".running.md",
    ".swp",
    ".part",
    ".sync-conflict-",
    "00000000000000000000000000000000",
    "\u{202e}",
];

/// Pieces that records are made of.
const JSON: [&str; 22] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "0",
    "-1",
    "1e999",
    "\"job_id\":\"a\",",
    "\"state\":\"running\",",
    "\"state\":\"created\"",
    "\"pid\":",
    "\"pid\":1.5,",
    "\"schema_version\":9,",
    "\"later\":{\"a\":1},",
    "\"created_at\":\"2026-01-31T12:00:00+02:00\",",
    "\"phase\":\"agent\",",
    "\"\\ud800\"",
    "18446744073709551616",
];

fn made_of(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(pieces), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn g31_front_matter(yaml in made_of(&YAML)) {
        values::front_matter(yaml.as_bytes());
        values::front_matter(format!("---\n{yaml}\n---\nbody").as_bytes());
        values::front_matter(format!("---\na: 1\npv:\n  {yaml}\n---\nbody").as_bytes());
    }

    #[test]
    fn g31_log_offsets(text in "[0-9]{0,22}|[-+0-9a-fx ]{0,6}") {
        values::last_event_id(text.as_bytes());
    }

    #[test]
    fn g31_prompt_names(name in made_of(&NAMES)) {
        values::prompt_name(name.as_bytes());
        values::prompt_name(format!("{name}.md").as_bytes());
        values::prompt_name(format!("x{name}.prompt.md").as_bytes());
    }

    #[test]
    fn g31_job_records(json in made_of(&JSON)) {
        values::job_record(json.as_bytes());
        values::job_record(format!("{{\"job_id\":\"a\",\"state\":\"running\",{json}\"z\":0}}").as_bytes());
    }

    #[test]
    fn g31_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        values::front_matter(&bytes);
        values::front_matter(&[b"---\n", &bytes[..], b"\n---\n"].concat());
        values::prompt_name(&bytes);
        values::last_event_id(&bytes);
        values::job_record(&bytes);
    }
}
