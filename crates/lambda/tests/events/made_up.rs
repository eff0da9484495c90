//! JSON that nobody wrote: numbers spell it, its names and texts are event-like.

use serde_json::{Map, Value};

/// Names and values that make the decoder look further.
const WORDS: [&str; 52] = [
    "version",
    "2.0",
    "1.0",
    "rawPath",
    "rawQueryString",
    "cookies",
    "headers",
    "requestContext",
    "domainName",
    "stage",
    "$default",
    "http",
    "method",
    "sourceIp",
    "authorizer",
    "iam",
    "userArn",
    "body",
    "isBase64Encoded",
    "httpMethod",
    "path",
    "multiValueHeaders",
    "queryStringParameters",
    "multiValueQueryStringParameters",
    "elb",
    "identity",
    "connectionId",
    "type",
    "host",
    "cookie",
    "content-length",
    "x-forwarded-for",
    "x-forwarded-proto",
    "GET",
    "CONNECT",
    "/a/b",
    "/live/a",
    "/..%2f",
    "/%",
    "a=1&b",
    "a b#",
    "YQ==",
    "YQ",
    "1",
    "a.example",
    "a@b:c",
    "192.0.2.1, ::1",
    "https",
    "é\u{20ac}",
    "x\r\ny: z",
    "\0",
    "",
];

/// The value that these numbers spell, one for each value and each name in it; where they end, null is.
pub(crate) fn value(numbers: &mut impl Iterator<Item = u64>) -> Value {
    let number = numbers.next().unwrap_or_default();
    // The last byte says of what kind it is, the others which one.
    let which = number >> 8;
    match number % 32 {
        0 => Value::Null,
        1 => Value::from(which.is_multiple_of(2)),
        2 => Value::from(number),
        3 => Value::from(number.cast_signed()),
        4 => Value::from(f64::from_bits(number)),
        5..=14 => Value::from(text(which)),
        15 => (0..which % 200).fold(value(numbers), |inner, _| Value::from(vec![inner])),
        16..=20 => (0..which % 4).map(|_| value(numbers)).collect(),
        _ => {
            let member = |_| (text(numbers.next().unwrap_or_default()), value(numbers));
            Value::from((0..which % 8).map(member).collect::<Map<_, _>>())
        }
    }
}

/// The event with other values at up to three places: as many as the numbers spell.
pub(crate) fn changed(event: &Value, numbers: &mut impl Iterator<Item = u64>) -> Value {
    let mut event = event.clone();
    for _ in 0..3 {
        let Some(number) = numbers.next() else { break };
        // As often as not it is text, which most of an event is.
        let other = if number >> 63 == 0 { value(numbers) } else { text(numbers.next().unwrap_or_default()).into() };
        *place(&mut event, number) = other;
    }
    event
}

/// Mostly a word, else several on end, or any characters.
fn text(number: u64) -> String {
    let (kind, number) = (number % 8, number / 8);
    let word = |place: u32| WORDS[usize::try_from((number >> (8 * place)) % WORDS.len() as u64).expect("few words")];
    match kind {
        0 => (0..3).map(word).collect(),
        1 => (0..3).filter_map(|place| char::from_u32((number >> (16 * place)) as u32 & 0x1f_ffff)).collect(),
        2 => (0..6).map(|place| char::from((number >> (8 * place)) as u8)).collect(),
        _ => word(0).to_owned(),
    }
}

/// The value at one of the places in `value`, counted in depth-first order.
fn place(value: &mut Value, number: u64) -> &mut Value {
    fn count(value: &Value) -> usize {
        1 + match value {
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Object(members) => members.values().map(count).sum(),
            _ => 0,
        }
    }
    let mut number = usize::try_from(number % count(value) as u64).expect("few places");
    let mut here = value;
    while number > 0 {
        number -= 1;
        let children: Box<dyn Iterator<Item = &mut Value>> = match here {
            Value::Array(items) => Box::new(items.iter_mut()),
            Value::Object(members) => Box::new(members.values_mut()),
            _ => break,
        };
        let mut next = None;
        for child in children {
            let size = count(child);
            if number < size {
                next = Some(child);
                break;
            }
            number -= size;
        }
        here = next.expect("a number below the count has a place");
    }
    here
}
