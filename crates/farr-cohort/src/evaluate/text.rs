//! Text patterns as SQL's LIKE has them, without an escape character.

/// A pattern, cut at its `%`.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    /// What stands between the `%`, as characters; `_` is any.
    parts: Vec<Vec<char>>,
}

impl Pattern {
    pub(super) fn new(pattern: &str) -> Self {
        Self { parts: pattern.split('%').map(|part| part.chars().collect()).collect() }
    }

    /// Whether the whole text matches.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let Some((first, rest)) = self.parts.split_first() else { return text.is_empty() };
        let Some((last, middle)) = rest.split_last() else {
            return first.len() == text.len() && fits(first, &text);
        };
        if text.len() < first.len() + last.len() || !fits(first, &text) {
            return false;
        }
        let end = text.len() - last.len();
        if !fits(last, &text[end..]) {
            return false;
        }
        let mut at = first.len();
        for part in middle {
            match (at..=end.saturating_sub(part.len()))
                .find(|place| place + part.len() <= end && fits(part, &text[*place..]))
            {
                Some(place) => at = place + part.len(),
                None => return false,
            }
        }
        true
    }
}

/// Whether a text starts with a part.
fn fits(part: &[char], text: &[char]) -> bool {
    part.len() <= text.len() && part.iter().zip(text).all(|(p, t)| *p == '_' || p == t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_those_of_sql() {
        let matches = |pattern: &str, text: &str| Pattern::new(pattern).matches(text);
        assert!(matches("abc", "abc"));
        assert!(!matches("abc", "ABC"));
        assert!(matches("%b%", "abc"));
        assert!(matches("a%", "a"));
        assert!(matches("a_c%", "abcd"));
        assert!(!matches("a%a", "a"));
        assert!(matches("%a%b%", "xaxb"));
        assert!(!matches("%a%b%", "ba"));
        assert!(matches("%", ""));
        assert!(!matches("_", ""));
        assert!(matches("%%x", "x"));
    }
}
