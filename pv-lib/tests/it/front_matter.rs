//! Front matter: what is read, what is refused, and that a merge touches nothing but our own keys.

use std::time::{Duration, Instant};

use pv_lib::{
    job::JobId,
    prompt::{
        Choices, Deliver, FrontMatterError, MAX_FRONT_MATTER_BYTES, ServiceFields, Settings, Source, choose, merge,
        settings, split,
    },
    time::Timestamp,
};

const ID: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
const OURS: &str = "  job_id: \"0190f5c2a7b97c31b1c5b1d1a1e1f101\"\n  repo: \"nova-rey/example\"\n  branch: \"main\"\n  \
                    created_at: \"1970-01-01T00:00:00Z\"\n  source: \"api\"\n";
const OURS_FLOW: &str = "job_id: \"0190f5c2a7b97c31b1c5b1d1a1e1f101\", repo: \"nova-rey/example\", branch: \"main\", \
                         created_at: \"1970-01-01T00:00:00Z\", source: \"api\"";

fn merged_for(text: &str, repo: &str, branch: &str) -> Result<String, FrontMatterError> {
    let job_id = JobId::minted(ID).unwrap();
    let (created_at, source) = (Timestamp::EPOCH, Source::Api);
    merge(text, &ServiceFields { job_id: &job_id, repo, branch, created_at, source, retry_of: None })
}

fn merged(text: &str) -> Result<String, FrontMatterError> {
    merged_for(text, "nova-rey/example", "main")
}

#[expect(clippy::disallowed_methods, reason = "the tests of bounds measure what a caller waits for")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

fn read(text: &str) -> Result<Settings, FrontMatterError> {
    settings(&split(text)?)
}

/// Checks what the front matter `yaml` becomes; `<ours>` and `<flow>` stand for our keys.
fn check(yaml: &str, expected: &str) {
    let expected = expected.replace("<ours>", OURS).replace("<flow>", OURS_FLOW);
    let once = merged(&format!("---\n{yaml}---\n# Body\n---\nrest"));
    let once = once.unwrap_or_else(|error| panic!("{yaml:?}: {error}"));
    assert_eq!(once, format!("---\n{expected}---\n# Body\n---\nrest"), "{yaml:?}");
    assert_eq!(merged(&once).unwrap(), once, "merging again changes nothing: {yaml:?}");
}

#[test]
fn a_prompt_without_front_matter_gets_some() {
    for body in ["", "do it", "# Do it\n\ntext\n", "\n---\nnot at the top\n---\n", "----\n", "--- x\n", "-- -\n"] {
        assert_eq!(merged(body).unwrap(), format!("---\npv:\n{OURS}---\n{body}"));
    }
    assert_eq!(merged("\u{feff}do").unwrap(), format!("\u{feff}---\npv:\n{OURS}---\ndo"));
    let crlf = merged("do\r\nit").unwrap();
    assert_eq!(crlf, format!("---\npv:\n{OURS}---\n").replace('\n', "\r\n") + "do\r\nit");
}

