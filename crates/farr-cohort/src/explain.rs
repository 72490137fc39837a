//! A definition in plain English, as markdown, so that a clinician can check
//! it.

use std::fmt::Display;
use std::fmt::Write as _;

use farr_records::Day;

use crate::domain::Domain;
use crate::model::{
    Bound, Comparison, ConceptSetId, ConceptTest, Concepts, Correlated, CountColumn, Criterion,
    Definition, Demographic, EndStrategy, Expression, Filter, Group, GroupKind, Limit, Moment,
    Occurrence, OccurrenceKind, PersonConcept, Quantity, Test, TextTest, Window,
};

/// The definition as markdown.
pub fn explain(definition: &Definition) -> String {
    let explainer = Explainer::new(definition);
    let mut text = format!("# {}\n", definition.name);
    explainer.entry(&mut text);
    explainer.rules(&mut text);
    explainer.exit(&mut text);
    explainer.concept_sets(&mut text);
    text
}

/// A line of a nested list.
fn line(text: &mut String, depth: usize, words: &str) {
    let _ = writeln!(text, "{}- {words}", "  ".repeat(depth));
}

/// Puts the parts of one definition into words.
pub(crate) struct Explainer<'a> {
    expression: &'a Expression,
}

impl<'a> Explainer<'a> {
    pub(crate) fn new(definition: &'a Definition) -> Self {
        Self { expression: &definition.expression }
    }

    /// A criterion in one line, its filters with it.
    pub(crate) fn criterion_words(&self, criterion: &Criterion) -> String {
        let mut words = self.criterion_head("", criterion);
        for filter in &criterion.filters {
            let _ = write!(words, ", {}", self.filter(filter));
        }
        words
    }

    /// A correlated criterion in one line.
    pub(crate) fn correlated_words(&self, correlated: &Correlated) -> String {
        let criterion = self.criterion_words(&correlated.criterion);
        let mut words = format!("{}: {criterion}", occurrence(&correlated.occurrence));
        let _ = write!(words, ", {}", window(&correlated.start_window));
        if let Some(end) = &correlated.end_window {
            let _ = write!(words, ", {}", window(end));
        }
        if correlated.restrict_visit {
            words.push_str(", in the same visit");
        }
        if correlated.ignore_observation_period {
            words.push_str(", also outside the observation period");
        }
        words
    }

    /// By what a person leaves: a censoring criterion, the end of observation,
    /// or the end strategy.
    pub(crate) fn exit_words(&self, censoring: Option<usize>, is_observation: bool) -> String {
        if let Some(criterion) = censoring.and_then(|place| self.expression.censoring.get(place)) {
            return format!("censored by {}", self.criterion_words(criterion));
        }
        match &self.expression.end_strategy {
            EndStrategy::DateOffset { from, offset_days } if !is_observation => format!(
                "{} after the event's {}, within observation",
                days(*offset_days),
                moment(*from)
            ),
            EndStrategy::CustomEra { drugs, .. } if !is_observation => {
                format!("end of continuous exposure to {}", self.set(*drugs))
            }
            _ => "end of observation".to_owned(),
        }
    }

    /// A criterion's events in words, without its filters.
    fn criterion_head(&self, before: &str, criterion: &Criterion) -> String {
        let mut words = before.to_owned();
        if criterion.first {
            words.push_str("the first ever ");
        }
        words.push_str(noun(criterion.domain));
        if let Some(set) = criterion.concept_set {
            let _ = write!(words, " of {}", self.set(set));
        }
        if let Some(set) = criterion.source_concept_set {
            let _ = write!(words, " with a source concept of {}", self.set(set));
        }
        words
    }

    fn entry(&self, text: &mut String) {
        let primary = &self.expression.primary;
        text.push_str("\n## Entry\n\n");
        let which = match primary.limit {
            Limit::First => "at the earliest of these events",
            Limit::Last => "at the latest of these events",
            Limit::All => "at each of these events",
        };
        let _ = writeln!(text, "A person enters {which}:\n");
        for criterion in &primary.criteria {
            self.criterion(text, 0, "", criterion);
        }
        match (primary.prior_days, primary.post_days) {
            (0, 0) => text.push_str("\nThe event lies within observation.\n"),
            (prior, post) => {
                let (prior, post) = (days(prior), days(post));
                let _ = writeln!(
                    text,
                    "\nThe person is under observation for {prior} before and {post} after."
                );
            }
        }
        if let Some(group) = &self.expression.additional {
            text.push_str("\nThe event qualifies if:\n\n");
            self.group(text, 0, group);
            let which = match self.expression.qualified_limit {
                Limit::First => "the earliest qualified event",
                Limit::Last => "the latest qualified event",
                Limit::All => "every qualified event",
            };
            let _ = writeln!(text, "\nOf these {which} counts.");
        }
    }

