//! WikiText as lm-evaluation-harness reads it: pages, and the text before it was tokenised for the corpus (task `wikitext`
//! version 2, tasks/wikitext/preprocess_wikitext.py; pages as in EleutherAI/wikitext_document_level).

use std::sync::LazyLock;

use regex::Regex;

use crate::harness::is_space;

/// The pages of a file: each begins at a title of the first level, ` = Title = `. What is blank is no page.
pub(crate) fn pages(text: &str) -> Vec<String> {
    let mut pages: Vec<Vec<&str>> = vec![Vec::new()];
    for line in text.split('\n') {
        let title = line.replace("= = =", "===").replace("= =", "==");
        let title = title.trim_matches(is_space);
        if title.starts_with("= ") && title.ends_with(" =") {
            pages.push(Vec::new());
        }
        if let Some(page) = pages.last_mut() {
            page.push(line);
        }
    }
    pages.iter().map(|lines| lines.join("\n")).filter(|page| !page.trim_matches(is_space).is_empty()).collect()
}

/// Words of a page as the harness counts them: pieces between white space, an empty one before and behind it included.
pub(crate) fn words(page: &str) -> usize {
    let mut words = 1;
    let mut in_space = false;
    for character in page.chars() {
        let space = is_space(character);
        words += usize::from(space && !in_space);
        in_space = space;
    }
    words
}

/// A page as it was before the corpus' own tokenisation. The harness removes spaces inside quotes and brackets pair by
/// pair from the left, and reads ` N ` as a number; both are kept, since the value is compared with its own.
pub(crate) fn detokenised(page: &str) -> String {
    const BEFORE: [(&str, &str); 10] = [
        ("s '", "s'"),
        (" @-@ ", "-"),
        (" @,@ ", ","),
        (" @.@ ", "."),
        (" : ", ": "),
        (" ; ", "; "),
        (" . ", ". "),
        (" ! ", "! "),
        (" ? ", "? "),
        (" , ", ", "),
    ];
    const BEHIND: [(&str, &str); 8] = [
        ("= = = =", "===="),
        ("= = =", "==="),
        ("= =", "=="),
        (" ° ", "°"),
        (" \n", "\n"),
        ("\n ", "\n"),
        (" N ", " 1 "),
        (" 's", "'s"),
    ];
    let replaced =
        |text: String, pairs: &[(&str, &str)]| pairs.iter().fold(text, |text, (from, to)| text.replace(from, to));
    let mut text = replaced(page.to_owned(), &BEFORE);
    for (pair, inner) in PAIRS.iter() {
        text = pair.replace_all(&text, *inner).into_owned();
    }
    replaced(text, &BEHIND)
}

/// Brackets and quotes with the spaces inside them.
static PAIRS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let pairs = [
        (r"\(\s*([^)]*?)\s*\)", "($1)"),
        (r"\[\s*([^\]]*?)\s*\]", "[$1]"),
        (r"\{\s*([^}]*?)\s*\}", "{$1}"),
        (r#""\s*([^"]*?)\s*""#, "\"$1\""),
        (r"'\s*([^']*?)\s*'", "'$1'"),
    ];
    pairs.into_iter().filter_map(|(pattern, inner)| Some((Regex::new(pattern).ok()?, inner))).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_at_a_title_of_the_first_level() {
        let text = " \n = One = \n a \n = = Part = = \n b \n = Two = \n c";
        assert_eq!(pages(text), [" = One = \n a \n = = Part = = \n b ", " = Two = \n c"]);
        assert!(pages(" \n \n").is_empty());
    }

    #[test]
    fn words_are_pieces_between_white_space() {
        assert_eq!([words(" a  b\n"), words("a"), words(""), words("a\u{1f}b")], [4, 1, 1, 2]);
    }

    #[test]
    fn a_page_reads_as_before_it_was_tokenised() {
        let page = " = Title = \n \n The dogs ' toys ( 2 @.@ 5 , or 3 @-@ 4 ) cost \" N or 1 @,@ 000 \" ; 5 ° C at N miles , it 's [ x ] { y } . \n = = Part = = \n";
        assert_eq!(
            detokenised(page),
            " = Title =\n\nThe dogs'toys (2.5, or 3-4) cost \"N or 1,000\"; 5°C at 1 miles, it's [x] {y}.\n== Part ==\n"
        );
    }
}