#[test]
fn our_keys_join_what_a_person_wrote() {
    check("", "pv:\n<ours>");
    check("# a comment\n\n", "# a comment\n\npv:\n<ours>");
    // A null is none, as for the earlier service.
    check("null\n", "pv:\n<ours>\n");
    check("~\n", "pv:\n<ours>\n");
    check("# mine\nNULL # more\n# last\n", "pv:\n<ours># mine\n # more\n# last\n");
    check(" \n\t\n", " \n\t\npv:\n<ours>");
    check("null\n...\n", "pv:\n<ours>\n...\n");
    check("a: 1\n", "a: 1\npv:\n<ours>");
    check("a: |+\n  keep\n\n", "a: |+\n  keep\n\npv:\n<ours>");
    check(
        "a: >-\n  folded\n  text\n\nb: 2 # end\n# tail\n",
        "a: >-\n  folded\n  text\n\nb: 2 # end\n# tail\npv:\n<ours>",
    );
    check("a: &x {q: 1}\nb: *x\n", "a: &x {q: 1}\nb: *x\npv:\n<ours>");
    check("a: &x {q: 1}\nb:\n  <<: *x\n", "a: &x {q: 1}\nb:\n  <<: *x\npv:\n<ours>");
    check("? complex\n: v\n", "? complex\n: v\npv:\n<ours>");
    check("? [x, y]\n: v\n", "? [x, y]\n: v\npv:\n<ours>");
    check("list:\n- a\n- b\n", "list:\n- a\n- b\npv:\n<ours>");
    check("!!map\na: 1\n", "!!map\na: 1\npv:\n<ours>");
    check("a: 1\n...\n", "pv:\n<ours>a: 1\n...\n");
    check("{}\n", "{pv: {<flow>}}\n");
    check("{a: 1, b: 2}\n", "{pv: {<flow>}, a: 1, b: 2}\n");
    check("x: \"multi\n  line\"\n", "x: \"multi\n  line\"\npv:\n<ours>");
    check("e: é # ünïcode\n日本: 語\n", "e: é # ünïcode\n日本: 語\npv:\n<ours>");
    check("pva: 1\n\"p v\": 2\n", "pva: 1\n\"p v\": 2\npv:\n<ours>");
    check("nested:\n  pv: {job_id: mine}\n", "nested:\n  pv: {job_id: mine}\npv:\n<ours>");
}

#[test]
fn our_keys_join_a_pv_that_is_there() {
    check("pv:\na: 1\n", "pv:\n<ours>a: 1\n");
    check("pv: # settings\na: 1\n", "pv: # settings\n<ours>a: 1\n");
    check("pv: ~ # none\na: 1\n", "pv:  # none\n<ours>a: 1\n");
    check("pv: null\n", "pv: \n<ours>");
    check("pv: {}\n", "pv: {<flow>}\n");
    check("pv: {agent: codex}\nz: 1\n", "pv: {<flow>, agent: codex}\nz: 1\n");
    check("\"pv\": {agent: codex}\n", "\"pv\": {<flow>, agent: codex}\n");
    check("{pv: {agent: codex}, a: 1}\n", "{pv: {<flow>, agent: codex}, a: 1}\n");
    check("{pv: null, a: 1}\n", "{pv: {<flow>}, a: 1}\n");
    check("pv:\n  agent: codex # mine\n  x: 0755\n", "pv:\n<ours>  agent: codex # mine\n  x: 0755\n");
    check("a: &x codex\npv:\n  agent: *x\n", "a: &x codex\npv:\n<ours>  agent: *x\n");
    check(
        "pv:\n  # mine\n  agent: codex\n\n  # more\n  n: [1,\n    2]\n",
        "pv:\n  # mine\n<ours>  agent: codex\n\n  # more\n  n: [1,\n    2]\n",
    );
}

#[test]
fn our_keys_replace_older_ones_of_ours() {
    check("pv:\n  job_id: old\n  agent: codex\n  source: x\nb: 1\n", "pv:\n<ours>  agent: codex\nb: 1\n");
    check("pv: {job_id: old, agent: codex}\n", &format!("pv: {{{}}}\n", flow_with_old_id_last()));
    check(
        "pv:\n  agent: a\n  repo:\n    - a\n    - b: c\n  # kept\n  model: m\n",
        "pv:\n<ours>  agent: a\n  # kept\n  model: m\n",
    );
    check("pv:\n  agent: a\n  repo: |\n    many\n    lines\n  model: m\n", "pv:\n<ours>  agent: a\n  model: m\n");
    check("pv:\n  repo: \"many\n    lines\"\n  model: m\n", "pv:\n<ours>  model: m\n");
    check("pv:\n  repo:\n  branch:\n  model: m\n", "pv:\n<ours>  model: m\n");
    check("pv:\n  repo: {a: [b,\n   c]} # gone\n  model: m\n", "pv:\n<ours>  model: m\n");
    check("pv:\n  model: m\n  repo: &r x\n", "pv:\n<ours>  model: m\n");
}

