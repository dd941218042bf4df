//! Which parts of a text are code, and what the parts of code are: comments, strings, keywords. A small lexer for the
//! languages that instruction data holds most; it colours, and never decides anything.

use std::ops::Range;

/// What a part of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Prose,
    /// The line that opens or closes a block of code.
    Fence,
    Code,
    Comment,
    Text,
    Keyword,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Python,
    Sql,
    Script,
    Rust,
    C,
    Unknown,
}

/// Languages by what stands after a fence.
const NAMES: [(&str, Language); 22] = [
    ("python", Language::Python),
    ("py", Language::Python),
    ("python3", Language::Python),
    ("sh", Language::Python),
    ("bash", Language::Python),
    ("ruby", Language::Python),
    ("sql", Language::Sql),
    ("mysql", Language::Sql),
    ("javascript", Language::Script),
    ("js", Language::Script),
    ("jsx", Language::Script),
    ("typescript", Language::Script),
    ("ts", Language::Script),
    ("rust", Language::Rust),
    ("rs", Language::Rust),
    ("c", Language::C),
    ("cpp", Language::C),
    ("c++", Language::C),
    ("csharp", Language::C),
    ("java", Language::C),
    ("go", Language::C),
    ("php", Language::C),
];

const PYTHON: &str = "and as assert async await break class continue def del elif else except False finally for from \
                      global if import in is lambda None nonlocal not or pass raise return True try while with yield";
const SQL: &str = "all alter and as asc avg between by case count create cross delete desc distinct drop else end exists \
                   from full group having in inner insert into is join key left like limit max min not null on or order \
                   outer primary references right select set sum table then union unique update values view when where \
                   with";
const SCRIPT: &str = "async await break case catch class const continue default delete do else export extends false \
                      finally for from function if import in instanceof interface let new null of return static super \
                      switch this throw true try type typeof undefined var void while yield";
const RUST: &str = "as async await break const continue crate dyn else enum extern false fn for if impl in let loop match \
                    mod move mut pub ref return self Self static struct super trait true type unsafe use where while";
const C: &str = "abstract auto bool boolean break byte case catch char class const continue default delete do double else \
                 enum extends extern false final float for func goto if implements import include int interface long \
                 namespace new null nullptr package private protected public return short signed sizeof static string \
                 struct switch template this throw throws true try typedef union unsigned using var virtual void while";

impl Language {
    fn keywords(self) -> &'static str {
        match self {
            Self::Python => PYTHON,
            Self::Sql => SQL,
            Self::Script => SCRIPT,
            Self::Rust => RUST,
            Self::C => C,
            Self::Unknown => "",
        }
    }

    fn has(self, word: &str) -> bool {
        let mut keywords = self.keywords().split(' ');
        match self {
            Self::Sql => keywords.any(|keyword| keyword.eq_ignore_ascii_case(word)),
            _ => keywords.any(|keyword| keyword == word),
        }
    }

    fn comment(self) -> &'static str {
        match self {
            Self::Python => "#",
            Self::Sql => "--",
            Self::Script | Self::Rust | Self::C => "//",
            Self::Unknown => "\0",
        }
    }
}

/// The whole text in parts, in order: blocks between fences are code, and so is a text that begins as only code does.
pub fn parts(text: &str) -> Vec<(Range<usize>, Part)> {
    let mut parts = Vec::new();
    let fenced = text.lines().any(is_fence);
    if !fenced {
        match whole(text) {
            Some(language) => lex(text, 0..text.len(), language, &mut parts),
            None => push(&mut parts, 0..text.len(), Part::Prose),
        }
        return parts;
    }
    let (mut at, mut block) = (0, None);
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        if is_fence(line) {
            match block.take() {
                Some((from, language)) => {
                    lex(text, from..at, language, &mut parts);
                    push(&mut parts, at..end, Part::Fence);
                }
                None => {
                    push(&mut parts, at..end, Part::Fence);
                    block = Some((end, named(line).unwrap_or(Language::Unknown)));
                }
            }
        } else if block.is_none() {
            push(&mut parts, at..end, Part::Prose);
        }
        at = end;
    }
    if let Some((from, language)) = block {
        lex(text, from..text.len(), language, &mut parts);
    }
    parts
}

