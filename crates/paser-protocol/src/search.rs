//! Words of a full-text search, as a person types them: `sql` is a whole word, `*sql*` may stand inside one. The last
//! word may be unfinished.

/// A typed word, and where the word of a text that it finds may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchWord<'a> {
    pub word: &'a str,
    /// `*sql`: letters may stand before it.
    pub before: bool,
    /// `sql*`, or the unfinished last word: letters may follow it.
    pub after: bool,
}

/// The words of a search; all of them have to be found.
pub fn search_words(text: &str) -> Vec<SearchWord<'_>> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(char::is_alphanumeric) {
        let (gap, found) = rest.split_at(start);
        let end = found.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(found.len());
        let (word, behind) = found.split_at(end);
        // Between two words a star is a sign like any other: `2*3`.
        let before = gap.ends_with('*') && (gap != "*" || words.is_empty());
        let star = behind.starts_with('*') && !behind[1..].starts_with(char::is_alphanumeric);
        words.push(SearchWord { word, before, after: star || behind.is_empty() });
        rest = behind;
    }
    words
}

/// The search that also finds its words inside of others; none where it does so already. A single letter stands inside
/// of nearly everything, and stays a word.
pub fn inside_words(text: &str) -> Option<String> {
    let words = search_words(text);
    let opens = |word: &SearchWord<'_>| word.word.len() > 1 && !(word.before && word.after);
    if !words.iter().any(opens) {
        return None;
    }
    let wide = words.iter().map(|word| if word.word.len() > 1 { format!("*{}*", word.word) } else { word.word.into() });
    Some(wide.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_open_the_ends_of_words() {
        let found = |text| {
            let words = search_words(text).into_iter();
            words.map(|word| (word.word, word.before, word.after)).collect::<Vec<_>>()
        };
        assert_eq!(found("sql"), [("sql", false, true)]);
        assert_eq!(found("sql "), [("sql", false, false)]);
        assert_eq!(found("*sql* table*, *x."), [("sql", true, true), ("table", false, true), ("x", true, false)]);
        assert_eq!(found("2*3 = 6."), [("2", false, false), ("3", false, false), ("6", false, false)]);
        assert_eq!(found("*** (("), []);
    }

    #[test]
    fn a_search_is_opened_once() {
        assert_eq!(inside_words("My sql ").as_deref(), Some("*My* *sql*"));
        assert_eq!(inside_words("a sql").as_deref(), Some("a *sql*"));
        for same in ["*My* *sql*", "a", "", "***"] {
            assert_eq!(inside_words(same), None, "{same}");
        }
    }
}