#[test]
fn b09_a_key_that_looks_like_ours_is_emptied_where_we_set_none() {
    check("pv:\n  retry_of: x\n  model: m\n", "pv:\n<ours>  retry_of: \"\"\n  model: m\n");
    check("pv:\n  model: m\n  retry_of: [x]\n", "pv:\n<ours>  retry_of: \"\"\n  model: m\n");
    check("pv: {model: m, retry_of: x}\n", "pv: {<flow>, model: m, retry_of: \"\"}\n");
    check("pv:\n  retry_of:\n  model: m\n", "pv:\n<ours>  retry_of:\n  model: m\n");
    check("retry_of: mine\n", "retry_of: mine\npv:\n<ours>");
}

fn flow_with_old_id_last() -> String {
    let (id, rest) = OURS_FLOW.split_once(", ").unwrap();
    format!("{rest}, {id}, agent: codex")
}

#[test]
fn line_ends_and_marks_stay() {
    let text = "\u{feff}---\r\na: 1\r\npv:\r\n    agent: codex\r\n--- \r\nbody\r\n";
    let ours = OURS.replace("  job", "    job").replace("\n  ", "\n    ").replace('\n', "\r\n");
    let expected = format!("\u{feff}---\r\na: 1\r\npv:\r\n{ours}    agent: codex\r\n--- \r\nbody\r\n");
    assert_eq!(merged(text).unwrap(), expected);
    let indented = merged("---\n  a: 1\n  b: 2\n---\n").unwrap();
    assert_eq!(
        indented,
        format!("---\n  a: 1\n  b: 2\n  pv:\n{}---\n", OURS.replace("  job", "    job").replace("\n  ", "\n    "))
    );
}

/// YAML 1.1 takes these for numbers, booleans and dates unless they are quoted.
#[test]
fn our_values_read_the_same_in_yaml_1_1_and_1_2() {
    for odd in [
        "yes",
        "on",
        "y",
        "007",
        "0755",
        "1:20",
        "12e3456",
        "1_000",
        "2025-01-01",
        "~",
        "null",
        "0x1F",
        ".inf",
        "=",
        "<<",
    ] {
        let text = merged_for("do it", odd, odd).unwrap();
        assert!(text.contains(&format!("  repo: \"{odd}\"\n  branch: \"{odd}\"\n")), "{text}");
    }
    let text = merged_for("do it", "a\"b\\c\u{85}\u{2028}\u{202e}d", "ünï/x").unwrap();
    assert!(
        text.contains("  repo: \"a\\\"b\\\\c\\U00000085\\U00002028\\U0000202Ed\"\n  branch: \"ünï/x\"\n"),
        "{text}"
    );
    assert_eq!(merged_for(&text, "a\"b\\c\u{85}\u{2028}\u{202e}d", "ünï/x").unwrap(), text);
}

#[test]
fn values_of_the_user_keep_their_meaning_and_quotes() {
    let yaml =
        "a: \"yes\"\nb: \"007\"\nc: 1:20\nd: 0755\ne: 2025-01-01\nf: yes\ng: 12e3456\nh: 1_000\ni: '~'\nj: !x y\n";
    check(yaml, &format!("{yaml}pv:\n<ours>"));
    let pv = "pv:\n  model: 12e3456\n  agent: 007\n  title: yes\n";
    let set = read(&format!("---\n{pv}---\nx")).unwrap();
    assert_eq!(
        (set.model.as_deref(), set.agent.as_deref(), set.title.as_deref()),
        (Some("12e3456"), Some("007"), Some("yes"))
    );
}

