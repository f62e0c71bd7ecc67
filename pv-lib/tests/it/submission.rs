//! Submissions: what is refused, and the draft that the others become.

use pv_lib::{
    Error, ErrorKind,
    job::JobId,
    prompt::{Draft, NameKind, SERVICE_FIELDS_BYTES_MAX, Source, Submission, classify},
    target::Target,
    time::Timestamp,
};

const ID: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
const LIMIT_BYTES: u64 = 16 << 20;

fn submission(markdown: impl Into<Vec<u8>>, filename: Option<&str>) -> Submission {
    Submission {
        repo: "example".into(),
        branch: "main".into(),
        markdown: markdown.into(),
        filename: filename.map(str::to_owned),
        source: Source::Api,
        retry_of: None,
    }
}

fn draft(submission: &Submission, limit_bytes: u64) -> pv_lib::Result<Draft> {
    let target = Target::new(Some("nova-rey"), "example", "main").unwrap();
    let now = Timestamp::from_unix_seconds(1_769_860_800);
    submission.draft(&target, &JobId::minted(ID).unwrap(), now, limit_bytes)
}

fn named(filename: Option<&str>) -> String {
    draft(&submission("# Do it", filename), LIMIT_BYTES).unwrap().file_name
}

#[test]
fn a_draft_holds_all_that_is_to_be_written() {
    let draft =
        draft(&submission("---\npv: {agent: codex}\n---\n# Do *it*\n", Some("demo.prompt.md")), LIMIT_BYTES).unwrap();
    assert_eq!(draft.job_id.as_str(), ID);
    assert_eq!(draft.file_name, format!("demo-{ID}.prompt.md"));
    assert_eq!(draft.title.as_deref(), Some("Do *it*"));
    let expected = format!(
        "---\npv: {{job_id: \"{ID}\", repo: \"nova-rey/example\", branch: \"main\", \
         created_at: \"2026-01-31T12:00:00Z\", source: \"api\", agent: codex}}\n---\n# Do *it*\n"
    );
    assert_eq!(String::from_utf8(draft.contents).unwrap(), expected);
}

#[test]
fn g11_the_name_carries_the_id() {
    let name = format!("demo-{ID}.prompt.md");
    assert_eq!(named(Some("demo.md")), name);
    assert_eq!(named(Some("demo.prompt.md")), name);
    assert_eq!(named(None), format!("20260131120000-{ID}.prompt.md"));
    assert_eq!(named(Some("")), named(None));
    assert_eq!(named(Some(&name)), format!("demo-{ID}-{ID}.prompt.md"));
    let NameKind::Waiting { stem, id } = classify(&name) else { panic!("{name} is a prompt") };
    assert_eq!((stem, id.unwrap().as_str()), ("demo", ID));
}

#[test]
fn titles_come_from_front_matter_or_the_first_heading() {
    fn check(markdown: &str, expected: Option<&str>) {
        assert_eq!(draft(&submission(markdown, None), LIMIT_BYTES).unwrap().title.as_deref(), expected, "{markdown:?}");
    }
    check("---\npv:\n  title: Mine\n---\n# Other", Some("Mine"));
    check("text\n\n## Second level ##\n# First", Some("Second level"));
    check("# C#\n", Some("C#"));
    check("#hashtag\n####### seven\n#\n# Real\n", Some("Real"));
    check("```sh\n# a comment\n```\n# Real", Some("Real"));
    check("no heading", None);
    check("# \u{1b}[31mred\u{7}\n", Some("[31mred"));
}

#[test]
fn refusals_are_sentences() {
    fn check(submission: &Submission, expected: &str) {
        let error = draft(submission, LIMIT_BYTES).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(expected), "{error}");
    }
    check(&Submission { repo: " ".into(), ..submission("x", None) }, "repo must not be blank");
    check(&Submission { branch: String::new(), ..submission("x", None) }, "branch must not be blank");
    check(&submission("", None), "the prompt has no text");
    check(&submission("\u{feff} \n\t\n", None), "the prompt has no text");
    check(&submission("---\na: 1\n---\n \n", None), "the prompt has no text");
    check(&submission(b"ok \xff".to_vec(), None), "not UTF-8 text (byte 3)");
    check(&submission("---\nopen", None), "unterminated");
    check(&submission("x", Some("a/b.md")), "Filename must not contain directory segments.");
}