    fn rules(&self, text: &mut String) {
        text.push_str("\n## Inclusion rules\n\n");
        if self.expression.inclusion_rules.is_empty() {
            text.push_str("None.\n");
        }
        for (place, rule) in self.expression.inclusion_rules.iter().enumerate() {
            let _ = writeln!(text, "### {}. {}\n", place + 1, rule.name);
            if !rule.description.is_empty() {
                let _ = writeln!(text, "{}\n", rule.description);
            }
            self.group(text, 0, &rule.group);
            text.push('\n');
        }
        match self.expression.expression_limit {
            Limit::First => text.push_str("\nOf the events that meet all, the earliest counts.\n"),
            Limit::Last => text.push_str("\nOf the events that meet all, the latest counts.\n"),
            Limit::All => text.push_str("\nEvery event that meets all counts.\n"),
        }
    }

    fn exit(&self, text: &mut String) {
        text.push_str("\n## Exit\n\n");
        match &self.expression.end_strategy {
            EndStrategy::Observation => line(text, 0, "At the end of observation."),
            EndStrategy::DateOffset { from, offset_days } => {
                let from = moment(*from);
                let words = format!(
                    "{} after the event's {from}, at the latest at the end of observation.",
                    days(*offset_days)
                );
                line(text, 0, &words);
            }
            EndStrategy::CustomEra { drugs, gap_days, offset_days, days_supply_override } => {
                let mut words = format!(
                    "At the end of continuous exposure to {}, with gaps of up to {} and {} added",
                    self.set(*drugs),
                    days(*gap_days),
                    days(*offset_days)
                );
                if let Some(supply) = days_supply_override {
                    let _ = write!(words, ", each exposure taken to last {}", days(*supply));
                }
                line(text, 0, &format!("{words}; else at the end of observation."));
            }
        }
        for criterion in &self.expression.censoring {
            self.criterion(text, 0, "Earlier, at the first of: ", criterion);
        }
        if self.expression.era_pad_days != 0 {
            let pad = days(self.expression.era_pad_days);
            line(text, 0, &format!("Rows of a person with {pad} or less between them are merged."));
        }
        let window = self.expression.censor_window;
        if !window.is_open() {
            let day = |day: Option<Day>| day.map_or("any day".to_owned(), |day| day.to_string());
            let words = format!("Rows are cut to {} to {}.", day(window.start), day(window.end));
            line(text, 0, &words);
        }
    }

    fn concept_sets(&self, text: &mut String) {
        text.push_str("\n## Concept sets\n");
        for set in &self.expression.concept_sets {
            let _ = writeln!(text, "\n### {}. {}\n", set.id.0, set.name);
            for item in &set.expression.items {
                let mut words = item.concept.to_string();
                if item.include_descendants {
                    words.push_str(", with descendants");
                }
                if item.include_mapped {
                    words.push_str(", with what maps to it");
                }
                if item.is_excluded {
                    words.insert_str(0, "not ");
                }
                line(text, 0, &words);
            }
        }
    }

    fn set(&self, id: ConceptSetId) -> String {
        let set = self.expression.concept_sets.iter().find(|set| set.id == id);
        match set {
            Some(set) if !set.name.is_empty() => format!("'{}'", set.name),
            _ => format!("concept set {}", id.0),
        }
    }

    fn criterion(&self, text: &mut String, depth: usize, before: &str, criterion: &Criterion) {
        let words = self.criterion_head(before, criterion);
        line(text, depth, &words);
        for filter in &criterion.filters {
            let words = self.filter(filter);
            line(text, depth + 1, &words);
        }
        if let Some(adjustment) = criterion.date_adjustment {
            let words = format!(
                "taken to reach from its {} {:+} days to its {} {:+} days",
                moment(adjustment.start_with),
                adjustment.start_offset_days,
                moment(adjustment.end_with),
                adjustment.end_offset_days
            );
            line(text, depth + 1, &words);
        }
        let period = criterion.user_defined_period;
        for (name, day) in [("from", period.start), ("to", period.end)] {
            if let Some(day) = day {
                line(text, depth + 1, &format!("that contains {day}, taken {name} that day"));
            }
        }
        if let Some(group) = &criterion.correlated {
            line(text, depth + 1, "around which:");
            self.group(text, depth + 2, group);
        }
    }