#[test]
fn settings_are_typed() {
    let set = read(
        "---\npv:\n  agent: codex\n  model: \"o4\"\n  timeout: 30m\n  idle_timeout: 90\n  deliver: pr\n  title: |\n    two\n    lines\n  other: [1]\n---\nx",
    );
    let expected = Settings {
        agent: Some("codex".into()),
        model: Some("o4".into()),
        timeout: Some(Duration::from_secs(1800)),
        idle_timeout: Some(Duration::from_secs(90)),
        deliver: Some(Deliver::PullRequest),
        title: Some("two lines".into()),
        checks: None,
        attempts: None,
    };
    assert_eq!(set.unwrap(), expected);
    for none in ["x", "---\n---\nx", "---\na: 1\n---\nx", "---\npv:\n---\nx", "---\npv: {agent: , model: ~}\n---\nx"] {
        assert_eq!(read(none).unwrap(), Settings::default(), "{none:?}");
    }
}

#[test]
fn refusals_say_what_to_do() {
    fn refused(text: &str, expected: &str) {
        let error = read(text).map(|_| ()).and_then(|()| merged(text).map(|_| ())).unwrap_err();
        let shown = error.to_string();
        assert!(shown.contains(expected), "{text:?} gave: {shown}");
    }
    refused("---\n", "unterminated");
    refused("---\n\nA thematic break, no front matter.\n", "unterminated");
    refused("---\na: 1\n--\n", "unterminated");
    refused("---\n- a\n---\n", "must be a mapping");
    refused("---\njust text\n---\n", "must be a mapping");
    refused("---\n\"\"\n---\n", "must be a mapping");
    refused("---\n!!null ''\n---\n", "must be a mapping");
    refused("---\na: 1\nb: [1\n---\n", "not valid YAML: line ");
    refused("---\na: 1\n b: 2\n---\n", "not valid YAML: line 3");
    refused("---\n\ta: 1\n---\n", "indented with spaces");
    refused("---\na: *nothing\n---\n", "not valid YAML: line 2");
    refused("---\na: 1\n...\nb: 1\n---\n", "line 4: a second document");
    refused("---\na: 1\nb: 2\na: 3\n---\n", "the key `a` twice (line 4)");
    refused("---\npv:\n  agent: x\n  \"agent\": y\n---\n", "the key `agent` twice (line 4)");
    refused("---\npv: [a]\n---\n", "`pv` must be a mapping");
    refused("---\npv: text\n---\n", "`pv` must be a mapping");
    refused("---\na: &x {q: 1}\npv: *x\n---\n", "`pv` must be a mapping");
    refused("---\npv: {timeout: soon}\n---\n", "pv.timeout: `soon` is not a duration");
    refused("---\npv: {timeout: 0}\n---\n", "pv.timeout: it must be more than nothing");
    refused("---\npv: {timeout: -5}\n---\n", "pv.timeout");
    refused("---\npv: {deliver: mail}\n---\n", "`mail` is none of `pr`, `branch`, `none`");
    refused("---\npv: {agent: [a]}\n---\n", "pv.agent: it must be a text");
    refused("---\npv: {agent: \" \"}\n---\n", "pv.agent: it is blank");
    refused("---\npv: {model: \"a\\eb\"}\n---\n", "pv.model: it is too long, or has control characters");
}

/// A splice that would change what an alias means is refused rather than made.
#[test]
fn what_cannot_be_changed_alone_is_refused() {
    for yaml in
        ["pv:\n  job_id: &x old\n  model: m\nz: *x\n", "pv: &p\n  agent: codex\nq: *p\n", "&r\na: 1\n", "{pv: }\n"]
    {
        let refused = merged(&format!("---\n{yaml}---\nx"));
        assert_eq!(refused, Err(FrontMatterError::CannotEdit), "{yaml:?}");
    }
}

