//! Changes of an item as an update expression.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use faregate_engine::ports::StoreError;
use serde_json::{Map, Value};

use crate::attributes::attribute_of;

/// Adds `SET` for each value and `REMOVE` for each null; no changes, no expression.
pub(super) fn with_changes(
    mut update: UpdateItemFluentBuilder,
    changes: &Map<String, Value>,
) -> Result<UpdateItemFluentBuilder, StoreError> {
    let (mut sets, mut removes) = (Vec::new(), Vec::new());
    for (number, (name, value)) in changes.iter().enumerate() {
        let placeholder = format!("#a{number}");
        if value.is_null() {
            removes.push(placeholder.clone());
        } else {
            let argument = format!(":v{number}");
            sets.push(format!("{placeholder} = {argument}"));
            update = update.expression_attribute_values(argument, attribute_of(value)?);
        }
        update = update.expression_attribute_names(placeholder, name);
    }
    let clause = |word: &str, parts: &[String]| match parts {
        [] => None,
        parts => Some(format!("{word} {}", parts.join(", "))),
    };
    let clauses: Vec<String> = [clause("SET", &sets), clause("REMOVE", &removes)].into_iter().flatten().collect();
    Ok(if clauses.is_empty() { update } else { update.update_expression(clauses.join(" ")) })
}
