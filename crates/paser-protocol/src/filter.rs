//! Filter expressions: which samples a table shows or an edit is about, as a person types it.
//!
//! ```text
//! filter     = and-list { "or" and-list }
//! and-list   = condition { [ "and" ] condition }
//! condition  = "not" condition | "(" filter ")" | name [ operator value ]
//! operator   = "=" | "!=" | "<" | "<=" | ">" | ">=" | "~"
//! value      = number | word | "text in quotes"
//! ```
//!
//! A name alone is a mark (`pinned`). Between two conditions `and` may be left out where the second one compares
//! something. Names and words hold letters, digits and `_ - . : / *`; everything else stands in quotes, in which `\"` is a
//! quote and `\\` a backslash. What a name means is the business of whoever evaluates it.

use std::{borrow::Cow, fmt, iter::Peekable, str::CharIndices};

use crate::inside_words;

/// Parentheses and `not` in one another.
const DEEPEST: usize = 64;

/// A parsed filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Two or more.
    Any(Vec<Filter>),
    /// Two or more.
    All(Vec<Filter>),
    Not(Box<Filter>),
    /// `pinned`
    Mark(String),
    /// `jsd > 0.2`
    Compare {
        name: String,
        operator: Operator,
        value: Value,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    /// Holds the text, or finds it.
    Like,
}

impl Operator {
    const ALL: [Self; 7] =
        [Self::NotEqual, Self::AtMost, Self::AtLeast, Self::Equal, Self::Less, Self::Greater, Self::Like];

    pub fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Like => "~",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Finite.
    Number(f64),
    Text(String),
}

impl Value {
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => text.into(),
            Self::Number(number) => number.to_string().into(),
        }
    }
}

/// What is wrong with a filter, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// Characters before the place.
    pub at: usize,
    /// What stands there.
    pub found: String,
    /// What could stand there.
    pub expected: String,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: expected {}, found {}", self.at + 1, self.expected, self.found)
    }
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// The first place that fits no rule.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let mut parser = Parser { text, letters: text.char_indices().peekable(), ahead: None, depth: 0 };
        let filter = parser.any()?;
        match parser.next()? {
            (_, Token::End) => Ok(filter),
            (at, token) => Err(parser.error(at, &token, "`and`, `or` or the end")),
        }
    }

    /// The filter that also finds its words inside of others; none where it searches no text, or does so already.
    pub fn inside_words(&self) -> Option<Self> {
        let opened = |parts: &[Self]| {
            let wide: Vec<Option<Self>> = parts.iter().map(Self::inside_words).collect();
            let some = wide.iter().any(Option::is_some);
            some.then(|| wide.into_iter().zip(parts).map(|(wide, part)| wide.unwrap_or_else(|| part.clone())).collect())
        };
        match self {
            Self::Any(parts) => opened(parts).map(Self::Any),
            Self::All(parts) => opened(parts).map(Self::All),
            Self::Not(inner) => inner.inside_words().map(|inner| Self::Not(Box::new(inner))),
            Self::Compare { name, operator: operator @ Operator::Like, value } if is_text(name) => {
                let value = Value::Text(inside_words(&value.text())?);
                Some(Self::Compare { name: name.clone(), operator: *operator, value })
            }
            Self::Mark(_) | Self::Compare { .. } => None,
        }
    }
}

/// Names of what is searched in full text: all of a sample, or a part of it.
pub const TEXTS: [&str; 4] = ["text", "instruction", "input", "output"];

fn is_text(name: &str) -> bool {
    TEXTS.iter().any(|text| name.eq_ignore_ascii_case(text))
}

/// Other words for a column: what stands in the table's heads, and what people call it.
const ALIASES: [(&str, &str); 5] = [
    ("tokens", "response_tokens"),
    ("loss, dense", "loss_dense"),
    ("loss, pruned", "loss_pruned"),
    ("damage", "jsd"),
    ("efficiency", "ies"),
];

/// The column that another word stands for.
pub fn column_called(word: &str) -> Option<&'static str> {
    ALIASES.iter().find(|(alias, _)| word.eq_ignore_ascii_case(alias)).map(|(_, name)| *name)
}

/// What stands over a column of the table, where that is not its label. A filter takes it for the column's name.
pub fn column_head(name: &str) -> Option<&'static str> {
    match name {
        "jsd" => Some("jsd"),
        "ies" => Some("ies"),
        _ => ALIASES.iter().find(|(_, known)| *known == name).map(|(alias, _)| *alias),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Sign(Operator),
    Word(String),
    Quoted(String),
    End,
}

