//! Frequent itemsets and association rules.

use std::collections::HashMap;

use super::PatternLimits;
use crate::estimate::EstimateError;

/// Items that come together in so many baskets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Itemset {
    /// The items, rising.
    pub items: Vec<u32>,
    /// Baskets that hold all of them.
    pub count: usize,
}

/// All frequent itemsets of some baskets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrequentItemsets {
    /// All baskets, empty ones included.
    pub baskets: usize,
    /// The itemsets by length, then by items.
    pub itemsets: Vec<Itemset>,
}

/// "Who has the antecedent has the consequent."
#[derive(Clone, Debug, PartialEq)]
pub struct AssociationRule {
    /// One item or more, rising.
    pub antecedent: Vec<u32>,
    /// One item.
    pub consequent: u32,
    /// Baskets with both.
    pub count: usize,
    /// Share of all baskets with both.
    pub support: f64,
    /// Share of the antecedent's baskets that have the consequent.
    pub confidence: f64,
    /// Confidence over the consequent's share of all baskets.
    pub lift: f64,
    /// Support less the product of both shares.
    pub leverage: f64,
    /// `(1 - consequent's share) / (1 - confidence)`; infinite at confidence 1.
    pub conviction: f64,
}

/// The itemsets that at least `min_count` of `baskets` hold, up to `max_length`
/// items; an item twice in a basket counts once.
///
/// Depth first over lists of baskets (Eclat: Zaki 2000, IEEE TKDE 12): an
/// itemset's list is the intersection of two shorter ones', so each count costs
/// the length of two lists and no basket is read twice. It finds what Apriori
/// and FP-growth find. Errors: a limit of 0.
pub fn frequent_itemsets(
    baskets: &[Vec<u32>],
    limits: PatternLimits,
) -> Result<FrequentItemsets, EstimateError> {
    limits.check()?;
    let mut by_item: HashMap<u32, Vec<u32>> = HashMap::new();
    for (basket, items) in baskets.iter().enumerate() {
        for item in items {
            let list = by_item.entry(*item).or_default();
            if list.last() != Some(&(basket as u32)) {
                list.push(basket as u32);
            }
        }
    }
    let mut singles: Vec<(u32, Vec<u32>)> =
        by_item.into_iter().filter(|(_, list)| list.len() >= limits.min_count).collect();
    singles.sort_unstable_by_key(|(item, _)| *item);
    let mut itemsets = Vec::new();
    extend(&mut Vec::new(), &singles, limits, &mut itemsets);
    itemsets.sort_unstable_by(|a, b| (a.items.len(), &a.items).cmp(&(b.items.len(), &b.items)));
    Ok(FrequentItemsets { baskets: baskets.len(), itemsets })
}

/// Adds `prefix` with each of its `extensions`, and goes deeper.
fn extend(
    prefix: &mut Vec<u32>,
    extensions: &[(u32, Vec<u32>)],
    limits: PatternLimits,
    found: &mut Vec<Itemset>,
) {
    for (position, (item, list)) in extensions.iter().enumerate() {
        prefix.push(*item);
        found.push(Itemset { items: prefix.clone(), count: list.len() });
        if prefix.len() < limits.max_length {
            let longer: Vec<(u32, Vec<u32>)> = extensions[position + 1..]
                .iter()
                .map(|(other, other_list)| (*other, intersection(list, other_list)))
                .filter(|(_, list)| list.len() >= limits.min_count)
                .collect();
            extend(prefix, &longer, limits, found);
        }
        prefix.pop();
    }
}

/// What two rising lists share.
fn intersection(a: &[u32], b: &[u32]) -> Vec<u32> {
    let (mut i, mut j, mut shared) = (0, 0, Vec::new());
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                shared.push(a[i]);
                i += 1;
                j += 1;
            }
        }
    }
    shared
}