#[test]
fn the_limit_is_exact_and_leaves_room_for_our_keys() {
    let limit_bytes = 100;
    let full = draft(&submission("x".repeat(100), None), limit_bytes).unwrap();
    assert!(full.contents.len() as u64 > limit_bytes);
    assert!(pv_lib::prompt::check(&full.contents, limit_bytes).is_ok());
    let again = Submission { retry_of: Some(full.job_id.clone()), ..submission(full.contents, None) };
    let once = draft(&again, limit_bytes).unwrap().contents;
    let twice = draft(&Submission { markdown: once.clone(), ..again }, limit_bytes).unwrap().contents;
    assert_eq!(twice, once, "our fields replace those before");

    let over = draft(&submission("x".repeat(101), None), limit_bytes).unwrap_err();
    assert!(matches!(over, Error::TooLarge { len: 101, limit: 100 }), "{over}");
    let dropped = vec![b'x'; 101 + SERVICE_FIELDS_BYTES_MAX];
    assert_eq!(pv_lib::prompt::check(&dropped, limit_bytes).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn b09_a_repetition_carries_the_job_that_it_repeats() {
    const OLD: &str = "20251205-1216-32";
    let submitted = |submission: &Submission| {
        let contents = draft(submission, LIMIT_BYTES).unwrap().contents;
        (
            pv_lib::prompt::check(&contents, LIMIT_BYTES).unwrap().service_fields.unwrap(),
            String::from_utf8(contents).unwrap(),
        )
    };
    let repeated = |retry_of: &str| Submission {
        retry_of: Some(retry_of.parse().unwrap()),
        source: Source::Retry,
        ..submission("---\npv: {retry_of: other, model: m}\n---\n# Do it\n", None)
    };
    for id in [ID, OLD] {
        let (fields, text) = submitted(&repeated(id));
        assert_eq!(fields.retry_of.unwrap().as_str(), id, "{text}");
        assert_eq!((fields.job_id.as_str(), fields.created_at.unwrap().unix_seconds()), (ID, 1_769_860_800), "{text}");
        assert!(text.contains("source: \"retry\"") && text.contains("model: m"), "{text}");
    }
    // By whichever way it comes, it is a repetition, and says so.
    let (fields, text) = submitted(&Submission { source: Source::Cli, ..repeated(ID) });
    assert!(fields.retry_of.is_some() && text.contains("source: \"retry\""), "{text}");
    let nothing = Submission { source: Source::Retry, ..submission("# Do it", None) };
    assert!(draft(&nothing, LIMIT_BYTES).unwrap_err().to_string().contains("must name the job"));
}

#[test]
fn b09_service_fields_that_a_person_writes_do_not_count() {
    let by_hand =
        format!("---\npv: {{job_id: {ID}, source: retry, retry_of: {ID}, created_at: '2020-01-01T00:00:00Z'}}\n---\nx");
    let contents = draft(&submission(by_hand, None), LIMIT_BYTES).unwrap().contents;
    let fields = pv_lib::prompt::check(&contents, LIMIT_BYTES).unwrap().service_fields.unwrap();
    assert_eq!(fields.retry_of, None, "{}", String::from_utf8_lossy(&contents));
    assert_eq!(fields.created_at.unwrap().unix_seconds(), 1_769_860_800);
    for none in [
        "x",
        "---\npv: {source: retry, retry_of: x}\n---\nx",
        "---\npv: {job_id: x}\n---\nx",
        "---\npv: {job_id: [x]}\n---\nx",
    ] {
        assert_eq!(pv_lib::prompt::check(none.as_bytes(), LIMIT_BYTES).unwrap().service_fields, None, "{none}");
    }
}

#[test]
fn g13_a_dropped_prompt_is_checked_before_it_runs() {
    let checked = pv_lib::prompt::check(b"---\npv: {model: m}\n---\n# Title", LIMIT_BYTES).unwrap();
    assert_eq!((checked.settings.model.as_deref(), checked.title.as_deref()), (Some("m"), Some("Title")));
    for unusable in [&b""[..], b"\xff\xfe#\0", b"---\n", b"---\n- a\n---\nx", b"---\npv: {deliver: fax}\n---\nx"] {
        assert_eq!(pv_lib::prompt::check(unusable, LIMIT_BYTES).unwrap_err().kind(), ErrorKind::Invalid);
    }
}
