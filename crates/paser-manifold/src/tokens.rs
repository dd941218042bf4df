//! How a text falls into tokens: words in lower case, single digits, single punctuation marks (`method.md`
//! section 1, item 2; `research` found that digits and marks are what tells arithmetic and code apart).

/// Characters that are words of their own, because their scripts put no spaces between words.
fn stands_alone(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// The tokens of a text, in order.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut word = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_alphabetic() && !stands_alone(c) {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            found.push(std::mem::take(&mut word));
        }
        if !c.is_whitespace() && !c.is_control() {
            found.push(c.to_string());
        }
    }
    if !word.is_empty() {
        found.push(word);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_digits_and_marks_are_tokens() {
        assert_eq!(tokens("What is 12+3?\n"), ["what", "is", "1", "2", "+", "3", "?"]);
        assert_eq!(tokens("x_1 = don't"), ["x", "_", "1", "=", "don", "'", "t"]);
        assert_eq!(tokens("ÉTÉ straße"), ["été", "straße"]);
        assert_eq!(tokens("日本 go"), ["日", "本", "go"]);
        assert!(tokens(" \t\u{0}").is_empty());
    }
}