#[test]
fn g31_bombs_end_fast_with_a_sentence() {
    let bomb: String = (1..30).fold("a0: &a0 [x, x]\n".into(), |text, i| {
        let last = i - 1;
        text + &format!("a{i}: &a{i} [{}]\n", vec![format!("*a{last}"); 9].join(", "))
    });
    let many_keys: String = (0..8_000).map(|i| format!("k{i}:\n")).collect();
    let repeated = "a: 1\n".repeat(10_000);
    let cases = [
        (bomb, "repeats too much through aliases"),
        ("a: ".to_owned() + &"[".repeat(20_000) + "\n", "nested too deeply"),
        ("a: ".to_owned() + &"{a: ".repeat(15_000) + "\n", "nested too deeply"),
        ("- ".repeat(20_000) + "\n", "nested too deeply"),
        ("? ".repeat(20_000) + "\n", "nested too deeply"),
        ((0..300).map(|i| " ".repeat(i) + "a:\n").collect(), "nested too deeply"),
        (format!("a: \"{}\"\n", "x".repeat(1 << 20)), "65536 are allowed"),
        (repeated, "the key `a` twice"),
        (format!("{many_keys}pv: []\n"), "`pv` must be a mapping"),
        ("%TAG ! x\n".repeat(6_000), "not valid YAML"),
        ("a: &a *a\n".into(), "not valid YAML"),
    ];
    for (yaml, expected) in cases {
        let (merged, took) = timed(|| merged(&format!("---\n{yaml}---\nx")));
        let error = merged.unwrap_err().to_string();
        let shown: String = yaml.chars().take(40).collect();
        assert!(error.contains(expected), "{shown:?} gave: {error}");
        assert!(error.len() < 600, "{shown:?} gave a long sentence: {error}");
        assert!(took < Duration::from_secs(2), "{shown:?} took {took:?}");
    }
}

#[test]
fn the_bound_is_exact() {
    let fill = |len: usize| format!("---\na: {}\n---\nx", "x".repeat(len - 4));
    assert!(merged(&fill(MAX_FRONT_MATTER_BYTES)).is_ok());
    assert_eq!(merged(&fill(MAX_FRONT_MATTER_BYTES + 1)), Err(FrontMatterError::TooLarge(MAX_FRONT_MATTER_BYTES + 1)));
}

/// A stamped front matter may be larger than what a person may write: it is read again before the run.
#[test]
fn a_full_front_matter_can_be_read_once_it_is_stamped() {
    let text = format!("---\na: {}\n---\nx", "x".repeat(MAX_FRONT_MATTER_BYTES - 4));
    let stamped = merged(&text).unwrap();
    assert_eq!(read(&stamped).unwrap(), Settings::default());
    assert_eq!(merged(&stamped).unwrap(), stamped);
}

#[test]
fn a_large_body_costs_one_copy() {
    let body = "lines of text\n".repeat(3 << 20 >> 4);
    let (text, took) = timed(|| merged(&body).unwrap());
    assert!(text.ends_with(&body));
    assert!(took < Duration::from_millis(500), "{took:?}");
}

#[test]
fn what_a_person_chose_beside_the_prompt_wins_and_the_rest_stays() {
    let choices =
        Choices { agent: Some("claude"), timeout: Some("90m"), title: Some("a: \"b\""), ..Choices::default() };
    let check = |text: &str, rest: &str| {
        let chosen = choose(text, &choices).unwrap();
        let parts = split(&chosen).unwrap();
        let settings = settings(&parts).unwrap();
        assert_eq!(settings.agent.as_deref(), Some("claude"), "{chosen}");
        assert_eq!((settings.timeout, settings.title.as_deref()), (Some(Duration::from_secs(5400)), Some("a: \"b\"")));
        assert!(chosen.contains(rest), "{rest:?} in {chosen}");
    };
    check("mend the failing test", "mend the failing test");
    check("---\nmine: 1   # why\npv:\n  agent: codex\n  model: m\n---\ntext\n", "mine: 1   # why\n");
    check("---\npv: {agent: codex, x: 1}\n---\ntext\n", "x: 1");
    assert_eq!(choose("text", &Choices::default()).unwrap(), "text");
    assert!(choose("---\nnever closed\n", &choices).is_err());
}
