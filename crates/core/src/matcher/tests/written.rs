//! Matching once more, from the words of docs/matching.md and the routes as they were written, against the trees.

use http::{HeaderMap, Method};
use proptest::{
    prelude::{ProptestConfig, Strategy, any, prop, prop_assert_eq, proptest},
    sample::select,
};
use serde_json::{Value, json};

use super::{headers, route};
use crate::{
    diagnostic::Report,
    document::Document,
    matcher::{Entry, Match, MatchRequest, Miss},
    snapshot::Snapshot,
};

fn pattern() -> impl Strategy<Value = Value> {
    let segment = select(vec!["a", "b", "{x}", ""]);
    let path = prop::collection::vec(segment, 0..4).prop_map(|segments| format!("/{}", segments.join("/")));
    let name = select(vec!["{x}", "{identifier}"]);
    (path, name, 0..6_u8).prop_map(|(path, name, kind)| {
        let literal = path.replace("{x}", "c");
        let template = path.split_once("{x}").map_or_else(
            || path.clone(),
            |(before, after)| format!("{before}{name}{}", after.replace("{x}", "{other}")),
        );
        match kind {
            0 => json!({"exact": literal}),
            1 | 2 => json!({"prefix": literal}),
            3 => json!({"regex": path.replace("{x}", "[ab]")}),
            4 => json!(format!("{}/{{rest+}}", template.trim_end_matches('/'))),
            _ => json!(template),
        }
    })
}

fn random_route() -> impl Strategy<Value = Value> {
    let hosts = prop::option::of(select(vec![json!(["a.b.c"]), json!(["*.b.c"]), json!(["*.c", "b.c"])]));
    let methods = prop::option::of(select(vec![json!(["GET"]), json!(["PUT", "POST"])]));
    let header =
        prop::option::of(select(vec![json!({"name": "h", "exact": "1"}), json!({"name": "h", "present": true})]));
    let query =
        prop::option::of(select(vec![json!({"name": "q", "exact": "1"}), json!({"name": "q", "present": true})]));
    let entry = (pattern(), methods, header, query).prop_map(|(path, methods, header, query)| {
        let mut entry = json!({"path": path, "headers": header.into_iter().collect::<Vec<_>>(), "query": query.into_iter().collect::<Vec<_>>()});
        if let Some(methods) = methods {
            entry["methods"] = methods;
        }
        entry
    });
    (hosts, prop::collection::vec(entry, 1..4), 0..3_i32).prop_map(|(hosts, entries, priority)| {
        let mut route = route("", json!({"match": entries, "priority": priority / 2}));
        if let Some(hosts) = hosts {
            route["hosts"] = hosts;
        }
        route
    })
}

/// A request of few words, so that many fit.
#[derive(Clone, Debug)]
struct Asked {
    host: &'static str,
    path: String,
    query: Option<&'static str>,
    method: Method,
    header: Option<&'static str>,
}

fn random_request() -> impl Strategy<Value = Asked> {
    let host = select(vec!["a.b.c", "x.b.c", "b.c", "c", ""]);
    let path = prop::collection::vec(select(vec!["a", "b", "c", ""]), 0..4)
        .prop_map(|segments| crate::path::normalise(&format!("/{}", segments.join("/"))).expect("a path").into_owned());
    let query = prop::option::of(select(vec!["q=1", "q=2", "p=1"]));
    let method = select(vec![Method::GET, Method::PUT, Method::DELETE]);
    let header = prop::option::of(select(vec!["1", "2"]));
    (host, path, query, method, header).prop_map(|(host, path, query, method, header)| Asked {
        host,
        path,
        query,
        method,
        header,
    })
}

/// Whether a path fits.
fn path_fits(written: &Value, path: &str) -> bool {
    match (&written["exact"], &written["prefix"], &written["regex"], written) {
        (Value::String(exact), ..) => path == exact,
        (_, Value::String(prefix), ..) => {
            let prefix = prefix.trim_end_matches('/');
            path == prefix || path.starts_with(&format!("{prefix}/"))
        }
        (_, _, Value::String(segments), _) | (_, _, _, Value::String(segments)) => {
            let split = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
            segments_fit(&split(segments), &split(path))
        }
        other => panic!("{other:?}"),
    }
}

/// Whether the segments of a template, or of a regex that is made like one, fit.
fn segments_fit(written: &[String], path: &[String]) -> bool {
    match (written, path) {
        ([], []) => true,
        ([rest], path) if rest == "{rest+}" => !path.join("/").is_empty(),
        ([written, others @ ..], [here, rest @ ..]) => {
            let fits = match &**written {
                "[ab]" => here == "a" || here == "b",
                name if name.starts_with('{') => !here.is_empty(),
                literal => here == literal,
            };
            fits && segments_fit(others, rest)
        }
        _ => false,
    }
}

