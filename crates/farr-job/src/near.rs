//! Near misses: what somebody may have meant.

/// The first word in backquotes after `prefix`.
pub(crate) fn quoted_after(message: &str, prefix: &str) -> Option<String> {
    let rest = &message[message.find(prefix)? + prefix.len()..];
    quoted(rest).next()
}

/// The known name nearest to `given`, if it is near.
pub(crate) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .filter(|(nearness, _)| *nearness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// A hint for serde's "unknown field `x`, expected one of `a`, `b`".
pub(crate) fn hint(message: &str) -> Option<String> {
    let given = quoted_after(message, "unknown field ")
        .or_else(|| quoted_after(message, "unknown variant "))?;
    let known: Vec<String> =
        message.split_once("expected").map_or(Vec::new(), |(_, known)| quoted(known).collect());
    nearest(&given, known.iter().map(String::as_str)).map(|name| format!("did you mean '{name}'?"))
}

fn quoted(text: &str) -> impl Iterator<Item = String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned)
}
