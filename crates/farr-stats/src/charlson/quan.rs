//! Quan's ICD-10 lists (Quan and others 2005, Medical Care 43:1130, table 1)
//! with two sets of weights.

use super::Condition;

/// Which weights the conditions of Quan's lists have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QuanWeights {
    /// Charlson's of 1987.
    #[default]
    Charlson,
    /// Quan's own (2011, American Journal of Epidemiology 173:676), under
    /// which five of the conditions weigh nothing.
    Quan,
}

/// Name, weight of 1987, weight of 2011, and prefixes, of which `C00-C26` are
/// all that differ in the last two digits.
const LISTS: [(&str, f64, f64, &str); 17] = [
    ("ami", 1.0, 0.0, "I21 I22 I252"),
    ("chf", 1.0, 2.0, "I099 I110 I130 I132 I255 I420 I425-I429 I43 I50 P290"),
    ("pvd", 1.0, 0.0, "I70 I71 I731 I738 I739 I771 I790 I792 K551 K558 K559 Z958 Z959"),
    ("cevd", 1.0, 0.0, "G45 G46 H340 I60-I69"),
    ("dementia", 1.0, 2.0, "F00-F03 F051 G30 G311"),
    ("copd", 1.0, 1.0, "I278 I279 J40-J47 J60-J67 J684 J701 J703"),
    ("rheumd", 1.0, 1.0, "M05 M06 M315 M32-M34 M351 M353 M360"),
    ("pud", 1.0, 0.0, "K25-K28"),
    ("mld", 1.0, 2.0, "B18 K700-K703 K709 K713-K715 K717 K73 K74 K760 K762-K764 K768 K769 Z944"),
    (
        "diab",
        1.0,
        0.0,
        "E100 E101 E106 E108-E111 E116 E118-E121 E126 E128-E131 E136 E138-E141 E146 E148 E149",
    ),
    (
        "diabwc",
        2.0,
        1.0,
        "E102-E105 E107 E112-E115 E117 E122-E125 E127 E132-E135 E137 E142-E145 E147",
    ),
    ("hp", 2.0, 2.0, "G041 G114 G801 G802 G81 G82 G830-G834 G839"),
    ("rend", 2.0, 1.0, "I120 I131 N032-N037 N052-N057 N18 N19 N250 Z490-Z492 Z940 Z992"),
    ("canc", 2.0, 2.0, "C00-C26 C30-C34 C37-C41 C43 C45-C58 C60-C76 C81-C85 C88 C90-C97"),
    ("msld", 3.0, 4.0, "I850 I859 I864 I982 K704 K711 K721 K729 K765-K767"),
    ("metacanc", 6.0, 6.0, "C77-C80"),
    ("aids", 6.0, 4.0, "B20-B22 B24"),
];

/// The conditions of Quan's lists, under the names that R's comorbidity and
/// Python's comorbidipy use, for an index with
/// [`HIERARCHY`](super::HIERARCHY).
pub fn quan_icd10(weights: QuanWeights) -> Vec<Condition> {
    let condition = |&(name, charlson, quan, prefixes): &(&str, f64, f64, &str)| Condition {
        name: name.to_owned(),
        weight: match weights {
            QuanWeights::Charlson => charlson,
            QuanWeights::Quan => quan,
        },
        prefixes: prefixes.split(' ').flat_map(expanded).collect(),
    };
    LISTS.iter().map(condition).collect()
}

/// `K25` is itself, `K25-K28` four prefixes.
fn expanded(range: &str) -> Vec<String> {
    let Some((first, last)) = range.split_once('-') else { return vec![range.to_owned()] };
    let (letter, width) = (&first[..1], first.len() - 1);
    let number = |code: &str| code[1..].parse::<u32>().unwrap_or_default();
    (number(first)..=number(last)).map(|n| format!("{letter}{n:0width$}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn ranges_by_hand() {
        assert_eq!(expanded("K25-K28"), ["K25", "K26", "K27", "K28"]);
        assert_eq!(expanded("E108-E111"), ["E108", "E109", "E110", "E111"]);
        assert_eq!(expanded("C00-C02"), ["C00", "C01", "C02"]);
        assert_eq!(expanded("I252"), ["I252"]);
    }

    /// The lists against another's copy of the same table: comorbidipy's.
    #[test]
    fn lists_are_those_of_comorbidipy() {
        let file = "../shared/reference/stats/charlson/icd10_quan_prefixes.csv";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
        let Ok(text) = std::fs::read_to_string(&path) else {
            assert!(std::env::var_os("CI").is_none(), "{file} is missing");
            println!("skipped: {file} is missing");
            return;
        };
        let theirs: BTreeSet<String> = text.lines().skip(1).map(str::to_owned).collect();
        let pairs =
            quan_icd10(QuanWeights::Charlson).into_iter().zip(quan_icd10(QuanWeights::Quan));
        let ours: BTreeSet<String> = pairs
            .flat_map(|(charlson, quan)| {
                let line = move |prefix: String| {
                    format!("{},{prefix},{},{}", charlson.name, charlson.weight, quan.weight)
                };
                charlson.prefixes.clone().into_iter().map(line)
            })
            .collect();
        assert_eq!(ours, theirs);
    }
}