/// Whether the one header, or the one query parameter, fits.
fn value_fits(written: &Value, value: Option<&str>) -> bool {
    let tests = written.as_array().expect("a list");
    tests.iter().all(|test| match (&test["exact"], value) {
        (Value::String(exact), Some(value)) => exact == value,
        (_, value) => value.is_some(),
    })
}

/// Whether all but the method fits, the host aside.
fn fits_but_method(entry: &Value, asked: &Asked) -> bool {
    let query = asked.query.and_then(|query| query.strip_prefix("q="));
    path_fits(&entry["path"], &asked.path)
        && value_fits(&entry["headers"], asked.header)
        && value_fits(&entry["query"], query)
}

/// The methods that an entry names, if this one is not among them.
fn refused_method(entry: &Value, method: &Method) -> Option<Vec<String>> {
    let methods = entry["methods"].as_array()?.iter().filter_map(Value::as_str);
    let methods: Vec<String> = methods.map(str::to_owned).collect();
    (!methods.iter().any(|named| named == method.as_str())).then_some(methods)
}

/// Where a path stands: its kind, then per kind what decides among its own.
type WrittenPathRank = (u8, isize, isize, Vec<bool>);

/// The columns of docs/matching.md's table, smaller first: priority, host, path, method, headers, query, id, the entry's place.
type WrittenRank = (i64, usize, WrittenPathRank, bool, isize, isize, String, usize);

/// Which route, and which of its entries.
type Place = (String, usize);

/// The winner; or who would win but for the method, and all methods that would do.
type Answer = Result<Place, Option<(Place, Vec<String>)>>;

/// Precedence: smaller wins.
fn written_rank(route: &Value, index: usize, host: &str) -> WrittenRank {
    let entry = &route["match"][index];
    let path = &entry["path"];
    let path = match (&path["exact"], &path["prefix"], &path["regex"], path) {
        (Value::String(_), ..) => (0, 0, 0, Vec::new()),
        (_, _, Value::String(regex), _) => {
            // Longer literal beginning first, then the longer pattern.
            (2, longest(regex.split('[').next().unwrap_or_default()), longest(regex), Vec::new())
        }
        (_, Value::String(prefix), ..) => prefix_rank(prefix.trim_end_matches('/')),
        (_, _, _, Value::String(template)) => match template.strip_suffix("/{rest+}") {
            Some(prefix) => prefix_rank(prefix),
            None => (1, 0, 0, names(template)),
        },
        other => panic!("{other:?}"),
    };
    let specific = match host.strip_prefix('*') {
        None if host.is_empty() => 1000,
        None => 0,
        Some(suffix) => 500 - suffix.len(),
    };
    let count = |name: &str| -isize::try_from(entry[name].as_array().map_or(0, Vec::len)).expect("few");
    let id = route["id"].as_str().expect("an id").to_owned();
    let priority = -route["priority"].as_i64().expect("a priority");
    (priority, specific, path, entry["methods"].is_null(), count("headers"), count("query"), id, index)
}

/// A prefix, or what a template has before its rest: more characters, then literals first. A name has no characters.
fn prefix_rank(prefix: &str) -> WrittenPathRank {
    let literal: String = prefix.split('/').filter(|segment| !segment.starts_with('{')).collect();
    (3, longest(&literal) - isize::try_from(prefix.matches('/').count()).expect("few"), 0, names(prefix))
}

fn longest(text: &str) -> isize {
    -isize::try_from(text.chars().count()).expect("short")
}

fn names(segments: &str) -> Vec<bool> {
    segments.split('/').skip(1).map(|segment| segment.starts_with('{')).collect()
}

/// The hosts of a route under which a host fits; an empty one for any.
fn fitting_hosts(route: &Value, host: &str) -> Vec<String> {
    let Some(hosts) = route["hosts"].as_array() else { return vec![String::new()] };
    let written = hosts.iter().map(|host| host.as_str().expect("text").to_owned());
    let fits = |pattern: &String| match pattern.strip_prefix('*') {
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => pattern == host,
    };
    written.filter(fits).collect()
}