fn is_fence(line: &str) -> bool {
    line.trim_start().starts_with("```")
}

fn named(fence: &str) -> Option<Language> {
    let name = fence.trim().trim_start_matches('`').split_whitespace().next()?.to_ascii_lowercase();
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, language)| *language)
}

/// The language of a text that is code from its first line on and holds no sentence.
fn whole(text: &str) -> Option<Language> {
    let sentence = |line: &str| {
        line.starts_with(|letter: char| letter.is_uppercase())
            && line.trim_end().ends_with(['.', ':', '!', '?'])
            && line.split_whitespace().count() >= 5
    };
    let first = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let language = begins(first, text)?;
    (!text.lines().any(sentence)).then_some(language)
}

/// Beginnings that no sentence has.
fn begins(first: &str, text: &str) -> Option<Language> {
    let starts = |words: &[&str]| words.iter().any(|word| first.starts_with(word));
    let words = first.split_whitespace().count();
    if (starts(&["def ", "async def "]) && first.contains('(') && first.ends_with(':'))
        || (starts(&["class "]) && words == 2 && first.ends_with(':'))
        || (starts(&["import "]) && words == 2 && !first.ends_with([';', '.']))
        || (starts(&["from "]) && first.contains(" import "))
        || starts(&["print(", "#!/"])
    {
        return Some(Language::Python);
    }
    let clause = [" FROM ", "\nFROM ", " VALUES", " SET ", "\nSET ", " TABLE "].iter().any(|word| text.contains(word));
    let statement = starts(&["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "CREATE TABLE "]);
    let quiet = first.starts_with("select ") && text.contains("from ") && text.trim_end().ends_with(';');
    if (statement && clause) || quiet {
        return Some(Language::Sql);
    }
    if starts(&["fn ", "pub fn ", "use std::", "impl ", "pub struct "]) && first.ends_with(['{', ';', '}']) {
        return Some(Language::Rust);
    }
    let opens = first.ends_with(['{', ';', '}', ']', '(']);
    if (starts(&["function ", "async function ", "export "]) && first.contains('(') && opens)
        || (starts(&["const ", "let ", "var "]) && first.contains(" = ") && opens)
        || starts(&["console.log("])
    {
        return Some(Language::Script);
    }
    let include = starts(&["#include <", "#include \"", "using namespace ", "package main", "<?php"]);
    (include || starts(&["public class ", "int main("])).then_some(Language::C)
}

fn push(parts: &mut Vec<(Range<usize>, Part)>, range: Range<usize>, part: Part) {
    match parts.last_mut() {
        Some((before, kind)) if *kind == part && before.end == range.start => before.end = range.end,
        _ if range.is_empty() => {}
        _ => parts.push((range, part)),
    }
}

/// The parts of a stretch of code.
fn lex(text: &str, range: Range<usize>, language: Language, parts: &mut Vec<(Range<usize>, Part)>) {
    let code = &text[..range.end];
    let mut at = range.start;
    while let Some(letter) = code[at..].chars().next() {
        let rest = &code[at..];
        let (length, part) = if rest.starts_with(language.comment()) {
            (rest.find('\n').unwrap_or(rest.len()), Part::Comment)
        } else if rest.starts_with("/*") && language != Language::Python && language != Language::Unknown {
            (rest.find("*/").map_or(rest.len(), |end| end + 2), Part::Comment)
        } else if let Some(length) = quoted(rest, language) {
            (length, Part::Text)
        } else if letter.is_alphanumeric() || letter == '_' {
            let length = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
            (length, if language.has(&rest[..length]) { Part::Keyword } else { Part::Code })
        } else {
            (letter.len_utf8(), Part::Code)
        };
        push(parts, at..at + length, part);
        at += length;
    }
}

/// Bytes of the quoted text that begins here; none where there is none.
fn quoted(rest: &str, language: Language) -> Option<usize> {
    let quote = rest.chars().next().filter(|letter| matches!(letter, '"' | '\'' | '`'))?;
    let triple = &rest[..rest.len().min(3)];
    if language == Language::Python && (triple == "\"\"\"" || triple == "'''") {
        return Some(rest[3..].find(triple).map_or(rest.len(), |end| end + 6));
    }
    if language == Language::Unknown || quote == '`' && language != Language::Script {
        return None;
    }
    // A lifetime has no end: only one letter, maybe escaped, stands between quotes.
    let letter = || rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'');
    if quote == '\'' && language == Language::Rust && !letter() {
        return None;
    }
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            '\n' if quote != '`' => return None,
            _ if letter == quote && !escaped => return Some(at + 1),
            _ => {}
        }
        escaped = letter == '\\' && !escaped;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts with their text, prose and plain code left out.
    fn marked(text: &str) -> Vec<(&str, Part)> {
        let plain = |part: &Part| matches!(part, Part::Code | Part::Prose);
        parts(text).into_iter().filter(|(_, part)| !plain(part)).map(|(range, part)| (&text[range], part)).collect()
    }

    fn is_code(text: &str) -> bool {
        parts(text).iter().all(|(_, part)| *part != Part::Prose)
    }

    #[test]
    fn every_byte_has_one_part() {
        for text in [
            "",
            "Plain.",
            "Grüße\n```py\nx = 'ä' # ö\n```\nEnde",
            "```\nopen",
            "fn f<'a>(x: &'a str) -> char { '\\'' }",
            "def f():\n    \"\"\"Doc",
            "SELECT a FROM t -- x",
        ] {
            let mut at = 0;
            for (range, _) in parts(text) {
                assert_eq!(range.start, at, "{text:?}");
                assert!(text.is_char_boundary(range.end) && range.end > range.start);
                at = range.end;
            }
            assert_eq!(at, text.len(), "{text:?}");
        }
    }

    #[test]
    fn fenced_blocks_are_code_in_their_language() {
        let text = "See:\n```python\ndef f(x):  # adds\n    return x + '1'\n```\nDone.";
        assert_eq!(
            marked(text),
            [
                ("```python\n", Part::Fence),
                ("def", Part::Keyword),
                ("# adds", Part::Comment),
                ("return", Part::Keyword),
                ("'1'", Part::Text),
                ("```\n", Part::Fence),
            ]
        );
        let text = "```sql\nselect a from t -- all\n/* x */```";
        let words: Vec<&str> = marked(text).into_iter().map(|(word, _)| word).collect();
        assert_eq!(words, ["```sql\n", "select", "from", "-- all", "/* x */"]);
        assert_eq!(marked("```\nif x\n```"), [("```\n", Part::Fence), ("```", Part::Fence)]);
    }

    #[test]
    fn lifetimes_are_no_texts_and_letters_are() {
        let text = "```rs\nfn f<'a, 'b>(x: &'a str) -> [char; 2] { ['x', '\\''] } // 'q'";
        let texts: Vec<&str> =
            marked(text).into_iter().filter(|(_, part)| *part == Part::Text).map(|(word, _)| word).collect();
        assert_eq!(texts, ["'x'", "'\\''"]);
    }

    #[test]
    fn whole_texts_are_code_only_by_a_sure_sign() {
        for code in [
            "def add(a, b):\n    return a + b",
            "import numpy\nx = numpy.zeros(3)",
            "from math import pi\nprint(pi)",
            "SELECT name FROM users WHERE age > 3;",
            "select name\nfrom users;",
            "fn main() {\n    println!(\"x\");\n}",
            "function add(a, b) {\n  return a + b;\n}",
            "#include <stdio.h>\nint main() { return 0; }",
        ] {
            assert!(is_code(code), "{code}");
        }
        for prose in [
            "Select a fruit from the list.",
            "SELECT is a keyword of SQL.",
            "import taxes are paid at the border.",
            "class is over:",
            "def add(a, b):\n    return a + b\n\nThis function adds its two arguments.",
            "let us go home;",
            "From Paris we import wine.",
            "Three lanterns cost 12 coins.",
        ] {
            assert!(!is_code(prose), "{prose}");
        }
    }
}
