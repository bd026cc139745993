//! Names in messages: suggestions, lists and short texts.

/// The candidate that was probably meant by `word`; `None` when nothing is near.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    if word.chars().count() > LONGEST {
        return None;
    }
    let plain = |name: &str| name.to_lowercase().replace(['-', ' '], "_");
    let word = plain(word);
    let distance = |candidate: &str| {
        let candidate = plain(candidate);
        let (length, other) = (word.chars().count(), candidate.chars().count());
        let longer = length.max(other);
        if length.abs_diff(other) * 3 > longer {
            return None;
        }
        let distance = strsim::damerau_levenshtein(&word, &candidate);
        (distance * 3 <= longer).then_some(distance)
    };
    let near = candidates.into_iter().filter(|candidate| candidate.len() <= 4 * LONGEST);
    near.filter_map(|candidate| Some((distance(candidate)?, candidate))).min().map(|(_, candidate)| candidate)
}

/// `; did you mean ...?` when a name is near, else nothing.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map(|name| format!("; did you mean `{}`?", short(name))).unwrap_or_default()
}

/// Names in backticks with commas between them.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 30;
    let mut names = names.into_iter();
    let mut shown: Vec<String> = names.by_ref().take(MOST).map(|name| format!("`{}`", short(name))).collect();
    let hidden = names.count();
    if hidden > 0 {
        shown.push(format!("and {hidden} more"));
    }
    shown.join(", ")
}

/// A text for the inside of a message: one line, control characters escaped, at most 60 characters.
pub fn short(text: &str) -> String {
    const LENGTH: usize = 60;
    let mut shown = String::new();
    for character in text.chars().take(LENGTH) {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    if text.chars().nth(LENGTH).is_some() {
        shown.push_str("...");
    }
    shown
}

/// The note on a name of an earlier version in a file or an option: it keeps working for one version.
pub fn renamed(earlier: &str, now: &str) -> String {
    format!("`{earlier}` is now `{now}`; this version still takes the earlier name, the next one does not")
}