    pub(crate) fn filter(&self, filter: &Filter) -> String {
        let name = spaced(filter.attribute);
        match &filter.test {
            Test::Date(_, range) => {
                format!("{name} {}", compared(range, |day| Day(day).to_string()))
            }
            Test::Whole(quantity, range) => {
                let unit = if matches!(quantity, Quantity::Age(_)) { " years" } else { "" };
                format!("{name} {}{unit}", compared(range, |number| number.to_string()))
            }
            Test::Real(_, range) => {
                format!("{name} {}", compared(range, |number| number.to_string()))
            }
            Test::Concept(_, test) => format!("{name} {}", self.concepts(test)),
            Test::Text(_, TextTest { pattern, is_negated }) => {
                let verb = if *is_negated { "is not like" } else { "is like" };
                format!("{name} {verb} '{pattern}'")
            }
            Test::Abnormal => "the value is outside its range, or said to be abnormal".to_owned(),
        }
    }

    fn concepts(&self, test: &ConceptTest) -> String {
        let verb = if test.is_exclusion { "is none of" } else { "is one of" };
        match &test.concepts {
            Concepts::Set(set) => format!("{verb} {}", self.set(*set)),
            Concepts::Listed(concepts) => {
                let ids: Vec<String> = concepts.iter().map(ToString::to_string).collect();
                format!("{verb} the concepts {}", ids.join(", "))
            }
        }
    }

    fn group(&self, text: &mut String, depth: usize, group: &Group) {
        let asked = group.criteria.len() + group.demographics.len() + group.groups.len();
        if asked == 0 {
            line(text, depth, "nothing is asked");
            return;
        }
        let depth = if asked == 1 && matches!(group.kind, GroupKind::All | GroupKind::Any) {
            depth
        } else {
            line(text, depth, &group_words(group));
            depth + 1
        };
        for demographic in &group.demographics {
            line(text, depth, &self.demographic(demographic));
        }
        for correlated in &group.criteria {
            self.correlated(text, depth, correlated);
        }
        for group in &group.groups {
            self.group(text, depth, group);
        }
    }

    pub(crate) fn demographic(&self, demographic: &Demographic) -> String {
        let mut parts = Vec::new();
        if let Some(age) = &demographic.age {
            parts.push(format!("age {} years", compared(age, |years| years.to_string())));
        }
        for (concept, test) in &demographic.concepts {
            let name = match concept {
                PersonConcept::Gender => "gender",
                PersonConcept::Race => "race",
                PersonConcept::Ethnicity => "ethnicity",
            };
            parts.push(format!("{name} {}", self.concepts(test)));
        }
        let dates = [
            ("starts", &demographic.occurrence_start_date),
            ("ends", &demographic.occurrence_end_date),
        ];
        for (verb, range) in dates {
            if let Some(range) = range {
                parts.push(format!("the event {verb} {}", compared(range, |d| Day(d).to_string())));
            }
        }
        if parts.is_empty() { "a known person".to_owned() } else { parts.join(" and ") }
    }

    fn correlated(&self, text: &mut String, depth: usize, correlated: &Correlated) {
        let before = format!("{}: ", occurrence(&correlated.occurrence));
        self.criterion(text, depth, &before, &correlated.criterion);
        line(text, depth + 1, &window(&correlated.start_window));
        if let Some(end) = &correlated.end_window {
            line(text, depth + 1, &window(end));
        }
        if correlated.restrict_visit {
            line(text, depth + 1, "in the same visit");
        }
        if correlated.ignore_observation_period {
            line(text, depth + 1, "also outside the observation period");
        }
    }
}

/// How many parts of a group must hold.
pub(crate) fn group_words(group: &Group) -> String {
    match group.kind {
        _ if group.is_empty() => "nothing is asked".to_owned(),
        GroupKind::All => "all of:".to_owned(),
        GroupKind::Any => "any of:".to_owned(),
        GroupKind::AtLeast(count) => format!("at least {count} of:"),
        GroupKind::AtMost(count) => format!("at most {count} of:"),
    }
}

