use faregate_core::diagnostic::codes;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value, json};

use super::{ALIASED_NODES_MAX, DEPTH_MAX, Location, emit, load};

fn value(text: &str) -> Value {
    let loaded = load(text.as_bytes());
    assert_eq!(loaded.diagnostics, [], "{text}");
    loaded.value.expect("a value")
}

/// Line, column and code of each finding.
fn findings(text: &str) -> Vec<(usize, usize, String)> {
    let found = load(text.as_bytes()).diagnostics.into_iter();
    found.map(|found| (found.line.expect("a line"), found.column.expect("a column"), found.code)).collect()
}

fn at(text: &str, pointer: &str, by_key: bool) -> (usize, usize) {
    let Location { line, column } = load(text.as_bytes()).places.nearest(pointer, by_key).expect("a place");
    (line, column)
}

#[test]
fn values_and_their_keys_have_places() {
    let text =
        "settings:\n  refresh_seconds: 5\nroutes:\n  - id: a\n    match: [{ path: /a }, { path: /b }]\n  - id: b\n";
    for (pointer, by_key, place) in [
        ("", false, (1, 1)),
        ("/settings", true, (1, 1)),
        ("/settings", false, (2, 3)),
        ("/settings/refresh_seconds", true, (2, 3)),
        ("/settings/refresh_seconds", false, (2, 20)),
        ("/routes/0", false, (4, 5)),
        ("/routes/0/match", true, (5, 5)),
        ("/routes/0/match/1", false, (5, 27)),
        ("/routes/0/match/1/path", false, (5, 35)),
        ("/routes/1/id", false, (6, 9)),
        ("/routes/1/forward/backend", false, (6, 5)),
        ("/unknown", true, (1, 1)),
    ] {
        assert_eq!(at(text, pointer, by_key), place, "{pointer}");
    }
}

#[test]
fn lines_end_in_any_way_and_columns_count_characters() {
    assert_eq!(at("a: 1\r\nb:\r\n  c: 2\r\n", "/b/c", false), (3, 6));
    assert_eq!(at("\u{feff}a: 1\nb: 2\n", "/a", false), (1, 4));
    assert_eq!(at("{ ä: \"日本\", b: x }", "/b", false), (1, 15));
    assert_eq!(at("\"ключ~/\": { x: y }", "/ключ~0~1/x", true), (1, 13));
}

#[test]
fn text_that_is_no_yaml_is_one_finding_at_its_place() {
    assert_eq!(findings("a: [1, 2\nb: 3\n")[0].2, codes::MALFORMED);
    assert_eq!(findings("a: 1\nb: 2\n  c: 3\n"), [(3, 4, "malformed".into())]);
    assert_eq!(findings("a: \"x\n").len(), 1);
    assert_eq!(findings("a: *nothing\n")[0].2, codes::MALFORMED);
    let latin_1 = load(b"a: 1\nb: caf\xe9\n").diagnostics;
    assert_eq!((latin_1[0].line, latin_1[0].column), (Some(2), Some(7)));
}

#[test]
fn what_json_cannot_say_is_a_finding_and_the_rest_is_read_on() {
    assert_eq!(findings("a: 1\nb: 2\na: 3\n"), [(3, 1, "duplicate".into())]);
    assert_eq!(load(b"a: 1\na: { b: 2 }\n").value, Some(json!({"a": 1})));
    assert_eq!(findings("1: x\ntrue: y\n"), [(1, 1, "malformed".into()), (2, 1, "malformed".into())]);
    assert_eq!(findings("a: .nan\nb: [-.inf]\nc: 1e999\n").len(), 3);
    assert_eq!(findings("a: !!str 1\nb: !secret x\nc: !x { d: 1 }\n").len(), 3);
    assert_eq!(findings("a: 1\n---\nb: 2\n"), [(2, 1, "malformed".into())]);
    assert_eq!(findings("? [a]\n: 1\n")[0].2, codes::MALFORMED);
    assert_eq!(findings("a: &x { b: *x }\n")[0].2, codes::MALFORMED);
}