impl Token {
    fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Word(found) if found.eq_ignore_ascii_case(word))
    }

    fn told(&self) -> String {
        match self {
            Self::Open => "`(`".to_owned(),
            Self::Close => "`)`".to_owned(),
            Self::Sign(operator) => format!("`{}`", operator.sign()),
            Self::Word(word) => format!("`{word}`"),
            Self::Quoted(text) => quoted(text),
            Self::End => "the end".to_owned(),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    letters: Peekable<CharIndices<'a>>,
    ahead: Option<(usize, Token)>,
    depth: usize,
}

impl Parser<'_> {
    /// `at` in bytes.
    fn error(&self, at: usize, found: &Token, expected: &str) -> FilterError {
        self.error_told(at, found.told(), expected)
    }

    fn error_told(&self, at: usize, found: String, expected: &str) -> FilterError {
        FilterError { at: self.text[..at].chars().count(), found, expected: expected.to_owned() }
    }

    fn next(&mut self) -> Result<(usize, Token), FilterError> {
        match self.ahead.take() {
            Some(token) => Ok(token),
            None => self.read(),
        }
    }

    /// Takes the next token where it is this word.
    fn takes(&mut self, word: &str) -> Result<bool, FilterError> {
        let token = self.next()?;
        let takes = token.1.is_word(word);
        if !takes {
            self.ahead = Some(token);
        }
        Ok(takes)
    }

    fn read(&mut self) -> Result<(usize, Token), FilterError> {
        while self.letters.next_if(|(_, letter)| letter.is_whitespace()).is_some() {}
        let Some(&(at, letter)) = self.letters.peek() else { return Ok((self.text.len(), Token::End)) };
        let token = match letter {
            '(' | ')' => {
                self.letters.next();
                if letter == '(' { Token::Open } else { Token::Close }
            }
            '"' => Token::Quoted(self.quoted(at)?),
            _ if in_word(letter) => {
                let mut word = String::new();
                while let Some((_, letter)) = self.letters.next_if(|(_, letter)| in_word(*letter)) {
                    word.push(letter);
                }
                Token::Word(word)
            }
            _ => {
                let sign = Operator::ALL.into_iter().find(|operator| self.text[at..].starts_with(operator.sign()));
                let Some(operator) = sign else {
                    return Err(self.error_told(
                        at,
                        format!("`{letter}`"),
                        "a name, a value, a comparison or a parenthesis",
                    ));
                };
                for _ in operator.sign().chars() {
                    self.letters.next();
                }
                Token::Sign(operator)
            }
        };
        Ok((at, token))
    }

    fn quoted(&mut self, at: usize) -> Result<String, FilterError> {
        self.letters.next();
        let mut text = String::new();
        while let Some((_, letter)) = self.letters.next() {
            match letter {
                '"' => return Ok(text),
                '\\' => match self.letters.next() {
                    Some((_, letter @ ('"' | '\\'))) => text.push(letter),
                    Some((at, letter)) => {
                        return Err(self.error_told(at, format!("`{letter}`"), "`\"` or `\\` after a backslash"));
                    }
                    None => break,
                },
                _ => text.push(letter),
            }
        }
        Err(self.error_told(at, "a quote that is not closed".to_owned(), "`\"` at the end of the text"))
    }

    fn any(&mut self) -> Result<Filter, FilterError> {
        let mut parts = vec![self.all()?];
        while self.takes("or")? {
            parts.push(self.all()?);
        }
        Ok(alone_or(parts, Filter::Any))
    }

    fn all(&mut self) -> Result<Filter, FilterError> {
        let mut parts = vec![self.condition()?];
        loop {
            if self.takes("and")? {
                parts.push(self.condition()?);
                continue;
            }
            let (at, token) = self.next()?;
            self.ahead = Some((at, token.clone()));
            let begins = matches!(&token, Token::Word(word) if !word.eq_ignore_ascii_case("or"))
                || matches!(token, Token::Quoted(_) | Token::Open);
            if !begins {
                return Ok(alone_or(parts, Filter::All));
            }
            // A word after a value is rather a text that lacks its quotes.
            match self.condition()? {
                Filter::Mark(_) => return Err(self.error(at, &token, "`and`, `or` or the end")),
                condition => parts.push(condition),
            }
        }
    }

    fn condition(&mut self) -> Result<Filter, FilterError> {
        let (at, token) = self.next()?;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error(at, &token, "no more than 64 parentheses and `not` in one another"));
        }
        let found = match token {
            Token::Open => {
                let inner = self.any()?;
                match self.next()? {
                    (_, Token::Close) => inner,
                    (at, token) => return Err(self.error(at, &token, "`and`, `or` or `)`")),
                }
            }
            token if token.is_word("not") => Filter::Not(Box::new(self.condition()?)),
            Token::Word(ref name) if !is_keyword(name) => self.comparison(name.clone())?,
            Token::Quoted(name) => self.comparison(name)?,
            token => return Err(self.error(at, &token, "the name of a column or a mark, `not` or `(`")),
        };
        self.depth -= 1;
        Ok(found)
    }

    fn comparison(&mut self, name: String) -> Result<Filter, FilterError> {
        let operator = match self.next()? {
            (_, Token::Sign(operator)) => operator,
            token => {
                self.ahead = Some(token);
                return Ok(Filter::Mark(name));
            }
        };
        let value = match self.next()? {
            (_, Token::Quoted(text)) => Value::Text(text),
            (_, Token::Word(word)) if !is_keyword(&word) => match number(&word) {
                Some(number) => Value::Number(number),
                None => Value::Text(word),
            },
            (at, token) => return Err(self.error(at, &token, "a number, a word or a text in quotes")),
        };
        Ok(Filter::Compare { name, operator, value })
    }
}

