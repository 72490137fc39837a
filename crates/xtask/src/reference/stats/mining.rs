//! Data mining: association rules and sequential patterns.

use std::collections::BTreeMap;

use farr_stats::mining::{self, PatternLimits};
use serde_json::{Value, json};

use super::{Answer, Case, number};

/// The answer to a case of this family.
pub(super) fn family(case: &Case) -> Option<Answer> {
    Some(match case.method.as_str() {
        "association_rules" => association_rules(case),
        "sequential_patterns" => sequential_patterns(case),
        _ => return None,
    })
}

fn association_rules(case: &Case) -> Answer {
    let min_confidence = case.number_arg("min_confidence").ok_or("no 'min_confidence'")?;
    let (names, items) = numbered_items(case)?;
    let mut baskets: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (transaction, item) in texts(case, "transaction")?.iter().zip(items) {
        baskets.entry(transaction).or_default().push(item);
    }
    let baskets: Vec<Vec<u32>> = baskets.into_values().collect();
    let frequent = mining::frequent_itemsets(&baskets, limits(case)?).map_err(text)?;
    let rules = mining::association_rules(&frequent, min_confidence).map_err(text)?;
    let named = |items: &[u32]| items.iter().map(|i| names[*i as usize]).collect::<Vec<_>>();
    let column = |value: fn(&mining::AssociationRule) -> Value| {
        rules.iter().map(value).collect::<Vec<Value>>()
    };
    let sets = &frequent.itemsets;
    Ok(json!({
        "transactions": frequent.baskets,
        "itemsets": sets.iter().map(|set| named(&set.items)).collect::<Vec<_>>(),
        "itemset_count": sets.iter().map(|set| set.count).collect::<Vec<_>>(),
        "antecedent": rules.iter().map(|rule| named(&rule.antecedent)).collect::<Vec<_>>(),
        "consequent": rules.iter().map(|rule| named(&[rule.consequent])[0]).collect::<Vec<_>>(),
        "count": column(|rule| rule.count.into()),
        "support": column(|rule| number(rule.support)),
        "confidence": column(|rule| number(rule.confidence)),
        "lift": column(|rule| number(rule.lift)),
        "leverage": column(|rule| number(rule.leverage)),
        "conviction": column(|rule| number(rule.conviction)),
    }))
}

fn sequential_patterns(case: &Case) -> Answer {
    let (names, items) = numbered_items(case)?;
    let (persons, positions) = (texts(case, "person")?, case.column("position")?);
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|a, b| positions[*a].total_cmp(&positions[*b]));
    let mut sequences: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for row in order {
        sequences.entry(&persons[row]).or_default().push(items[row]);
    }
    let sequences: Vec<Vec<u32>> = sequences.into_values().collect();
    let patterns = mining::sequential_patterns(&sequences, limits(case)?).map_err(text)?;
    let named = |items: &[u32]| items.iter().map(|i| names[*i as usize]).collect::<Vec<_>>();
    Ok(json!({
        "persons": sequences.len(),
        "pattern": patterns.iter().map(|p| named(&p.items)).collect::<Vec<_>>(),
        "count": patterns.iter().map(|p| p.count).collect::<Vec<_>>(),
        "support": patterns.iter().map(|p| number(p.support)).collect::<Vec<_>>(),
    }))
}

/// The item names in code point order, and each row's place among them.
fn numbered_items(case: &Case) -> Result<(Vec<&str>, Vec<u32>), String> {
    let rows = texts(case, "item")?;
    let mut names: Vec<&str> = rows.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let items = rows.iter().map(|name| names.partition_point(|n| *n < name.as_str()) as u32);
    let items = items.collect();
    Ok((names, items))
}

/// The limits; a pattern may be of any length where the case names none.
fn limits(case: &Case) -> Result<PatternLimits, String> {
    let whole = |key: &str| case.arg(key).and_then(Value::as_u64).map(|v| v as usize);
    Ok(PatternLimits {
        min_count: whole("min_count").ok_or("no whole number 'min_count'")?,
        max_length: whole("max_length").unwrap_or(usize::MAX),
    })
}

/// The texts of the column that argument `key` names.
fn texts<'a>(case: &'a Case, key: &str) -> Result<&'a [String], String> {
    case.texts(case.text_arg(key).ok_or_else(|| format!("no argument '{key}'"))?)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