#[test]
fn an_empty_file_is_an_empty_document() {
    for text in ["", "# nothing\n", "---\n", "\u{feff}"] {
        assert_eq!(value(text), Value::Null, "{text:?}");
    }
}

#[test]
fn quoted_text_is_text_and_aliases_are_what_they_stand_for() {
    assert_eq!(value("a: \"2\"\nb: '2'\nc: |\n  2\n"), json!({"a": "2", "b": "2", "c": "2\n"}));
    assert_eq!(value("a: &h [x, { y: 1 }]\nb: *h\n"), json!({"a": ["x", {"y": 1}], "b": ["x", {"y": 1}]}));
}

#[test]
fn depth_and_aliases_are_bounded() {
    for deep in ["[", "- ", "{a: "] {
        assert_eq!(findings(&deep.repeat(100_000)).len(), 1, "{deep}");
    }
    let nested = |levels: usize| format!("{}{}", "- ".repeat(levels), "x");
    assert_eq!(findings(&nested(DEPTH_MAX)), []);
    assert_eq!(findings(&nested(DEPTH_MAX + 1))[0].2, codes::TOO_MANY);
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let alias = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 10].join(", "));
    }
    assert_eq!(findings(&bomb)[0].2, codes::TOO_MANY);
    let mut tower = "a0: &a0 [x]\n".to_owned();
    for level in 1..DEPTH_MAX {
        tower += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
    }
    assert_eq!(findings(&tower)[0].2, codes::TOO_MANY);
    let items = |count: usize| format!("a: &a [{}]\nb: *a\n", "x, ".repeat(count));
    assert_eq!(findings(&items(ALIASED_NODES_MAX / 2 - 1)), []);
    assert_eq!(findings(&items(ALIASED_NODES_MAX / 2))[0].2, codes::TOO_MANY);
}

#[test]
fn entries_are_written_for_people() {
    let document = json!({
        "routes": [{"match": [{"path": {"exact": "/a"}, "methods": ["GET", "PUT"]}], "id": "a",
            "authenticate": "anonymous",
            "respond": {"status": 200, "body": "a\nb", "headers": {"x-version": "2", "on": "yes"}}}],
        "settings": {"refresh_seconds": 5},
    });
    let expected = r#"settings:
  refresh_seconds: 5
routes:
  - id: a
    authenticate: anonymous
    match:
      - path:
          exact: /a
        methods: [GET, PUT]
    respond:
      body: "a\nb"
      headers:
        "on": "yes"
        x-version: "2"
      status: 200
"#;
    assert_eq!(emit(&document), expected);
}

fn json_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        "[-+.0-9eExo:_~]{1,6}",
        "[a-z /:#,\\[\\]{}&*!|>'\"%@`?-]{1,12}",
        Just("null".to_owned()),
        Just("Yes".to_owned()),
        Just("---".to_owned()),
        "[ \\n\\r\\t\u{85}\u{a0}\u{feff}\u{2028}a]{1,5}",
        "[a-z]{1100,1200}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("a finite number", |number| serde_json::Number::from_f64(number).map(Value::from)),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(text.clone(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

const YAML_LIKE: &str = r#"([a-c]|: |- |\n|\n  |\{|\}|\[|\]|, |&a |\*a|!t |\||>|\? |"|'|\#|---|%|\t|\r){0,40}"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_written_reads_back_as_it_was(value in json_value()) {
        let text = emit(&value);
        let loaded = load(text.as_bytes());
        prop_assert_eq!(&loaded.diagnostics, &[], "{}", text);
        prop_assert_eq!(loaded.value, Some(value), "{}", text);
        prop_assert!(!text.chars().any(|char| char != '\n' && crate::output::is_unprintable(char)));
    }

    #[test]
    fn any_bytes_are_answered(bytes in any::<Vec<u8>>()) {
        let loaded = load(&bytes);
        prop_assert!(loaded.value.is_some() || !loaded.diagnostics.is_empty());
    }

    #[test]
    fn any_yaml_like_text_is_answered(text in YAML_LIKE) {
        let loaded = load(text.as_bytes());
        prop_assert!(loaded.value.is_some() || !loaded.diagnostics.is_empty());
    }
}