/// Words that begin with a digit, a sign or a point and read as a finite number. `007` is none, nor is a whole number
/// beyond what f64 holds exactly: those are ids.
fn number(word: &str) -> Option<f64> {
    let digits = word.trim_start_matches('-');
    let padded = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    let long = digits.len() > 15 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if padded || long {
        return None;
    }
    if !word.starts_with(|letter: char| letter.is_ascii_digit() || "-.".contains(letter)) {
        return None;
    }
    word.parse().ok().filter(|number: &f64| number.is_finite())
}

fn alone_or(mut parts: Vec<Filter>, many: impl FnOnce(Vec<Filter>) -> Filter) -> Filter {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => many(parts.into_iter().chain(last).collect()),
    }
}

fn in_word(letter: char) -> bool {
    letter.is_alphanumeric() || "_-.:/*".contains(letter)
}

fn is_keyword(word: &str) -> bool {
    ["and", "or", "not"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl fmt::Display for Filter {
    /// Reads back as the same filter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |name: &str| {
            let plain = !name.is_empty() && name.chars().all(in_word) && !is_keyword(name);
            if plain { name.to_owned() } else { quoted(name) }
        };
        match self {
            Self::Mark(mark) => f.write_str(&name(mark)),
            Self::Compare { name: column, operator, value } => {
                write!(f, "{} {} ", name(column), operator.sign())?;
                match value {
                    // The exponent keeps long numbers short, and apart from ids of digits alone.
                    Value::Number(number) if number.abs() >= 1e15 => write!(f, "{number:e}"),
                    Value::Number(number) => write!(f, "{number}"),
                    Value::Text(text) => f.write_str(&quoted(text)),
                }
            }
            Self::Not(inner) => match **inner {
                Self::Any(_) | Self::All(_) => write!(f, "not ({inner})"),
                _ => write!(f, "not {inner}"),
            },
            Self::Any(parts) | Self::All(parts) => {
                let word = if matches!(self, Self::Any(_)) { " or " } else { " and " };
                for (at, part) in parts.iter().enumerate() {
                    if at > 0 {
                        f.write_str(word)?;
                    }
                    // Of two lists in one another the inner one stands in parentheses.
                    match part {
                        Self::Any(_) | Self::All(_) => write!(f, "({part})")?,
                        _ => write!(f, "{part}")?,
                    }
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn compare(name: &str, operator: Operator, value: Value) -> Filter {
        Filter::Compare { name: name.to_owned(), operator, value }
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn mark(name: &str) -> Filter {
        Filter::Mark(name.to_owned())
    }

    #[test]
    fn what_people_type_is_understood() {
        use Operator::{AtMost, Equal, Greater, Less, Like};
        for (typed, filter) in [
            ("jsd > 0.2", compare("jsd", Greater, Value::Number(0.2))),
            ("response_tokens<=40", compare("response_tokens", AtMost, Value::Number(40.0))),
            ("cluster = \"code, python\"", compare("cluster", Equal, text("code, python"))),
            ("tag = sql", compare("tag", Equal, text("sql"))),
            ("id ~ 007", compare("id", Like, text("007"))),
            ("id = 9007199254740993", compare("id", Equal, text("9007199254740993"))),
            ("x = 0", compare("x", Equal, Value::Number(0.0))),
            ("id=line:5", compare("id", Equal, text("line:5"))),
            ("x < -1e-3", compare("x", Less, Value::Number(-0.001))),
            ("text ~ \"say \\\"hi\\\" \\\\\"", compare("text", Like, text("say \"hi\" \\"))),
            ("NOT pinned", Filter::Not(Box::new(mark("pinned")))),
            ("text ~ *sql*", compare("text", Like, text("*sql*"))),
            ("\"my column\" = inf", compare("my column", Equal, text("inf"))),
        ] {
            assert_eq!(Filter::parse(typed), Ok(filter), "{typed}");
        }
        let (a, b, c) = (mark("a"), mark("b"), mark("c"));
        let both = Filter::All(vec![b.clone(), c.clone()]);
        assert_eq!(Filter::parse("a or b and c"), Ok(Filter::Any(vec![a.clone(), both])));
        let either = Filter::Any(vec![a.clone(), b]);
        assert_eq!(Filter::parse("(a or b) and c"), Ok(Filter::All(vec![either, c])));
        assert_eq!(Filter::parse("((a))"), Ok(a));
    }

    #[test]
    fn conditions_one_after_the_other_are_joined() {
        for (typed, read) in [
            ("jsd > 0.05 ies < 20", "jsd > 0.05 and ies < 20"),
            ("pinned jsd > 0.05", "pinned and jsd > 0.05"),
            ("a = 1 (b = 2 or c = 3)", "a = 1 and (b = 2 or c = 3)"),
            ("a = 1 or b = 2 not c", "a = 1 or b = 2 and not c"),
        ] {
            assert_eq!(Filter::parse(typed), Filter::parse(read), "{typed}");
        }
        for typed in ["cluster = code python", "pinned hidden", "a = 1 ) b = 2", "a = 1 2"] {
            assert!(Filter::parse(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn texts_are_searched_inside_words_wherever_they_stand() {
        let filter = Filter::parse("jsd > 0.2 and not (text ~ sql or instruction ~ \"my *db*\" or id ~ sql)").unwrap();
        let wide = "jsd > 0.2 and not (text ~ \"*sql*\" or instruction ~ \"*my* *db*\" or id ~ \"sql\")";
        assert_eq!(filter.inside_words().map(|filter| filter.to_string()).as_deref(), Some(wide));
        for same in ["jsd > 0.2", "text ~ *sql*", "tag ~ sql"] {
            assert_eq!(Filter::parse(same).unwrap().inside_words(), None, "{same}");
        }
    }

    #[test]
    fn errors_say_where_and_what_is_expected() {
        for (typed, at, expected) in [
            ("", 0, "name of a column"),
            ("jsd >", 5, "a number"),
            ("ä = 1 b", 6, "the end"),
            ("(a or b", 7, "`)`"),
            ("a and or b", 6, "name of a column"),
            ("a = \"x", 4, "`\"` at the end"),
            ("a = \"\\n\"", 6, "after a backslash"),
            ("a ? b", 2, "a comparison"),
            ("= 3", 0, "name of a column"),
            ("a = and", 4, "a number"),
        ] {
            let error = Filter::parse(typed).unwrap_err();
            assert!(error.at == at && error.expected.contains(expected), "{typed}: {error}");
        }
        assert_eq!(
            Filter::parse("jsd > )").unwrap_err().to_string(),
            "at character 7: expected a number, a word or a text in quotes, found `)`"
        );
        for deep in ["(".repeat(100_000), "not ".repeat(100_000)] {
            assert!(Filter::parse(&deep).unwrap_err().expected.contains("64"));
        }
    }

    fn filters() -> impl Strategy<Value = Filter> {
        let operator = prop::sample::select(Operator::ALL.to_vec());
        let finite = any::<f64>().prop_filter("finite", |number| number.is_finite());
        let value = prop_oneof![finite.prop_map(Value::Number), ".{0,8}".prop_map(Value::Text)];
        let name = prop_oneof!["[a-z_]{1,6}", "(and|or|not|AND)", ".{0,6}"];
        let leaf = prop_oneof![
            name.clone().prop_map(Filter::Mark),
            (name, operator, value).prop_map(|(name, operator, value)| Filter::Compare { name, operator, value }),
        ];
        leaf.prop_recursive(5, 40, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::Any),
                prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::All),
                inner.prop_map(|inner| Filter::Not(Box::new(inner))),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_printed_filter_reads_back(filter in filters()) {
            prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter));
        }

        #[test]
        fn no_text_breaks_the_parser(text in prop_oneof![
            ".{0,40}",
            "(and |or |not |\\(|\\)|\"|\\\\|=|!=|<|~|jsd|ü|1| |-){0,30}",
        ]) {
            match Filter::parse(&text) {
                Ok(filter) => prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter)),
                Err(error) => prop_assert!(error.at <= text.chars().count()),
            }
        }
    }
}