/// The rules with one item in the consequent, at least one in the antecedent
/// and a confidence of at least `min_confidence` (Agrawal and Srikant 1994;
/// measures as in mlxtend and arules), by length, antecedent and consequent.
///
/// Errors: a confidence outside of [0, 1]. Cost O(items of all itemsets).
pub fn association_rules(
    frequent: &FrequentItemsets,
    min_confidence: f64,
) -> Result<Vec<AssociationRule>, EstimateError> {
    crate::estimate::check_probability("min_confidence", &[min_confidence])?;
    let counts: HashMap<&[u32], usize> =
        frequent.itemsets.iter().map(|set| (set.items.as_slice(), set.count)).collect();
    // Every part of a frequent itemset is frequent, so none is missing.
    let count_of = |items: &[u32]| counts.get(items).copied().unwrap_or(0);
    let baskets = frequent.baskets as f64;
    let mut rules = Vec::new();
    for set in frequent.itemsets.iter().filter(|set| set.items.len() > 1) {
        for (position, consequent) in set.items.iter().enumerate() {
            let mut antecedent = set.items.clone();
            antecedent.remove(position);
            let confidence = set.count as f64 / count_of(&antecedent) as f64;
            if confidence < min_confidence {
                continue;
            }
            let support = set.count as f64 / baskets;
            let antecedent_share = count_of(&antecedent) as f64 / baskets;
            let consequent_share = count_of(&[*consequent]) as f64 / baskets;
            rules.push(AssociationRule {
                antecedent,
                consequent: *consequent,
                count: set.count,
                support,
                confidence,
                lift: confidence / consequent_share,
                leverage: support - antecedent_share * consequent_share,
                conviction: if confidence < 1.0 {
                    (1.0 - consequent_share) / (1.0 - confidence)
                } else {
                    f64::INFINITY
                },
            });
        }
    }
    rules.sort_by(|a, b| {
        (a.antecedent.len(), &a.antecedent, a.consequent).cmp(&(
            b.antecedent.len(),
            &b.antecedent,
            b.consequent,
        ))
    });
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        // 1 in three of four baskets, 2 in two, both in two.
        let baskets = [vec![1, 2, 2], vec![2, 1], vec![1], vec![]];
        let limits = PatternLimits { min_count: 2, max_length: 3 };
        let found = frequent_itemsets(&baskets, limits).unwrap();
        let sets: Vec<(&[u32], usize)> =
            found.itemsets.iter().map(|set| (set.items.as_slice(), set.count)).collect();
        assert_eq!(sets, [(&[1][..], 3), (&[2], 2), (&[1, 2], 2)]);
        let rules = association_rules(&found, 0.5).unwrap();
        assert_eq!(rules.len(), 2);
        assert_eq!((rules[0].antecedent.as_slice(), rules[0].consequent), (&[1][..], 2));
        close(rules[0].confidence, 2.0 / 3.0, 1e-15);
        close(rules[0].lift, 4.0 / 3.0, 1e-15);
        close(rules[0].leverage, 0.5 - 0.375, 1e-15);
        close(rules[0].conviction, 1.5, 1e-14);
        assert_eq!(rules[1].conviction, f64::INFINITY);
        assert_eq!(association_rules(&found, 0.7).unwrap().len(), 1);
    }

    #[test]
    fn bad_limits_are_named() {
        let error = EstimateError::TooFew { what: "min_count", found: 0, expected: 1 };
        let limits = PatternLimits { min_count: 0, max_length: 3 };
        assert_eq!(frequent_itemsets(&[], limits), Err(error));
        let none = FrequentItemsets { baskets: 0, itemsets: Vec::new() };
        assert!(association_rules(&none, 1.5).is_err());
        assert!(association_rules(&none, 0.5).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn every_subset_is_counted(
            baskets in prop::collection::vec(prop::collection::vec(0u32..6, 0..7), 0..25),
            min_count in 1usize..6, max_length in 1usize..5,
        ) {
            let limits = PatternLimits { min_count, max_length };
            let found = frequent_itemsets(&baskets, limits).unwrap();
            let mut expected = Vec::new();
            for mask in 1u32..1 << 6 {
                let items: Vec<u32> = (0..6).filter(|i| mask >> i & 1 == 1).collect();
                let holds = |basket: &&Vec<u32>| items.iter().all(|item| basket.contains(item));
                let count = baskets.iter().filter(holds).count();
                if items.len() <= max_length && count >= min_count {
                    expected.push(Itemset { items, count });
                }
            }
            expected.sort_by(|a, b| (a.items.len(), &a.items).cmp(&(b.items.len(), &b.items)));
            prop_assert_eq!(found.itemsets, expected);
        }
    }
}
