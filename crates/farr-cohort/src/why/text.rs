//! The account as text: the answer first, then the way to it.

use std::fmt::Write as _;

use farr_records::{Day, Interval};

use super::{AskedEvents, AskedGroup, AskedPart, EntryEvent, Fate, Found, FoundEvent, Why};

/// The most events of one kind that are listed; the rest are counted.
const LISTED_MAX: usize = 20;

impl Why {
    /// The account as Markdown. It holds a person's dates and event ids.
    pub fn text(&self) -> String {
        let mut text = format!("# {} (definition {})\n\n", self.name, self.definition);
        let _ = writeln!(text, "{}", self.conclusion());
        self.entry_text(&mut text);
        for event in &self.events {
            let is_asked = event.additional.is_some() || !event.rules.is_empty();
            if is_asked || !event.exits.is_empty() {
                self.event_text(event, &mut text);
            }
        }
        self.rows_text(&mut text);
        text
    }

    /// The answer in a sentence or two: the rows, or what stood in the way.
    pub fn conclusion(&self) -> String {
        if self.is_in() {
            let rows: Vec<String> = self.rows.iter().map(|days| span(*days)).collect();
            return format!("In the cohort: {}.", rows.join("; "));
        }
        format!("Not in the cohort: {}.", self.reason())
    }

    /// What kept the person out: where the event that got furthest stopped.
    fn reason(&self) -> String {
        let Some(furthest) = self.events.iter().max_by_key(|event| rank(event)) else {
            return match self.entry.iter().map(|criterion| criterion.found.len()).sum::<usize>() {
                0 => "the person has no event with the concepts of the entry criteria".to_owned(),
                found => format!(
                    "of {} with the concepts of the entry criteria none meets what they ask",
                    events(found)
                ),
            };
        };
        let event = format!("the entry event of {}", furthest.start);
        match furthest.fate {
            Fate::OutsideObservation => {
                format!("no observation period contains {event}, nor any other")
            }
            Fate::TooLittleObservation => {
                let (prior, post) = self.observation_days;
                format!("no entry event has {prior} days of observation before and {post} after it")
            }
            Fate::Additional => format!("{event} does not meet the additional criteria"),
            Fate::Rules => {
                let failed = furthest.rules.iter().enumerate().filter(|(_, r)| !r.group.holds);
                let names: Vec<String> =
                    failed.map(|(i, rule)| format!("{} '{}'", i + 1, rule.name)).collect();
                let rules = if names.len() == 1 { "inclusion rule" } else { "inclusion rules" };
                format!("{event} does not meet {rules} {}", names.join(", "))
            }
            Fate::NoExit => format!("no exit lies at or after {event}"),
            // The row is there before it is clipped.
            Fate::Row => "no day of the person's rows lies in the censor window".to_owned(),
            Fate::PrimaryLimit | Fate::QualifiedLimit | Fate::ExpressionLimit => {
                format!("{event} is not the one that the limit takes")
            }
        }
    }

    fn entry_text(&self, text: &mut String) {
        text.push_str("\n## Entry events\n");
        for (place, criterion) in self.entry.iter().enumerate() {
            let _ = writeln!(text, "\n{}: {}\n", criterion.words, events(criterion.found.len()));
            let of_criterion: Vec<&EntryEvent> =
                self.events.iter().filter(|event| event.criterion == place).collect();
            for found in criterion.found.iter().take(LISTED_MAX) {
                if let Found::Event { around } = &found.fate {
                    let is_it = |event: &&&EntryEvent| {
                        event.start == found.start && event.id == found.id && event.end == found.end
                    };
                    for event in of_criterion.iter().filter(is_it) {
                        line(text, 0, &format!("{}: {}", named(found), self.fate_words(event)));
                    }
                    if let Some(group) = around {
                        group_text(text, 1, "around it, ", group);
                    }
                } else {
                    found_text(text, 0, found);
                }
            }
            more(text, 0, criterion.found.len());
        }
    }

    fn fate_words(&self, event: &EntryEvent) -> String {
        let (prior, post) = self.observation_days;
        match (event.fate, event.period) {
            (Fate::TooLittleObservation, Some(period)) => format!(
                "dropped: {} days of observation before and {} after it in {}, {prior} and {post} \
                 are asked",
                event.start.0 - period.start.0,
                period.end.0 - event.start.0,
                span(period)
            ),
            (Fate::OutsideObservation | Fate::TooLittleObservation, _) => {
                "dropped: no observation period contains it".to_owned()
            }
            (Fate::PrimaryLimit, _) => "dropped: the limit takes another entry event".to_owned(),
            (Fate::Additional, _) => "dropped: the additional criteria do not hold".to_owned(),
            (Fate::QualifiedLimit, _) => {
                "dropped: the limit takes another qualified event".to_owned()
            }
            (Fate::Rules, _) => "kept out by inclusion rules".to_owned(),
            (Fate::ExpressionLimit, _) => {
                "dropped: it meets all rules, but the limit takes another event".to_owned()
            }
            (Fate::NoExit, _) => "dropped: no exit lies at or after it".to_owned(),
            (Fate::Row, _) => "included".to_owned(),
        }
    }