/// What the words say of a request.
fn answer_of_the_words(routes: &[Value], asked: &Asked) -> Answer {
    let mut fitting: Vec<(WrittenRank, &Value)> = Vec::new();
    for route in routes {
        for (index, entry) in route["match"].as_array().expect("entries").iter().enumerate() {
            let hosts = fitting_hosts(route, asked.host).into_iter().filter(|_| fits_but_method(entry, asked));
            fitting.extend(hosts.map(|host| (written_rank(route, index, &host), entry)));
        }
    }
    fitting.sort_by(|(one, _), (other, _)| one.cmp(other));
    let place = |(rank, _): &(WrittenRank, &Value)| (rank.6.clone(), rank.7);
    let refused = |(_, entry): &(WrittenRank, &Value)| refused_method(entry, &asked.method);
    if let Some(winner) = fitting.iter().find(|fitting| refused(fitting).is_none()) {
        return Ok(place(winner));
    }
    let mut allow: Vec<String> = fitting.iter().filter_map(refused).flatten().collect();
    allow.sort();
    allow.dedup();
    Err(fitting.first().map(|first| (place(first), allow)))
}

/// What the trees say.
fn answer_of_the_trees(snapshot: &Snapshot, request: &MatchRequest<'_>) -> Answer {
    let place = |entry: &Entry| (snapshot.route(entry).id.to_string(), entry.index);
    match snapshot.find(request) {
        Match::Found(entry) => Ok(place(entry)),
        Match::MethodNotAllowed { entry, allow } => {
            Err(Some((place(entry), allow.iter().map(Method::to_string).collect())))
        }
        Match::NotFound => Err(None),
    }
}

/// The routes that can be compiled, numbered: patterns that no request can match are refused, and what is left is still
/// random enough.
fn valid(routes: Vec<Value>) -> (Vec<Value>, Snapshot) {
    let compile = |routes: &[Value]| {
        let document: Document = serde_json::from_value(json!({ "routes": routes })).expect("a document");
        Snapshot::compile(&document, &mut Report::default())
    };
    let numbered = (0..).zip(routes).map(|(number, mut route): (usize, Value)| {
        route["id"] = json!(format!("r{number:02}"));
        route
    });
    let valid: Vec<Value> = numbered.filter(|route| compile(std::slice::from_ref(route)).is_some()).collect();
    let snapshot = compile(&valid).expect("a snapshot");
    (valid, snapshot)
}

proptest! {
    // 100,000 requests in all; what takes time is compiling the routes.
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_trees_agree_with_the_words(
        routes in prop::collection::vec(random_route(), 1..12),
        requests in prop::collection::vec(random_request(), 200),
    ) {
        let (routes, snapshot) = valid(routes);
        for asked in requests {
            let headers: HeaderMap = asked.header.map(|value| headers(&[("h", value)])).unwrap_or_default();
            let Asked { host, path, query, method, .. } = &asked;
            let request = MatchRequest { host, path, query: *query, method, headers: &headers };
            let answer = answer_of_the_trees(&snapshot, &request);
            prop_assert_eq!(&answer, &answer_of_the_words(&routes, &asked), "{:?}", asked);

            // What is shown to people is the same.
            let place = |entry: &Entry| (snapshot.route(entry).id.to_string(), entry.index);
            let verdicts: Vec<_> = snapshot.matcher().explain(&request).collect();
            let wholly = verdicts.iter().find(|verdict| verdict.miss.is_none()).map(|verdict| place(verdict.entry));
            let but_method = verdicts.iter().find(|verdict| matches!(verdict.miss, Some(Miss::Method(_))));
            let explained = wholly.ok_or_else(|| but_method.map(|verdict| place(verdict.entry)));
            prop_assert_eq!(explained, answer.map_err(|refused| refused.map(|(place, _)| place)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn renaming_a_capture_changes_nothing(
        routes in prop::collection::vec(random_route(), 1..12),
        requests in prop::collection::vec(random_request(), 10),
        header in any::<bool>(),
    ) {
        let rename = |route: &Value| {
            let text = route.to_string().replace("{x}", "{y_of_another_length}").replace("{identifier}", "{z}");
            serde_json::from_str::<Value>(&text).expect("a route")
        };
        let renamed: Vec<Value> = routes.iter().map(rename).collect();
        let ((_, one), (_, other)) = (valid(routes), valid(renamed));
        let headers = if header { headers(&[("h", "1")]) } else { HeaderMap::new() };
        for Asked { host, path, query, method, .. } in &requests {
            let request = MatchRequest { host, path, query: *query, method, headers: &headers };
            prop_assert_eq!(answer_of_the_trees(&one, &request), answer_of_the_trees(&other, &request));
        }
    }
}