fn occurrence(occurrence: &Occurrence) -> String {
    let verb = match occurrence.kind {
        OccurrenceKind::Exactly => "exactly",
        OccurrenceKind::AtMost => "at most",
        OccurrenceKind::AtLeast => "at least",
    };
    match occurrence.distinct {
        None => format!("{verb} {}", occurrence.count),
        Some(CountColumn::DomainConcept) => {
            format!("{verb} {} different concepts", occurrence.count)
        }
        Some(column) => {
            let column = spaced(&format!("{column:?}"));
            format!("{verb} {} different values of {column}", occurrence.count)
        }
    }
}

fn window(window: &Window) -> String {
    let verb = if window.use_event_end { "ends" } else { "starts" };
    let index = if window.use_index_end { "the index event's end" } else { "the index event" };
    let bound = |bound| match bound {
        Bound::Days(0) => format!("the day of {index}"),
        Bound::Days(count) if count < 0 => format!("{} before {index}", days(-count)),
        Bound::Days(count) => format!("{} after {index}", days(count)),
        Bound::PeriodStart => "the start of observation".to_owned(),
        Bound::PeriodEnd => "the end of observation".to_owned(),
    };
    format!("that {verb} between {} and {}", bound(window.start), bound(window.end))
}

fn compared<T: Copy>(range: &Comparison<T>, show: impl Fn(T) -> String) -> String {
    match *range {
        Comparison::Less(value) => format!("below {}", show(value)),
        Comparison::LessOrEqual(value) => format!("at most {}", show(value)),
        Comparison::Equal(value) => format!("equal to {}", show(value)),
        Comparison::NotEqual(value) => format!("other than {}", show(value)),
        Comparison::Greater(value) => format!("above {}", show(value)),
        Comparison::GreaterOrEqual(value) => format!("at least {}", show(value)),
        Comparison::Between(low, high) => format!("from {} to {}", show(low), show(high)),
        Comparison::NotBetween(low, high) => format!("not from {} to {}", show(low), show(high)),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "numbers of several types, all small")]
fn days(count: impl Display + PartialEq<i32>) -> String {
    if count == 1 { "1 day".to_owned() } else { format!("{count} days") }
}

fn moment(moment: Moment) -> &'static str {
    match moment {
        Moment::Start => "start",
        Moment::End => "end",
    }
}

/// `OccurrenceStartDate` as `occurrence start date`.
pub(crate) fn spaced(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(character.to_lowercase());
    }
    words
}

pub(crate) fn noun(domain: Domain) -> &'static str {
    match domain {
        Domain::ConditionEra => "condition era",
        Domain::ConditionOccurrence => "diagnosis",
        Domain::Death => "death",
        Domain::DeviceExposure => "device",
        Domain::DoseEra => "dose era",
        Domain::DrugEra => "drug era",
        Domain::DrugExposure => "drug exposure",
        Domain::LocationRegion => "residence",
        Domain::Measurement => "measurement",
        Domain::Observation => "observation",
        Domain::ObservationPeriod => "observation period",
        Domain::PayerPlanPeriod => "payer plan period",
        Domain::ProcedureOccurrence => "procedure",
        Domain::Specimen => "specimen",
        Domain::VisitDetail => "visit detail",
        Domain::VisitOccurrence => "visit",
    }
}

#[cfg(test)]
mod tests {
    use crate::parse_short;

    #[test]
    fn a_definition_reads_as_english() {
        let text = super::explain(
            &parse_short(
                1,
                r#"
                name = "Type 2 diabetes"
                [entry]
                domain = "condition"
                codes = ["SNOMED:44054006"]
                prior_observation_days = 365
                [[rule]]
                name = "no insulin"
                domain = "drug"
                concepts = [5]
                window = [-365, -1]
                max = 0
                "#,
            )
            .unwrap(),
        );
        for words in [
            "# Type 2 diabetes",
            "A person enters at the earliest of these events:",
            "- diagnosis of 'entry'",
            "under observation for 365 days before and 0 days after",
            "- at most 0: drug exposure of",
            "that starts between 365 days before the index event and 1 day before the index event",
            "- SNOMED:44054006, with descendants",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}