    fn event_text(&self, event: &EntryEvent, text: &mut String) {
        let _ = write!(text, "\n## Event of {}", event.start);
        if let Some(period) = event.period {
            let _ = write!(text, " (observed {})", span(period));
        }
        let _ = writeln!(text, ": {}", self.fate_words(event));
        if let Some(group) = &event.additional {
            text.push_str("\n### Additional criteria\n\n");
            group_text(text, 0, "", group);
        }
        for (place, rule) in event.rules.iter().enumerate() {
            let _ = writeln!(
                text,
                "\n### Rule {}. {}: {}\n",
                place + 1,
                rule.name,
                verdict(rule.group.holds)
            );
            group_text(text, 0, "", &rule.group);
        }
        if !event.exits.is_empty() {
            text.push_str("\n### Exit\n\n");
            for (day, by) in &event.exits {
                let counts = match event.exit {
                    Some(exit) if exit == *day => "; the person leaves",
                    _ if *day < event.start => "; before the event, so it does not count",
                    _ => "; later than another",
                };
                line(text, 0, &format!("{day}: {by}{counts}"));
            }
        }
    }

    fn rows_text(&self, text: &mut String) {
        if !self.events.iter().any(|event| event.fate == Fate::Row) {
            return;
        }
        text.push_str("\n## Rows\n\n");
        for event in self.events.iter().filter(|event| event.fate == Fate::Row) {
            if let Some(exit) = event.exit {
                line(
                    text,
                    0,
                    &format!("event: {}", span(Interval { start: event.start, end: exit })),
                );
            }
        }
        let pad = self.era_pad_days;
        let apart =
            if pad == 0 { "touch".to_owned() } else { format!("lie {pad} days apart or less") };
        line(text, 0, &format!("rows that overlap or {apart} are merged"));
        if let (start @ Some(_), end) | (start, end @ Some(_)) = self.censor_window {
            let day = |day: Option<Day>| day.map_or("any day".to_owned(), |day| day.to_string());
            line(text, 0, &format!("rows are clipped to {} to {}", day(start), day(end)));
        }
        for days in &self.rows {
            line(text, 0, &format!("row: {}", span(*days)));
        }
    }
}

/// How near an event came to a row; of those that failed rules, the one that
/// failed fewest.
fn rank(event: &EntryEvent) -> (u8, std::cmp::Reverse<usize>, std::cmp::Reverse<Day>) {
    let far = match event.fate {
        Fate::OutsideObservation => 0,
        Fate::TooLittleObservation => 1,
        Fate::PrimaryLimit => 2,
        Fate::Additional => 3,
        Fate::QualifiedLimit => 4,
        Fate::Rules => 5,
        Fate::ExpressionLimit => 6,
        Fate::NoExit => 7,
        Fate::Row => 8,
    };
    let failed = event.rules.iter().filter(|rule| !rule.group.holds).count();
    (far, std::cmp::Reverse(failed), std::cmp::Reverse(event.start))
}

fn line(text: &mut String, depth: usize, words: &str) {
    let _ = writeln!(text, "{}- {words}", "  ".repeat(depth));
}

fn more(text: &mut String, depth: usize, count: usize) {
    if count > LISTED_MAX {
        line(text, depth, &format!("and {} more", count - LISTED_MAX));
    }
}

fn verdict(holds: bool) -> &'static str {
    if holds { "met" } else { "not met" }
}

fn events(count: usize) -> String {
    if count == 1 { "1 event".to_owned() } else { format!("{count} events") }
}

fn span(days: Interval) -> String {
    format!("{} to {}", days.start, days.end)
}

fn named(found: &FoundEvent) -> String {
    let end = found.end.filter(|end| *end != found.start);
    let end = end.map_or_else(String::new, |end| format!(" to {end}"));
    let id = found.id.map_or_else(String::new, |id| format!(" (id {id})"));
    format!("{}{end}{id}", found.start)
}

fn found_text(text: &mut String, depth: usize, found: &FoundEvent) {
    let words = match &found.fate {
        Found::Event { .. } => "outside the window, the observation period or the visit".to_owned(),
        Found::NotFirst => "dropped: not the person's first".to_owned(),
        Found::Reversed => "dropped: with its dates adjusted it ends before it starts".to_owned(),
        Found::OutsidePeriod => "dropped: it does not contain the user-defined period".to_owned(),
        Found::Filter(filter) => format!("dropped: not true that {filter}"),
        Found::Around(None) => "dropped: no observation period contains it".to_owned(),
        Found::Around(Some(_)) => "dropped: what is asked around it does not hold".to_owned(),
    };
    line(text, depth, &format!("{}: {words}", named(found)));
    if let Found::Around(Some(group)) = &found.fate {
        group_text(text, depth + 1, "", group);
    }
}

fn group_text(text: &mut String, depth: usize, before: &str, group: &AskedGroup) {
    line(text, depth, &format!("{}: {before}{}", verdict(group.holds), group.words));
    for part in &group.parts {
        match part {
            AskedPart::Events(asked) => events_text(text, depth + 1, asked),
            AskedPart::Person { words, holds, facts } => {
                let facts = if facts.is_empty() { String::new() } else { format!("; {facts}") };
                line(text, depth + 1, &format!("{}: {words}{facts}", verdict(*holds)));
            }
            AskedPart::Group(group) => group_text(text, depth + 1, "", group),
        }
    }
}

fn events_text(text: &mut String, depth: usize, asked: &AskedEvents) {
    let dates = asked.counted.iter().take(LISTED_MAX).map(|(start, _)| start.to_string());
    let dates: Vec<String> = dates.collect();
    let dates = if dates.is_empty() { String::new() } else { format!(": {}", dates.join(", ")) };
    let rest = asked.counted.len().saturating_sub(LISTED_MAX);
    let rest = if rest == 0 { String::new() } else { format!(" and {rest} more") };
    let words =
        format!("{}: {}; found {}{dates}{rest}", verdict(asked.holds), asked.words, asked.count);
    line(text, depth, &words);
    for other in asked.others.iter().take(LISTED_MAX) {
        found_text(text, depth + 1, other);
    }
    more(text, depth + 1, asked.others.len());
}
