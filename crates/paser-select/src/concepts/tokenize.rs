//! Sentences and word-punctuation tokens, as `rake-nltk` sees them: the regular expression `\w+|[^\w\s]+` of NLTK's
//! `wordpunct_tokenize`, and a sentence splitter in place of the trained Punkt model.

/// Splits a text into sentences: after a run of `.`, `!` or `?` with any closing quotes and brackets, where white space
/// follows; after an ellipsis only before a capital, as Punkt does. A lone full stop never matters to the phrases (it is
/// a break of its own), so abbreviations need no list.
pub(crate) fn sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((index, character)) = characters.next() {
        if !matches!(character, '.' | '!' | '?') {
            continue;
        }
        let mut dots_only = character == '.';
        let mut run = 1;
        let mut end = index + character.len_utf8();
        while let Some(&(at, next)) = characters.peek() {
            match next {
                '.' | '!' | '?' => {
                    dots_only &= next == '.';
                    run += 1;
                }
                '"' | '\'' | ')' | ']' | '}' | '\u{201d}' | '\u{2019}' => {}
                _ => break,
            }
            end = at + next.len_utf8();
            characters.next();
        }
        let rest = &text[end..];
        let spaced = rest.chars().next().is_some_and(char::is_whitespace);
        let capital = || rest.trim_start().chars().next().is_some_and(char::is_uppercase);
        if spaced && (!(dots_only && run > 1) || capital()) {
            sentences.push(&text[start..end]);
            start = end;
        }
    }
    sentences.push(&text[start..]);
    sentences
}

/// The tokens `\w+|[^\w\s]+` of a sentence, in order.
pub(crate) fn word_punctuation(sentence: &str) -> impl Iterator<Item = &str> {
    let mut rest = sentence;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let kind = is_word(first);
        let end =
            rest.find(|character: char| character.is_whitespace() || is_word(character) != kind).unwrap_or(rest.len());
        let (token, tail) = rest.split_at(end);
        rest = tail;
        Some(token)
    })
}

/// `\w` of Unicode: letters, marks, decimal digits, connectors. (NLTK from 3.10 on; before, fractions were words too and
/// the vowel signs of Indic scripts were not.)
fn is_word(character: char) -> bool {
    if character.is_ascii() {
        character == '_' || character.is_ascii_alphanumeric()
    } else {
        regex_syntax::try_is_word_character(character).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_runs_of_word_characters_or_of_marks() {
        let tokens: Vec<&str> =
            word_punctuation("It's 3.5% (\"na\u{ef}ve\") snake_case...\n\u{4f60}\u{597d}!").collect();
        let expected = [
            "It",
            "'",
            "s",
            "3",
            ".",
            "5",
            "%",
            "(\"",
            "na\u{ef}ve",
            "\")",
            "snake_case",
            "...",
            "\u{4f60}\u{597d}",
            "!",
        ];
        assert_eq!(tokens, expected);
        assert_eq!(word_punctuation("  \t ").count(), 0);
    }

    #[test]
    fn sentences_end_after_marks_and_closing_quotes() {
        assert_eq!(
            sentences("He said \"go.\" Then, wait... now? Yes... No"),
            ["He said \"go.\"", " Then, wait... now?", " Yes...", " No"]
        );
        assert_eq!(sentences("a.b 3.5"), ["a.b 3.5"]);
        assert_eq!(sentences(""), [""]);
    }
}
