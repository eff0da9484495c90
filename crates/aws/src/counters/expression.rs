//! The conditional writes of counters.
//!
//! The conditions are load-bearing: adding to an attribute that is not there is a `ValidationException`, so that an
//! absent slot must fail its condition first.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_core::{
    cost::Cost,
    limit::{Ask, Return},
    time::Timestamp,
};

/// One update with what its placeholders stand for.
pub(super) struct Expression {
    pub(super) update: String,
    pub(super) condition: String,
    pub(super) names: HashMap<String, String>,
    pub(super) values: HashMap<String, AttributeValue>,
}

/// All that is asked or nothing.
pub(super) fn take(asked: &[Ask], expires_at: Timestamp, cost: Option<&Cost>) -> Expression {
    let mut names = HashMap::from([("#e".to_owned(), "expires_at".to_owned())]);
    let mut values = HashMap::from([(":e".to_owned(), number(expires_at.as_seconds()))]);
    let (mut sets, mut conditions) = (vec!["#e = :e".to_owned()], Vec::new());
    for (n, ask) in asked.iter().enumerate() {
        let take = match ask {
            Ask::Take(take) => take,
            Ask::Draw(draw) => {
                names.insert(format!("#b{n}"), draw.bucket.clone());
                if draw.is_full {
                    values.insert(format!(":n{n}"), number(draw.now_micros()));
                    values.insert(format!(":c{n}"), number(draw.now_micros() + draw.cost_micros()));
                    sets.push(format!("#b{n} = :c{n}"));
                    conditions.push(format!("(attribute_not_exists(#b{n}) OR #b{n} <= :n{n})"));
                } else {
                    values.insert(format!(":n{n}"), number(draw.floor_micros()));
                    values.insert(format!(":c{n}"), number(draw.cost_micros()));
                    values.insert(format!(":m{n}"), number(draw.bound_micros()));
                    sets.push(format!("#b{n} = #b{n} + :c{n}"));
                    conditions.push(format!("#b{n} > :n{n} AND #b{n} <= :m{n}"));
                }
                continue;
            }
        };
        names.insert(format!("#i{n}"), take.slot.index_attribute());
        names.insert(format!("#u{n}"), take.slot.granted_attribute());
        names.insert(format!("#s{n}"), take.slot.settled_attribute());
        values.insert(format!(":w{n}"), number(take.index));
        values.insert(format!(":b{n}"), number(take.block));
        values.insert(format!(":s{n}"), number(take.settled));
        if take.resets {
            sets.push(format!("#i{n} = :w{n}, #u{n} = :b{n}, #s{n} = :s{n}"));
            conditions.push(format!("(attribute_not_exists(#i{n}) OR #i{n} < :w{n})"));
        } else {
            values.insert(":zero".to_owned(), number(0));
            // Below zero where no window has as many: then no slot meets it.
            let most = i128::from(take.limit) - i128::from(take.needed);
            values.insert(format!(":l{n}"), AttributeValue::N(most.to_string()));
            sets.push(format!("#u{n} = #u{n} + :b{n}, #s{n} = if_not_exists(#s{n}, :zero) + :s{n}"));
            conditions.push(format!("#i{n} = :w{n} AND #u{n} <= :l{n}"));
        }
    }
    let mut removes = Vec::new();
    if let Some(cost) = cost {
        names.insert("#c".to_owned(), Cost::attribute_of(&cost.month));
        names.insert("#r".to_owned(), Cost::requests_attribute_of(&cost.month));
        values.insert(":zero".to_owned(), number(0));
        values.insert(":c".to_owned(), number(cost.nanodollars));
        values.insert(":r".to_owned(), number(cost.requests));
        sets.push("#c = if_not_exists(#c, :zero) + :c, #r = if_not_exists(#r, :zero) + :r".to_owned());
        if asked.iter().any(Ask::begins) {
            for (n, month) in cost.outdated().enumerate() {
                names.insert(format!("#oc{n}"), Cost::attribute_of(&month));
                names.insert(format!("#or{n}"), Cost::requests_attribute_of(&month));
                removes.push(format!("#oc{n}, #or{n}"));
            }
        }
    }
    let removes = if removes.is_empty() { String::new() } else { format!(" REMOVE {}", removes.join(", ")) };
    let update = format!("SET {}{removes}", sets.join(", "));
    Expression { update, condition: conditions.join(" AND "), names, values }
}

/// One return; sent once.
pub(super) fn give_back(back: &Return) -> Expression {
    let name = |placeholder: &str, attribute: String| (placeholder.to_owned(), attribute);
    let value = |placeholder: &str, value: u64| (placeholder.to_owned(), number(value));
    Expression {
        update: "SET #u = #u - :n, #s = if_not_exists(#s, :zero) + :s".to_owned(),
        condition: "#i = :w AND #u >= :n".to_owned(),
        names: HashMap::from([
            name("#i", back.slot.index_attribute()),
            name("#u", back.slot.granted_attribute()),
            name("#s", back.slot.settled_attribute()),
        ]),
        values: HashMap::from([
            value(":w", back.index),
            value(":n", back.permits),
            value(":s", back.settled),
            value(":zero", 0),
        ]),
    }
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
